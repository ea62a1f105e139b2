"""The value of every metric of a run at one place of it: at a step, in an epoch, where one metric was best.

What counts is the newest record at or before the place that has the metric; what a later attempt superseded does not.
A long file whose steps rise is searched by its bytes (a handful of reads, whatever its length); any other is read
whole. No numpy: it is asked for tables too.
"""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mlhub.records import PLACE, current_records, find_marks, is_mark, read_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mlhub.records import Mark

#: a shorter file is read whole
_SHORT = 1 << 18
#: places that are looked at to see whether steps rise, and bytes of each look
_LOOKS, _LOOK = 128, 1 << 12
#: bytes that are read at once: to bisect, and to search
_PROBE, _BLOCK = 1 << 16, 1 << 22
#: so far back every record is read; further back metrics that are still missing are searched for by name, if few
_NEAR, _FEW = 1 << 20, 64

_decode = msgspec.json.Decoder().decode


class At(NamedTuple):
    """Metrics at a place, as recorded. `step`, `epoch`: of the newest record there; None: there is none, or unknown."""

    values: dict[str, float]
    step: float | None
    epoch: float | None


_NOTHING = At({}, None, None)


class _Limit(NamedTuple):
    """Records up to and with `most` of `key`, which is `step` or `epoch`."""

    key: str
    most: float

    def of(self, record: Mapping[str, object]) -> float | None:
        number = read_number(record.get(self.key))
        return None if number is None or math.isnan(number) else number


def at_step(path: Path, names: Iterable[str], step: float) -> At:
    """Metrics `names` at or before a step. `path`: of a run's metrics, as `runner.archive.opened` gives it."""
    return _at(path, set(names), _Limit("step", step))


def at_epoch(path: Path, names: Iterable[str], epoch: float) -> At:
    """Metrics `names` at the end of an epoch, or of the last before it."""
    return _at(path, set(names), _Limit("epoch", epoch))


def at_best(path: Path, names: Iterable[str], metric: str, way: str, known: object = None) -> At:
    """Metrics `names` at the first step where `metric` was greatest (`way`: "max") or least.

    `known`: that value as the run's summary has it, which makes the search short.
    """
    step = _best_step(path, metric, way, known)
    return _NOTHING if step is None else at_step(path, names, step)


def _at(path: Path, names: set[str], limit: _Limit) -> At:
    if os.path.exists(path) and os.stat(path).st_size > _SHORT:
        marks, end = find_marks(path)
        with open(path, "rb") as file:
            parts = _parts(marks, end)
            keys = [limit, _Limit("step", math.inf)] if marks and limit.key != "step" else [limit]
            if all(_rises(file.fileno(), start, stop, key) for start, stop, _ in parts for key in keys):
                return _search(file.fileno(), parts, names, limit)
    return _read(path, names, limit)


# reading all of it


def _read(path: Path, names: set[str], limit: _Limit) -> At:
    """By every record; of a metric the one with the greatest step counts, of several the newest."""
    values: dict[str, float] = {}
    places: dict[str, float] = {}
    here, step, epoch = -math.inf, None, None
    for record in current_records(path):
        place = limit.of(record)
        here = here if place is None else place
        if here > limit.most:
            continue
        if place is not None and place >= max(places.values(), default=-math.inf):
            step, epoch = read_number(record.get("step")), read_number(record.get("epoch"))
        for name in record.keys() & names:
            number = read_number(record[name])
            if number is not None and name not in PLACE and here >= places.get(name, -math.inf):
                values[name], places[name] = number, here
    return At(values, step, epoch) if {"step": step, "epoch": epoch}[limit.key] is not None else _NOTHING


# searching


def _parts(marks: list[Mark], end: int) -> list[tuple[int, int, float]]:
    """Where each attempt's records begin and end, and the last of its steps that holds."""
    starts = [0, *(mark.offset for mark in marks)]
    ends = [*(mark.offset for mark in marks), end]
    mosts = [min((mark.step for mark in marks[index:]), default=math.inf) for index in range(len(starts))]
    return list(zip(starts, ends, mosts, strict=True))


def _lines(fd: int, start: int, stop: int) -> Iterator[tuple[int, dict[str, object]]]:
    """Records of whole lines in [start, stop), and where each begins; a line that begins before is left out."""
    data = os.pread(fd, stop - start, start)
    if start:
        cut = data.find(b"\n") + 1
        if not cut:
            return
        data, start = data[cut:], start + cut
    yield from _decoded(data, start)


def _decoded(data: bytes, base: int) -> Iterator[tuple[int, dict[str, object]]]:
    for line in data.split(b"\n"):
        if line and (record := _record(line)) is not None:
            yield base, record
        base += len(line) + 1


def _record(line: bytes) -> dict[str, object] | None:
    try:
        record = _decode(line)
    except (msgspec.MsgspecError, RecursionError):
        try:
            record = json.loads(line)  # which takes a bare NaN, too
        except (ValueError, RecursionError):
            return None
    return record if isinstance(record, dict) and not is_mark(record) else None


def _rises(fd: int, start: int, stop: int, limit: _Limit) -> bool:
    """Whether the key never falls, wherever one looks."""
    before = -math.inf
    apart = max(_LOOK, (stop - start) // _LOOKS)  # so that no record is seen twice
    for offset in range(start, stop, apart):
        for _, record in _lines(fd, offset, min(offset + _LOOK, stop)):
            place = limit.of(record)
            if place is not None and place < before:
                return False
            before = before if place is None else place
    return True


def _search(fd: int, parts: list[tuple[int, int, float]], names: set[str], limit: _Limit) -> At:
    """From the newest attempt backwards, until each metric is found."""
    if all(_first_place(fd, start, stop, limit) is None for start, stop, _ in parts):
        return _NOTHING  # it counts by something else
    values: dict[str, float] = {}
    place: dict[str, float | None] = {"step": None, "epoch": None}
    for start, stop, holds in reversed(parts):
        bounds = [limit, _Limit("step", holds)] if holds < math.inf else [limit]
        end = stop
        for bound in bounds:
            end = _end_of(fd, start, end, bound)
        for record, found in _backwards(fd, start, end, names - values.keys(), bounds):
            for key, known in place.items():
                place[key] = read_number(record.get(key)) if known is None else known
            values |= found
        if names <= values.keys():
            break
    return At(values, place["step"], place["epoch"])


def _end_of(fd: int, start: int, stop: int, limit: _Limit) -> int:
    """Where the first record beyond the limit begins, between two offsets; by halves, then a record at a time."""
    low, high = start, stop
    while high - low > _PROBE:
        found = _first_place(fd, (low + high) // 2, high, limit)
        if found is None:
            break  # lines that are long, or without the key: one after the other
        offset, place = found
        low, high = (low, offset) if place > limit.most else (offset, high)
    return _first_beyond(fd, low, high, limit)


def _first_place(fd: int, start: int, stop: int, limit: _Limit) -> tuple[int, float] | None:
    """The first record from `start` on that has the key: where it begins, and what it says."""
    for size in (_PROBE, _BLOCK):
        for offset, record in _lines(fd, start, min(start + size, stop)):
            if (place := limit.of(record)) is not None:
                return offset, place
    return None


def _first_beyond(fd: int, low: int, high: int, limit: _Limit) -> int:
    """`low` is where a line begins; `high`, where nothing else is found."""
    rest, base = b"", low
    while base + len(rest) < high:
        data = rest + os.pread(fd, min(_BLOCK, high - base - len(rest)), base + len(rest))
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == len(rest):
            break
        for offset, record in _decoded(data[:whole], base):
            place = limit.of(record)
            if place is not None and place > limit.most:
                return offset
        rest, base = data[whole:], base + whole
    return high


def _backwards(
    fd: int, start: int, end: int, names: set[str], limits: list[_Limit]
) -> Iterator[tuple[dict[str, object], dict[str, float]]]:
    """Records from `end` back to `start`, each with the metrics that stand in no newer one.

    Near the end all of them, further back those that have a metric which is still missing.
    """
    wanted = set(names)
    near = 0
    while end > start and (wanted or not near):
        base, data = _block_before(fd, start, end, _PROBE if near < _NEAR else _BLOCK)
        by_name = near >= _NEAR and len(wanted) <= _FEW
        lines = _named(data, wanted) if by_name else ((line, wanted) for line in reversed(data.split(b"\n")))
        for line, asked in lines:
            record = _record(line) if line else None
            if record is None or any((place := one.of(record)) is not None and place > one.most for one in limits):
                continue
            found = {
                name: number
                for name in record.keys() & asked - PLACE
                if (number := read_number(record[name])) is not None
            }
            yield record, found
            wanted.difference_update(found)  # in place: `_named` looks at it
            if not wanted:
                return
        near += len(data)
        end = base


def _block_before(fd: int, start: int, end: int, size: int) -> tuple[int, bytes]:
    """Whole lines that end at `end`, and where they begin: about so many bytes, more where a line is longer."""
    while True:
        base = max(start, end - size)
        data = os.pread(fd, end - base, base)
        cut = data.find(b"\n") + 1 if base > start else 0
        if base == start or 0 < cut < len(data):
            return base + cut, data[cut:]
        size *= 4


def _named(data: bytes, names: set[str]) -> Iterator[tuple[bytes, set[str]]]:
    """Lines in which one of the names stands as a key, and which: of each the newest first, until it isn't wanted."""
    for name in list(names):
        key = _key(name)
        hit = data.rfind(key)
        while hit >= 0 and name in names:
            begin, stop = data.rfind(b"\n", 0, hit) + 1, data.find(b"\n", hit)
            yield data[begin:stop] if stop >= 0 else data[begin:], {name}
            hit = data.rfind(key, 0, begin)


def _key(name: str) -> bytes:
    return json.dumps(name).encode()


# the best


def _best_step(path: Path, metric: str, way: str, known: object) -> float | None:
    found = _find_value(path, metric, known) if read_number(known) is not None and os.path.exists(path) else None
    if found is not None:
        return found
    best, step = None, None
    for record in current_records(path):
        number = read_number(record.get(metric))
        if number is None or not math.isfinite(number):
            continue
        if best is None or (number > best if way == "max" else number < best):
            best, step = number, read_number(record.get("step"))
    return step


def _find_value(path: Path, metric: str, known: object) -> float | None:
    """The step of the first record that holds and has this very value, as our writers write it; None: no such."""
    text = _key(metric) + b":" + json.dumps(known).encode()
    marks, end = find_marks(path)
    with open(path, "rb") as file:
        fd, base, rest = file.fileno(), 0, b""
        while base < end:
            data = rest + os.pread(fd, min(_BLOCK, end - base - len(rest)), base + len(rest))
            whole = data.rfind(b"\n") + 1
            if len(data) == len(rest):
                return None
            hit = data.find(text, 0, whole)
            while hit >= 0:
                begin, stop = data.rfind(b"\n", 0, hit) + 1, data.find(b"\n", hit)
                record = _record(data[begin:stop])
                holds = min((mark.step for mark in marks if mark.offset > base + begin), default=math.inf)
                step = read_number(record.get("step")) if record else None
                if record and record.get(metric) == known and step is not None and step <= holds:
                    return step
                hit = data.find(text, stop, whole)
            rest, base = data[whole:], base + whole
    return None
