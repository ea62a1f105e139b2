"""Bars and curves as text."""

from __future__ import annotations

import math

import pytest

from mlhub.tui.system.meter import bar, ceiling, curve, samples

NAN = math.nan


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.0, "────"), (0.5, "━━──"), (0.6, "━━╸─"), (1.0, "━━━━"), (7.0, "━━━━"), (-1.0, "────"), (None, "────")],
)
def test_a_bar_fills_its_columns_by_halves(share, shown):
    assert "".join(bar(share, 4)) == shown


def test_a_bar_of_letters_is_ascii():
    assert bar(0.5, 4, unicode=False) == ("##", "..")


def test_a_curve_of_one_row_has_eight_heights_and_gaps_where_nothing_is_known():
    assert curve([0, 12.5, 50, NAN, 100, 200, -5], 0, 100, 1) == ["▁▁▄ ██▁"]


def test_a_higher_curve_has_two_values_a_cell():
    values = [0, 0, 50, 100, NAN, NAN, 100, NAN]
    assert samples(4, 2) == len(values)
    assert curve(values, 0, 100, 2) == [" ⢸ ⡇", "⣀⣿ ⡇"]


def test_a_higher_curve_of_letters_is_ascii_with_one_value_a_cell():
    assert samples(4, 2, unicode=False) == 4
    assert curve([0, 40, 100, NAN], 0, 100, 2, unicode=False) == ["  # ", ".## "]


def test_a_curve_without_height_is_flat():
    assert curve([5, 5], 5, 5, 1) == ["▁▁"]


@pytest.mark.parametrize(
    ("values", "least", "top"),
    [([3.4e6, NAN], 1e6, 5e6), ([], 1e6, 1e6), ([1e6], 1e5, 1e6), ([1980], 1, 2000), ([7], 1, 10)],
)  # fmt: skip
def test_a_scale_ends_at_a_round_number(values, least, top):
    assert ceiling(values, least) == top
