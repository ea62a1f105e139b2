"""Metrics beside each other: the best, deltas, means over seeds."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlhub.compare.comparison import Metric, compare, order
from mlhub.store.runs import step_of
from tests.compare.conftest import make_run

numbers = st.floats(allow_nan=True, allow_infinity=True)


def _metric(name, *recorded, **more):
    runs = [make_run(index, metrics={name: value}) for index, value in enumerate(recorded, 1)]
    return compare(runs, **more).metrics[0]


def test_the_greatest_accuracy_and_the_smallest_loss_are_best():
    assert _metric("acc", 0.1, 0.3, 0.2).best == (2,)
    assert _metric("loss", 0.1, 0.3, 0.2).best == (1,)


def test_runs_that_tie_are_all_best():
    assert _metric("acc", 0.3, 0.1, 0.3).best == (1, 3)


def test_nobody_wins_where_all_are_equal():
    assert _metric("acc", 0.3, 0.3).winners == ()


def test_a_chart_marks_the_best_of_those_that_completed_and_none_where_several_tie():
    metric = Metric("acc", "max", {1: 0.1, 2: 0.2, 3: 0.3}, frozenset((1, 2)))
    assert metric.leader({1: 0.5, 2: 0.4, 3: 0.9}) == 1
    assert metric.leader({1: 0.5, 2: 0.5, 3: 0.9}) is None
    assert metric.leader({1: 0.5, 2: math.nan}) == 1
    assert metric.leader({1: 0.5}) is metric.leader({3: math.nan, 2: math.nan}) is metric.leader({}) is None
    assert metric.leader({1: 0.5, 2: 0.4, 9: 1.0}) == 1  # who has no value is not compared
    assert Metric("acc", "max", {1: 0.1, 2: 0.2}, by_chance=True).leader({1: 0.5, 2: 0.4}) is None


def test_a_metric_without_direction_has_no_best():
    assert _metric("entropy", 1.0, 2.0).best == ()


@given(st.lists(numbers, min_size=1, max_size=5), st.sampled_from(["max", "min"]))
def test_nan_and_infinities_are_never_best(values, way):
    metric = Metric("m", way, dict(enumerate(values)))
    assert all(math.isfinite(values[index]) for index in metric.best)
    assert bool(metric.best) == any(map(math.isfinite, values))


def test_words_of_records_are_the_numbers_they_stand_for():
    assert math.isnan(_metric("loss", "NaN", 1.0).values[1])


def test_the_best_value_counts_if_asked_for():
    entry = {"last": 0.9, "min": 0.2, "max": 0.95, "step": 3}
    assert _metric("loss", entry, use="best").values == {1: 0.2}
    assert _metric("acc", entry, use="best").values == {1: 0.95}
    assert _metric("x", entry, use="best").values == {1: 0.9}


def test_a_delta_is_absolute_and_of_the_baseline():
    delta = _metric("loss", 2.0, 1.5).delta(2, 1)
    assert (delta.value, delta.percent, delta.better) == (-0.5, -25.0, True)


def test_a_baseline_of_zero_gives_no_percent():
    assert _metric("acc", 0.0, 1.0).delta(2, 1) == (1.0, None, True)


@given(numbers, numbers)
def test_a_delta_is_finite_or_not_there(one, other):
    delta = Metric("m", "max", {1: one, 2: other}).delta(2, 1)
    assert delta is None or (math.isfinite(delta.value) and (delta.percent is None or math.isfinite(delta.percent)))


def test_the_first_run_is_the_baseline_unless_another_is():
    runs = [make_run(4), make_run(2)]
    assert compare(runs).baseline == 4
    assert compare(runs, baseline=2).baseline == 2
    assert compare(runs, baseline=99).baseline == 4


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6))
def test_the_spread_is_mean_and_deviation_of_the_sample(values):
    spread = Metric("m", None, dict(enumerate(values))).spread(range(len(values)))
    assert spread.mean == pytest.approx(statistics.fmean(values), abs=1e-6)
    assert spread.sd == pytest.approx(statistics.stdev(values), abs=1e-6)


def test_a_seed_that_diverged_is_counted_out():
    spread = Metric("m", None, {1: 1.0, 2: math.nan, 3: 3.0}).spread([1, 2, 3, 4])
    assert (spread.mean, spread.n, spread.of) == (2.0, 2, 4)


def test_one_value_has_no_deviation():
    assert Metric("m", None, {1: 1.0}).spread([1]).sd is None


@given(st.lists(numbers, max_size=5))
def test_a_spread_of_anything_is_no_exception(values):
    Metric("m", None, dict(enumerate(values))).spread(range(len(values)))


def test_the_monitored_metric_stands_first_and_held_out_before_training():
    names = ["a", "train/loss", "val/map_16", "val/map_8", "val/x"]
    run = make_run(1, metrics=dict.fromkeys(names, 1.0), config={"checkpoint": {"monitor": "val/x", "mode": "min"}})
    assert [metric.name for metric in compare([run]).metrics] == ["val/x", "val/map_8", "val/map_16", "train/loss", "a"]


@given(st.lists(st.text(max_size=8), max_size=6))
def test_any_names_can_be_sorted(names):
    assert len(sorted(names, key=order)) == len(names)


def test_steps_are_the_greatest_of_any_metric():
    run = make_run(
        1, metrics={"a": {"last": 1, "step": 5, "top": 9}, "b": {"last": 1, "step": "NaN"}, "c": {"step": True}}
    )
    assert step_of(run) == 9
    assert step_of(make_run(2)) is None


def test_what_stands_beside_the_configuration_is_compared_too():
    found = compare([make_run(1), make_run(2)], flats={1: {"lr": 1}, 2: {"lr": 2}})
    assert found.config == {"lr": {1: 1, 2: 2}}
