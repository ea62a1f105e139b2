"""Which rows of a log are to be seen: where one stands in its lines, by rows of the screen. Pure."""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mlhub.text import width as width_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlhub.tui.log.lines import Line


class Row(NamedTuple):
    """Characters `start` to `end` of a line."""

    line: Line
    start: int
    end: int


@lru_cache(1024)
def breaks(text: str, columns: int) -> tuple[tuple[int, int], ...]:
    """The rows that `text` takes when it is broken at `columns`, as ranges of characters."""
    if text.isascii():
        return tuple((at, min(at + columns, len(text))) for at in range(0, len(text), columns)) or ((0, 0),)
    found, start, used = [], 0, 0
    for index, character in enumerate(text):
        cells = width_of(character)
        if used + cells > columns and index > start:
            found.append((start, index))
            start, used = index, 0
        used += cells
    return (*found, (start, len(text)))


class LogPlace:
    """A place in lines: the byte where the upper line begins and the row within it, or, following, the end."""

    def __init__(self) -> None:
        self.lines: Sequence[Line] = ()
        self.width, self.height = 80, 24
        self.wrap = False
        self.following = True
        self.top, self.row = 0, 0

    @property
    def index(self) -> int:
        """Of the upper line in `lines`."""
        return max(0, bisect_right(self.lines, self.top, key=lambda line: line.start) - 1)

    def rows(self) -> list[Row]:
        """What is to be seen, at most `height` rows."""
        if self.following:
            self._to_end()
        found: list[Row] = []
        for index in range(self.index, len(self.lines)):
            rows = self._rows(index)
            found += rows[min(self.row, len(rows) - 1) if not found else 0 :]
            if len(found) >= self.height:
                break
        return found[: self.height]

    def scroll(self, by: int) -> bool:
        """By so many rows; False if there is nothing further that way."""
        before = self.index, self.row
        if by > 0:
            self._down(by)
            self.fill()
        else:
            self._up(-by)
        return before != (self.index, self.row)

    def go(self, offset: int, above: int = 0) -> None:
        """The line at byte `offset`, `above` rows below the upper edge."""
        self.following = False
        self.top, self.row = offset, 0
        self._up(above)
        self.fill()

    def is_at_end(self) -> bool:
        rows = self.rows()
        return not rows or (rows[-1].line is self.lines[-1] and rows[-1].end >= len(rows[-1].line.text))

    def _rows(self, index: int) -> list[Row]:
        line = self.lines[index]
        if not self.wrap:
            return [Row(line, 0, len(line.text))]
        return [Row(line, start, end) for start, end in breaks(line.text, max(1, self.width))]

    def _to_end(self) -> None:
        if self.lines:
            self.top, self.row = self.lines[-1].start, len(self._rows(len(self.lines) - 1)) - 1
            self._up(self.height - 1)

    def fill(self) -> None:
        """No empty rows below the last line as long as there are lines above."""
        if self.lines and (count := self._count()) < self.height:
            self._up(self.height - count)

    def _count(self) -> int:
        """How many rows there are from here on; enough if that is more than `height`."""
        count, index = -self.row, self.index
        while count < self.height and index < len(self.lines):
            count += len(self._rows(index))
            index += 1
        return max(0, count)

    def _down(self, by: int) -> None:
        for index, row in self._places(self.index, self.row):
            self.top, self.row = self.lines[index].start, row
            if by == 0:
                return
            by -= 1

    def _up(self, by: int) -> None:
        if not self.lines:
            return
        index, row = self.index, self.row
        while by > 0:
            if row >= by:
                row, by = row - by, 0
            elif index == 0:
                row, by = 0, 0
            else:
                by -= row + 1
                index -= 1
                row = len(self._rows(index)) - 1
        self.top, self.row = self.lines[index].start, row

    def _places(self, index: int, row: int) -> Iterator[tuple[int, int]]:
        for at in range(index, len(self.lines)):
            for one in range(row if at == index else 0, len(self._rows(at))):
                yield at, one
