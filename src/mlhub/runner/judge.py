"""What the sampler makes of metrics and measurements over time: how a run gets on, as the conditions want to know it.

Reads `metrics.jsonl` by offset; the clock is given. Which values are alarming is in the table of `mlhub.runner.alerts`.
"""

from __future__ import annotations

import contextlib
import json
import math
import os

from mlhub.runner import alerts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.runner.vitals import Measured

#: a GPU below this many percent, while the run uses this much of a core, waits for data
_IDLE_UTIL, _BUSY_CPU = 10, 50.0
#: bytes of metrics read at one look; more is read at the next
_LOOK = 4 << 20
#: a metric that was not finite is well again after this many finite values
_WELL_AGAIN = 3
_MOST_METRICS = 100
#: the share of memory that is too little; on a unified machine the GPU's runs out with it, which can wedge the host
_UNIFIED_LEAST, _LEAST = 0.08, 0.05


class Progress:
    """The run's metrics as they come: whether there were any, and which are not finite. Reads by offset."""

    def __init__(self, path: Path, *, skip: bool) -> None:
        """`skip`: what is there already is an earlier attempt's."""
        self._path = path
        self._offset = path.stat().st_size if skip and path.exists() else 0
        self._bad: dict[str, tuple[alerts.NotFinite, int]] = {}
        self.seen = False

    def look(self) -> bool:
        """Take in what is new; True if anything is. What was not finite is so for one look at least."""
        self._bad = {name: entry for name, entry in self._bad.items() if entry[1] < _WELL_AGAIN}
        with contextlib.suppress(OSError):
            data = _read_lines(self._path, self._offset)
            if data:
                self._offset += len(data)
                self.seen = True
                if self._bad or b"NaN" in data or b"Infinity" in data:  # nothing else is worth the parsing
                    self._take(data)
                return True
        return False

    @property
    def not_finite(self) -> tuple[alerts.NotFinite, ...]:
        return tuple(found for found, _ in self._bad.values())

    def _take(self, data: bytes) -> None:
        from mlhub.records import PLACE, read_number

        for line in data.splitlines():
            try:
                tree = json.loads(line)
            except (ValueError, RecursionError):
                continue
            for name, value in tree.items() if isinstance(tree, dict) else ():
                number = None if name in PLACE else read_number(value)
                if number is None:
                    continue
                if math.isfinite(number):
                    self._is_well(name)
                elif name not in self._bad and len(self._bad) < _MOST_METRICS:
                    word = "NaN" if math.isnan(number) else "infinite"
                    self._bad[name] = alerts.NotFinite(name, word, tree.get("step")), 0
                elif name in self._bad:
                    self._bad[name] = self._bad[name][0], 0

    def _is_well(self, name: str) -> None:
        if name in self._bad:
            found, well = self._bad[name]
            self._bad[name] = found, well + 1


def _read_lines(path: Path, offset: int) -> bytes:
    """Whole lines from `offset` on. A line longer than a look is passed over: it is no record of ours."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        data = os.pread(descriptor, _LOOK, offset)
    finally:
        os.close(descriptor)
    return data if len(data) == _LOOK and b"\n" not in data else data[: data.rfind(b"\n") + 1]


class Judge:
    """Makes of measurements over time what the conditions look at."""

    def __init__(self, stall_minutes: float, now: float) -> None:
        self._limit = 60 * stall_minutes or math.inf
        self._progressed = now
        self._idle_since: float | None = None

    def read(self, measured: Measured, progress: Progress, moved: bool, now: float) -> alerts.Reading:
        """`moved`: metrics have come since the last look; `now` on the boot's clock."""
        if moved:
            self._progressed = now
        if not self._waits_for_data(measured, progress, moved):
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        hottest = max(measured.gpus, key=lambda gpu: gpu.temperature or 0, default=None)
        unified = any(gpu.memory.unified for gpu in measured.gpus)
        total = measured.memory.total
        return alerts.Reading(
            disk_free=measured.disk_free,
            disk_folder=measured.disk_folder,
            temperature=hottest.temperature if hottest else None,
            gpu=hottest.index if hottest else 0,
            memory_left=measured.memory.available / total if total else None,
            memory_least=_UNIFIED_LEAST if unified else _LEAST,
            silent=now - self._progressed if progress.seen else 0.0,
            silent_limit=self._limit,
            gpu_idle=0.0 if self._idle_since is None else now - self._idle_since,
            not_finite=progress.not_finite,
        )

    @staticmethod
    def _waits_for_data(measured: Measured, progress: Progress, moved: bool) -> bool:
        """The run's GPUs do nothing while its processes do. Before its first metric a run may well prepare data."""
        rates = [gpu.utilization for gpu in measured.gpus]
        if not measured.on_gpu or not progress.seen or any(rate is None or rate >= _IDLE_UTIL for rate in rates):
            return False
        return moved or (measured.run_cpu or 0.0) >= _BUSY_CPU
