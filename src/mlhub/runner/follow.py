"""Metrics that a run's program leaves elsewhere, taken into `metrics.jsonl` while it runs: exactly once each.

What it prints (`follow_lines`), and event files and CSV logs of its trackers (`follow_files`). How far each source was
taken in stands in `follow.json`, under a lock: the sampler looks twice a second, and whoever reads the run or starts it
again looks in the sampler's place where that is dead or never was. What is to be appended is written there first, so
that after a death at any line whoever comes next appends what is missing: nothing is lost by it, and nothing doubled.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time

from mlhub.records import MetricWriter, encode
from mlhub.runner import follow_lines, lock, record
from mlhub.runner.segments import LogReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from mlhub.paths import RunPaths
    from mlhub.runner.record import Tree

STATE, LOCK = "follow.json", "follow.lock"
_STATE_LIMIT = 64 << 20
#: bytes of a source that become records at once
_PART = follow_lines.LONGEST
#: parts of a source taken in at one look; the rest at the next
_PARTS = 16
#: a log without a record in it is noted as read each so many bytes
_NOTE_BYTES = 16 << 20
_PATIENCE_SECONDS = 10.0
#: our own programs write their records themselves
_OURS = "mlhub.hashing"
_LOG = "log"


def catch_up(paths: RunPaths, attempt: int, *, wait: bool = False, final: bool = True) -> bool:
    """Take in what an attempt left; True if that was all, False if there is more or somebody else is at it.

    `final`: the attempt has ended. `wait`: some seconds for a sampler that is still at it, and until all is in. Raises
    nothing: on a full disk, say, the next reader makes up for it.
    """
    follower = Follower(paths, attempt)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        with contextlib.suppress(OSError):
            if final and not follower.files_known:
                follower.find_files()
            follower.look(final=final)
            if follower.done:
                return True
        if not wait or time.monotonic() > deadline:
            return False
        time.sleep(0.01)


class Follower:
    """Of one attempt. While nothing is new a look costs as many `stat` calls as there are sources."""

    def __init__(self, paths: RunPaths, attempt: int) -> None:
        self.paths = paths
        self.attempt = attempt
        #: whether the last look left nothing to be taken in
        self.done = False
        self.files_known = False
        self._launch: Tree | None = None
        self._found: list[str] = []
        self._looked: dict[str, int] = {}
        #: how far the log was read beyond what `follow.json` says, as no record was in it: (said there, read)
        self._ahead: tuple[int, Tree] = 0, {}

    def find_files(self, pids: Iterable[int] = ()) -> None:
        """Look for event files and CSV logs of the run's processes; what is known stays known."""
        self.files_known = True
        if self._is_followed() and self._launch is not None:
            from mlhub.runner import follow_files

            attempt = self.paths.attempt(self.attempt)
            found = follow_files.find(self.paths, attempt.launch, record.text(self._launch, "cwd"), set(pids))
            self._found += [path for path in found if path not in self._found]

    def look(self, *, final: bool = False) -> bool:
        """Take in what is new; True if anything was. `final`: the program has ended, so its last line is whole too.

        Raises OSError, on a full disk say: the next look makes up for it.
        """
        if not self._is_followed() or not self._is_due(final):
            self.done = True
            return False
        self.done = False
        held = lock.take(str(self.paths.root / LOCK))
        if held is None:
            return False
        try:
            return self._take(final)
        finally:
            os.close(held)

    def _is_followed(self) -> bool:
        """Whether this is a program of others, and the newest attempt: what a later one prints is not ours to take."""
        if self._launch is None:
            self._launch = record.read_launch(str(self.paths.attempt(self.attempt).root)) or {}
        argv = self._launch.get("argv")
        if not isinstance(argv, list) or any(str(word).startswith(_OURS) for word in argv):
            return False
        return not self.paths.attempt(self.attempt + 1).launch.exists()

    def _is_due(self, final: bool) -> bool:
        """Whether a source has grown since the last look, or was never looked at."""
        sizes = self._sizes()
        if not any(sizes.values()) and not (self.paths.root / STATE).exists():
            return False
        return sizes != self._looked or (final and not self.done)

    def _sizes(self) -> dict[str, int]:
        return {path: _size(path) for path in (str(self.paths.log), *self._found)}

    def _take(self, final: bool) -> bool:
        if not self.paths.metrics.exists() and self.paths.metrics.with_suffix(".parquet").exists():
            self.done = True  # they were compacted: nobody appends to them any more
            return False
        sizes = self._sizes()
        book = Book(self.paths, self.attempt)
        try:
            book.recover()
            taken, rest = self._take_log(book, final)
            if self._found or book.files():
                from mlhub.runner import follow_files

                if not follow_files.is_captured(self.paths):
                    more, left = follow_files.take(book, self._found, _PARTS)
                    taken, rest = taken or more, rest or left
        finally:
            book.close()
        self._looked = {} if rest else sizes
        self.done = not rest
        return taken

    def _take_log(self, book: Book, final: bool) -> tuple[bool, bool]:
        """Whether any record was in the log, and whether there is more of it to be read."""
        place = book.place(_LOG)
        said = _offset(place)
        if self._ahead[0] == said:
            place = max(place, self._ahead[1], key=_offset)
        if _size(str(self.paths.log)) < _offset(place):
            said, place = 0, {"offset": 0}  # somebody truncated it: what follows is new
            book.add(_LOG, place, [])
        log = LogReader(self.paths)
        taken, rest = False, True
        for _ in range(_PARTS):
            part = _read_part(log, place, final)
            if part is None:
                rest = False
                break
            found, place = part
            if found or _offset(place) - said >= _NOTE_BYTES:
                book.add(_LOG, place, found)
                said, taken = _offset(place), taken or bool(found)
        if final and not rest and _offset(place) != said:
            book.add(_LOG, place, [])
            said = _offset(place)
        self._ahead = said, place
        return taken, rest


def _read_part(log: LogReader, place: Tree, final: bool) -> tuple[list[Tree], Tree] | None:
    """The records of the next whole lines, and the place behind them; None if there is nothing to be read now.

    `skip` in a place: it is amid a line that is too long to be one of ours. Raises OSError.
    """
    offset = _offset(place)
    data, after, hole = _read(log, offset)
    if not data:
        return ([], {"offset": after}) if hole else None
    end = len(data) if hole else follow_lines.cut(data)
    begin = 0
    if place.get("skip") is True:
        begin = follow_lines.first(data)
        if not begin:
            return [], {"offset": after, "skip": True}
        end = max(begin, end)
    elif not end and len(data) >= _PART:
        return [], {"offset": after, "skip": True}
    elif not end or (final and len(data) < _PART):
        if not final:
            return None
        end = len(data)
    seconds = round(min(time.time(), log.modified), 3)
    return list(follow_lines.records(data[begin:end], seconds)), {"offset": after if hole else offset + end}


def _read(log: LogReader, offset: int) -> tuple[bytes, int, bool]:
    """At most a part of the log, the offset behind it, and whether bytes that nobody has any more end it."""
    data, after = b"", offset
    while len(data) < _PART:
        part, behind = log.read(after, _PART - len(data))
        if not part:
            break
        if behind - after != len(part):  # a line in brackets stands for what can't be had
            return data, behind, True
        data, after = data + part, behind
    return data, after, False


class Book:
    """`follow.json`, while the lock is held: how far each source was taken in, and what is being appended."""

    def __init__(self, paths: RunPaths, attempt: int) -> None:
        self._paths = paths
        self.attempt = attempt
        self._path = str(paths.root / STATE)
        self._state = record.read_json(self._path, _STATE_LIMIT) or {}
        self._sources = record.part(self._state, "sources") or {}
        self._writer: MetricWriter | None = None

    def place(self, source: str) -> Tree:
        """Where a source was left; empty for a new one."""
        return record.part(self._sources, source) or {}

    def files(self) -> list[str]:
        """The sources that are files of the program."""
        return [source for source in self._sources if source != _LOG]

    def add(self, source: str, place: Tree, found: list[Tree]) -> None:
        """Append the records of a source and note the place behind them. Raises OSError; then the next look does it."""
        self._sources = {**self._sources, source: place}
        if not found:
            self._write(None)
            return
        lines = [encode(entry) for entry in found]
        self._write({"size": self._open().size(), "step": found[0]["step"], "lines": lines})
        self._append(lines, found[0]["step"])

    def recover(self) -> None:
        """Append what somebody who died, or had no room, was about to append, as far as it isn't there. OSError."""
        pending = record.part(self._state, "pending")
        lines = pending.get("lines") if pending else None
        if pending is None or not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            return
        there = 0
        with contextlib.suppress(FileNotFoundError), open(self._paths.metrics, "rb") as file:
            file.seek(max(0, record.whole(pending, "size") or 0))
            for line in file:
                there += there < len(lines) and line == lines[there].encode() + b"\n"
        self._append(lines[there:], record.whole(pending, "step") or 0)

    def _append(self, lines: list[str], step: int) -> None:
        if lines and not self._open().append(lines, step):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._paths.metrics))
        self._write(None)

    def _open(self) -> MetricWriter:
        if self._writer is None:
            self._writer = MetricWriter(self._paths.metrics, self.attempt)
        return self._writer

    def _write(self, pending: Tree | None) -> None:
        self._state = {"version": 1, "sources": self._sources} | ({"pending": pending} if pending else {})
        record.write_json(self._path, self._state, durable=False)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


def _offset(place: Tree) -> int:
    return max(0, record.whole(place, "offset") or 0)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
