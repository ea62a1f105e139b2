"""The threads behind the log: pages around a place, and searches that can be left."""

from __future__ import annotations

import pytest

from mlhub.runner.segments import LogReader
from mlhub.tui.log import hunt
from mlhub.tui.log.watch import LogWatch, Quest, Searcher, Want, Window
from tests.conftest import wait_until


@pytest.fixture
def paths(home):
    paths = home.run(1)
    paths.root.mkdir(parents=True)
    return paths


@pytest.fixture
def numbered(paths):
    paths.log.write_bytes(b"".join(b"line %05d\n" % number for number in range(20_000)))
    return paths


def look(window, paths, anchor, rows=10):
    while window.look(Want(1, paths, anchor, rows)):
        pass
    return window.lines


def texts(lines):
    return [line.text for line in lines]


def test_the_end_has_the_last_lines(numbered):
    window = Window(LogReader(numbered), colours=True)
    lines = look(window, numbered, None)
    assert lines[-1].text == "line 19999"
    assert 20 <= len(lines) < 200


def test_what_was_added_is_added(numbered):
    window = Window(LogReader(numbered), colours=True)
    look(window, numbered, None)
    with numbered.log.open("ab") as file:
        file.write(b"half a")
        file.flush()
        assert texts(look(window, numbered, None))[-2:] == ["line 19999", "half a"]
        file.write(b" line\nnext\n")
    assert texts(look(window, numbered, None))[-3:] == ["line 19999", "half a line", "next"]


def test_a_log_that_grew_by_much_is_read_from_its_end(numbered):
    window = Window(LogReader(numbered), colours=True)
    look(window, numbered, None)
    with numbered.log.open("ab") as file:
        file.write(b"much\n" * 1_000_000 + b"last\n")
    lines = look(window, numbered, None)
    assert texts(lines)[-2:] == ["much", "last"]
    assert len(lines) < 200


def test_a_log_that_was_emptied_begins_anew(numbered):
    window = Window(LogReader(numbered), colours=True)
    look(window, numbered, None)
    numbered.log.write_bytes(b"anew\n")
    assert texts(look(window, numbered, None)) == ["anew"]


@pytest.mark.parametrize("anchor", [0, 11 * 40, 11 * 10_000, 11 * 19_999])
def test_lines_follow_each_other_around_a_place_however_one_came_there(numbered, anchor):
    window = Window(LogReader(numbered), colours=True)
    for place in (None, anchor + 11 * 30 if anchor < 200_000 else anchor - 330, anchor):
        lines = look(window, numbered, place)
    assert [line.start for line in lines[1:]] == [line.end for line in lines[:-1]]
    index = next(at for at, line in enumerate(lines) if line.start == anchor)
    assert index >= 10 or lines[0].start == 0
    assert len(lines) - index > 10 or lines[-1].end == window.size


def test_scrolling_through_all_of_it_keeps_few_lines(numbered):
    window = Window(LogReader(numbered), colours=True)
    for anchor in range(0, 220_000, 11 * 150):
        assert len(look(window, numbered, anchor)) < 1000


def test_a_bar_that_is_drawn_for_hours_is_not_read_again_and_again(paths):
    paths.log.write_bytes(b"\r  1%")
    window = Window(LogReader(paths), colours=True)
    for number in range(2, 90):
        with paths.log.open("ab") as file:
            file.write(b"".join(b"\r %2d%% %s" % (number, b"#" * 50) for _ in range(2000)))
        assert look(window, paths, None)[-1].text.strip().startswith(f"{number}%")
    assert len(window.lines) == 1


def test_a_page_is_made_when_it_is_wanted_and_not_before(numbered):
    watch = LogWatch()
    try:
        watch.poke()
        assert watch.version == 0
        watch.want(Want(1, numbered, None, 10, serial=3))
        wait_until(lambda: watch.page.serial == 3)
        assert watch.page.lines[-1].text == "line 19999"
        assert watch.page.ends
    finally:
        watch.close()


def test_a_log_that_is_none_says_why(paths):
    paths.log.mkdir()
    watch = LogWatch()
    try:
        watch.want(Want(1, paths, None, 10, serial=1))
        wait_until(lambda: watch.page.error)
        assert "can't be read" in watch.page.error
    finally:
        watch.close()


def seek(searcher, paths, text, position=0, step=1, serial=1):
    searcher.seek(Quest(1, paths, hunt.words(text), position, step, serial))
    wait_until(lambda: searcher.found.serial == serial and searcher.found.total is not None)
    return searcher.found


def test_a_search_says_where_which_and_of_how_many(numbered):
    searcher = Searcher()
    try:
        found = seek(searcher, numbered, "line 001")
        assert (found.at, found.rank, found.total, found.wrapped) == (1100, 1, 100, False)
        found = seek(searcher, numbered, "line 001", found.at, -1, serial=2)
        assert (found.at, found.rank, found.wrapped) == (11 * 199, 100, True)
        assert seek(searcher, numbered, "nowhere", serial=3).total == 0
    finally:
        searcher.close()


def test_a_search_that_was_replaced_does_not_answer(numbered):
    searcher = Searcher()
    try:
        for serial in range(1, 30):
            searcher.seek(Quest(1, numbered, hunt.words(f"line {serial:05d}"), 0, 1, serial))
        wait_until(lambda: searcher.found.total is not None)
        assert (searcher.found.serial, searcher.found.at) == (29, 11 * 29)
    finally:
        searcher.close()


def test_a_cancelled_search_stops(paths):
    with paths.log.open("wb") as file:
        for _ in range(200):
            file.write(b"a line of a log that is long\n" * 34_483)
    searcher = Searcher()
    try:
        searcher.seek(Quest(1, paths, hunt.words("nowhere"), 0, 1, 1))
        wait_until(lambda: searcher.found.progress)
        searcher.cancel()
        before = searcher.found
        searcher.seek(Quest(1, paths, hunt.words("a line"), 0, 1, 2))
        wait_until(lambda: searcher.found.at == 0)
        assert before.total is None
    finally:
        searcher.close()
