"""The metrics of an ended run as a compact file: `metrics.jsonl` becomes `metrics.parquet`, and back, byte for byte.

A column a metric, as other programs like to read them. Each line is made again from its columns; where that would not
give the very bytes (another spelling, a mixed type, a line that is no record) they stand in the column `LINE`. What is
read back is compared with the original before that goes. Of the two files the jsonl is the truth where both are there,
so that a death at any line leaves a whole one. Needs pyarrow, the extra `archive`. When to do this: `runner.house`.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager, suppress
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

from mlhub.errors import MlhubError
from mlhub.files import write_json
from mlhub.records import current_records, find_marks, fold, is_beyond, is_mark, read_records
from mlhub.runner import columns, record
from mlhub.runner.columns import LINE, Column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlhub.paths import RunPaths
    from mlhub.records import Summary

#: a longer line is no record of anybody's; a file that has one stays as it is
_LONGEST = 16 << 20
#: lines and bytes that become columns at once
_LINES, _BYTES = 1 << 15, 8 << 20
_VERSION = "1"


class UnsuitableError(MlhubError):
    """A file that is left as it is: it can't be compacted without loss, or there is nothing to compact."""


def packed(path: Path) -> Path:
    """Where the compact form of a jsonl file lies."""
    return path.with_suffix(".parquet")


def compact(path: Path) -> None:
    """Replace a jsonl file that nobody writes to by its compact form. Raises UnsuitableError, MlhubError, OSError."""
    _require()
    target = packed(path)
    if os.path.lexists(target):
        if not _equal(target, path):
            raise UnsuitableError(f"{target} is there already and says something else", "Move one of the two away.")
        path.unlink()
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        _write(path, temporary)
        _check_equal(temporary, path)
        if path.name == "metrics.jsonl":
            write_json(_about(path), {"summary": fold({}, current_records(path))})
        os.replace(temporary, target)
        _sync(target.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    path.unlink()


def expand(paths: RunPaths) -> None:
    """Put the jsonl files of a run back, so that it can go on. Raises MlhubError, OSError; then nothing has changed."""
    for path in (paths.metrics, paths.system):
        source = packed(path)
        if _is_file(source) and not os.path.lexists(path):
            _require()
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                with open(temporary, "xb") as file:
                    _unpack(source, file)
                    os.fsync(file.fileno())
                temporary.chmod(0o600)
                os.replace(temporary, path)
                _sync(path.parent)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        if os.path.lexists(path):
            source.unlink(missing_ok=True)
    _about(paths.metrics).unlink(missing_ok=True)


def readable(path: Path) -> bool:
    """Whether a jsonl file is there, as it was written or compacted."""
    return os.path.lexists(path) or _is_file(packed(path))


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """A jsonl file to read in place of `path`: itself or, if only its compact form is there, a copy without a name."""
    source = packed(path)
    if os.path.lexists(path) or not _is_file(source):
        yield path
        return
    _require()
    import tempfile

    with tempfile.TemporaryFile() as file:
        _unpack(source, file)
        file.flush()
        yield Path(f"/proc/self/fd/{file.fileno()}")


def records(path: Path, *, superseded: bool = False) -> Iterator[dict[str, object]]:
    """The records of `metrics.jsonl` or `system.jsonl`, whichever form it has, in order.

    Those that a later attempt superseded are left out or, if asked for, given too; marks never are. In a run of several
    attempts each has as `attempt` the one that wrote it.
    """
    with opened(path) as file:
        marks, last = find_marks(file)  # behind `last` is a half-written line, if anything
        starts = [0, *(mark.offset for mark in marks)]
        ends = [*(mark.offset for mark in marks), last]
        for index, (offset, end) in enumerate(zip(starts, ends, strict=True)):
            most = min((mark.step for mark in marks[index:]), default=None)
            attempt = marks[index - 1].attempt if index else 1
            for found in _between(file, offset, end):
                if superseded or not is_beyond(found, most):
                    yield found | {"attempt": attempt} if marks else found


def _between(file: Path, offset: int, end: int) -> Iterator[dict[str, object]]:
    """Records, without marks, from byte `offset` to `end`."""
    while offset < end:
        found, after = read_records(file, offset, min(_BYTES, end - offset))
        if after == offset:
            return
        offset = after
        yield from (entry for entry in found if not is_mark(entry))


def read_summary(paths: RunPaths) -> Summary | None:
    """The summary of metrics that were compacted, without pyarrow; None if they were not."""
    if os.path.lexists(paths.metrics) or not _is_file(packed(paths.metrics)):
        return None
    summary = record.part(record.read_json(str(_about(paths.metrics))), "summary")
    if summary is None:
        with suppress(MlhubError, OSError), opened(paths.metrics) as file:
            return fold({}, current_records(file))
        return {}
    return {
        name: entry for name, entry in summary.items() if isinstance(entry, dict) and {"last", "step"} <= entry.keys()
    }


def _about(path: Path) -> Path:
    """Beside the compact metrics: what every listing wants to know of them."""
    return path.with_name("summary.json")


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False


def available() -> bool:
    """Whether pyarrow is installed."""
    try:
        import pyarrow.parquet  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


def _require() -> None:
    if not available():
        raise MlhubError("compact metrics need pyarrow, which is not installed", "pip install 'mlhub[archive]'")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, each with its end; the last may have none. Raises UnsuitableError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnsuitableError(f"{path} is not a regular file", "It stays as it is.")
        while line := file.readline(_LONGEST + 1):
            if len(line) > _LONGEST:
                raise UnsuitableError(f"{path} has a line of more than 16 MB", "It stays as it is.")
            yield line


def _batches(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    batch: list[bytes] = []
    length = 0
    for line in lines:
        batch.append(line)
        length += len(line)
        if len(batch) >= _LINES or length >= _BYTES:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch


def _write(path: Path, target: Path) -> None:
    """The compact form of `path` as a new file. Raises OSError."""
    import pyarrow as pa
    from pyarrow import parquet

    found = columns.find_columns(_lines(path))
    types = {"int": pa.int64(), "float": pa.float64(), "text": pa.string(), "json": pa.string()}
    fields = [pa.field(c.key, types[c.kind], metadata={"mlhub": c.kind}) for c in found]
    schema = pa.schema([*fields, pa.field(LINE, pa.binary())], metadata={"mlhub": _VERSION})
    with open(target, "xb") as file:
        os.fchmod(file.fileno(), 0o600)
        with parquet.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer:
            for batch in _batches(_lines(path)):
                arrays = zip(columns.split(batch, found), schema, strict=True)
                writer.write_table(pa.table([pa.array(values, field.type) for values, field in arrays], schema=schema))
        file.flush()
        os.fsync(file.fileno())


def _unpack(source: Path, file: BinaryIO) -> None:
    file.writelines(_read(source))


def _read(source: Path) -> Iterator[bytes]:
    """The lines of a compact file, as they were. Raises MlhubError if it is none of ours, or damaged."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(source) as table:
            schema = table.schema_arrow
            if (schema.metadata or {}).get(b"mlhub") != _VERSION.encode() or schema.names[-1:] != [LINE]:
                raise _damaged(source, "mlhub did not write it")
            found = [Column(field.name, (field.metadata or {}).get(b"mlhub", b"").decode()) for field in schema][:-1]
            for batch in table.iter_batches(batch_size=_LINES):
                yield from columns.join([column.to_pylist() for column in batch.columns], found)
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(source, str(error).partition("\n")[0]) from error


def _damaged(source: Path, why: str) -> MlhubError:
    return MlhubError(f"{source}: can't be read ({why})", "Bring the file back from a backup, or remove it.")


def _check_equal(source: Path, path: Path) -> None:
    if not _equal(source, path):
        raise UnsuitableError(f"{path} would not come back as it is", "It stays; nothing is lost.")


def _equal(source: Path, path: Path) -> bool:
    """Whether the compact form gives the jsonl's lines, every byte."""
    return all(a == b for a, b in zip_longest(_read(source), _lines(path)))
