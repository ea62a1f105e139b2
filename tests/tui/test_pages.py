"""Which metrics stand where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlhub.tui.charts.pages import GRIDS, Grid, cells, grid_for, in_order, matching

NAMES = [
    "val/acc",
    "train/lr",
    "system/gpu.10.util",
    "val/loss",
    "system/gpu.2.util",
    "train/loss",
    "odd",
    "system/cpu",
]


def test_main_metrics_come_first_then_losses_then_prefixes_and_the_machine_last():
    assert in_order(NAMES, ["val/acc"]) == [
        "val/acc", "train/loss", "val/loss", "train/lr", "odd", "system/gpu.2.util", "system/gpu.10.util", "system/cpu",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "found"),
    [("loss", ["val/loss", "train/loss"]), ("^val", ["val/acc", "val/loss"]), ("loss -train", ["val/loss"]),
     ("LOSS VAL", ["val/loss"]), ("", NAMES), ("no such", [])],
)  # fmt: skip
def test_a_filter_is_words_or_regular_expressions(words, found):
    assert matching(NAMES, words) == (found, "")


def test_what_is_no_regular_expression_is_taken_as_it_is():
    found, error = matching(["a[b", "c"], "[b")
    assert found == ["a[b"]
    assert "no regular expression" in error


@pytest.mark.parametrize(
    ("size", "count", "grid"),
    [((80, 20), 9, (1, 2)), ((99, 27), 9, (2, 2)), ((160, 40), 20, (3, 3)), ((160, 40), 1, (1, 1)),
     ((99, 27), 2, (1, 2)), ((60, 11), 9, (1, 1))],
)  # fmt: skip
def test_there_are_as_many_charts_as_there_is_room_for(size, count, grid):
    assert grid_for(*size, count) == grid


@given(st.integers(1, 300), st.integers(1, 90), st.integers(0, 99), st.sampled_from(GRIDS))
def test_the_charts_of_a_page_fill_it_and_do_not_overlap(wide, high, count, wish):
    grid = grid_for(wide, high, count, wish)
    seen = set()
    for x, y, w, h in cells(grid, wide, high):
        assert w > 0
        assert h > 0
        assert x + w <= wide
        assert y + h <= high
        own = {(column, row) for column in range(x, x + w) for row in range(y, y + h)}
        assert not own & seen
        seen |= own
    assert len(seen) == high * (wide - grid.columns + 1)


def test_a_grid_that_was_asked_for_is_given():
    assert grid_for(160, 40, 20, "2x3") == Grid(2, 3)
