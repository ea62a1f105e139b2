"""The lines of a log by byte offsets, found by seeking: never more of a file is read than what stands around them.

A progress bar that redraws itself with carriage returns is its last state; a very long line is its beginning. What
bytes are, in the file or compressed, is `mlhub.runner.segments`'; which lines are wanted, `mlhub.tui.log.watch`'s.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from mlhub.text import size
from mlhub.tui.log import pens

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.tui.log.pens import Span

#: bytes read at once
BLOCK = 1 << 16
#: a line that is longer is several
LONGEST = 1 << 24
#: bytes kept of a line's beginning, and of its end
_HEAD, _TAIL = 1 << 15, 1 << 13
#: bytes looked through at once on the way back, and where there are none
_STRIDE, _LEAP = 1 << 20, 1 << 28
#: characters of a line that are shown
SHOWN = 10_000


class Bytes(Protocol):
    """What lines are read from: `mlhub.runner.segments.LogReader`."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, limit: int = ..., /) -> tuple[bytes, int]: ...


class Line(NamedTuple):
    """Bytes `start` to `end` of the log, its line break included, as they are shown. `whole`: the break is there."""

    start: int
    end: int
    text: str
    spans: tuple[Span, ...] = ()
    whole: bool = True


class Piece(NamedTuple):
    """Bytes `start` to `end`; `data` is None where they can't be had."""

    start: int
    end: int
    data: bytes | None


def pieces(log: Bytes, start: int, end: int, block: int = BLOCK) -> Iterator[Piece]:
    """The bytes from `start` to `end` in parts. Raises OSError."""
    while start < end:
        data, after = log.read(start, min(block, end - start))
        if not data:
            return
        missing = after - start != len(data)  # words about them came in their place
        yield Piece(start, after, None if missing else data)
        start = after


class Cutter:
    """Cuts bytes into lines as they come; of an unfinished line it keeps the beginning and the end only."""

    def __init__(self, *, colours: bool = True) -> None:
        self._colours = colours
        self._start = self._end = 0
        self._head, self._tail = b"", b""

    def feed(self, piece: Piece) -> list[Line]:
        """The lines that end in this piece, which follows the one before."""
        if piece.data is None:
            words = f"[… {size(piece.end - piece.start)} of the log can't be read]"
            return [*self._cut(piece.start), Line(piece.start, piece.end, words)]
        found: list[Line] = []
        begin, data = 0, piece.data
        while (cut := data.find(b"\n", begin)) >= 0:
            self._add(data[begin : cut + 1], piece.start + begin)
            found += self._cut(piece.start + cut + 1)
            begin = cut + 1
        self._add(data[begin:], piece.start + begin)
        if self._end - self._start > LONGEST:
            found += self._cut(piece.end)
        return found

    @property
    def rest(self) -> Line | None:
        """The line that has no end yet."""
        return self._line(whole=False) if self._end > self._start else None

    def _add(self, data: bytes, start: int) -> None:
        if not data:
            return
        if not self._head:
            self._start = start
        room = _HEAD - len(self._head)
        self._head += data[: max(0, room)]
        self._tail = (self._tail + data)[-_TAIL:] if len(data) < _TAIL else data[-_TAIL:]
        self._end = start + len(data)

    def _cut(self, end: int) -> list[Line]:
        if not self._head:
            return []
        self._end = end
        line = self._line(whole=True)
        self._start, self._head, self._tail = end, b"", b""
        return [line]

    def _line(self, *, whole: bool) -> Line:
        length = self._end - self._start
        if length <= _HEAD:
            raw, note = collapse(self._head), ""
        elif b"\r" in self._tail.rstrip(b"\r\n"):
            raw, note = collapse(self._tail), ""
        else:
            raw, note = collapse(self._head), f" … a line of {size(length)}"
        text, spans = pens.read(raw[: 4 * SHOWN].decode(errors="replace"), colours=self._colours)
        if len(text) > SHOWN:
            text, note = text[:SHOWN], note or f" … a line of {size(length)}"
            spans = tuple(span._replace(end=min(span.end, SHOWN)) for span in spans if span.start < SHOWN)
        return Line(self._start, self._end, text + note, spans, whole)


def collapse(line: bytes) -> bytes:
    """A line without its break, and of one that was drawn several times with carriage returns the last state."""
    line = line.rstrip(b"\r\n")
    if b"\r" not in line:
        return line
    states = line.rsplit(b"\r", 16)
    for state in reversed(states[1:]):
        if state.replace(b"\x1b[K", b"").replace(b"\x1b[2K", b"").strip():
            return state
    return states[0].rpartition(b"\r")[2]


def find_start(log: Bytes, end: int, count: int, budget: int = 1 << 22) -> int:
    """Where the line begins that stands `count` lines before byte `end`; 1: the line that `end`'s last byte is in.

    Fewer lines where they are so long that `budget` bytes were read, but one at least, of LONGEST bytes at most.
    """
    position, known, found, step, spent = end, end, 0, BLOCK, 0
    missing: bool | None = None  # of the piece behind
    while position > 0 and (spent < budget or (known == end and spent < LONGEST)):
        first = max(0, position - step)
        for piece in reversed(list(pieces(log, first, position))):
            spent += len(piece.data or b"")
            for start in _begins(piece, behind=missing):
                if start < known:
                    known, found = start, found + 1
                    if found == count:
                        return known
            missing = piece.data is None
        position, step = first, min(2 * step, _LEAP if missing else _STRIDE)
    return 0 if position <= 0 else known if known < end else position


def _begins(piece: Piece, *, behind: bool | None) -> Iterator[int]:
    """Where lines begin in a piece and right behind it, the last first; what can't be read is a line of its own."""
    if behind is not None and behind != (piece.data is None):
        yield piece.end
    cut = len(piece.data or b"")
    while piece.data and (cut := piece.data.rfind(b"\n", 0, cut)) >= 0:
        yield piece.start + cut + 1
