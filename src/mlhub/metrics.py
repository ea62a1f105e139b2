"""Metric records: an append-only writer, a reader by byte offset, and the summary kept for each metric.

One record a line, `{"step":50,"epoch":1,"time":1763848800.1,"train/loss":0.45}`. Standard library only: the writer runs
inside other people's training. Not the place where metrics are drawn or compared.
"""

from __future__ import annotations

import json
import math
import os
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: keys of a record that are its place in the run, not metrics
PLACE = frozenset(("step", "epoch", "time"))

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
#: fails on a number JSON has no word for, so that only such a record pays for the look at each value
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False, default=float).encode


class MetricWriter:
    """Appends records to one file. One writer a file; each record is in the kernel's hands when `log` returns."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._step = -1
        # a writer killed in the middle of a line must not swallow the first record after it
        size = os.fstat(self._fd).st_size
        self._torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"

    def log(self, values: Mapping[str, float], *, step: int | None = None, epoch: int | None = None) -> None:
        """Append one record. Values are numbers, or anything `float` takes (a 0-d tensor or array).

        A full disk loses the record, never the training: an OSError of the write is swallowed, here and only here.
        """
        self._step = self._step + 1 if step is None else step
        record: dict[str, object] = {"step": self._step}
        if epoch is not None:
            record["epoch"] = epoch
        record["time"] = time.time()
        record.update(values)
        try:
            line = _encode(record)
        except ValueError:
            line = _encode({key: _word(value) for key, value in record.items()})
        data = f"\n{line}\n" if self._torn else f"{line}\n"
        raw = data.encode()
        try:
            self._torn = os.write(self._fd, raw) != len(raw)
        except OSError:
            self._torn = True

    def close(self) -> None:
        os.close(self._fd)


def _word(value: object) -> object:
    """JSON's three missing numbers as the strings of the contract."""
    if isinstance(value, (str, int)):
        return value
    number = float(value)  # type: ignore[arg-type]  # a tensor or array, or float's own TypeError
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def read_number(value: object) -> float | None:
    """The number a recorded value stands for, or None if it is not one (text, null, true)."""
    if isinstance(value, str):
        return _NOT_FINITE.get(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def read_records(path: Path, offset: int = 0, limit: int = 1 << 24) -> tuple[list[dict[str, object]], int]:
    """Whole records from byte `offset` on and the offset after them; a half-written last line is left for later.

    Reads at most `limit` bytes (more only for a single longer line). Lines that are not JSON objects are passed over.
    A missing file has no records, and neither has what is not a regular file: a pipe would be waited for for ever.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return [], offset
            file.seek(offset)
            data = file.read(limit)
            if len(data) == limit and b"\n" not in data:
                data += file.readline()
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    return list(_objects(data[:end])), offset + end


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _objects(data: bytes) -> Iterator[dict[str, object]]:
    for line in data.split(b"\n"):
        if not line:
            continue
        try:
            record = json.loads(line)
            if b"\\u" in line or b"\xed" in line:
                json.dumps(record, ensure_ascii=False).encode()  # half a surrogate pair is no text
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield record


def fold(summary: dict[str, dict[str, object]], records: list[dict[str, object]]) -> dict[str, dict[str, object]]:
    """`summary` with `records` folded in: last, min, max and the step of the last, a metric. Numbers as recorded.

    A NaN or infinity counts as last, never as min or max.
    """
    result = dict(summary)
    for record in records:
        step = record.get("step")
        if read_number(step) is None:
            step = None
        for name, value in record.items():
            number = None if name in PLACE else read_number(value)
            if number is None:
                continue
            entry = dict(result.get(name) or {"min": None, "max": None})
            entry["last"] = value
            entry["step"] = step
            if math.isfinite(number):
                low, high = read_number(entry["min"]), read_number(entry["max"])
                entry["min"] = value if low is None or number < low else entry["min"]
                entry["max"] = value if high is None or number > high else entry["max"]
            result[name] = entry
    return result
