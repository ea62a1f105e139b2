"""Curves by columns: extremes, means, smoothing, lines in dots."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlhub.curves.points import make_points
from mlhub.curves.traces import braille, bucket, smooth, stroke, trace


def make(values, step=None):
    steps = np.arange(len(values), dtype=float) if step is None else np.asarray(step, float)
    return make_points(steps, steps + 1000, np.asarray(values, float))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40_000), st.integers(1, 60), st.integers(0, 9), st.booleans())
def test_buckets_keep_every_extreme_and_the_mean(count, columns, seed, gaps):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=count)
    if gaps:
        values[rng.random(count) < 0.3] = np.nan
    found = bucket(make(values), np.linspace(0, max(1, count), columns + 1))
    known = values[np.isfinite(values)]
    if not len(known):
        assert np.isnan(found.mean).all()
        return
    assert np.nanmin(found.low) == known.min()
    assert np.nanmax(found.high) == known.max()
    there = np.isfinite(found.mean)
    assert np.all(found.low[there] <= found.mean[there] + 1e-9)
    assert np.all(found.mean[there] <= found.high[there] + 1e-9)


def test_blocks_stand_for_points_where_there_are_many():
    values = np.sin(np.arange(1_000_003) / 1e5)
    points = make(values)
    found = bucket(points, np.linspace(0, 1_000_003, 101))
    expected = [part.mean() for part in np.array_split(values, 100)]
    assert np.allclose(found.mean, expected, atol=2e-3)


def reference(x, y, reach):
    """Point by point."""
    total = weight = 0.0
    found, last = [], x[0]
    for at, value in zip(x, y, strict=True):
        fade = np.exp(-(at - last) / reach)
        total, weight, last = total * fade, weight * fade, at
        if np.isfinite(value):
            total, weight = total + value, weight + 1
        found.append(total / weight if np.isfinite(value) else np.nan)
    return np.array(found)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 300), st.floats(0.01, 1e4), st.integers(0, 9))
def test_smoothing_is_the_mean_with_weights_that_fade(count, reach, seed):
    rng = np.random.default_rng(seed)
    x, y = np.cumsum(rng.exponential(5, count)), rng.normal(size=count)
    y[rng.random(count) < 0.2] = np.nan
    assert np.allclose(smooth(x, y, reach), reference(x, y, reach), equal_nan=True, rtol=1e-6, atol=1e-9)


def test_smoothing_begins_at_the_first_value():
    assert smooth(np.arange(3.0), np.full(3, 7.0), 10).tolist() == pytest.approx([7, 7, 7])


def test_few_points_are_joined_by_straight_lines():
    found = trace(make([0, 10], [0, 10]), np.linspace(0, 10, 11))
    assert found.line.tolist() == pytest.approx(np.arange(0.5, 10).tolist())


def test_a_gap_stays_a_gap():
    found = trace(make([1, 1, np.nan, 1, 1], [0, 4, 5, 6, 10]), np.linspace(0, 10, 11))
    assert np.flatnonzero(np.isnan(found.line)).tolist() == [5]


def test_a_gap_stays_a_gap_among_many_points():
    values = np.ones(10_000)
    values[4_000:6_000] = np.nan
    line = trace(make(values), np.linspace(0, 10_000, 101), 3.0).line
    assert np.isnan(line[41:59]).all()
    assert np.isfinite(line[:39]).all()
    assert np.isfinite(line[61:]).all()


def test_a_single_point_is_seen():
    line = trace(make([3.0], [5]), np.linspace(0, 10, 11)).line
    assert np.flatnonzero(np.isfinite(line)).tolist() == [5]


def test_a_window_between_two_points_shows_the_line_between_them():
    line = trace(make([0, 100], [0, 100]), np.linspace(40, 60, 5)).line
    assert line.tolist() == pytest.approx([42.5, 47.5, 52.5, 57.5])


def test_nothing_is_drawn_before_the_first_point_and_after_the_last():
    line = trace(make([1, 2], [3, 6]), np.linspace(0, 10, 11)).line
    assert np.flatnonzero(np.isfinite(line)).tolist() == [3, 4, 5, 6]


def test_a_steep_line_has_no_holes():
    dots = stroke(np.array([0.0, 11.0, 3.0]), 12)
    assert dots.any(axis=1).all()


def test_what_is_beyond_the_picture_is_cut_off():
    assert not stroke(np.array([50.0, 60.0]), 12).any()


def test_dots_are_the_bits_of_braille():
    dots = np.zeros((4, 2), bool)
    dots[0, 0] = dots[3, 1] = True
    assert chr(0x2800 + int(braille(dots)[0, 0])) == "⢁"
