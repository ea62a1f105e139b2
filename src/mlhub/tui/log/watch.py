"""Two threads behind the log: one keeps the lines around a place as its latest page, one searches the whole of it.

Both work when they are asked or poked, and sleep else: a log that nobody looks at costs nothing. Nothing is drawn here.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlhub.text import one_line
from mlhub.tui.log.hunt import Hunt
from mlhub.tui.log.lines import Cutter, Line, find_start, pieces

if TYPE_CHECKING:
    from mlhub.paths import RunPaths
    from mlhub.runner.segments import LogReader
    from mlhub.tui.log.hunt import Pattern

#: what a log may have grown by for its new lines to be added to those at hand; else they are read from its end
_NEAR = 1 << 18
#: bytes read at one look, so that very long lines come one after another
_BUDGET = 1 << 25
#: seconds between two words on a search's progress
_TELL = 0.15


@dataclass(frozen=True, slots=True)
class Want:
    """What is to be seen: `rows` rows around the line at byte `anchor`, or at the end (None) of a run's log."""

    run: int
    paths: RunPaths
    anchor: int | None
    rows: int
    serial: int = 0
    colours: bool = True


@dataclass(frozen=True, slots=True)
class Page:
    """Lines that follow each other. `size`: bytes of the whole log; `serial`: of the wish that it answers."""

    run: int | None = None
    serial: int = 0
    lines: tuple[Line, ...] = ()
    size: int = 0
    error: str | None = None

    @property
    def begins(self) -> bool:
        return not self.lines or self.lines[0].start == 0

    @property
    def ends(self) -> bool:
        return not self.lines or self.lines[-1].end >= self.size


class Window:
    """Lines of one log around a place, extended and cut off as the place moves."""

    def __init__(self, log: LogReader, *, colours: bool) -> None:
        self._log, self._colours = log, colours
        self.size = 0
        self.clear(0)

    def clear(self, start: int) -> None:
        """No lines, and the next ones from `start` on."""
        self.lines: list[Line] = []
        self._cutter = Cutter(colours=self._colours)
        self._read_to = start

    def look(self, want: Want) -> bool:
        """Read what is missing; True if there is more to read, and the next look should be soon. Raises OSError."""
        before, self.size = self.size, self._log.size
        if self.size < before:  # somebody emptied it
            self.clear(0)
        if want.anchor is None:
            self._look_at_end(2 * want.rows + 40)
            return False
        return self._look_around(min(want.anchor, self.size), max(3 * want.rows, 60))

    def _look_at_end(self, keep: int) -> None:
        if not self.lines or self.size - self.lines[-1].end > _NEAR:
            self.clear(find_start(self._log, self.size, keep))
        self._extend(1 << 30, 1 << 30)
        if len(self.lines) > 2 * keep:
            del self.lines[:-keep]

    def _look_around(self, anchor: int, margin: int) -> bool:
        if not self.lines or not self.lines[0].start <= anchor <= self.lines[-1].end:
            self.clear(find_start(self._log, anchor, margin) if anchor else 0)
        index = self._index(anchor)
        if index < margin // 2 and self.lines and self.lines[0].start > 0:
            self._prepend(margin - index)
            index = self._index(anchor)
        if len(self.lines) - index < margin // 2 or self._read_to >= self.size:
            self._extend(max(margin, self._index(anchor) + margin), _BUDGET)
        self._trim(self._index(anchor), 4 * margin)
        index = self._index(anchor)
        return self._read_to < self.size and len(self.lines) - index < margin // 2

    def _index(self, anchor: int) -> int:
        return max(0, bisect_right(self.lines, anchor, key=lambda line: line.start) - 1)

    def _extend(self, count: int, budget: int) -> None:
        """Read on until there are `count` lines, or `budget` bytes more."""
        if self._read_to >= self.size:
            return
        if self.lines and not self.lines[-1].whole:
            self.lines.pop()
        until = min(self.size, self._read_to + budget)
        for piece in pieces(self._log, self._read_to, until):
            self.lines += self._cutter.feed(piece)
            self._read_to = piece.end
            if len(self.lines) >= count:
                break
        if self._read_to >= self.size and (rest := self._cutter.rest):
            self.lines.append(rest)

    def _prepend(self, count: int) -> None:
        end = self.lines[0].start
        cutter = Cutter(colours=self._colours)
        found: list[Line] = []
        for piece in pieces(self._log, find_start(self._log, end, count), end):
            found += cutter.feed(piece)
        if rest := cutter.rest:
            found.append(rest._replace(whole=True))  # a part of a line that is too long
        self.lines[:0] = found

    def _trim(self, index: int, most: int) -> None:
        if index > most:
            del self.lines[: index - most // 2]
            index = most // 2
        if len(self.lines) - index > most:
            del self.lines[index + most :]
            self._cutter = Cutter(colours=self._colours)
            self._read_to = self.lines[-1].end


class LogWatch:
    """The thread of pages. `page` is the latest, `version` rises with each."""

    def __init__(self) -> None:
        self.page = Page()
        self.version = 0
        self._want: Want | None = None
        self._ended = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    def want(self, want: Want | None) -> None:
        """See this from now on."""
        self._want = want
        self.poke()

    def poke(self) -> None:
        """Look whether the log has grown."""
        if self._want is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="log", daemon=True)
            self._thread.start()
        self._wake.set()

    def close(self) -> None:
        self._ended = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def _work(self) -> None:
        from mlhub.runner.segments import LogReader

        window: Window | None = None
        shown: tuple[int, bool] | None = None
        while True:
            self._wake.wait()
            self._wake.clear()
            want = self._want
            if self._ended:
                return
            if want is None:
                continue
            try:
                if window is None or shown != (want.run, want.colours):
                    window = Window(LogReader(want.paths), colours=want.colours)
                    shown = want.run, want.colours
                if window.look(want):
                    self._wake.set()
                page = Page(want.run, want.serial, tuple(window.lines), window.size)
            except Exception as error:  # house rule 5: a reader's outermost step; the pane says what it was
                window = None
                page = Page(want.run, want.serial, error=_reason(error))
            if page != self.page:
                self.page = page
                self.version += 1


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"the log can't be read: {one_line(error.strerror)}"
    return f"the log can't be read: {one_line(repr(error))}"


@dataclass(frozen=True, slots=True)
class Quest:
    """A search: from the line at byte `position` on with `step` 1, before it with -1; 0 only counts."""

    run: int
    paths: RunPaths
    pattern: Pattern
    position: int
    step: int
    serial: int


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has come to. `at`: where the line begins; `progress`: the share searched, None when done."""

    serial: int = 0
    run: int | None = None
    at: int | None = None
    wrapped: bool = False
    rank: int | None = None
    total: int | None = None
    progress: float | None = None
    #: whether the jump was looked for to the end
    settled: bool = False
    error: str | None = None


class Searcher:
    """The thread of searches. `found` is the latest, `version` rises with each."""

    def __init__(self) -> None:
        self.found = Found()
        self.version = 0
        self._quest: Quest | None = None
        self._ended = False
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._told = 0.0
        self._scanned = self._size = self._serial = 0

    def seek(self, quest: Quest) -> None:
        """Search for this, and no longer for what was sought before."""
        self._quest = quest
        self.found = Found(quest.serial, quest.run)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="log search", daemon=True)
            self._thread.start()
        self._wake.set()

    def poke(self) -> None:
        """The log has grown: count on."""
        if self._quest is not None:
            self._wake.set()

    def cancel(self) -> None:
        self._quest = None

    def close(self) -> None:
        self._ended = True
        self._quest = None
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def _work(self) -> None:
        from mlhub.runner.segments import LogReader

        hunt: Hunt | None = None
        last: Quest | None = None
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._ended:
                return
            quest = self._quest
            if quest is None:
                continue
            try:
                if last is None or hunt is None or (last.run, last.pattern) != (quest.run, quest.pattern):
                    hunt = Hunt(LogReader(quest.paths), quest.pattern, self._going)
                size = hunt.log.size
                if size < hunt.counted:
                    hunt = Hunt(LogReader(quest.paths), quest.pattern, self._going)
                last = quest
                self._answer(hunt, quest, size)
            except Exception as error:  # house rule 5: a reader's outermost step; the pane says what it was
                hunt = None
                self._tell(quest, replace(self.found, error=_reason(error), progress=None, settled=True))

    def _answer(self, hunt: Hunt, quest: Quest, size: int) -> None:
        self._scanned, self._size = 0, max(1, size)
        self._serial = quest.serial
        if self.found.serial != quest.serial:
            self.found = Found(quest.serial, quest.run)
        found = self.found
        if quest.step and not found.settled:
            at, wrapped = _jump(hunt, quest, size)
            if self._quest is not quest:
                return
            found = Found(quest.serial, quest.run, at, wrapped and at is not None, settled=True, progress=0.0)
            self._tell(quest, found)
        self._scanned = hunt.counted
        while hunt.count_on(size):
            if not self._going(hunt.counted - self._scanned):
                return
        rank = None if found.at is None else hunt.rank(found.at)
        self._tell(quest, replace(found, rank=rank, total=hunt.total(size), progress=None, settled=True))

    def _going(self, count: int) -> bool:
        """Asked after each block: whether somebody still wants to know."""
        quest = self._quest
        if quest is None or quest.serial != self._serial:
            return False
        self._scanned += count
        if time.monotonic() - self._told > _TELL:
            self._tell(quest, replace(self.found, progress=min(1.0, self._scanned / self._size)))
        return True

    def _tell(self, quest: Quest, found: Found) -> None:
        if self._quest is quest and found != self.found:
            self._told = time.monotonic()
            self.found = found
            self.version += 1


def _jump(hunt: Hunt, quest: Quest, size: int) -> tuple[int | None, bool]:
    """Where the wanted line begins, and whether the search went on from the other end."""
    if quest.step > 0:
        at = hunt.next(quest.position, size)
        return (at, False) if at is not None else (hunt.next(0, min(quest.position, size)), True)
    at = hunt.previous(min(quest.position, size))
    return (at, False) if at is not None else (hunt.previous(size), True)
