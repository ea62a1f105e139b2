"""Where one stands in a log, by rows."""

from __future__ import annotations

import pytest

from mlhub.tui.log.lines import Line
from mlhub.tui.log.place import LogPlace, breaks


def make(count=100, height=10, wrap=False, width=20, text="line"):
    place = LogPlace()
    place.lines = [Line(10 * at, 10 * at + 10, f"{text} {at}") for at in range(count)]
    place.height, place.width, place.wrap = height, width, wrap
    return place


def seen(place):
    return [row.line.text[row.start : row.end] for row in place.rows()]


def test_following_shows_the_end():
    place = make()
    assert seen(place)[-1] == "line 99"
    assert len(seen(place)) == 10


def test_a_short_log_begins_at_the_upper_edge():
    assert seen(make(count=3)) == ["line 0", "line 1", "line 2"]
    assert not make(count=3).scroll(-1)


def test_scrolling_goes_by_rows_and_ends_at_the_edges():
    place = make()
    place.go(0)
    assert place.scroll(5)
    assert seen(place)[0] == "line 5"
    place.scroll(1000)
    assert seen(place)[-1] == "line 99"
    assert len(seen(place)) == 10
    assert not place.scroll(1)
    assert place.is_at_end()
    place.scroll(-1000)
    assert seen(place)[0] == "line 0"


def test_going_to_a_line_leaves_rows_above_it():
    place = make()
    place.go(500, 3)
    assert seen(place)[3] == "line 50"
    place.go(990, 3)
    assert len(seen(place)) == 10


def test_a_place_stays_when_lines_are_added_before_and_after():
    place = make()
    place.go(500)
    place.lines = [Line(10 * at, 10 * at + 10, f"line {at}") for at in range(40, 300)]
    assert seen(place)[0] == "line 50"


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_wrapped_lines_scroll_by_their_rows(steps):
    place = make(wrap=True, width=5, text="한국어 line")
    place.go(0)
    rows = [seen(place)[0]]
    while place.scroll(steps):
        rows.append(seen(place)[0])
    everything = [line.text[start:end] for line in place.lines for start, end in breaks(line.text, 5)]
    assert rows[:-1] == everything[: len(everything) - 9 : steps][: len(rows) - 1]
    assert seen(place) == everything[-10:]


def test_breaks_never_part_a_wide_letter_and_always_go_on():
    assert breaks("한국어", 3) == ((0, 1), (1, 2), (2, 3))
    assert breaks("한", 1) == ((0, 1),)
    assert breaks("", 5) == ((0, 0),)
    assert breaks("abcdef", 3) == ((0, 3), (3, 6))


def test_no_lines_are_no_rows():
    place = make(count=0)
    assert place.rows() == []
    assert not place.scroll(3)
    place.go(50, 3)
    assert place.rows() == []
