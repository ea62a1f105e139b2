"""The machine's history: parts of equal length, gaps, bounds."""

from __future__ import annotations

import math

import pytest

from mlhub.tui.system.history import History


def test_each_part_is_the_mean_of_what_was_read_in_it():
    history = History()
    for second in range(20):
        history.add(1000 + second, {"cpu": second})
    assert history.curves(1019, 20, 4)["cpu"] == [2, 7, 12, 17]


def test_parts_stand_still_while_time_goes_on_within_the_last():
    history = History()
    for second in range(100):
        history.add(1000 + second, {"cpu": second % 7})
    before = history.curves(1096, 50, 10)["cpu"]
    assert history.curves(1099, 50, 10)["cpu"][:-1] == before[:-1]


def test_a_value_holds_for_a_while_and_then_nothing_is_known():
    history = History()
    history.add(1000, {"cpu": 5})
    found = history.curves(1059, 60, 12)["cpu"]
    assert found[:4] == [5, 5, 5, 5]
    assert all(map(math.isnan, found[4:]))


def test_a_quantity_that_comes_later_is_unknown_before():
    history = History()
    history.add(1000, {"cpu": 1})
    history.add(1060, {"cpu": 1, "gpu.0.util": 50})
    found = history.curves(1060, 80, 4)["gpu.0.util"]
    assert math.isnan(found[0])
    assert found[-1] == 50


def test_one_that_is_not_told_at_a_moment_does_not_pull_the_mean_down():
    history = History()
    history.add(1000, {"gpu.0.util": 80, "cpu": 1})
    history.add(1001, {"gpu.0.util": None, "cpu": 1})
    assert history.curves(1001, 10, 1)["gpu.0.util"] == [80]


def test_times_that_do_not_rise_are_left_out():
    history = History()
    history.add(1000, {"cpu": 1})
    history.add(999, {"cpu": 9})
    history.add(1000, {"cpu": 9})
    assert len(history) == 1


def test_it_stays_within_its_bound_and_reaches_back_to_the_beginning():
    history = History(capacity=64)
    for second in range(10_000):
        history.add(1000 + second, {"cpu": 50, "memory": None})
    assert len(history) <= 64
    assert history.span(10_999) == 10_800
    assert history.curves(10_999, 9000, 60)["cpu"] == [50] * 60


def test_a_reader_keeps_what_it_saw_while_another_thread_writes():
    history = History(capacity=8)
    for second in range(8):
        history.add(1000 + second, {"cpu": second})
    seen = history._table
    kept = seen.values[: seen.length].copy()
    for second in range(8, 30):
        history.add(1000 + second, {"cpu": second})
    assert (seen.values[: seen.length] == kept).all()


@pytest.mark.parametrize(("age", "span"), [(0, 300), (299, 300), (301, 600), (5000, 7200), (1e9, 2764800)])
def test_the_whole_of_it_is_shown_in_steps(age, span):
    history = History()
    history.add(1000, {"cpu": 1})
    assert history.span(1000 + age) == span


def test_an_empty_history_has_no_curves():
    assert History().curves(1000, 300, 60) == {}
