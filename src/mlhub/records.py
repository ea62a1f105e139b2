"""Metric records: readers by byte offset, and the summary kept for each metric; the writer is `mlhub.writer`'s.

One record a line, `{"step":50,"epoch":1,"time":1763848800.1,"train/loss":0.45}`. Standard library only. Not the place
where metrics are drawn or compared.

A run may have several attempts, all in one file. The writer of attempt n > 1 begins with a *mark*,
`{"step":840,"attempt":2,"time":…}`: attempt 2 continues from step 840, and records before the mark with a greater step
are superseded. `current_records` and `summarise` leave those out; `read_records` gives a file as it is.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from mlhub.writer import PLACE, MetricWriter, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

__all__ = [
    "PLACE", "Mark", "MetricWriter", "Summary", "current_records", "decode_lines", "encode", "find_marks", "fold",
    "is_beyond", "is_mark", "read_marks", "read_number", "read_records", "summarise",
]  # fmt: skip

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

#: a mark to the letter; what only looks like one is a record without metrics
_MARK = re.compile(rb'\{"step":(-1|\d{1,18}),"attempt":(\d{1,9}),"time":\d{1,12}(?:\.\d{1,9})?\}\n')
_MARK_KEY = b',"attempt":'
#: no mark is longer
_MARK_LENGTH = 128
#: bytes of records that become objects at once
_PART = 1 << 20
#: bytes searched for marks at once
_BLOCK = 1 << 24


class Mark(NamedTuple):
    """Attempt `attempt` continues from `step`; `offset` is where the mark's line begins."""

    offset: int
    step: int
    attempt: int


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
    with _open(path) as file:
        file.seek(offset)
        data = file.read(limit)
        if len(data) == limit and b"\n" not in data:
            data += file.readline()
    end = data.rfind(b"\n") + 1
    return list(decode_lines(data[:end])), offset + end


def current_records(path: Path) -> Iterator[dict[str, object]]:
    """The records that hold, in the order of the file: those superseded by a later attempt are left out, marks too.

    A record without a whole step is never superseded. Memory stays flat; the file is read to where it ended at first.
    """
    marks, end = find_marks(path)
    for records, _ in _parts(path, marks, 0, end):
        yield from records


def find_marks(path: Path) -> tuple[list[Mark], int]:
    """The marks of a file, in which the attempt rises (others are no marks), and where its last whole line ends.

    A search for bytes: some 2 GB a second, where reading records is a hundred times slower.
    """
    found: list[Mark] = []
    candidates, end = _find_candidates(path, 0)
    for mark in candidates:
        if mark.attempt > (found[-1].attempt if found else 1):
            found.append(mark)
    return found, end


def read_marks(data: bytes, base: int = 0) -> list[Mark]:
    """What has the form of a mark in whole lines, of which the first begins at byte `base` of its file."""
    if _MARK_KEY not in data:
        return []
    found = (match for match in _MARK.finditer(data) if not match.start() or data[match.start() - 1] == 0x0A)
    return [Mark(base + match.start(), int(match[1]), int(match[2])) for match in found]


def _find_candidates(path: Path, start: int) -> tuple[list[Mark], int]:
    """What has the form of a mark from byte `start` on, where a line begins."""
    found: list[Mark] = []
    end = base = start
    rest, cut = b"", False  # cut: data begins amid a line, too long for a mark
    with _open(path) as file:
        file.seek(start)
        while block := file.read(_BLOCK):
            data = rest + block
            whole = data.rfind(b"\n") + 1
            hit = data.find(_MARK_KEY, 0, whole)
            while hit >= 0:
                begin = data.rfind(b"\n", max(0, hit - _MARK_LENGTH), hit) + 1
                match = _MARK.match(data, begin)
                if match and (begin or not cut):
                    found.append(Mark(base + begin, int(match[1]), int(match[2])))
                hit = data.find(_MARK_KEY, hit + 1, whole)
            end, cut = (base + whole, False) if whole else (end, cut)
            rest, base = data[whole:], base + whole
            if len(rest) > _MARK_LENGTH:
                rest, base, cut = b"", base + len(rest), True
    return found, end


def _parts(path: Path, marks: list[Mark], offset: int, end: int) -> Iterator[tuple[list[dict[str, object]], int]]:
    """Records that hold, from `offset` (where a line begins) to `end`, in parts, and the offset after each part."""
    while offset < end:
        later = [mark for mark in marks if mark.offset > offset]
        stop = later[0].offset if later else end
        most = min((mark.step for mark in later), default=None)
        records, after = read_records(path, offset, min(_PART, stop - offset))
        if after == offset:
            return  # the file has become shorter
        offset = after
        yield [record for record in records if not _superseded(record, most)], offset


def _superseded(record: dict[str, object], most: int | None) -> bool:
    """Whether a record is beyond step `most`, or is itself a mark."""
    return is_mark(record) or is_beyond(record, most)


def is_mark(record: dict[str, object]) -> bool:
    """Whether a record says where an attempt continues, and nothing else."""
    return "attempt" in record and record.keys() <= PLACE


def is_beyond(record: dict[str, object], most: int | None) -> bool:
    """Whether a record is of a step beyond `most`, where a later attempt continued; None: there was no later one."""
    step = None if most is None else _whole(record.get("step"))
    return most is not None and step is not None and step > most


def _whole(step: object) -> int | None:
    """A step as a whole number; 3.0 is one (numpy's and torch's are written so)."""
    if isinstance(step, float) and step.is_integer():
        return int(step)
    return step if isinstance(step, int) and not isinstance(step, bool) else None


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    """The file to read; an empty one in place of a missing one and of what is not a regular file."""
    try:
        file = open(path, "rb", opener=_open_at_once)  # noqa: SIM115 - closed below
    except FileNotFoundError:
        yield io.BytesIO()
        return
    with file:
        yield file if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else io.BytesIO()


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def decode_lines(data: bytes) -> Iterator[dict[str, object]]:
    """The records among whole lines; what is no JSON object is passed over."""
    try:
        from msgspec.json import Decoder

        decode: Callable[[bytes], object] = Decoder().decode
    except ImportError:
        decode = _decode
    for line in data.split(b"\n"):
        try:
            record = decode(line)
        except Exception:  # what msgspec does not read, json may: NaN as a word, numbers beyond all bounds
            record = _decode(line)
        if isinstance(record, dict):
            yield record


def _decode(line: bytes) -> object:
    """What a line says; None if it is no JSON, or has half of a surrogate pair, which is no text."""
    try:
        record = json.loads(line)
        if b"\\u" in line or b"\xed" in line:
            json.dumps(record, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return record


Summary = dict[str, dict[str, object]]


def summarise(path: Path, summary: Summary, offset: int, limit: int = 1 << 24) -> tuple[Summary, int]:
    """`summary` of the records before byte `offset`, with those that follow folded in, and the offset after them.

    At most some `limit` bytes a call become records (what follows is searched for marks, which is cheap); the offset
    stays as it is only if there was nothing to add. Where a mark supersedes what was folded in, it begins again from 0.
    However a growing file is split into calls, the end is `fold({}, current_records(path))`.
    """
    marks, end = _find_candidates(path, offset)
    if marks:  # which of them are marks, the earlier ones tell
        marks, end = find_marks(path)
    start = offset
    least = min((mark.step for mark in marks if mark.offset >= offset), default=None)
    if least is not None and any(_top(entry) > least for entry in summary.values()):
        summary, start = {}, 0
    after = start
    for records, after in _parts(path, marks, start, end):
        summary = fold(summary, records)
        if after - start >= limit and after != offset:
            break
    return summary, after


def _top(entry: dict[str, object]) -> float:
    """The greatest step of a metric so far; `step`, of the last record, unless steps went back."""
    step = entry.get("top", entry.get("step"))
    if type(step) is not int:
        step = _whole(step)
    return -math.inf if step is None else step


def fold(summary: Summary, records: Iterable[dict[str, object]]) -> Summary:
    """`summary` with `records` folded in: last, min, max and the step of the last, a metric. Numbers as recorded.

    A NaN or infinity counts as last, never as min or max. `top` is the greatest step, where it is not the last one's.
    """
    result = dict(summary)
    own: set[str] = set()  # entries that are this call's: those of `summary` stay as they are
    for record in records:
        step = record.get("step")
        if read_number(step) is None:
            step = None
        here = _top({"step": step})
        for name, value in record.items():
            if name in PLACE:
                continue
            number = value if type(value) is float else read_number(value)  # a call a value is what a summary costs
            if number is None:
                continue
            if name not in own:
                own.add(name)
                result[name] = dict(result.get(name) or {"min": None, "max": None})
            entry = result[name]
            before = _top(entry)
            entry["last"] = value
            entry["step"] = step
            if before > here:
                entry["top"] = before
            elif "top" in entry:
                del entry["top"]
            if math.isfinite(number):
                _widen(entry, value, number)
    return result


def _widen(entry: dict[str, object], value: object, number: float) -> None:
    """The least and the greatest so far, as recorded."""
    low, high = entry["min"], entry["max"]
    low = low if type(low) is float else read_number(low)
    high = high if type(high) is float else read_number(high)
    if low is None or number < low:
        entry["min"] = value
    if high is None or number > high:
        entry["max"] = value
