"""Bars and small curves as text: pure functions from numbers to cells. Their colours are others' business.

Where the terminal is not told to expect UTF-8 they are made of ASCII.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

from mlhub.curves.dots import BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCKS = "▁▂▃▄▅▆▇█"
_LETTERS = "_.-:=+*#"
#: dots of the left and of the right column, from below
_LEFT, _RIGHT = zip(*reversed(BITS), strict=True)
#: a braille cell by the heights of its columns, 0 to 4
_BRAILLE = [[chr(0x2800 + sum(_LEFT[:a]) + sum(_RIGHT[:b])) if a or b else " " for b in range(5)] for a in range(5)]


def bar(share: float | None, columns: int, *, unicode: bool = True) -> tuple[str, str]:
    """A bar of `columns` cells: its filled part, and what is left. A share beyond 0..1 is cut, None is empty."""
    if share is None or math.isnan(share):
        return "", _track(columns, unicode)
    share = min(1.0, max(0.0, share))
    if not unicode:
        whole = round(share * columns)
        return "#" * whole, _track(columns - whole, unicode)
    whole, half = divmod(round(share * columns * 2), 2)
    filled = "━" * whole + "╸" * half  # thin, so that bars below each other stay apart
    return filled, _track(columns - len(filled), unicode)


def _track(columns: int, unicode: bool) -> str:
    return ("─" if unicode else ".") * columns


def samples(columns: int, rows: int, *, unicode: bool = True) -> int:
    """How many values `curve` takes for so many cells: two a cell where there are braille dots."""
    return 2 * columns if rows > 1 and unicode else columns


def curve(values: Sequence[float], low: float, high: float, rows: int, *, unicode: bool = True) -> list[str]:
    """An area from `low` to `high`, `rows` cells high, from top to bottom; NaN leaves a gap. See `samples`.

    One row is drawn in blocks of eight heights, more in braille of four heights a row.
    """
    if rows == 1:
        marks = (_BLOCKS if unicode else _LETTERS) + " "
        return ["".join([marks[level - 1] for level in _levels(values, low, high, 8)])]
    step = 4 if unicode else 3
    levels = _levels(values, low, high, step * rows)
    lines = []
    for row in range(rows):
        floor = step * (rows - 1 - row)
        here = _heights(step, rows, floor)
        if unicode:
            pairs = zip(levels[::2], levels[1::2], strict=False)
            lines.append("".join([_BRAILLE[here[left]][here[right]] for left, right in pairs]))
        else:
            lines.append("".join([" .:#"[here[level]] for level in levels]))
    return lines


@cache
def _heights(step: int, rows: int, floor: int) -> list[int]:
    """How much of a cell above `floor` each level fills, 0 to `step`."""
    return [max(0, min(step, level - floor)) for level in range(step * rows + 1)]


def _levels(values: Sequence[float], low: float, high: float, steps: int) -> list[int]:
    """How high each value stands, in `steps`: at least 1 where it is known, 0 where it isn't."""
    scale = steps / (high - low) if high > low else 0.0
    # rounded up; a value may be beyond either end
    raised = 1 - low * scale - 1e-9
    found = [0 if value != value else int(value * scale + raised) for value in values]  # noqa: PLR0124 - NaN
    if not found or (max(found) <= steps and min(found) >= 1):
        return found
    return [0 if value != value else max(1, min(steps, level)) for value, level in zip(values, found, strict=True)]  # noqa: PLR0124


def ceiling(values: Sequence[float], least: float) -> float:
    """A round number not below any of `values` nor `least`, so that a scale stands still while they tremble."""
    top = max((value for value in values if not math.isnan(value)), default=least)
    top = max(top, least)
    power = 10.0 ** math.floor(math.log10(top)) if top > 0 else 1.0
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= top * (1 - 1e-9))
