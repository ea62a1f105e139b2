"""Axes: spans, ticks and words."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlhub.curves.axes import (
    Curve,
    axis_ticks,
    ends,
    log_short,
    log_ticks,
    place_words,
    places,
    short,
    span,
    ticks,
    time_ticks,
    time_words,
)
from mlhub.curves.follower import Events, MetricSeries
from mlhub.curves.points import make_points

NONE = Events(np.array([]), np.array([]), np.array([], np.int8), np.array([], bool))


def curve(step, epochs=(), first=1000.0, **more):
    step = np.asarray(step, float)
    return Curve(
        1, "a", "red", MetricSeries("loss", make_points(step, first + step * 2, step), (), NONE), first, epochs, **more
    )


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e12), st.integers(1, 12))
def test_ticks_are_few_and_inside(low, wide, most):
    high = low + wide
    found = ticks(low, high, most)
    assert len(found) <= most
    assert all(low - wide * 1e-6 <= value <= high + wide * 1e-6 for value in found)


@given(st.floats(1e-30, 1e30), st.floats(1.001, 1e20), st.integers(2, 9))
def test_logarithmic_ticks_are_few_and_inside(low, factor, most):
    found = log_ticks(low, low * factor, most)
    assert len(found) <= most
    assert all(low * 0.999 <= value <= low * factor * 1.001 for value in found)


@pytest.mark.parametrize(
    ("values", "words"),
    [([0, 0.5, 1], ["0", "0.5", "1.0"]), ([0, 20_000], ["0", "20k"]), ([1e6, 1.5e6], ["1.0M", "1.5M"]),
     ([0.001, 0.002], ["0.001", "0.002"]), ([1e-6, 2e-6], ["1e-6", "2e-6"]), ([8000, 9000], ["8000", "9000"])],
)  # fmt: skip
def test_ticks_have_as_many_digits_as_tell_them_apart(values, words):
    assert [short(value, values) for value in values] == words


def test_ticks_of_time_are_round_durations():
    assert [time_words(value, 3600) for value in time_ticks(0, 7300, 3)] == ["0h", "1h", "2h"]
    assert [time_words(value, 1800) for value in time_ticks(0, 7300, 5)] == ["0m", "30m", "1h00", "1h30", "2h00"]


def test_powers_of_ten_are_short():
    assert [log_short(value) for value in (1e-5, 0.01, 1.0, 1e6)] == ["1e-5", "0.01", "1", "1e6"]


def test_relative_time_begins_with_the_run():
    assert ends(curve([0, 10]), "time") == (0, 20)
    assert ends(curve([0, 10]), "clock") == (1000, 1020)


def test_epochs_lie_between_their_beginnings():
    found = curve(range(31), epochs=((0, 0), (10, 1), (20, 2)))
    steps, by_time = places(found, np.array([0.5, 1.0, 2.5]), "epoch")
    assert steps.tolist() == [5, 10, 25]
    assert not by_time
    assert ends(found, "epoch") == (0, 3)


def test_a_run_without_epochs_has_no_place_on_their_axis():
    assert ends(curve([0, 10]), "epoch") is None


def test_what_has_no_steps_is_placed_by_the_pace_of_the_run():
    run = curve([0, 100])
    system = curve([0, 1], by_time=True, pace=run.series.points)._replace(
        series=MetricSeries("cpu", make_points(np.arange(3.0), np.array([1000.0, 1100, 1200]), np.ones(3)), (), NONE)
    )
    assert ends(system, "step") == (0, 100)
    at, by_time = places(system, np.array([50.0]), "step")
    assert by_time
    assert at.tolist() == [1100]


def test_a_live_axis_has_room_ahead_and_stays_while_it_fills():
    found = [span([curve([0, last], live=True)], "step") for last in (1030, 1100, 1200)]
    assert found[0] == found[1] == found[2]
    assert found[0][1] > 1200


def test_an_ended_axis_ends_with_the_curve():
    assert span([curve([0, 1234])], "step") == (0, 1234)


def test_no_points_have_no_axis():
    assert span([curve([])], "step") is None
    assert not ticks(0, math.inf, 4)


@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize(
    "steps", [[1.8e18], [1.8e18, 1.8e18 + 256], [-8.9e307, 8.9e307], [5e-324, 1e-323], [-1e300, 1.0]]
)
def test_an_axis_of_any_steps_is_one_that_can_be_drawn_or_none(steps, live):
    found = span([curve(steps, live=live)], "step")
    if found is not None:
        low, high = found
        assert low + (high - low) / 4 < high
        assert len(axis_ticks("step", low, high, 5)) <= 6


@pytest.mark.parametrize("seconds", [1.79e18, -1e300, 1e300])
def test_a_time_that_is_none_is_a_number_in_words(seconds):
    assert place_words("clock", seconds).startswith("time ")
    axis_ticks("clock", seconds, seconds + abs(seconds) * 0.1, 5)
