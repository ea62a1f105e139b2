"""Points that grow, are thinned and cut."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mlhub.curves.points import BLOCK, Growing


def grow(values, most=1 << 20, step=None):
    growing = Growing()
    steps = np.arange(len(values), dtype=float) if step is None else np.asarray(step, float)
    for start in range(0, len(values), 777):
        part = slice(start, start + 777)
        growing.append(steps[part], steps[part] + 1000, np.asarray(values, float)[part], most)
    return growing


def test_sums_of_whole_blocks_are_those_of_their_points():
    values = np.random.default_rng(0).normal(size=5 * BLOCK + 7)
    values[3] = np.nan
    points = grow(values).points()
    rows = values[: 5 * BLOCK].reshape(5, BLOCK)
    assert np.allclose(points.low, np.nanmin(rows, axis=1))
    assert np.allclose(points.high, np.nanmax(rows, axis=1))
    assert np.allclose(points.total, np.nansum(rows, axis=1))
    assert points.count.tolist() == [BLOCK - 1, *[BLOCK] * 4]


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 30_000), st.integers(9, 12), st.integers(0, 5))
def test_thinning_keeps_extremes_order_and_evenness(count, power, seed):
    values = np.random.default_rng(seed).normal(size=count)
    points = grow(values, most=1 << power).points()
    assert len(points) <= 1 << power
    assert (points.value.min(), points.value.max()) == (values.min(), values.max())
    assert np.all(np.diff(points.step) >= 0)
    if count > 8 << power:  # between a half and nothing of what is kept are new points that nothing was left out of
        middle = np.searchsorted(points.step, count / 2)
        assert 0.12 < middle / len(points) < 0.8


def test_what_is_old_is_never_thinned_away_however_long_a_run_is():
    points = grow(np.random.default_rng(0).normal(size=400_000), most=1024).points()
    assert len(points) > 256
    assert np.diff(points.step).max() <= 4 * 400_000 / 256


def test_a_clock_that_runs_back_stands_still():
    growing = Growing()
    growing.append(np.arange(4.0), np.array([np.nan, 10, 5, 20]), np.ones(4))
    assert growing.points().time.tolist() == [-np.inf, 10, 10, 20]


def test_a_cut_gives_back_what_it_takes_away():
    growing = grow(np.arange(10.0))
    gone = growing.cut(6)
    assert gone.step.tolist() == [7, 8, 9]
    assert growing.points().step.tolist() == list(range(7))
    assert growing.cut(6) is None


def test_a_step_between_whole_ones_is_never_superseded():
    growing = grow(np.arange(3.0), step=[1, 2.5, 3])
    growing.cut(1)
    assert growing.points().step.tolist() == [1, 2.5]
