"""Which view stands where, as a function of the terminal's size and of what the user looks at. Pure."""

from __future__ import annotations

from typing import NamedTuple

#: narrower or lower than this: say so, and draw nothing
LEAST = (60, 15)
#: from here on several views stand beside each other
WIDE = (130, 34)
#: from here on the log has a column of its own
THREE = 200


class Place(NamedTuple):
    """Cells of the area below the status row."""

    x: int
    y: int
    width: int
    height: int


def is_small(width: int, height: int) -> bool:
    return width < LEAST[0] or height < LEAST[1]


def is_wide(width: int, height: int) -> bool:
    return width >= WIDE[0] and height >= WIDE[1]


def place(width: int, height: int, active: str, right: str, *, zoomed: bool, wide: bool) -> dict[str, Place]:
    """Where each view that is to be seen stands. `right`: the one of the right-hand side, beside runs and system.

    `width` and `height` are of the area; `wide` says whether it is divided at all.
    """
    whole = Place(0, 0, width, height)
    if zoomed or not wide:
        return {active: whole}
    three = width >= THREE
    left = width * (30 if three else 38) // 100
    upper = max(height * 55 // 100, height - 18)
    found = {"runs": Place(0, 0, left, upper), "system": Place(0, upper, left, height - upper)}
    x, rest = left + 1, width - left - 1
    if three:
        log = rest * 36 // 100
        found["log"] = Place(width - log, 0, log, height)
        found[right if right != "log" else "charts"] = Place(x, 0, rest - log - 1, height)
    elif right in ("charts", "log"):
        tall = height * 66 // 100
        found["charts"] = Place(x, 0, rest, tall)
        found["log"] = Place(x, tall, rest, height - tall)
    else:
        found[right] = Place(x, 0, rest, height)
    return found
