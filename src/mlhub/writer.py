"""The append-only writer of metric records, and how a record is spelled.

Standard library only and one file: it runs inside other people's training, where there may be no mlhub to import (then
`mlhub_capture` loads it by its place). What records are and how they are read: `mlhub.records`.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import sys
import time
from contextlib import suppress
from operator import index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

#: keys of a record that are its place in the run, not metrics
PLACE = frozenset(("step", "epoch", "time", "attempt"))

#: fails on a number JSON has no word for, so that only such a record pays for the look at each value
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":"), check_circular=False, default=float).encode
_quote = json.encoder.encode_basestring_ascii

#: floats (and subclasses, as the number they are) as their shortest text; a TypeError for all else
_shortest = float.__repr__
_WHOLE = {int}
_now, _write, _is_finite = time.time, os.write, math.isfinite

#: a step beyond it has no place in a mark
_MOST = 10**18 - 1
#: sets of names whose form is kept; a record of more names than `_MANY` gets none
_FORMS, _MANY = 64, 1000
#: the words of the contract for the numbers JSON lacks
_WORDS = frozenset(("NaN", "Infinity", "-Infinity"))
#: lines about what was not recorded, in a process
_MOST_TOLD = 20
_told: set[str] = set()
_late: list[str] = []


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
        self._lost = 0  # records that did not get into the file, since one last did
        number = _attempt(path) if attempt is None else attempt
        self._attempt = number if number > 1 else 0  # 0 once its mark is there
        self._folder = os.path.dirname(os.path.abspath(path))
        self._from: int | None = None
        self._encode = _fast_encoder()
        self._forms: dict[tuple[str, ...], str] = {}

    def log(self, values: Mapping[str, float], *, step: int | None = None, epoch: int | None = None) -> None:
        """Append one record. Values are numbers, or anything but text that `float` takes (a 0-d tensor or array).

        Raises TypeError or ValueError for what is none and for a name that is empty, and then appends nothing.
        A full disk loses the record, never the training: an OSError of the write is swallowed, here and only here, and
        told once on stderr; so is how many were lost when recording goes on.
        """
        step = self._step + 1 if step is None else step
        if self._attempt and not self._mark(step, less=1):
            self._lose()
            return  # a record ahead of its mark would be taken for one of the attempt before
        now = _now()
        try:  # all in one function: in a training the caches are cold, and each further one costs microseconds
            if self._encode is not None:
                if epoch is None:
                    line = self._encode({"step": step, "time": now, **values}) + b"\n"
                else:
                    line = self._encode({"step": step, "epoch": epoch, "time": now, **values}) + b"\n"
                plain = type(step) is int and (epoch is None or type(epoch) is int) and _is_finite(sum(values.values()))
                plain = plain and "" not in values and bool not in map(type, values.values())
            else:
                names, place = ((*values,), (step,)) if epoch is None else (("epoch", *values), (step, epoch))
                form = self._forms.get(names) or self._form(names)
                line = (form % (*place, now, *map(_shortest, values.values()))).encode()
                plain = {*map(type, place)} == _WHOLE and _is_finite(sum(values.values()))
        except Exception:  # what is not all plain numbers: json's encoder knows what to do, or what is wrong
            plain = False
        if not plain:
            step, epoch = _whole(step), None if epoch is None else _whole(epoch)
            line = encode(_checked(_record(values, step, epoch, now))).encode() + b"\n"
            step = _counted(step, self._step)
        self._step = step
        if self._torn:
            self._go_on(line)
            return
        try:
            if _write(self._fd, line) == len(line):
                return
            self._lose()
        except OSError as error:
            self._lose(error.strerror)

    def _go_on(self, line: bytes) -> None:
        """Append a record behind half of one; if records were lost since, it is told that no more are."""
        try:
            whole = _write(self._fd, b"\n" + line) == len(line) + 1
        except OSError:
            whole = False
        if not whole:
            self._lose()
            return
        self._torn = False
        if self._lost:
            tell(f"{self._lost} record{'s' * (self._lost > 1)} of metrics; recording goes on again")
            self._lost = 0

    def _lose(self, why: str | None = None) -> None:
        """One record more that did not get into the file: the first is told of."""
        self._torn = True
        self._lost += 1
        if self._lost == 1:
            tell(f"records of metrics are being lost, the training goes on ({why or 'no room'})")

    def _form(self, names: tuple[str, ...]) -> str:
        """A record of these metrics, with an epoch if that comes first: holes for its place and for plain floats.

        Times are to 0.1 ms, which costs half of all their digits. Raises ValueError for names that are none of a plain
        record, AttributeError for what is no text.
        """
        metrics = names[names[:1] == ("epoch",) :]
        if len(metrics) > _MANY or not PLACE.isdisjoint(metrics) or not all(metrics) or not all(map(_is_text, metrics)):
            raise ValueError
        if len(self._forms) >= _FORMS:
            self._forms.clear()
        epoch = ',"epoch":%d' if len(metrics) < len(names) else ""
        holes = "".join(f",{_quote(name).replace('%', '%%')}:%s" for name in metrics)
        form = self._forms[names] = f'{{"step":%d{epoch},"time":%.4f{holes}}}\n'
        return form

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


def _record(values: Mapping[str, float], step: int, epoch: int | None, now: float) -> dict[str, Any]:
    if epoch is None:
        return {"step": step, "time": now, **values}
    return {"step": step, "epoch": epoch, "time": now, **values}


def _whole(place: int) -> int:
    """A whole number of another kind (of NumPy, a 0-d tensor) as Python's own, which is spelled 5 and not 5.0."""
    try:
        return index(place)
    except Exception:  # what is no whole number is written, or refused, as it is
        return place


def _counted(step: float, last: int) -> int:
    """From where steps that are left out count up: a NaN or infinity is no place to count from."""
    try:
        return int(step)
    except (ValueError, OverflowError):
        return last


def _checked(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose values are numbers or the contract's words for them. Raises TypeError, ValueError."""
    for name, value in record.items():
        if name == "":
            raise ValueError("a metric without a name")
        if isinstance(value, bool):
            record[name] = int(value)
        elif isinstance(value, (str, bytes)):
            if value not in _WORDS:
                raise TypeError(f"{name!r}: the text {value!r:.60} is no number")
        elif not isinstance(value, float):
            try:  # whole numbers too: some are beyond every float
                float(value)
            except Exception as error:
                raise TypeError(f"{name!r}: {type(value).__name__} is no number ({error})") from error
    return record


def log_rest(writer: MetricWriter, values: Mapping[str, float], step: int | None, epoch: int | None) -> None:
    """After `writer.log` has refused `values`: append those that can be, and tell of the others. Never raises."""
    try:
        fit = {}
        for name, value in values.items():
            try:
                encode(_checked({name: value}))
                fit[name] = value
            except Exception as error:
                tell(f"log: {error}")
        try:
            if fit:
                writer.log(fit, step=step, epoch=epoch)
        except Exception as error:  # a place that is none: the next one is better than nothing
            tell(f"log: {error}")
            writer.log(fit)
    except Exception as error:
        tell(f"log: {error!r}")


def tell(text: str) -> None:
    """Say on stderr, once, what a call could not record; after some no more. A training goes on. Never raises."""
    line = f"mlhub: not recorded: {' '.join(text.split())[:500]}"
    if line in _told or len(_told) >= _MOST_TOLD:
        return
    _told.add(line)
    more = " (no more of these are told)" if len(_told) == _MOST_TOLD else ""
    _late.append(line + more)
    with suppress(Exception):  # a closed stderr, a full disk, as the records' own is: then it comes with the next one
        print("\n".join(_late), file=sys.stderr)  # noqa: T201
        _late.clear()


def _is_text(key: str) -> bool:
    """Whether it has no half of a surrogate pair, as names of files may; readers pass over a line with one."""
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True


def _fast_encoder() -> Callable[[Any], bytes] | None:
    """That of msgspec where it is installed, as it is beside mlhub: most of a call is spelling numbers in decimal.

    It spells some otherwise than Python does (3e-05 is 0.00003 there); both are the shortest text of the number.
    """
    try:
        from msgspec.json import Encoder

        return Encoder(decimal_format="number").encode
    except Exception:  # other people's environments: not there, broken, of another age
        return None


def _attempt(path: str | os.PathLike[str]) -> int:
    """The number of this attempt if it is not the first and `path` is the run's own file, else 0."""
    folder, number = os.environ.get("MLHUB_RUN_DIR"), os.environ.get("MLHUB_ATTEMPT", "")
    if not folder or not (number.isascii() and number.isdigit() and len(number) < 10) or int(number) < 2:
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
