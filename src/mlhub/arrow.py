"""Runs and their metrics as Arrow tables, for pandas, polars and DuckDB: what `mlhub.runs` and `mlhub.metrics` give.

Columns have one type whatever the runs are, a NaN is a float and no null, and what is missing is a null. Built piece by
piece: of a run of ten million records there are never more objects than the columns themselves. Needs pyarrow, the
extra `archive`. docs/api.md tells the columns; `mlhub metrics` (`cli.metrics`) exports whatever was recorded.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mlhub.errors import MlhubError, UsageError
from mlhub.records import read_number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from mlhub.curves.decode import Table
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

#: bytes of records that become columns at once
_PIECE = 4 << 20
#: a longer line is no record of anybody's
_LONGEST = 64 << 20
#: more columns nobody reads, and each costs 8 bytes a row
_MOST_METRICS, _MOST_KEYS = 10_000, 2000


def runs_table(store: Store, query: str | None = None) -> pa.Table:
    """A row a run, newest first. Raises MlhubError without pyarrow, UsageError for a query that is none."""
    _require()
    import pyarrow as pa

    from mlhub.query import QueryError, parse
    from mlhub.runner.reconcile import listed, refresh_active

    try:
        wanted = parse(query or "")
    except QueryError as error:
        raise UsageError(error.message, error.hint) from None
    active = refresh_active(store)
    found = wanted.select(listed(store, run, active) for run in store.each_newest(wanted.bound))
    columns = [*_facts(), *_config_columns(found), *_metric_columns(found)]
    return pa.table(
        [pa.array([value(run) for run in found], kind) for _, kind, value in columns],
        names=[name for name, _, _ in columns],
    )


def metrics_table(
    store: Store, run: int | str, names: Iterable[str] | None = None, *, system: bool = False
) -> pa.Table:
    """A row a record that holds and has a metric. Raises MlhubError without pyarrow, or for too many metrics.

    `names`: metrics, or patterns of them (`val/*`); records that have none of them are left out.
    """
    _require()
    from mlhub.runner import archive
    from mlhub.runner.reconcile import settle, take_in

    found = store.find(str(run))
    paths = store.home.run(found.id)
    take_in(paths, settle(store, found) if found.active else found)
    wanted = None if names is None else [names] if isinstance(names, str) else [*names]
    building = _Building(wanted, found.name)
    with archive.opened(paths.system if system else paths.metrics) as path:
        for table, attempt, most in _pieces(path):
            building.add(table, attempt, most)
    return building.finish(system=system)


class _Building:
    """A table of metrics, while pieces of records are put to it."""

    def __init__(self, wanted: list[str] | None, run: str) -> None:
        self._wanted = wanted
        self._run = run
        self._chosen: dict[str, bool] = {}
        self._sizes: list[int] = []
        self._place: dict[str, list[pa.Array]] = {"step": [], "epoch": [], "time": [], "attempt": []}
        #: of each metric its arrays, by the number of their piece
        self._metrics: dict[str, dict[int, pa.Array]] = {}

    def add(self, table: Table, attempt: int, most: int | None) -> None:
        """The records of a piece, without those beyond step `most`."""
        import numpy as np
        import pyarrow as pa

        columns = {name: column for name, column in table.columns.items() if self._is_wanted(name)}
        keep = np.ones(table.size, bool) if most is None else ~(table.step > most)
        if all(column.rows is not None for column in columns.values()):  # a mark, say, has no metrics
            has = np.zeros(table.size, bool)
            for column in columns.values():
                has[column.rows] = True
            keep &= has
        size = int(keep.sum())
        if not size:
            return
        number = len(self._sizes)
        self._sizes.append(size)
        whole = np.isnan(table.step) | (np.abs(table.step) >= 1 << 62) | (table.step % 1 != 0)
        steps = np.where(whole, 0, table.step).astype(np.int64)
        self._place["step"].append(pa.array(steps[keep], mask=whole[keep]))
        self._place["epoch"].append(pa.array(table.epoch[keep], mask=np.isnan(table.epoch[keep])))
        self._place["time"].append(_moments(table.time[keep]))
        self._place["attempt"].append(pa.array(np.full(size, attempt)))
        for name, column in columns.items():
            self._metrics.setdefault(name, {})[number] = _spread(column.rows, column.values, keep)
        if len(self._metrics) > _MOST_METRICS:
            raise MlhubError(
                f"run {self._run} has more than {_MOST_METRICS} metrics: too many for one table",
                "Name those that you want: mlhub.metrics(run, names=['val/*'])",
            )

    def _is_wanted(self, name: str) -> bool:
        if self._wanted is None:
            return True
        from fnmatch import fnmatchcase

        if name not in self._chosen:
            self._chosen[name] = any(name == word or fnmatchcase(name, word) for word in self._wanted)
        return self._chosen[name]

    def finish(self, *, system: bool) -> pa.Table:
        """The table: places first, then the metrics by name. What was asked for by name and isn't there is null."""
        import pyarrow as pa

        kinds = {"step": pa.int64(), "epoch": pa.float64(), "time": _moment_type(), "attempt": pa.int64()}
        places = ["time"] if system else [*kinds]
        columns = {name: pa.chunked_array(self._place[name], kinds[name]) for name in places}
        nothing = pa.nulls(max(self._sizes, default=0), pa.float64())
        plain = [word for word in self._wanted or () if not any(sign in word for sign in "*?[") and word not in columns]
        for name in sorted({*self._metrics, *plain}):
            parts = self._metrics.pop(name, {})
            arrays = [parts.get(number, nothing.slice(0, size)) for number, size in enumerate(self._sizes)]
            columns[name] = pa.chunked_array(arrays, pa.float64())
        return pa.table(columns)


def _spread(rows: NDArray[np.intp] | None, values: NDArray[np.float64], keep: NDArray[np.bool_]) -> pa.Array:
    """Values that stand in some records as a column of all that are kept: null elsewhere."""
    import numpy as np
    import pyarrow as pa

    if rows is None:
        return pa.array(values[keep])
    full, missing = np.zeros(len(keep)), np.ones(len(keep), bool)
    full[rows], missing[rows] = values, False
    return pa.array(full[keep], mask=missing[keep])


def _pieces(path: Path) -> Iterator[tuple[Table, int, int | None]]:
    """Parts of a file of records as columns, the attempt that wrote them, and the step beyond which they don't hold."""
    from mlhub.curves.decode import Decoder
    from mlhub.records import find_marks

    marks, last = find_marks(path)
    decoder = Decoder()
    starts, ends = [0, *(mark.offset for mark in marks)], [*(mark.offset for mark in marks), last]
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        most = min((mark.step for mark in marks[index:]), default=None)
        for data in read_lines(path, start, end):
            yield decoder.read(data), marks[index - 1].attempt if index else 1, most


def read_lines(path: Path, start: int, end: int) -> Iterator[bytes]:
    """Whole lines from byte `start` to `end`, where lines begin, some megabytes of them at a time.

    One that is too long to be a record is passed over. Raises OSError.
    """
    if start >= end:
        return
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        file.seek(start)
        while start < end:
            data = file.read(min(_PIECE, end - start))
            if not data:
                return  # it has become shorter
            if not data.endswith(b"\n"):
                data += file.readline(_LONGEST)
            start += len(data)
            whole = data.rfind(b"\n") + 1
            yield data[:whole]
            while whole < len(data) and data and start < end and not data.endswith(b"\n"):
                data, whole = file.readline(_LONGEST), 0
                start += len(data)


def _moment_type() -> pa.DataType:
    import pyarrow as pa

    return pa.timestamp("us", tz="UTC")


def _moments(seconds: NDArray[np.float64]) -> pa.Array:
    """Seconds since 1970 as timestamps; null for what is none, or beyond what a timestamp can say."""
    import numpy as np
    import pyarrow as pa

    bad = ~(np.abs(seconds) < 1e11)
    micro = np.round(np.where(bad, 0, seconds) * 1e6).astype(np.int64)
    return pa.array(micro, mask=bad).cast(_moment_type())


# runs


def _facts() -> list[tuple[str, pa.DataType, Callable[[Run], Any]]]:
    """The columns that every table of runs has: name, type, and how a run gives the value."""
    import pyarrow as pa

    from mlhub.runner.reconcile import elapsed

    number, text, moment = pa.int64(), pa.string(), _moment_type()
    return [
        ("id", number, lambda run: run.id), ("name", text, lambda run: run.name),
        ("kind", text, lambda run: run.kind), ("status", text, lambda run: run.status),
        ("group", text, lambda run: run.group), ("tags", pa.list_(text), lambda run: run.tags),
        ("note", text, lambda run: run.note), ("preset", text, lambda run: run.preset),
        ("host", text, lambda run: run.host), ("gpus", pa.list_(number), lambda run: run.gpus),
        ("created", moment, lambda run: _moment(run.created_at)),
        ("started", moment, lambda run: _moment(run.started_at)),
        ("ended", moment, lambda run: _moment(run.ended_at)),
        ("duration", pa.float64(), elapsed), ("attempt", number, lambda run: run.attempt),
        ("exit_code", number, lambda run: run.exit_code), ("signal", text, lambda run: run.signal),
        ("reason", text, lambda run: run.reason), ("condition", text, lambda run: run.condition),
        ("dir", text, lambda run: run.dir),
    ]  # fmt: skip


def _moment(stored: str | None) -> datetime | None:
    try:
        found = datetime.fromisoformat(stored) if stored else None
    except ValueError:  # a run's folder is outside data
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)


def _config_columns(found: list[Run]) -> list[tuple[str, pa.DataType, Callable[[Run], Any]]]:
    """A column a dotted key: of whole numbers, numbers or truth values where all runs have such; else of text."""
    import pyarrow as pa

    flat = {run.id: dict(_leaves(run.config)) for run in found}
    kinds: dict[str, set[str]] = {}
    for leaves in flat.values():
        for key, value in leaves.items():
            if key in kinds or len(kinds) < _MOST_KEYS:
                kinds.setdefault(key, set()).add(_kind(value))
    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}

    def column(key: str) -> tuple[str, pa.DataType, Callable[[Run], Any]]:
        found = kinds[key] - {"none"}
        kind = "float" if found == {"int", "float"} else found.pop() if len(found) == 1 else "text"
        return f"config.{key}", types[kind], lambda run: _as(kind, flat[run.id].get(key))

    return [column(key) for key in sorted(kinds)]


def _leaves(tree: dict[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value and depth < 16:
            yield from _leaves(value, f"{before}{key}.", depth + 1)
        else:
            yield f"{before}{key}", value


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool):
        return "none" if value is None else "bool"
    if isinstance(value, int) and abs(value) < 1 << 63:
        return "int"
    return "float" if isinstance(value, float) else "text"


def _as(kind: str, value: object) -> object:
    """A value as its column has it: in one of text words as they are, JSON for all else."""
    if value is None or kind in ("bool", "int"):
        return value
    if kind == "float":
        return read_number(value)
    return value if isinstance(value, str) else json.dumps(value)


def _metric_columns(found: list[Run]) -> list[tuple[str, pa.DataType, Callable[[Run], Any]]]:
    """Four columns a metric, of those that most runs have: its last value by its name, then .min, .max and .step."""
    import pyarrow as pa

    counts: dict[str, int] = {}
    for run in found:
        for name in run.summary:
            counts[name] = counts.get(name, 0) + 1
    kept = sorted(sorted(counts), key=lambda name: -counts[name])[:_MOST_KEYS]

    def column(name: str, key: str) -> tuple[str, pa.DataType, Callable[[Run], Any]]:
        def value(run: Run) -> Any:  # noqa: ANN401 - a number or None
            number = read_number(run.summary.get(name, {}).get(key))
            return number if key != "step" or number is None else int(number)

        title = f"metric.{name}" if key == "last" else f"metric.{name}.{key}"
        return title, pa.int64() if key == "step" else pa.float64(), value

    columns = [column(name, "last") for name in sorted(kept)]
    known = {f"metric.{name}" for name in kept}
    more = [column(name, key) for name in sorted(kept) for key in ("min", "max", "step")]
    return sorted(columns + [one for one in more if one[0] not in known], key=lambda one: one[0])


def _require() -> None:
    try:
        import pyarrow  # noqa: F401, ICN001 - only whether it is there
    except ImportError:
        raise MlhubError("Arrow tables need pyarrow, which is not installed", "pip install 'mlhub[archive]'") from None
