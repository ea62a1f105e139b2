"""`mlhub metrics`: a run's records for other programs, as JSON lines, CSV or Parquet. No file is too long."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated, BinaryIO

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Record = dict[str, object]
    Records = Callable[[], Iterator[Record]]

#: first columns of a table, in this order
_PLACE = ("step", "epoch", "time", "attempt")
#: rows, and cells, that go into a Parquet file at once
_ROWS, _CELLS = 1 << 15, 1 << 22
_MOST_COLUMNS = 10_000
#: records between two words on how far it is
_TELL = 250_000


def metrics(
    run: Annotated[str, typer.Argument(metavar="[RUN]", show_default=False)] = "@last",
    form: Annotated[
        str, typer.Option("--format", metavar="jsonl|csv|parquet", help="Form; left out, FILE's ending, else jsonl.")
    ] = "",
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Instead of stdout.")] = None,
    only: Annotated[list[str] | None, typer.Option(metavar="PATTERN", help="Metrics whose names match.")] = None,
    system: Annotated[bool, typer.Option("--system", help="GPU, CPU, memory, disk and network instead.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Also what a later attempt superseded.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON array.")] = False,
) -> int:
    """Export a run's metrics. A table has a row a record: step, epoch, time, attempt, then the metrics by name.

    \b
    mlhub metrics calm-otter -o otter.csv
    mlhub metrics 3 --only 'val/*' | jq .
    mlhub metrics --system -o system.parquet
    """
    from mlhub.cli.hub import open_hub
    from mlhub.errors import UsageError
    from mlhub.runner.archive import records
    from mlhub.runner.reconcile import settle, take_in

    form = form or _form_of(output)
    if form not in _WRITERS:
        raise UsageError(f"--format {form}: no such form", f"There are: {', '.join(_WRITERS)}.")
    if json and (form != "jsonl" or output):
        raise UsageError("--json prints an array on stdout", "Leave --format and --output out.")
    if form == "parquet" and output is None and sys.stdout.isatty():
        raise UsageError("Parquet is nothing to be read on a terminal", "Name a file: -o FILE")
    hub = open_hub()
    found = hub.store.find(run)
    paths = hub.home.run(found.id)
    take_in(paths, settle(hub.store, found) if found.active else found)
    path = paths.system if system else paths.metrics

    away = output is not None or not sys.stdout.isatty()
    read = _Reader(lambda: _chosen(records(path, superseded=every), only or [], with_attempt=every), tells=away)
    with _output(output) as file:
        if form == "jsonl" and not (json or only or every):
            _copy_lines(path, read, file)
        else:
            (_write_array if json else _WRITERS[form])(read, file)
    return 0


def _form_of(output: Path | None) -> str:
    """The form a file's ending names. Raises UsageError for one that names another: it would not hold what it says."""
    from mlhub.errors import UsageError

    ending = "" if output is None else output.suffix.lower().removeprefix(".")
    if ending in ("", "json", "txt", "log", "ndjson"):
        return "jsonl"
    if ending not in _WRITERS:
        raise UsageError(f"{output}: no form has this ending", f"Say which: --format {'|'.join(_WRITERS)}.")
    return ending


class _Reader:
    """The records, as often as they are asked for; those a run logs meanwhile are left to the next export.

    Of a long file it tells how far it is, where somebody looks at a terminal and the table goes elsewhere.
    """

    def __init__(self, read: Records, *, tells: bool) -> None:
        self._read = read
        self._count: int | None = None
        self._tells = tells and sys.stderr.isatty()

    def __call__(self) -> Iterator[Record]:
        from itertools import islice

        count = 0
        for record in islice(self._read(), self._count):
            count += 1
            if count % _TELL == 0 and self._tells:
                total = f" of {self._count}" if self._count else ""
                print(f"\r{count}{total} records\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201
            yield record
        if self._tells and count >= _TELL:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)  # noqa: T201
        self._count = count


def _chosen(found: Iterator[Record], patterns: list[str], *, with_attempt: bool) -> Iterator[Record]:
    """Of each record its place and the metrics that match; records of which no metric is left are left out."""
    from fnmatch import fnmatchcase

    wanted: dict[str, bool] = {}
    for record in found:
        if with_attempt:
            record.setdefault("attempt", 1)
        if not patterns:
            yield record
            continue
        for name in record.keys() - wanted.keys():
            wanted[name] = name in _PLACE or any(fnmatchcase(name, pattern) for pattern in patterns)
        kept = {name: value for name, value in record.items() if wanted[name]}
        if any(name not in _PLACE for name in kept):
            yield kept


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """stdout, or a file that is there only once it is whole."""
    if path is None:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    from mlhub.errors import MlhubError

    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("xb") as file:
            yield file
        temporary.replace(path)
    except OSError as error:
        raise MlhubError(
            f"{path}: {error.strerror or error}", "Name a file in a folder that can be written."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _copy_lines(path: Path, read: Records, file: BinaryIO) -> None:
    """All lines of a file of one attempt as they are, where they are nothing but records: ten times faster."""
    from mlhub.arrow import read_lines
    from mlhub.records import find_marks
    from mlhub.runner.archive import opened

    with opened(path) as source:
        marks, end = find_marks(source)
        if marks:
            _write_lines(read, file)
            return
        file.writelines(data if _is_plain(data) else _spelled(data) for data in read_lines(source, 0, end))


def _is_plain(data: bytes) -> bool:
    """Whether these lines are JSON objects alone, in ASCII without control characters, and none is a mark."""
    import msgspec

    if not data.isascii() or any(word in data for word in (b"\x7f", b"\r", b"\t", b"\n\n", b'"attempt"')):
        return False
    try:
        msgspec.json.Decoder(dict[str, msgspec.Raw]).decode_lines(data)
    except msgspec.MsgspecError:
        return False
    return True


def _spelled(data: bytes) -> bytes:
    """The records among whole lines, in our own spelling."""
    from mlhub.records import decode_lines, is_mark

    encode = _encoder()
    return b"".join(encode(record).encode() + b"\n" for record in decode_lines(data) if not is_mark(record))


def _write_lines(read: Records, file: BinaryIO) -> None:
    encode = _encoder()
    file.writelines(encode(record).encode() + b"\n" for record in read())


def _write_array(read: Records, file: BinaryIO) -> None:
    encode = _encoder()
    before = b"[\n"
    for record in read():
        file.write(before + encode(record).encode())
        before = b",\n"
    file.write(b"\n]\n" if before == b",\n" else b"[]\n")


def _encoder() -> Callable[[object], str]:
    """ASCII alone, so that no control character of a metric's name or text reaches a terminal."""
    import json

    encode = json.JSONEncoder(separators=(",", ":")).encode
    return lambda value: encode(value).replace("\x7f", "\\u007f")


def _columns(read: Records) -> list[str]:
    """The keys of all records: place first, then by name. Raises MlhubError for more than a table can have."""
    names: dict[str, None] = {}
    for record in read():
        if not record.keys() <= names.keys():
            names.update(dict.fromkeys(record))
            _check_width(len(names))
    return _in_order(names)


def _in_order(names: dict[str, None]) -> list[str]:
    return [*(name for name in _PLACE if name in names), *sorted(name for name in names if name not in _PLACE)]


def _check_width(count: int) -> None:
    """Of a million metrics, each in one record, a table would take a terabyte."""
    from mlhub.errors import MlhubError

    if count > _MOST_COLUMNS:
        raise MlhubError(
            f"more than {_MOST_COLUMNS} metrics are too many columns for one table",
            "Choose some: --only 'val/*'; or take --format jsonl, which has a line a record.",
        )


def _write_csv(read: Records, file: BinaryIO) -> None:
    import csv
    import io

    from mlhub.text import one_line

    columns, cell = _columns(read), _make_cell()
    shown = one_line if file is sys.stdout.buffer else str  # a pipe may end at a terminal; a file has it exactly
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    try:
        rows = csv.writer(text, lineterminator="\n")
        if columns:
            rows.writerow([shown(name) for name in columns])
        for record in read():
            found = map(record.get, columns)
            rows.writerow([value if _is_plain_number(value) else shown(cell(value)) for value in found])
    finally:
        text.detach()


def _is_plain_number(value: object) -> bool:
    """Whether csv spells it as JSON does: what a table of ten million rows is full of."""
    return type(value) is int or (type(value) is float and value - value == 0)


def _make_cell() -> Callable[[object], str]:
    """How a value stands in a table of text: numbers and words as they are, nothing for what isn't there, else JSON."""
    encode = _encoder()

    def cell(value: object) -> str:
        if value is None:
            return ""
        return value if isinstance(value, str) else encode(value)

    return cell


def _write_parquet(read: Records, file: BinaryIO) -> None:
    """Numbers as 64-bit floats (steps, epochs and attempts as integers, if they are), all else as text."""
    from itertools import islice

    from mlhub.errors import MlhubError

    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MlhubError("Parquet needs pyarrow, which is not installed", "pip install 'mlhub[archive]'") from None
    kinds, cell = _kinds(read), _make_cell()
    types = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}
    schema = pa.schema([pa.field(name, types[kind]) for name, kind in kinds.items()])
    found = read()
    with parquet.ParquetWriter(pa.PythonFile(file, mode="w"), schema, compression="zstd") as writer:
        rows = max(1, min(_ROWS, _CELLS // max(1, len(kinds))))
        while part := list(islice(found, rows)):
            arrays = []
            for name, kind in kinds.items():
                values = [record.get(name) for record in part]
                if kind == "text" or not {*map(type, values)} <= {int, float, type(None)}:
                    values = [_as(kind, value, cell) for value in values]
                try:
                    arrays.append(pa.array(values, types[kind]))
                except pa.ArrowException:  # whole numbers that a float has not exactly
                    arrays.append(pa.array([_as(kind, value, cell) for value in values], types[kind]))
            writer.write_table(pa.table(arrays, schema=schema))


def _kinds(read: Records) -> dict[str, str]:
    """Which type each column has: `int`, `float` or `text`."""
    from mlhub.records import read_number

    kinds: dict[str, str] = {}
    names: dict[str, None] = {}
    for record in read():
        for name, value in record.items():
            if type(value) is float and kinds.get(name) == "float":
                continue
            names[name] = None
            whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63
            kind = "int" if whole and name in _PLACE else "text" if read_number(value) is None else "float"
            if value is not None:
                known = kinds.setdefault(name, kind)
                kinds[name] = known if known == kind else "text" if "text" in (known, kind) else "float"
        _check_width(len(names))
    return {name: kinds.get(name, "text") for name in _in_order(names)}


def _as(kind: str, value: object, cell: Callable[[object], str]) -> object:
    from mlhub.records import read_number

    if value is None or (kind == "int" and not isinstance(value, int)):
        return None
    if kind == "int":
        return value
    return read_number(value) if kind == "float" else cell(value)


_WRITERS: dict[str, Callable[[Records, BinaryIO], None]] = {
    "jsonl": _write_lines,
    "csv": _write_csv,
    "parquet": _write_parquet,
}
