"""A sheet on a terminal: runs as columns, as rows, in parts as wide as the terminal, or one value a line.

The first that fits is taken: nothing is wider than it may be, and nothing is cut but names and long values. Styles are
words (`best`, `good`, `bad`, `quiet`, `head`); who prints knows their colours, or leaves them away.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from mlhub.text import fit, pad, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.compare.sheet import Cell, Line, Sheet

Part = tuple[str, str]
Row = list[Part]

#: more runs than this stand as rows, in parts if need be: one value a line would be too long to read; fewer do, where
#: that takes fewer lines
_ACROSS = 6
#: letters of a run's name, of a line's name beside and above its values, of a value
_RUN, _BESIDE, _ABOVE, _VALUE = 22, 34, 20, 28
_GAP = "  "
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|–|-|NaN")


class Signs(NamedTuple):
    """What marks the best, and the directions: as the terminal can show them."""

    best: str = "★"
    up: str = "↑"
    down: str = "↓"

    def way(self, line: Line) -> str:
        return {"max": f" {self.up}", "min": f" {self.down}"}.get(line.way or "", "")


LETTERS = Signs("*", "^", "v")


def lay_out(sheet: Sheet, total: int, signs: Signs, *, vertical: bool = False) -> list[Row]:
    """Lines of a table, at most `total` wide where that is at all possible."""
    few = len(sheet.subjects) <= _ACROSS
    if few and not vertical and (rows := _across(sheet, signs)) and max(map(_wide, rows)) <= total:
        return rows
    if vertical:
        return _vertical(sheet, signs, total)
    names, columns = _columns(sheet, signs)
    if sum(_wide(column[0]) + len(_GAP) for column in columns) + _wide(names[0]) <= total:
        return _beside([names, *columns])
    parts, blocks = _parts(sheet, names, columns, total), _vertical(sheet, signs, total)
    if few and (len(blocks) <= len(parts) or max(map(_wide, parts)) > total):
        return blocks
    return parts


def _wide(row: Row) -> int:
    return sum(width(text) for text, _ in row)


class _Column:
    """Texts below each other: a value to the right, if they are numbers, and what follows it to the left."""

    def __init__(self, head: str, *, style: str = "head") -> None:
        self.head, self._style = head, style
        self._cells: list[tuple[str, str, str, str]] = []  # value, its style, what follows, its style

    def add(self, cell: Cell, line: Line, signs: Signs) -> None:
        value = fit(cell.text, _VALUE)
        if line.section == "metric":
            value = f"{signs.best} {value}" if cell.best else value
        style = "best" if cell.best else "quiet" if line.section == "run" else ""
        way = {True: "good", False: "bad", None: "quiet"}[cell.better]
        self._cells.append((value, style, cell.delta, way))

    def add_text(self, text: str) -> None:
        self._cells.append((text, "", "", ""))

    def rows(self, *, right: bool | None = None) -> list[Row]:
        """The head and the cells, all equally wide."""
        if right is None:
            right = all(_NUMBER.fullmatch(value.lstrip("★* ")) for value, *_ in self._cells)
        first = max((width(value) for value, *_ in self._cells), default=0)
        second = max((width(after) for _, _, after, _ in self._cells), default=0)
        both = first + (second + 1 if second else 0)
        whole = max(both, width(self.head))
        found: list[Row] = [[(pad(self.head, whole, right=right), self._style)]]
        for value, style, after, way in self._cells:
            shown: Row = [(pad(value, first, right=right), style)]
            shown += [(" " + pad(after, second), way)] if second else []
            found.append([*shown, (" " * (whole - both), "")] if not right else [(" " * (whole - both), ""), *shown])
        return found


def _beside(columns: Sequence[list[Row]]) -> list[Row]:
    """Columns with a gap between them."""
    lines = []
    for rows in zip(*columns, strict=True):
        line: Row = []
        for row in rows:
            line += [(_GAP, "")] if line else []
            line += row
        lines.append(line)
    return lines


def _across(sheet: Sheet, signs: Signs) -> list[Row]:
    """A column a run."""
    names = _Column("")
    for line in sheet.lines:
        names.add_text(fit(line.name, _BESIDE, keep_end=True) + signs.way(line))
    columns = [names.rows(right=False)]
    for place, subject in enumerate(sheet.subjects):
        column = _Column(fit(subject.name, _RUN))
        for line in sheet.lines:
            column.add(line.cells[place], line, signs)
        columns.append(_mixed(column, sheet))
    return _beside(columns)


def _mixed(column: _Column, sheet: Sheet) -> list[Row]:
    """A run's column: words to the left, its metrics below each other by their ends."""
    cells = column._cells  # noqa: SLF001 - its own class's
    first = max(
        (width(cell[0]) for cell, line in zip(cells, sheet.lines, strict=True) if line.section == "metric"), default=0
    )
    shown: list[Row] = []
    for (value, style, after, way), line in zip(cells, sheet.lines, strict=True):
        text = pad(value, first, right=True) if line.section == "metric" else value
        shown.append([(text, style), *([(f" {after}", way)] if after else [])])
    whole = max([width(column.head), *map(_wide, shown)])
    return [[(pad(column.head, whole), "head")], *([*row, (" " * (whole - _wide(row)), "")] for row in shown)]


def _columns(sheet: Sheet, signs: Signs) -> tuple[list[Row], list[list[Row]]]:
    """A row a run: the column of names, and one for each line."""
    names = _Column("")
    for subject in sheet.subjects:
        names.add_text(fit(subject.name, _RUN))
    columns = []
    for line in sheet.lines:
        column = _Column(fit(line.name, _ABOVE, keep_end=True) + signs.way(line))
        for cell in line.cells:
            column.add(cell, line, signs)
        columns.append(column.rows())
    return names.rows(right=False), columns


def _parts(sheet: Sheet, names: list[Row], columns: list[list[Row]], total: int) -> list[Row]:
    """A row a run, again and again, with as many columns as there is room for: metrics first, they are asked about."""
    rows: list[Row] = []
    chosen: list[list[Row]] = []
    used = _wide(names[0])
    for _, column in sorted(zip(sheet.lines, columns, strict=True), key=lambda pair: _rank(pair[0])):
        wide = _wide(column[0]) + len(_GAP)
        if chosen and used + wide > total:
            rows += [*_beside([names, *chosen]), []]
            chosen, used = [], _wide(names[0])
        chosen.append(column)
        used += wide
    return [*rows, *_beside([names, *chosen])]


def _rank(line: Line) -> int:
    return ("metric", "config", "run").index(line.section)


def _vertical(sheet: Sheet, signs: Signs, total: int) -> list[Row]:
    """A block a line, the runs below each other: what is compared stands together, whatever the width."""
    names = [fit(subject.name, min(_RUN, total // 3)) for subject in sheet.subjects]
    wide = max(map(width, names), default=0)
    rows: list[Row] = []
    for line in sorted(sheet.lines, key=_rank):
        rows.append([(fit(line.name, total - 2, keep_end=True) + signs.way(line), "head")])
        column = _Column("")
        room = total - wide - 4
        for cell in line.cells:
            text = fit(cell.text, room - (len(cell.delta) + 3 if line.section == "metric" else 0))
            column.add(cell._replace(text=text), line, signs)
        for name, row in zip(names, column.rows()[1:], strict=True):
            rows.append([("  " + pad(name, wide) + _GAP, ""), *row])
    return rows
