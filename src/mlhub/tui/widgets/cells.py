"""Lines of a table as characters with a style each: put together by cells, compared with what was there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from mlhub.text import fit, width

Part = tuple[str, Style]
#: a text in one style, or several, or Rich's own
Cell = Part | Sequence[Part] | Text

#: characters between two changed ones that are sent rather than jumped over: a jump costs as much
_JUMP = 12


@dataclass(frozen=True, slots=True)
class Banner:
    """A row that is one text across all columns: the head of a group. Given in place of a list of cells."""

    parts: tuple[Part, ...]


class Canvas:
    """A line of characters being put together, each with its style; a wide one is followed by an empty one."""

    def __init__(self, wide: int, style: Style) -> None:
        self._texts = [" "] * wide
        self._styles = [style] * wide

    def put(self, x: int, end: int, parts: Sequence[Part], *, right: bool = False, wide: int = 0) -> None:
        """Write from `x`, at most up to `end`; at the right of `wide` columns if asked for."""
        room = min(end, len(self._texts)) - x
        if right:
            x += max(0, min(room, (wide or room)) - sum(width(text) for text, _ in parts))
        for text, style in parts:
            left = min(end, len(self._texts)) - x
            if left <= 0:
                return
            text = fit(text, left)  # noqa: PLW2901 - what fits of it
            if text.isascii():
                self._texts[x : x + len(text)] = text
                self._styles[x : x + len(text)] = [style] * len(text)
                x += len(text)
                continue
            for character in text:
                cells = width(character)
                if not cells:
                    self._texts[max(0, x - 1)] += character
                    continue
                self._texts[x], self._styles[x] = character, style
                if cells == 2:
                    self._texts[x + 1], self._styles[x + 1] = "", style
                x += cells

    def line(self, over: Style | None = None) -> tuple[Part, ...]:
        """Runs of one style; all of it in the colours of `over`, if given."""
        found: list[tuple[list[str], Style]] = []
        for text, style in zip(self._texts, self._styles, strict=True):
            if found and (found[-1][1] is style or found[-1][1] == style):
                found[-1][0].append(text)
            else:
                found.append(([text], style))
        return tuple(("".join(texts), style + over if over else style) for texts, style in found)


def parts_of(cell: Cell) -> list[Part]:
    """A cell as texts with a style each."""
    if isinstance(cell, Text):
        base = cell.style if isinstance(cell.style, Style) else Style()
        found = []
        for at, character in enumerate(cell.plain):
            style = base
            for span in cell.spans:
                if span.start <= at < span.end and isinstance(span.style, Style):
                    style += span.style
            found.append((character, style))
        return found
    if isinstance(cell, tuple) and len(cell) == 2 and isinstance(cell[0], str):
        return [cell]
    return list(cell)


def changed(was: tuple[Part, ...], now: tuple[Part, ...]) -> list[tuple[int, int]]:
    """From where to where two lines differ, in columns; differences close to each other are one."""
    before, after = _columns(was), _columns(now)
    if len(before) != len(after):
        return [(0, max(len(before), len(after)))]
    found: list[tuple[int, int]] = []
    for x, (one, other) in enumerate(zip(before, after, strict=True)):
        if one is other or one == other:
            continue
        if found and x - found[-1][1] < _JUMP:
            found[-1] = (found[-1][0], x + 1)
        else:
            found.append((x, x + 1))
    return [(_whole(before, after, start), _whole_end(before, after, end)) for start, end in found]


def _columns(line: tuple[Part, ...]) -> list[Part]:
    """One entry a column; the second of a wide character is empty."""
    found: list[Part] = []
    for text, style in line:
        if text.isascii():
            found += [(character, style) for character in text]
            continue
        for character in text:
            cells = width(character)
            if not cells and found:
                found[-1] = (found[-1][0] + character, found[-1][1])
            found += [(character, style), ("", style)][:cells]
    return found


def _whole(before: list[Part], after: list[Part], start: int) -> int:
    """The start moved off the second half of a wide character."""
    return start - 1 if start and (not before[start][0] or not after[start][0]) else start


def _whole_end(before: list[Part], after: list[Part], end: int) -> int:
    """The end moved off the middle of a wide character."""
    return end + 1 if end < len(after) and (not before[end][0] or not after[end][0]) else end
