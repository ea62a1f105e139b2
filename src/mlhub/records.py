"""Metric records: an append-only writer, readers by byte offset, and the summary kept for each metric.

One record a line, `{"step":50,"epoch":1,"time":1763848800.1,"train/loss":0.45}`. Standard library only: the writer runs
inside other people's training. Not the place where metrics are drawn or compared.

A run may have several attempts, all in one file. The writer of attempt n > 1 begins with a *mark*,
`{"step":840,"attempt":2,"time":…}`: attempt 2 continues from step 840, and records before the mark with a greater step
are superseded. `current_records` and `summarise` leave those out; `read_records` gives a file as it is.
"""

from __future__ import annotations

import fcntl
import io
import json
import math
import os
import re
import stat
import time
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: keys of a record that are its place in the run, not metrics
PLACE = frozenset(("step", "epoch", "time", "attempt"))

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
#: fails on a number JSON has no word for, so that only such a record pays for the look at each value
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False, default=float).encode

_now, _write, _is_finite = time.time, os.write, math.isfinite

#: a mark to the letter; what only looks like one is a record without metrics
_MARK = re.compile(rb'\{"step":(-1|\d{1,18}),"attempt":(\d{1,9}),"time":\d{1,12}(?:\.\d{1,9})?\}\n')
_MARK_KEY = b',"attempt":'
#: a step beyond it has no place in a mark
_MOST = 10**18 - 1
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


class MetricWriter:
    """Appends records to one file. Each record is in the kernel's hands when `log` returns.

    In attempt n > 1 of a run (`MLHUB_RUN_DIR`, `MLHUB_ATTEMPT`) a writer of the run's own file sees to the attempt's
    mark before its first record: whichever writer of whichever process is first, once.
    """

    def __init__(self, path: str | os.PathLike[str], attempt: int | None = None) -> None:
        """`attempt`: for a process beside the run, which has not its environment: the number of the attempt."""
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._step = -1
        # a writer killed in the middle of a line must not swallow the first record after it
        size = os.fstat(self._fd).st_size
        self._torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"
        number = _attempt(path) if attempt is None else attempt
        self._attempt = number if number > 1 else 0  # 0 once its mark is there
        self._folder = os.path.dirname(os.path.abspath(path))
        self._from: int | None = None
        self._encode = _fast_encoder()

    def log(self, values: Mapping[str, float], *, step: int | None = None, epoch: int | None = None) -> None:
        """Append one record. Values are numbers, or anything `float` takes (a 0-d tensor or array).

        A full disk loses the record, never the training: an OSError of the write is swallowed, here and only here.
        """
        self._step = step = self._step + 1 if step is None else step
        if self._attempt and not self._mark(step, less=1):
            return  # a record ahead of its mark would be taken for one of the attempt before
        record: dict[str, Any]
        if epoch is None:
            record = {"step": step, "time": _now(), **values}
        else:
            record = {"step": step, "epoch": epoch, "time": _now(), **values}
        try:
            line = self._encode(record)
            plain = _is_finite(sum(record.values()))
        except Exception:  # what is not all plain numbers: json's encoder knows what to do, or what is wrong
            plain = False
        if not plain:
            line = encode(record).encode()
        if self._torn:
            line = b"\n" + line
        try:  # not by `_append`: in a training the caches are cold, and each further function costs microseconds
            self._torn = _write(self._fd, line + b"\n") != len(line) + 1
        except OSError:
            self._torn = True

    def resume(self, step: int) -> None:
        """Say that this attempt continues from `step`: what earlier ones recorded beyond it is superseded.

        To be called before the first record; without it, that one's step less 1 is taken. Nothing in a first attempt.
        """
        self._step = step
        if self._attempt:
            self._mark(step)

    def append(self, lines: Sequence[str], step: int) -> bool:
        """Append whole records, made by `encode`, of which the first is of `step`; False if they did not all fit."""
        if self._attempt and not self._mark(step, less=1):
            return False
        return self._append("\n".join(lines).encode())

    def size(self) -> int:
        """Bytes of the file now."""
        return os.fstat(self._fd).st_size

    def _append(self, line: bytes) -> bool:
        raw = b"\n%b\n" % line if self._torn else line + b"\n"
        try:
            self._torn = os.write(self._fd, raw) != len(raw)
        except OSError:
            self._torn = True
        return not self._torn

    def _mark(self, step: float, less: int = 0) -> bool:
        """Put the attempt's mark in place unless it is; False if that can't be done now, for want of room.

        Who is first writes it while others wait, so that none of their records comes before it. Were it written twice
        (a kill in between, no attempt's folder), the first of an attempt counts.
        """
        if self._from is None:
            try:
                self._from = min(max(-1, int(step) - less), _MOST)
            except (TypeError, ValueError, OverflowError):
                return True  # a record with no place supersedes nothing
        known = _lock_mark(self._folder, self._attempt)
        try:
            if known < 0 or os.fstat(known).st_size == 0:
                mark = f'{{"step":{self._from},"attempt":{self._attempt},"time":{time.time():.6f}}}'
                if not self._append(mark.encode()):
                    return False
                if known >= 0:
                    with suppress(OSError):
                        os.write(known, b"%d\n" % self._from)
        finally:
            if known >= 0:
                os.close(known)
        self._attempt = 0
        return True

    def close(self) -> None:
        os.close(self._fd)


def encode(record: Mapping[str, object]) -> str:
    """A record as its line, without the end: a NaN or infinity as the contract's word, `?` for what is no Unicode."""
    try:
        line = _encode(record)
    except ValueError:
        line = _encode({key: _word(value) for key, value in record.items()})
    if "\\ud" in line and any(isinstance(key, str) and not _is_text(key) for key in record):
        return encode({str(key).encode(errors="replace").decode(): value for key, value in record.items()})
    return line


def _is_text(key: str) -> bool:
    """Whether it has no half of a surrogate pair, as names of files may; readers pass over a line with one."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fast_encoder() -> Callable[[Any], bytes]:
    """That of msgspec where it is installed, as it is beside mlhub: most of a call is spelling numbers in decimal.

    It spells some otherwise than Python does (3e-05 is 0.00003 there); both are the shortest text of the number.
    """
    try:
        from msgspec.json import Encoder

        return Encoder(decimal_format="number").encode
    except Exception:  # other people's environments: not there, broken, of another age
        return _encode_plain


def _encode_plain(record: Any) -> bytes:  # noqa: ANN401 - a record
    return encode(record).encode()


def _attempt(path: str | os.PathLike[str]) -> int:
    """The number of this attempt if it is not the first and `path` is the run's own file, else 0."""
    folder, number = os.environ.get("MLHUB_RUN_DIR"), os.environ.get("MLHUB_ATTEMPT", "")
    if not folder or not re.fullmatch(r"[0-9]{1,9}", number) or int(number) < 2:
        return 0
    own = os.path.realpath(os.path.join(folder, "metrics.jsonl"))
    return int(number) if os.path.realpath(path) == own else 0


def _lock_mark(folder: str, attempt: int) -> int:
    """The file that says whether the attempt's mark is there, held until closed; -1 where there can be none."""
    file = os.path.join(folder, "attempts", str(attempt), "mark")
    try:
        fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        return -1
    with suppress(OSError):  # a file system without locks
        fcntl.flock(fd, fcntl.LOCK_EX)
    return fd


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
