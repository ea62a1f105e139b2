"""Search in a log of any size: the next line that matches, in either direction, and how many there are. No threads.

Lines are looked for block by block, from where one stands; counting goes through the whole log once, remembers a
number a block, and goes on as the log grows.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from mlhub.tui.log.lines import LONGEST, Bytes, collapse, find_start, pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: bytes searched at once: a fraction of a millisecond in which nothing else of Python runs
_BLOCK = 1 << 18
_SGR = re.compile(rb"\x1b\[[0-9;:]*m")


@dataclass(frozen=True)
class Pattern:
    """What a line must have: one of `words`, in small letters with `fold`, and, if it is there, match `verify`."""

    words: tuple[bytes, ...]
    fold: bool = False
    verify: re.Pattern[bytes] | None = None
    unless: re.Pattern[bytes] | None = None
    #: as it was typed; empty for errors
    text: str = ""

    def hits(self, data: bytes) -> list[int]:
        """Where in `data`, of whole lines, the lines begin that match, as they are shown: colours don't part a word."""
        shown = _SGR.sub(b"", data) if b"\x1b" in data else data
        found = self._search(shown)
        return found if shown is data or not found else _same_lines(shown, found, data)

    def marks(self, text: str) -> list[tuple[int, int]]:
        """Where a shown line has it, as ranges of characters."""
        return [match.span() for match in self._shown.finditer(text) if match.group()]

    @cached_property
    def _shown(self) -> re.Pattern[str]:
        if self.verify is not None:
            return re.compile(self.verify.pattern.decode(), re.ASCII)
        words = "|".join(re.escape(word.decode()) for word in self.words)
        return re.compile(words, re.ASCII | (re.IGNORECASE if self.fold else re.NOFLAG))

    def count(self, data: bytes) -> int:
        """How many lines of `data` match; where it is simple, without looking at each of them."""
        if self.verify is not None or b"\r" in data or b"\x1b" in data:
            return len(self.hits(data))
        return len(self._lines.findall(data.lower() if self.fold else data))

    @cached_property
    def _any(self) -> re.Pattern[bytes]:
        return re.compile(b"|".join(map(re.escape, self.words)))

    @cached_property
    def _lines(self) -> re.Pattern[bytes]:
        return re.compile(b"(?:" + self._any.pattern + rb")[^\n]*")

    def _search(self, data: bytes) -> list[int]:
        folded = data.lower() if self.fold else data
        found: list[int] = []
        match = self._any.search(folded)
        while match is not None:
            start, end = folded.rfind(b"\n", 0, match.start()) + 1, folded.find(b"\n", match.end())
            end = len(data) if end < 0 else end
            if self._holds(data[start:end]):
                found.append(start)
            match = self._any.search(folded, end)
        return found

    def _holds(self, line: bytes) -> bool:
        """Of a line that has one of the words: whether what is shown has it too, and nothing speaks against."""
        if b"\r" in line:
            line = collapse(line)
            if not self._any.search(line.lower() if self.fold else line):
                return False
        if self.verify is None:
            return True
        line = line[: 1 << 16]
        return bool(self.verify.search(line)) and not (self.unless and self.unless.search(line))


def _same_lines(shown: bytes, starts: list[int], data: bytes) -> list[int]:
    """Where the lines that begin at `starts` in `shown` begin in `data`, which has the same lines."""
    found: list[int] = []
    counted = position = 0
    for start in starts:
        for _ in range(shown.count(b"\n", counted, start)):
            position = data.index(b"\n", position) + 1
        counted = start
        found.append(position)
    return found


def words(text: str) -> Pattern:
    """What is typed, as it is; small letters stand for capitals too."""
    return Pattern((text.encode(errors="replace"),), fold=text == text.lower(), text=text)


#: what a training says when it goes wrong, and not "error: 0.2" or a warning
ERRORS = Pattern(
    words=(b"traceback (most", b"error", b"exception", b"out of memory", b"nan", b"killed", b"failed",
           b"segmentation fault", b"core dumped", b"fatal", b"critical"),
    fold=True,
    verify=re.compile(
        rb"Traceback \(most recent call last\)|(?<![\w/.-])(?:error|Error|ERROR)\b(?!\s*[:=]?\s*[-+]?[.\d])\W"
        rb"|\b[A-Z]\w*(?:Error|Exception)\b|(?i:out of memory)|(?<![A-Za-z])(?:nan|NaN|NAN)(?![A-Za-z])"
        rb"|\bKilled\b|\bFAILED\b|\bFailed to\b|\bfailed with\b|Segmentation fault|core dumped"
        rb"|\b(?:fatal|FATAL|Fatal|CRITICAL)\b"
    ),
    unless=re.compile(rb"\b\w*Warning\b|\bWARN(?:ING)?\b|\bwarning:"),
)  # fmt: skip


class Block(NamedTuple):
    """Whole lines from `start` to `end`, of which `matches` match."""

    start: int
    end: int
    matches: int


@dataclass
class Hunt:
    """One pattern in one log. `going` is asked after each block and says whether to go on."""

    log: Bytes
    pattern: Pattern
    going: Callable[[int], bool]
    _blocks: list[Block] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)

    @property
    def counted(self) -> int:
        """Bytes from the beginning that are counted."""
        return self._blocks[-1].end if self._blocks else 0

    def count_on(self, end: int) -> bool:
        """Count one block more before `end`; False if there is none of whole lines."""
        for start, data in self._read(self.counted, end, rest=False):
            block = Block(start, start + len(data), self.pattern.count(data))
            before = self._ends[-1] if self._ends else 0
            self._blocks.append(block)
            self._ends.append(before + block.matches)
            return True
        return False

    def total(self, size: int) -> int:
        """How many lines match, once all but the last, unfinished one are counted."""
        rest = sum(self.pattern.count(data) for _, data in self._read(self.counted, size))
        return (self._ends[-1] if self._ends else 0) + rest

    def rank(self, start: int) -> int:
        """The how-manieth the matching line at `start` is, from 1; all before it must be counted."""
        index = bisect_right(self._blocks, start, key=lambda block: block.start) - 1
        if index < 0:
            return 1
        block = self._blocks[index]
        before = self._ends[index] - block.matches
        return before + sum(self.pattern.count(data) for _, data in self._read(block.start, start)) + 1

    def next(self, position: int, size: int) -> int | None:
        """Where the first line that matches begins, from the line at `position` on; None: none, or not to go on."""
        while position < size:
            known = self._known(position)
            if known is not None and not known.matches:
                position = known.end
                continue
            start, data = next(self._read(position, known.end if known else size), (size, b""))
            if hits := self.pattern.hits(data):
                return start + hits[0]
            if not self.going(len(data)):
                return None
            position = start + len(data)
        return None

    def previous(self, position: int) -> int | None:
        """Where the last line that matches begins before the line at `position`."""
        while position > 0:
            known = self._known(position - 1)
            if known is not None and not known.matches:
                position = known.start
                continue
            first = known.start if known else max(0, position - _BLOCK)
            first = find_start(self.log, first, 1) if first and not known else first
            for start, data in reversed(list(self._read(first, position))):
                if hits := self.pattern.hits(data):
                    return start + hits[-1]
            if not self.going(position - first):
                return None
            position = first
        return None

    def _known(self, position: int) -> Block | None:
        """The counted block that has the byte at `position`."""
        index = bisect_right(self._blocks, position, key=lambda block: block.start) - 1
        return self._blocks[index] if index >= 0 and position < self._blocks[index].end else None

    def _read(self, start: int, end: int, *, rest: bool = True) -> Iterator[tuple[int, bytes]]:
        """Whole lines from `start` to `end` in blocks, where each begins; a last one without a break with `rest`."""
        held = b""
        for piece in pieces(self.log, start, end, _BLOCK):
            data = piece.data or b""
            cut = data.rfind(b"\n") + 1
            if piece.data is None or len(held) > LONGEST:
                cut = len(data)
            if cut or (held and piece.data is None):
                yield start, held + data[:cut]
                held, start = data[cut:], piece.start + cut
            else:
                held += data
            if piece.data is None:  # nothing is there to be found
                start = piece.end
        if held and rest:
            yield start, held
