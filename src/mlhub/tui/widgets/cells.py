"""Lines of a table as characters with a style each: put together by cells, compared with what was there. Pure."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from rich.text import Text

from mlhub.text import fit, width

Part = tuple[str, Style]
#: a text in one style, or several, or Rich's own
Cell = Part | Sequence[Part] | Text

#: characters between two changed ones that are rendered with them: two spans cost more. What is sent the glass decides
_JUMP = 12


@dataclass(frozen=True, slots=True)
class Banner:
    """A row that is one text across all columns: the head of a group. Given in place of a list of cells."""

    parts: tuple[Part, ...]


def fitted(parts: Sequence[Part], room: int, fill: Style, *, right: bool = False) -> list[Part]:
    """Cut or filled to `room` columns, standing at the right of them if asked for."""
    found: list[Part] = []
    for text, style in parts:
        if room <= 0:
            break
        wide = width(text)
        if wide > room:
            text = fit(text, room)  # noqa: PLW2901 - what fits of it
            wide = width(text)
        found.append((text, style))
        room -= wide
    if room > 0:
        found.insert(0 if right else len(found), (" " * room, fill))
    return found


def joined(parts: Sequence[Part], over: Style | None = None) -> tuple[Part, ...]:
    """Neighbours of one style are one, and blanks belong to what stands before: fewer codes to send. In the colours of
    `over`, if given.
    """
    found: list[Part] = []
    for text, style in parts:
        if over is not None:
            style = style + over  # noqa: PLW2901
        if found and (
            found[-1][1] is style or found[-1][1] == style or (not text.strip(" ") and _bare(found[-1][1], style))
        ):
            found[-1] = (found[-1][0] + text, found[-1][1])
        else:
            found.append((text, style))
    return tuple(found)


@functools.lru_cache(maxsize=1024)
def _bare(before: Style, style: Style) -> bool:
    """Whether a blank looks the same in both."""
    lines = (before.underline, before.reverse, before.strike, style.underline, style.reverse, style.strike)
    return before.bgcolor == style.bgcolor and not any(lines)


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
