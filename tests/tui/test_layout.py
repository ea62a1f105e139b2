"""Which view stands where."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlhub.tui.keys import VIEWS
from mlhub.tui.layout import LEAST, THREE, WIDE, is_small, is_wide, place

views = st.sampled_from(VIEWS)
rights = st.sampled_from(["charts", "log", "compare", "queue", "search"])
sides = st.integers(LEAST[0], 400), st.integers(LEAST[1], 120)


def _cells(where):
    return {(x, y) for x in range(where.x, where.x + where.width) for y in range(where.y, where.y + where.height)}


@given(*sides, views, rights, st.booleans(), st.booleans())
def test_every_view_has_room_within_the_area(width, height, active, right, zoomed, wide):
    for where in place(width, height, active, right, zoomed=zoomed, wide=wide and is_wide(width, height)).values():
        assert where.width > 0 and where.height > 0  # noqa: PT018 - one fact
        assert where.x >= 0 and where.x + where.width <= width  # noqa: PT018
        assert where.y >= 0 and where.y + where.height <= height  # noqa: PT018


@pytest.mark.parametrize("size", [(130, 34), (160, 45), (199, 50), (200, 50), (220, 60)])
@pytest.mark.parametrize("right", ["charts", "log", "compare", "queue", "search"])
def test_no_two_views_overlap(size, right):
    places = list(place(*size, "runs", right, zoomed=False, wide=True).values())
    assert sum(len(_cells(where)) for where in places) == len(set().union(*map(_cells, places)))


@given(*sides, views, rights)
def test_a_zoomed_view_has_all_of_it(width, height, active, right):
    assert place(width, height, active, right, zoomed=True, wide=True) == {active: (0, 0, width, height)}


@pytest.mark.parametrize("active", VIEWS)
def test_narrow_terminals_show_the_active_view_alone(active):
    assert list(place(80, 21, active, "charts", zoomed=False, wide=False)) == [active]


@pytest.mark.parametrize("right", ["compare", "queue", "search"])
def test_the_right_hand_side_is_the_view_one_went_to(right):
    assert set(place(160, 42, right, right, zoomed=False, wide=True)) == {"runs", "system", right}


def test_charts_stand_over_the_log():
    places = place(160, 42, "runs", "charts", zoomed=False, wide=True)
    assert places["charts"].x == places["log"].x
    assert places["log"].y == places["charts"].height


def test_from_200_columns_on_the_log_has_a_column_of_its_own():
    places = place(THREE, 57, "runs", "compare", zoomed=False, wide=True)
    assert set(places) == {"runs", "system", "compare", "log"}
    assert places["log"].height == 57


def test_what_is_too_small_and_what_is_wide():
    assert is_small(59, 24)
    assert is_small(80, 14)
    assert not is_small(*LEAST)
    assert is_wide(*WIDE)
    assert not is_wide(129, 40)
