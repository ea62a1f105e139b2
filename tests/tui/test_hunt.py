"""Search in a log: the next match either way, counts, and what is an error."""

from __future__ import annotations

import random

import pytest

from mlhub.runner.segments import LogReader, compress_all
from mlhub.tui.log import hunt
from mlhub.tui.log.hunt import ERRORS, Hunt, words


@pytest.fixture
def paths(home):
    paths = home.run(1)
    paths.root.mkdir(parents=True)
    return paths


def make(paths, pattern, going=bool):
    return Hunt(LogReader(paths), pattern, going)


def all_matches(found, size):
    positions, position = [], 0
    while (at := found.next(position, size)) is not None:
        positions.append(at)
        position = at + 1 + found.log.read(at, 1 << 16)[0].index(b"\n")
    return positions


def test_small_letters_find_capitals_and_capitals_only_themselves():
    assert words("loss").hits(b"Loss\nLOSS\nnone\n") == [0, 5]
    assert words("Loss").hits(b"loss\nLoss\n") == [5]


def test_colours_do_not_part_a_word():
    data = b"\x1b[31mval\x1b[0m/map\nother\n\x1b[1mv\x1b[0mal/map\n"
    assert words("val/map").hits(data) == [0, data.index(b"\x1b[1m")]


def test_a_state_of_a_bar_that_is_not_shown_is_not_found():
    assert words("50%").hits(b"10%\r50%\r99%\n50%\n") == [12]


@pytest.mark.parametrize("counted", [False, True])
def test_next_and_previous_agree_with_a_plain_search(paths, monkeypatch, counted):
    monkeypatch.setattr(hunt, "_BLOCK", 512)
    rng = random.Random(1)
    raw = b"".join(rng.choice([b"hit\n", b"miss\n", b"m" * rng.randrange(900) + b"\n"]) for _ in range(500))
    paths.log.write_bytes(raw)
    starts = [0] + [at + 1 for at, byte in enumerate(raw[:-1]) if byte == 0x0A]
    expected = [at for at in starts if raw.startswith(b"hit", at)]
    found = make(paths, words("hit"))
    while counted and found.count_on(len(raw)):
        pass
    assert all_matches(found, len(raw)) == expected
    backwards, position = [], len(raw)
    while (at := found.previous(position)) is not None:
        backwards.append(at)
        position = at
    assert backwards[::-1] == expected


def test_counts_and_ranks(paths, monkeypatch):
    monkeypatch.setattr(hunt, "_BLOCK", 64)
    paths.log.write_bytes(b"hit\nmiss\n" * 100 + b"hit unfinished")
    size = paths.log.stat().st_size
    found = make(paths, words("hit"))
    while found.count_on(size):
        pass
    assert found.total(size) == 101
    assert [found.rank(0), found.rank(9 * 50), found.rank(900)] == [1, 51, 101]


def test_counting_goes_on_as_the_log_grows(paths):
    paths.log.write_bytes(b"hit\n")
    found = make(paths, words("hit"))
    assert found.count_on(4)
    assert not found.count_on(4)
    with paths.log.open("ab") as file:
        file.write(b"hit\nhit\n")
    assert found.count_on(12)
    assert found.total(12) == 3


def test_a_search_that_nobody_wants_ends_after_a_block(paths, monkeypatch):
    monkeypatch.setattr(hunt, "_BLOCK", 100)
    paths.log.write_bytes(b"miss\n" * 1000 + b"hit\n")
    asked = []
    found = make(paths, words("hit"), lambda count: bool(asked.append(count)))
    assert found.next(0, 5004) is None
    assert len(asked) == 1


def test_a_rotated_log_is_searched_too(paths):
    raw = b"miss\n" * 2_000_000 + b"the hit\n" + b"miss\n" * 1000
    paths.log.write_bytes(raw)
    if not compress_all(paths):
        pytest.skip("no holes on this file system")
    assert make(paths, words("hit")).next(0, len(raw)) == 10_000_000


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):", "RuntimeError: boom", "torch.cuda.OutOfMemoryError: CUDA out of memory.",
        "error: no such file", "ERROR: failed", "loss=nan", "train/loss NaN", "Killed", "FAILED tests/a.py",
        "Segmentation fault (core dumped)", "2026-01-01 CRITICAL disk", "KeyError: 'x'", "[ERROR] x",
    ],
)  # fmt: skip
def test_what_is_an_error(line):
    assert ERRORS.hits(line.encode() + b"\n") == [0]


@pytest.mark.parametrize(
    "line",
    [
        "UserWarning: error: x is deprecated", "val_error: 0.3", "error: 0.21", "mean error 0.1", "0 errors",
        "finance", "WARNING: RuntimeError was handled", "the skilled worker", "train/error: nothing",
    ],
)  # fmt: skip
def test_what_is_none(line):
    assert ERRORS.hits(line.encode() + b"\n") == []


def test_marks_are_where_a_shown_line_has_it():
    assert words("ab").marks("xAB ab") == [(1, 3), (4, 6)]
    assert words("[a]").marks("[a][b]") == [(0, 3)]


@pytest.mark.parametrize("text", ["hit", "HIT", "t h", "\x1b"])
def test_lines_are_counted_as_they_are_found(text):
    data = b"hit hit\nmiss\nHIT\n\nhit h\nlast hit"
    assert words(text).count(data) == len(words(text).hits(data))
