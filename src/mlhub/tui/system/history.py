"""Quantities of the machine over time: one table of moments, bounded, whose older part grows coarser when it is full.

Written by one thread and read by another without a lock: rows that were published never change, a table that must
change is made anew. Imported after the first paint, as it needs numpy.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Floats = NDArray[np.floating]

#: moments kept; at one a second the newest quarter of an hour stays as it was read
CAPACITY = 4096
#: a value holds until the next one, but not longer than this: then nobody has looked
HOLD_SECONDS = 15.0
#: lengths of the whole history: between two of them it would be drawn anew at each moment
_SPANS = (300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 345600, 691200, 1382400, 2764800)


class Table(NamedTuple):
    """`names`: the column of each quantity. `times` rise; `values`: moments x columns, NaN where it was not told.

    Of both only the first `length` rows count. Before the time `fine` they are means over `coarse` seconds.
    """

    names: Mapping[str, int]
    times: Floats
    values: Floats
    length: int
    fine: float = -math.inf
    coarse: float = 10.0


class History:
    """Starts empty. `add` belongs to one thread; `curves` and `span` to anybody."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._table = Table({}, np.empty(capacity), np.empty((capacity, 0)), 0)

    def __len__(self) -> int:
        return self._table.length

    def add(self, at: float, values: Mapping[str, float | None]) -> None:
        """What was read at `at` (seconds since 1970). One that is not later than the last is left out."""
        table = self._with_columns(values)
        if table.length and at <= table.times[table.length - 1]:
            return
        if table.length == self._capacity:
            table = _thinned(table, self._capacity)
        row = table.values[table.length]
        row[:] = np.nan
        for name, value in values.items():
            if value is not None:
                row[table.names[name]] = value
        table.times[table.length] = at
        self._table = table._replace(length=table.length + 1)

    def add_all(self, records: Iterable[tuple[float, Mapping[str, float | None]]]) -> None:
        """Several, in the order of their times."""
        for at, values in sorted(records, key=lambda record: record[0]):
            self.add(at, values)

    def _with_columns(self, names: Iterable[str]) -> Table:
        table = self._table
        new = [name for name in names if name not in table.names]
        if not new:
            return table
        columns = dict(table.names) | {name: len(table.names) + index for index, name in enumerate(new)}
        more = np.full((self._capacity, len(new)), np.nan)
        return table._replace(names=columns, values=np.hstack((table.values, more)))

    def span(self, now: float) -> float:
        """Seconds that show all of it, from a short list, so that the picture stands still while it grows."""
        table = self._table
        age = now - table.times[0] if table.length else 0.0
        return float(next((span for span in _SPANS if span >= age), _SPANS[-1]))

    def curves(self, now: float, span: float, columns: int) -> dict[str, list[float]]:
        """Each quantity over the last `span` seconds: the mean in each of `columns` equal parts, NaN where unknown.

        The parts begin at whole multiples of their length, so that from one moment to the next only the last changes.
        """
        table = self._table
        if not table.length or columns < 1:
            return {}
        part = span / columns
        last = math.floor(now / part)
        edges = (last - columns + 1 + np.arange(columns + 1)) * part
        cuts = np.searchsorted(table.times[: table.length], edges)
        means = _means(table.values[cuts[0] : cuts[-1]], cuts - cuts[0])
        hold = np.where(edges[:-1] > table.fine + table.coarse, HOLD_SECONDS, max(HOLD_SECONDS, table.coarse))
        held = _hold(means, np.maximum(1, np.ceil(hold / part))[:, None])
        return {name: held[:, column].tolist() for name, column in table.names.items()}


def _means(values: Floats, cuts: NDArray[np.intp]) -> Floats:
    """Of the rows between each two of `cuts`."""
    found = np.full((len(cuts) - 1, values.shape[1]), np.nan)
    filled = np.flatnonzero(np.diff(cuts))
    if filled.size:
        unknown = np.isnan(values)
        starts = cuts[filled]
        total = np.add.reduceat(np.where(unknown, 0.0, values), starts, axis=0)
        count = np.add.reduceat(~unknown, starts, axis=0, dtype=np.intp)
        found[filled] = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return found


def _hold(values: Floats, longest: Floats) -> Floats:
    """Missing values filled with the last one before them, if it is at most `longest` rows before."""
    rows = np.arange(len(values))[:, None]
    before = np.maximum.accumulate(np.where(np.isnan(values), -1, rows), axis=0)
    filled = np.take_along_axis(values, np.maximum(before, 0), axis=0)
    return np.where((before >= 0) & (rows - before <= longest), filled, np.nan)


def _thinned(table: Table, capacity: int) -> Table:
    """With all but the newest quarter made coarse: means over the shortest interval that makes them half the table."""
    old = table.length - capacity // 4
    interval = table.coarse
    while True:
        parts = np.floor(table.times[:old] / interval)
        cuts = np.concatenate(([0], np.flatnonzero(np.diff(parts)) + 1, [old]))
        if len(cuts) - 1 <= capacity // 2:
            break
        interval *= 2
    few, rest = len(cuts) - 1, table.length - old
    times, values = np.empty_like(table.times), np.full_like(table.values, np.nan)
    times[:few], values[:few] = table.times[cuts[1:] - 1], _means(table.values[:old], cuts)
    times[few : few + rest] = table.times[old : table.length]
    values[few : few + rest] = table.values[old : table.length]
    return Table(table.names, times, values, few + rest, float(table.times[old]), interval)
