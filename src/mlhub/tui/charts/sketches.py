"""A run at a glance, from the end of its metrics and a few places of them: what a row in a table shows of its curve.

A file is read again only where it has grown. Whole series are `mlhub.curves.follower`'s.
"""

from __future__ import annotations

import math
import os
import stat
from collections import deque
from contextlib import suppress
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from mlhub.records import find_marks, is_mark, read_marks, read_number
from mlhub.tui.charts.series import Sketch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mlhub.records import Mark

#: values of a sketch
POINTS = 64
#: a file beyond this is looked at in so many places, so many bytes each
_SMALL, _PLACES, _LOOK = 1 << 17, 48, 1 << 12
#: bytes of the end that are read at once
_END = 1 << 16
_MOST = 1024
#: a metric that stands in few records is searched for in files up to this size, by so many bytes at once
_SEARCHED, _BLOCK = 1 << 28, 1 << 20
#: seconds that the speed is taken over, and between two of its points
_SPAN, _APART = 60.0, 0.5
#: records whose distances tell the usual one
_FEW = 32
#: epochs that samples must span to tell how long one is
_EPOCHS = 4


class _Sample(NamedTuple):
    step: float
    value: float
    epoch: float


class Sketcher:
    """Of one file and one metric of it."""

    def __init__(self, path: Path, metric: str, attempts: int = 1) -> None:
        self.metric = metric
        self._path = path
        self._attempts = attempts
        self._any = msgspec.json.Decoder()
        self._identity: tuple[int, int] | None = None
        self._begin()

    def _begin(self) -> None:
        self._size = self._seen = 0
        self._samples: list[_Sample] = []
        self._turns: list[tuple[float, float]] = []  # step and number of epochs' beginnings, as far as they were seen
        self._pace: deque[tuple[float, float]] = deque(maxlen=256)  # time and step
        self._newest: dict[str, object] = {}
        self._marks: list[Mark] = []
        self._amid = False  # whether what comes next begins amid a line

    def update(self) -> Sketch | None:
        """A new sketch if the file has changed since."""
        try:
            fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return Sketch(metric=self.metric) if self._identity is None and self._mark_read() else None
        try:
            now = os.fstat(fd)
            if not stat.S_ISREG(now.st_mode):
                return None
            if self._identity != (now.st_dev, now.st_ino) or now.st_size < self._seen:
                self._identity = (now.st_dev, now.st_ino)
                self._begin()
                self._size = now.st_size
                self._read_first(fd)
            elif now.st_size == self._size:
                return None
            self._size = now.st_size
            self._read_end(fd)
        except OSError:
            return None
        finally:
            os.close(fd)
        return self._make()

    def _mark_read(self) -> bool:
        self._identity = (0, 0)
        return True

    def _read_first(self, fd: int) -> None:
        if self._attempts > 1:
            self._marks = find_marks(self._path)[0]
        if self._size <= _SMALL:
            return  # `_read_end` takes all of it
        for place in range(_PLACES):
            offset = place * (self._size - _END - _LOOK) // (_PLACES - 1)
            data = os.pread(fd, _LOOK, offset)
            begin, end = data.find(b"\n") + 1 if offset else 0, data.rfind(b"\n") + 1
            self._take(data[begin:end], offset + begin)
        if len(self._samples) < _PLACES // 4 and self._size <= _SEARCHED:
            self._search(fd)
        self._turns = []
        self._seen, self._amid = self._size - _END, True

    def _search(self, fd: int) -> None:
        """The metric stands in few records: find those, wherever they are."""
        self._samples = []
        key = msgspec.json.encode(self.metric) + b":"
        offset = 0
        limit = self._size - _END  # what follows is read anyway
        while offset < limit and len(self._samples) < _MOST // 2:
            data = os.pread(fd, min(_BLOCK, limit - offset), offset)
            end = data.rfind(b"\n") + 1
            hit = data.find(key, 0, end)
            while hit >= 0:
                begin, after = data.rfind(b"\n", 0, hit) + 1, data.find(b"\n", hit) + 1
                self._take(data[begin:after], offset + begin)
                hit = data.find(key, after, end)
            offset += end or len(data) or _BLOCK

    def _read_end(self, fd: int) -> None:
        """What was added since, at most the last part of it."""
        start = self._seen
        limit = _SMALL if start == 0 else _END
        if self._size - start > limit:
            start, self._amid = self._size - limit, True
        data = os.pread(fd, limit, start)
        begin = data.find(b"\n") + 1 if self._amid else 0
        end = data.rfind(b"\n") + 1
        if end > begin or end == limit:
            self._take(data[begin:end], start + begin, end=True)
            self._seen, self._amid = start + end, False

    def _take(self, data: bytes, base: int, *, end: bool = False) -> None:
        """Add the records of whole lines. `end`: the newest ones, of which the pace is taken too."""
        start = 0
        for mark in read_marks(data, base):
            self._take_part(data[start : mark.offset - base], base + start, end=end)
            start = mark.offset - base
            if end:
                self._begin_attempt(mark)
        self._take_part(data[start:], base + start, end=end)

    def _begin_attempt(self, mark: Mark) -> None:
        """What is beyond its step was superseded."""
        if all(mark.offset != known.offset for known in self._marks):
            self._marks.append(mark)
        self._samples = [sample for sample in self._samples if sample.step <= mark.step]
        self._turns = [turn for turn in self._turns if turn[0] <= mark.step]
        self._pace.clear()

    def _take_part(self, data: bytes, base: int, *, end: bool) -> None:
        """Records of one attempt."""
        most = min((mark.step for mark in self._marks if mark.offset > base), default=None)
        for record in self._objects(data):
            step = _number(record, "step")
            if step is not None and not is_mark(record) and (most is None or step <= most):
                self._add(record, step, end=end)
        if len(self._samples) > _MOST:
            half = _MOST // 2
            self._samples = [*self._samples[:half:2], *self._samples[half:]]

    def _add(self, record: dict[str, object], step: float, *, end: bool) -> None:
        value, epoch = _number(record, self.metric), _number(record, "epoch")
        if value is not None:
            self._samples.append(_Sample(step, value, math.nan if epoch is None else epoch))
        if epoch is not None and (not self._turns or epoch > self._turns[-1][1]):
            self._turns.append((step, epoch))
        if end:
            self._newest = record if epoch is not None else {"epoch": self._newest.get("epoch"), **record}
            time = _number(record, "time")
            if time is not None and (not self._pace or time - self._pace[-1][0] >= _APART):
                self._pace.append((time, step))

    def _objects(self, data: bytes) -> Iterator[dict[str, object]]:
        try:
            found = self._any.decode_lines(data)
        except (msgspec.MsgspecError, RecursionError):
            found = []
            for line in data.split(b"\n"):
                with suppress(msgspec.MsgspecError, RecursionError):
                    found.append(self._any.decode(line))
        return (record for record in found if isinstance(record, dict))

    def _make(self) -> Sketch:
        newest = self._newest
        return Sketch(
            _shape(self._samples), self.metric, _integer(newest, "step"), _integer(newest, "epoch"),
            _number(newest, "time"), self._speed(), self._steps_an_epoch(), self._interval(),
        )  # fmt: skip

    def _speed(self) -> float | None:
        """Steps a second over the last minute; of the newest records, if those are further apart."""
        time, step = _number(self._newest, "time"), _number(self._newest, "step")
        if time is None or step is None:
            return None
        within = [entry for entry in self._pace if time - _SPAN <= entry[0] < time]
        first = within[0] if within else next((entry for entry in reversed(self._pace) if entry[0] < time), None)
        if first is None or step < first[1]:
            return None
        return (step - first[1]) / (time - first[0])

    def _interval(self) -> float | None:
        """The median, so that neither a validation's nor a pause's counts."""
        newest = list(self._pace)[-_FEW:]
        return median(later[0] - one[0] for one, later in pairwise(newest)) if len(newest) > 1 else None

    def _steps_an_epoch(self) -> float | None:
        """From beginnings that were seen (the first may be none: where reading began), else as the samples suggest."""
        turns = self._turns if self._turns[:1] and self._turns[0][0] <= 1 else self._turns[1:]
        if len(turns) > 1:
            (first, low), (last, high) = turns[0], turns[-1]
            return (last - first) / (high - low)
        samples = np.array([(sample.step, sample.epoch) for sample in self._samples if math.isfinite(sample.epoch)])
        if len(samples) < _PLACES // 2 or samples[-1, 1] - samples[0, 1] < _EPOCHS:
            return None
        samples = samples[np.argsort(samples[:, 0], kind="stable")]
        even = np.linspace(samples[0, 0], samples[-1, 0], POINTS)  # newer ones lie closer to each other
        samples = samples[np.unique(np.searchsorted(samples[:, 0], even))]
        step, epoch = (samples - samples.mean(axis=0)).T
        return float((step * step).sum() / (step * epoch).sum())


def _number(record: dict[str, object], key: str) -> float | None:
    return read_number(record.get(key))


def _integer(record: dict[str, object], key: str) -> int | None:
    number = _number(record, key)
    return int(number) if number is not None and np.isfinite(number) else None


def _shape(samples: Sequence[_Sample]) -> tuple[float, ...]:
    """Means of at most `POINTS` equal parts of the steps; parts without values are left out, NaN: none is finite."""
    if not samples:
        return ()
    array = np.array(samples)
    array = array[np.isfinite(array[:, 0])]
    if len(array) <= POINTS:
        values = array[np.argsort(array[:, 0], kind="stable"), 1]
        return tuple(np.where(np.isfinite(values), values, np.nan).tolist())
    step, value = array[:, 0], array[:, 1]
    low, high = step.min(), step.max()
    part = np.minimum((step - low) / max(high - low, 1e-9) * POINTS, POINTS - 1).astype(int)
    there = np.isfinite(value)
    count = np.bincount(part[there], minlength=POINTS)
    total = np.bincount(part[there], value[there], minlength=POINTS)
    any_at_all = np.bincount(part, minlength=POINTS) > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return tuple(means[any_at_all].tolist())
