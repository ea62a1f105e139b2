"""Lines of metric records as columns of numbers, fast: a struct made for the file's keys, numpy for its columns.

What is no JSON object is passed over, what is no number is no value. Not the place where files are opened or followed,
and no word on attempts: `mlhub.curves.follower` does that.
"""

from __future__ import annotations

import contextlib
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from mlhub.records import PLACE, read_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: a file with more keys has them as it has them: one dict a line, slower
_MOST_KEYS = 512


class Column(NamedTuple):
    """Values of a metric (NaN and infinities among them) and the records they stand in; None: in each."""

    rows: NDArray[np.intp] | None
    values: Floats


class Table(NamedTuple):
    """Records: their places, NaN where they don't say, and their metrics by name."""

    size: int
    step: Floats
    time: Floats
    epoch: Floats
    columns: dict[str, Column]


class Decoder:
    """Reads the lines of one file; learns its keys as they come."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        #: keys whose values are not always numbers or text
        self._mixed: set[str] = set()
        self._lines: msgspec.json.Decoder[Any] | None = None
        self._any = msgspec.json.Decoder()

    def read(self, data: bytes) -> Table:
        """The records of whole lines."""
        if self._lines is not None:
            with contextlib.suppress(msgspec.MsgspecError):
                found = self._lines.decode_lines(data)
                return self._table(found, text=b':"' in data or b': "' in data)
        return self._read_any(data)

    def _table(self, found: list[Any], *, text: bool) -> Table:
        count = len(found)
        columns: dict[str, Column] = {}
        for index, name in enumerate(self._names):
            values = map(attrgetter(f"f{index}"), found)
            if text or name in self._mixed:
                column = _numbers(values)
            else:
                array = np.fromiter(values, np.float64, count)  # what is missing becomes NaN
                rows = np.flatnonzero(array == array)  # noqa: PLR0124 - faster than isnan
                column = Column(None, array) if len(rows) == count else Column(rows, array[rows])
            if len(column.values):
                columns[name] = column
        return _make(count, columns)

    def _read_any(self, data: bytes) -> Table:
        records = list(self._objects(data))
        self._learn(records)
        found: dict[str, tuple[list[int], list[float]]] = {}
        for row, record in enumerate(records):
            for name, value in record.items():
                number = read_number(value)
                if number is not None:
                    rows, values = found.setdefault(name, ([], []))
                    rows.append(row)
                    values.append(number)
        columns = {name: Column(np.array(rows), np.array(values)) for name, (rows, values) in found.items()}
        return _make(len(records), columns)

    def _objects(self, data: bytes) -> Iterable[dict[str, object]]:
        try:
            found = self._any.decode_lines(data)
        except (msgspec.MsgspecError, RecursionError):
            found = []
            for line in data.split(b"\n"):
                with contextlib.suppress(msgspec.MsgspecError, RecursionError):
                    found.append(self._any.decode(line))
        return (record for record in found if isinstance(record, dict))

    def _learn(self, records: list[dict[str, object]]) -> None:
        """Make the struct anew if there are keys it doesn't know."""
        names = dict.fromkeys(self._names)
        mixed = set(self._mixed)
        for record in records:
            for name, value in record.items():
                names[name] = None
                if isinstance(value, (bool, dict, list)):
                    mixed.add(name)
        if len(names) > _MOST_KEYS:
            self._names, self._lines = (), None
        elif (len(names), mixed) != (len(self._names), self._mixed):
            self._names, self._mixed = tuple(names), mixed
            self._lines = None
            with contextlib.suppress(ValueError):  # a key that no struct takes: control characters, quotes
                self._lines = msgspec.json.Decoder(self._make_struct())

    def _make_struct(self) -> type[msgspec.Struct]:
        return msgspec.defstruct(
            "Record",
            [(f"f{i}", object if name in self._mixed else float | str | None, None)
             for i, name in enumerate(self._names)],
            rename={f"f{i}": name for i, name in enumerate(self._names)}, gc=False, forbid_unknown_fields=True,
        )  # fmt: skip


def _numbers(values: Iterable[object]) -> Column:
    """The numbers among `values`, as `mlhub.records` reads them."""
    found = [(row, number) for row, value in enumerate(values) if (number := read_number(value)) is not None]
    return Column(np.array([row for row, _ in found], np.intp), np.array([number for _, number in found], np.float64))


def _make(count: int, columns: dict[str, Column]) -> Table:
    step, time, epoch = (_whole(columns.get(name), count) for name in ("step", "time", "epoch"))
    metrics = {name: column for name, column in columns.items() if name not in PLACE}
    return Table(count, step, time, epoch, metrics)


def _whole(column: Column | None, count: int) -> Floats:
    """One value a record, NaN where there is none; infinities are no places either."""
    full = np.full(count, np.nan)
    if column is not None:
        values = np.where(np.isfinite(column.values), column.values, np.nan)
        if column.rows is None:
            return values
        full[column.rows] = values
    return full
