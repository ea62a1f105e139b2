"""Lines of a log by seeking: what a line is, and how little is read for it."""

from __future__ import annotations

import os

import pytest

from mlhub.runner.segments import LogReader, compress_all
from mlhub.tui.log import lines
from mlhub.tui.log.lines import Cutter, collapse, find_start, pieces


class Counted:
    """A log that counts the bytes read of it."""

    def __init__(self, paths):
        self._log = LogReader(paths)
        self.bytes = 0

    @property
    def size(self):
        return self._log.size

    def read(self, offset, limit=1 << 20):
        data, after = self._log.read(offset, limit)
        self.bytes += len(data)
        return data, after


@pytest.fixture
def paths(home):
    paths = home.run(1)
    paths.root.mkdir(parents=True)
    return paths


def cut(log, start=0):
    cutter = Cutter()
    found = [line for piece in pieces(log, start, log.size) for line in cutter.feed(piece)]
    return [*found, cutter.rest] if cutter.rest else found


@pytest.mark.parametrize(
    ("raw", "state"),
    [
        (b"plain\n", b"plain"),
        (b"dos\r\n", b"dos"),
        (b" 10%\r 20%\r 30%\n", b" 30%"),
        (b" 10%\r 20%\r", b" 20%"),
        (b"half\r\x1b[K\r\n", b"half"),
        (b"\rfirst\n", b"first"),
        (b"\r\r\n", b""),
    ],
)
def test_a_progress_bar_is_its_last_state(raw, state):
    assert collapse(raw) == state


def test_lines_know_their_bytes_and_whether_they_are_whole(paths):
    paths.log.write_bytes("eins\nzwei ä\n한국".encode())
    found = cut(LogReader(paths))
    assert [(line.start, line.end, line.text, line.whole) for line in found] == [
        (0, 5, "eins", True), (5, 13, "zwei ä", True), (13, 19, "한국", False),
    ]  # fmt: skip


def test_a_line_cut_anywhere_reads_the_same(paths, monkeypatch):
    paths.log.write_bytes("a\r\nbé\n\nccc\rd\n한".encode())
    whole = cut(LogReader(paths))
    for block in range(1, 8):
        cutter = Cutter()
        log = LogReader(paths)
        found = [line for piece in pieces(log, 0, log.size, block) for line in cutter.feed(piece)]
        assert [*found, cutter.rest] == whole


def test_invalid_utf_8_and_nuls_are_shown_as_far_as_they_can_be(paths):
    paths.log.write_bytes(b"a\xff\xfeb\x00c\n")
    assert cut(LogReader(paths))[0].text == "a��bc"


def test_a_line_of_ten_megabytes_is_its_beginning_and_says_so(paths):
    paths.log.write_bytes(b"before\n" + b"x" * 10_000_000 + b"\nafter\n")
    found = cut(LogReader(paths))
    assert [line.text[:6] for line in found] == ["before", "xxxxxx", "after"]
    assert len(found[1].text) < lines.SHOWN + 50
    assert "a line of 10.0 MB" in found[1].text


def test_a_progress_bar_of_megabytes_is_its_last_state(paths):
    paths.log.write_bytes(b"".join(b"\r%5d of many" % number for number in range(100_000)))
    assert cut(LogReader(paths))[0].text == "99999 of many"


def test_a_line_without_an_end_is_several(paths, monkeypatch):
    monkeypatch.setattr(lines, "LONGEST", 1 << 17)
    paths.log.write_bytes(b"x" * (1 << 19))
    assert len(cut(LogReader(paths))) > 1
    assert find_start(LogReader(paths), 1 << 19, 1, budget=1 << 16) > 0


@pytest.mark.parametrize("count", [1, 2, 3, 50])
def test_a_start_is_found_backwards_by_lines(paths, count):
    raw = b"".join(b"%d\n" % number for number in range(60)) + b"rest"
    paths.log.write_bytes(raw)
    start = find_start(LogReader(paths), len(raw), count)
    assert raw[start:].count(b"\n") == count - 1
    assert not start or raw[start - 1 : start] == b"\n"


def test_the_end_of_200_megabytes_is_found_by_reading_a_few_blocks(paths):
    with paths.log.open("wb") as file:
        for _ in range(200):
            file.write(b"a line of a log that is long\n" * 34_483)
    log = Counted(paths)
    start = find_start(log, log.size, 200)
    assert len(cut(log, start)) == 200
    assert log.bytes < 1 << 20


def test_lines_are_read_across_compressed_segments(paths):
    raw = b"".join(b"line %d\n" % number for number in range(400_000))
    paths.log.write_bytes(raw)
    if not compress_all(paths):
        pytest.skip("no holes on this file system")
    log = LogReader(paths)
    assert [line.text for line in cut(log, find_start(log, 4_000_000, 2))][:1] == [
        raw[raw.rindex(b"\n", 0, raw.rindex(b"\n", 0, 4_000_000)) + 1 :].split(b"\n")[0].decode()
    ]


def test_a_hole_is_one_line_that_says_how_much_is_missing(paths):
    paths.log.write_bytes(b"before\n")
    os.truncate(paths.log, 200_000_000)
    with paths.log.open("ab") as file:
        file.write(b"after\n")
    log = Counted(paths)
    found = cut(log, find_start(log, log.size, 100, budget=1 << 40))
    assert [line.text for line in found if "read" not in line.text][-1].endswith("after")
    assert any("can't be read" in line.text for line in found)
    assert log.bytes < 1 << 20
