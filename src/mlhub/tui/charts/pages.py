"""Which metrics stand on which page of charts: their order, the filter, the grid. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: what the names of a run's system metrics begin with
SYSTEM = "system/"
#: grids a user can choose, columns by rows; the first means: as many as there is room for
GRIDS = ("", "1x1", "1x2", "2x2", "2x3", "3x3")
#: cells that a chart should have at least, and never goes below
_ROOMY, _LEAST = (44, 10), (20, 4)
_PREFIXES = ("train", "training", "val", "valid", "validation", "eval", "test")


class Grid(NamedTuple):
    """Columns and rows of charts on a page."""

    columns: int
    rows: int

    @property
    def size(self) -> int:
        return self.columns * self.rows


def in_order(names: Iterable[str], main: Sequence[str]) -> list[str]:
    """Main metrics, then losses, then the rest by prefix; what the machine did comes last."""
    first = list(dict.fromkeys(name for name in main if name))

    def place(name: str) -> tuple[object, ...]:
        if name in first:
            return (0, first.index(name), 0, name)
        prefix = name.rpartition("/")[0].lower()
        known = _PREFIXES.index(prefix) if prefix in _PREFIXES else len(_PREFIXES)
        if name.startswith(SYSTEM):
            return (3, 0, *_system_place(name))
        return (1 if "loss" in name.lower() else 2, known, prefix, name)

    return sorted(set(names), key=place)


def _system_place(name: str) -> tuple[str, int, str]:
    """GPUs first, by number: `system/gpu.10.util` after `system/gpu.2.util`."""
    match = re.match(r"system/gpu\.(\d+)\.(.*)", name)
    return ("", int(match[1][:9]), match[2]) if match else ("machine", 0, name)


def matching(names: Sequence[str], words: str) -> tuple[list[str], str]:
    """The names that a filter lets through, and what is wrong with it, if anything.

    A regular expression or plain words, of which each must be there; `-word` must not. Case doesn't count.
    """
    parts = words.split()
    found = list(names)
    error = ""
    for part in parts:
        no = part.startswith("-") and len(part) > 1
        text = part[1:] if no else part
        try:
            test = re.compile(text, re.IGNORECASE).search
        except (re.error, RecursionError, OverflowError):
            error = f"{part}: no regular expression, taken as it is"
            test = re.compile(re.escape(text), re.IGNORECASE).search
        found = [name for name in found if bool(test(name)) != no]
    return found, error


def grid_for(wide: int, high: int, count: int, wish: str = "") -> Grid:
    """The grid of a page in so many cells: the wish, as far as there is room, and no larger than needed."""
    if wish in GRIDS[1:]:
        columns, rows = (int(part) for part in wish.split("x"))
    else:
        columns, rows = wide // _ROOMY[0], high // _ROOMY[1]
    columns = max(1, min(columns, 3, wide // _LEAST[0]))
    rows = max(1, min(rows, 3, high // _LEAST[1]))
    if count <= rows:  # one below the other: curves are wide
        return Grid(1, max(1, count))
    columns = min(columns, -(-count // rows))
    return Grid(columns, min(rows, -(-count // columns)))


def cells(grid: Grid, wide: int, high: int) -> list[tuple[int, int, int, int]]:
    """x, y, width and height of each chart; a column of cells is left between two beside each other."""
    room = wide - (grid.columns - 1)
    xs = [index * room // grid.columns for index in range(grid.columns + 1)]
    ys = [index * high // grid.rows for index in range(grid.rows + 1)]
    return [
        (xs[column] + column, ys[row], xs[column + 1] - xs[column], ys[row + 1] - ys[row])
        for row in range(grid.rows)
        for column in range(grid.columns)
    ]
