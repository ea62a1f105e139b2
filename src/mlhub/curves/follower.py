"""One file of metric records, read piece by piece and then followed as it grows: metrics as points, by attempt.

A large file is first looked at here and there (`preview`), so that its curves stand on the screen at once; what was
read whole takes the preview's place. It reads when told to, a few milliseconds at a time: the thread is the book's.
"""

from __future__ import annotations

import math
import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mlhub.curves.decode import Decoder
from mlhub.curves.points import LARGEST, MOST, Growing, Points, make_points
from mlhub.records import find_marks, read_marks
from mlhub.text import one_line

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mlhub.curves.decode import Floats, Table
    from mlhub.records import Mark

#: bytes that become numbers at once: less than 3 ms, so that the screen is not kept waiting
_PIECE = 1 << 17
#: a longer line is passed over
_LONGEST = 1 << 22
#: a file beyond this size is looked at in so many places, so many bytes each, before it is read
_LARGE, _PLACES, _LOOK = 1 << 22, 256, 1 << 13
#: other threads come to their turn for so long after each piece
_BREATH = 5e-5
_MOST_METRICS = 1000
_MOST_EVENTS = 4096
#: seconds between two states of a large file that is being read
_SHOW = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Where a metric can't be drawn: `value` is as recorded, NaN, infinite or beyond `points.LARGEST`.

    `old`: of an attempt that was superseded.
    """

    step: Floats
    time: Floats
    value: Floats
    old: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True, slots=True, eq=False)
class MetricSeries:
    """A metric of a run. `name` is clean; `superseded`: what later attempts replaced, one part a mark."""

    name: str
    points: Points
    superseded: tuple[Points, ...]
    events: Events

    def recorded(self, index: int) -> float | None:
        """The value of a point as it was recorded; None where it was none to draw, and which is not known any more."""
        points, events = self.points, self.events
        if not math.isnan(points.value[index]):
            return float(points.value[index])
        here = np.flatnonzero((events.step == points.step[index]) & ~events.old)
        same = here[events.time[here] == points.time[index]]
        found = same if len(same) else here
        return float(events.value[found[-1]]) if len(found) else None


class _Metric:
    """A metric while it is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.growing = Growing()
        self.old: list[Points] = []
        self.events: list[tuple[float, float, float, bool]] = []

    def add(self, step: Floats, when: Floats, value: Floats, most: int) -> None:
        bad = np.flatnonzero(~(np.abs(value) <= LARGEST))
        for row in bad[-_MOST_EVENTS:]:
            self.events.append((float(step[row]), float(when[row]), float(value[row]), False))
        if len(self.events) > _MOST_EVENTS:
            self.events = [*self.events[: -_MOST_EVENTS // 2 : 2], *self.events[-_MOST_EVENTS // 2 :]]
        self.growing.append(step, when, value, most)

    def cut(self, step: float) -> bool:
        gone = self.growing.cut(step)
        if gone is not None:
            self.old.append(gone)
        if not self.growing.stepless:
            self.events = [(at, when, value, old or at > step) for at, when, value, old in self.events]
        return gone is not None

    def series(self) -> MetricSeries:
        step, when, value, old = list(zip(*self.events, strict=True)) or [(), (), (), ()]
        events = Events(np.array(step, float), np.array(when, float), np.array(value, float), np.array(old, bool))
        return MetricSeries(self.name, self.growing.points(), tuple(self.old), events)


class _Reading:
    """What was read so far."""

    def __init__(self) -> None:
        self.metrics: dict[str, _Metric] = {}
        self.changed: set[str] = set()
        self.count = 0
        self.attempt = 1
        #: step and number of epochs' beginnings, both rising
        self.epochs: list[tuple[float, float]] = []
        self.first = np.nan  # time of the first record

    def add(self, table: Table, most: int) -> None:
        """Put the records at the end."""
        index = np.arange(self.count, self.count + table.size, dtype=float)
        self.count += table.size
        stepless = np.isnan(table.step)
        step = np.where(stepless, index, table.step) if stepless.any() else table.step
        if np.isnan(self.first) and table.size:
            self.first = float(np.fmin.reduce(table.time))
        self._see_epochs(step, table.epoch)
        each = max(1 << 12, most // max(1, len(self.metrics)))
        for name, (rows, values) in table.columns.items():
            metric = self.metrics.get(name)
            if metric is None:
                if len(self.metrics) >= _MOST_METRICS:
                    continue
                metric = self.metrics[name] = _Metric(one_line(name)[:200] or "?")
            here: slice | NDArray[np.intp] = slice(None) if rows is None else rows
            metric.growing.stepless |= bool(stepless[here].any())
            metric.add(step[here], table.time[here], values, min(MOST, each))
            self.changed.add(name)

    def _see_epochs(self, step: Floats, epoch: Floats) -> None:
        there = np.flatnonzero(epoch == epoch)  # noqa: PLR0124 - faster than isnan
        if not len(there):
            return
        values, steps = epoch[there], step[there]
        turns = np.flatnonzero(np.diff(values, prepend=np.nan) != 0)
        for row in turns[:_MOST_EVENTS]:
            if not self.epochs or (values[row] > self.epochs[-1][1] and steps[row] >= self.epochs[-1][0]):
                self.epochs.append((float(steps[row]), float(values[row])))

    def begin_attempt(self, mark: Mark) -> None:
        """What is beyond the mark's step was superseded."""
        if mark.attempt <= self.attempt:
            return
        self.attempt = mark.attempt
        for name, metric in self.metrics.items():
            if metric.cut(mark.step):
                self.changed.add(name)
        self.epochs = [entry for entry in self.epochs if entry[0] <= mark.step]


class Follower:
    """Reads when `advance` is called; `metrics` is what there is then."""

    def __init__(self, path: Path, attempts: int = 1, most: int = 1 << 21) -> None:
        self._path = path
        self._attempts = attempts
        #: points of all metrics together
        self.most = most
        self._fd = -1
        self._identity: tuple[int, int] | None = None
        self._held = False
        self._begin()

    def _begin(self) -> None:
        self._offset = self._size = 0
        self._skipping = False
        self._decoder = Decoder()
        self._whole = _Reading()
        self._preview: _Reading | None = None
        self._previewed = 0
        self._shown = 0.0
        self.metrics: dict[str, MetricSeries] = {}
        self.epochs: tuple[tuple[float, float], ...] = ()
        self.first = np.nan
        #: read so far, from 0 to 1
        self.progress = 1.0

    @property
    def busy(self) -> bool:
        """Whether there is more to read that is known of."""
        return self._offset < self._size and self.progress < 1

    @property
    def attempt(self) -> int:
        return self._whole.attempt

    def hold(self) -> None:
        """Read this very file from now on, whatever its path comes to mean."""
        self._look()
        self._held = True

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def advance(self, seconds: float) -> bool:
        """Read for about so long; whether anything has changed. Never raises for what the file is."""
        try:
            fresh = not self._held and self._look()
            if self._fd < 0 or self._size <= self._offset:
                return fresh
            return self._read(time.monotonic() + seconds) or fresh
        except OSError:
            self.close()
            return False

    def _look(self) -> bool:
        """Open the file, or notice that it is another one or has become shorter; whether all begins anew."""
        try:
            now = os.stat(self._path)
        except OSError:
            return False
        if not stat.S_ISREG(now.st_mode):
            return False
        same = self._identity == (now.st_dev, now.st_ino)
        if same and self._fd >= 0 and now.st_size >= self._offset:
            self._size = now.st_size
            return False
        had = bool(self.metrics)
        self.close()
        self._fd = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._identity = (now.st_dev, now.st_ino)
        self._begin()
        self._size = now.st_size
        return had

    def _read(self, until: float) -> bool:
        if self._offset == 0 and self._preview is None and self._size > _LARGE:
            self._make_preview()
            self._show()
            return True
        before = self._offset
        while self._offset < self._size and time.monotonic() < until:
            if not self._read_piece():
                break
            time.sleep(_BREATH)
        else:
            if self._offset < self._size:
                return self._show_part()
        # all of it, but for a line that is being written
        self._preview = None
        self.progress = 1.0
        if self._offset != before or self._whole.changed:
            self._show()
            return True
        return False

    def _show_part(self) -> bool:
        self.progress = self._offset / self._size
        if time.monotonic() - self._shown < _SHOW:
            return False
        if self._preview is not None:
            self._extend_preview()
        self._show()
        return True

    def _read_piece(self) -> bool:
        """Take the next whole lines; False if there are none yet."""
        size = _PIECE
        data = os.pread(self._fd, size, self._offset)
        while b"\n" not in data and len(data) == size and size < _LONGEST and not self._skipping:
            size *= 4
            data = os.pread(self._fd, size, self._offset)
        begin = 0
        if self._skipping:
            begin = data.find(b"\n") + 1
            self._skipping = begin == 0
        end = data.rfind(b"\n") + 1
        if end == 0:
            if len(data) < size and not self._skipping:
                return False
            self._skipping = True
            self._offset += len(data)
            return bool(data)
        self._take(self._whole, data[begin:end], self._offset + begin)
        self._offset += end
        return True

    def _take(self, reading: _Reading, data: bytes, base: int) -> None:
        """Add whole lines, attempt by attempt."""
        start = 0
        for mark in read_marks(data, base):
            reading.add(self._decoder.read(data[start : mark.offset - base]), self.most)
            reading.begin_attempt(mark)
            start = mark.offset - base
        reading.add(self._decoder.read(data[start:]), self.most)

    # the first look at a large file

    def _make_preview(self) -> None:
        self._preview = _Reading()
        marks = find_marks(self._path)[0] if self._attempts > 1 else []
        for place in range(_PLACES):
            offset = place * (self._size - _LOOK) // (_PLACES - 1)
            data = os.pread(self._fd, _LOOK, offset)
            begin = data.find(b"\n") + 1 if offset else 0
            end = data.rfind(b"\n") + 1
            while marks and marks[0].offset < offset:
                self._preview.begin_attempt(marks.pop(0))
            if end > begin:
                self._take(self._preview, data[begin:end], offset + begin)
                self._previewed = offset + end
            if place % 16 == 0:
                time.sleep(_BREATH)
        self.progress = 0.001

    def _extend_preview(self) -> None:
        """The newest records, however far behind the reading of the whole is."""
        data = os.pread(self._fd, _PIECE, max(self._previewed, self._size - _PIECE))
        begin = 0 if self._size - _PIECE <= self._previewed else data.find(b"\n") + 1
        end = data.rfind(b"\n") + 1
        if self._preview is not None and end > begin:
            self._previewed = max(self._previewed, self._size - _PIECE) + end
            self._take(self._preview, data[begin:end], self._previewed - end + begin)

    def _show(self) -> None:
        """Give out what was read."""
        self._shown = time.monotonic()
        whole, preview = self._whole, self._preview
        changed = whole.changed if preview is None and self.metrics else whole.metrics.keys()
        found = dict(self.metrics) if preview is None else {}
        found |= {name: whole.metrics[name].series() for name in changed}
        whole.changed = set()
        if preview is not None:
            for name, metric in preview.metrics.items():
                found[name] = _joined(found.get(name), metric.series())
        self.metrics = found
        ahead = [] if preview is None else preview.epochs
        last = whole.epochs[-1] if whole.epochs else (-np.inf, -np.inf)
        self.epochs = (*whole.epochs, *(entry for entry in ahead if entry[1] > last[1] and entry[0] >= last[0]))
        self.first = preview.first if preview is not None and np.isnan(whole.first) else whole.first


def _joined(whole: MetricSeries | None, preview: MetricSeries) -> MetricSeries:
    """What was read whole, and the preview of what follows it."""
    if whole is None or not len(whole.points):
        return preview
    after = int(np.searchsorted(preview.points.step, whole.points.step[-1], side="right"))
    parts = [
        np.concatenate((getattr(whole.points, name), getattr(preview.points, name)[after:]))
        for name in ("step", "time", "value")
    ]
    return MetricSeries(whole.name, make_points(*parts), whole.superseded or preview.superseded, whole.events)
