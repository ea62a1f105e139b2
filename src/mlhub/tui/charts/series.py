"""Metric series of runs, read in a thread by byte offsets and kept as arrays; what charts and sparklines are drawn of.

Files are `curves.follower`'s and `mlhub.tui.charts.sketches`', which load numpy: here that is left to the thread.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlhub.curves.follower import Follower, MetricSeries
    from mlhub.paths import Home
    from mlhub.store.runs import Run
    from mlhub.tui.charts.sketches import Sketcher

#: seconds between two looks at files that are written to, and at others
_LIVE, _STILL = 0.25, 2.0
#: more runs than these are looked at half as often
_FEW = 3
#: seconds between two sketches of a run that goes on
_SKETCH = 1.0
#: a run nobody wants is kept for so long
_KEPT = 60.0
#: seconds of reading before the next run has its turn
_TURN = 0.05
#: points of all metrics of all runs together, 24 bytes each
_MOST = 1 << 22
_MOST_A_RUN = 1 << 21


@dataclass(frozen=True, slots=True)
class Sketch:
    """A run at a glance, from a few parts of its metrics: for a row in a table.

    `points`: at most 64 values of its main metric from first to last (NaN where it was none). `speed`: steps a second
    over the last minute or so, None when unknown. `step`, `epoch`, `time`: of the newest record.
    `steps_an_epoch`: seen between two epochs' beginnings. `interval`: seconds that usually lie between two of the
    newest records.
    """

    points: tuple[float, ...] = ()
    metric: str = ""
    step: int | None = None
    epoch: int | None = None
    time: float | None = None
    speed: float | None = None
    steps_an_epoch: float | None = None
    interval: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RunSeries:
    """The metrics of a run as they are known now. What is given out does not change any more.

    `metrics` by their raw names, `system`: those of `system.jsonl`, by time alone. `epochs`: step and number of each
    epoch's beginning. `first`: time of the first record, NaN if unknown. `progress`: how much of the file was read
    whole, 1 when it is all; until then the rest is a sample. `error`: why it can't be read.
    """

    run_id: int
    metrics: Mapping[str, MetricSeries] = field(default_factory=dict)
    system: Mapping[str, MetricSeries] = field(default_factory=dict)
    epochs: tuple[tuple[float, float], ...] = ()
    first: float = float("nan")
    progress: float = 1.0
    attempt: int = 1
    error: str | None = None


@dataclass
class _Book:
    """A run that is read."""

    run: Run
    follower: Follower | None = None
    system: Follower | None = None
    wanted: float = 0.0
    looked: float = 0.0
    unpacking: threading.Thread | None = None
    error: str | None = None


class SeriesBook:
    """Reads what was asked for, in a thread of its own, begun by the first `want`."""

    def __init__(self, home: Home) -> None:
        self._home = home
        #: rises whenever anything that `sketch` or `series` gives has changed
        self.version = 0
        #: what went wrong last, other than a file that can't be read
        self.error: str | None = None
        self._wanted: dict[str, dict[int, Run]] = {}
        self._rows: dict[int, tuple[Run, str]] = {}
        self._system = False
        self._series: dict[int, RunSeries] = {}
        self._sketches: dict[int, Sketch] = {}
        self._books: dict[int, _Book] = {}
        self._sketchers: dict[int, Sketcher] = {}
        self._sketched: dict[int, float] = {}
        self._thread: threading.Thread | None = None
        self._again = threading.Event()
        self._ended = threading.Event()

    # what views ask and get

    def want(self, runs: Sequence[Run], who: str = "", *, system: bool | None = None) -> None:
        """The runs whose whole series `who` needs from now on, in place of those it wanted before.

        `system`: whether system metrics are wanted too.
        """
        wanted = {run.id: run for run in runs}
        if system is not None:
            self._system = system
        if self._wanted.get(who, {}) != wanted:
            new = wanted.keys() - self._wanted.get(who, {}).keys()
            self._wanted = {**self._wanted, who: wanted}
            self._start(wake=bool(new))

    def series(self, run_id: int) -> RunSeries | None:
        """The latest; None as long as nothing was read of the run."""
        return self._series.get(run_id)

    def want_sketches(self, runs: Sequence[Run], metric: Mapping[int, str]) -> None:
        """The rows that are to be seen now, and each one's main metric."""
        rows = {run.id: (run, metric.get(run.id, "")) for run in runs}
        if rows != self._rows:
            new = rows.keys() - self._rows.keys()
            self._rows = rows
            self._start(wake=bool(new))

    def sketch(self, run_id: int) -> Sketch | None:
        """The latest; None as long as it was not read."""
        return self._sketches.get(run_id)

    def close(self) -> None:
        """Stop reading."""
        self._ended.set()
        self._again.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    # the thread's

    def _start(self, *, wake: bool) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="series", daemon=True)
            self._thread.start()
        if wake:
            self._again.set()

    def _work(self) -> None:
        from mlhub.curves import follower  # noqa: F401
        from mlhub.tui.charts import sketches  # noqa: F401 - numpy, some 100 ms, here and not in the screen's thread

        while not self._ended.is_set():
            self._again.clear()
            busy = False
            try:
                busy = self._read_series()
                self._read_sketches()
            except Exception as error:  # house rule 5: a reader's outermost step; one bad file must not end the others
                self.error = repr(error)
                self._again.wait(_STILL)
            self._again.wait(0.001 if busy else _LIVE)
        for book in self._books.values():
            _close(book)

    def _read_series(self) -> bool:
        """A turn for each run that is wanted; whether there is more to do at once."""
        now = time.monotonic()
        wanted = {run_id: run for runs in list(self._wanted.values()) for run_id, run in runs.items()}
        for run_id, run in wanted.items():
            book = self._books.setdefault(run_id, _Book(run))
            book.run, book.wanted = run, now
        for run_id, book in list(self._books.items()):
            if now - book.wanted > _KEPT:
                _close(book)
                del self._books[run_id]
                self._series.pop(run_id, None)
        most = min(_MOST_A_RUN, _MOST // max(1, len(wanted)))
        busy, live = False, 0.8 * _LIVE * (1 if len(wanted) <= _FEW else 2)
        for run_id in wanted:
            busy = self._turn(self._books[run_id], most, live, now) or busy
            if self._ended.is_set():
                return False
        return busy

    def _turn(self, book: _Book, most: int, live: float, now: float) -> bool:
        """Read on in one run."""
        if book.follower is None:
            self._open(book)
            if book.follower is None:
                return False
        reading = book.follower.busy
        if not reading and self._known(book) and now - book.looked < (live if book.run.active else _STILL):
            return False
        book.looked = now
        book.follower.most = most
        changed = book.follower.advance(_TURN)
        if self._system:
            if book.system is None:
                from mlhub.curves.follower import Follower

                book.system = Follower(self._home.run(book.run.id).system, most=1 << 18)
            changed = book.system.advance(_TURN) or changed
        if changed or not self._known(book) or (reading and not book.follower.busy):
            self._publish(book)
        return book.follower.busy or (book.system is not None and book.system.busy)

    def _known(self, book: _Book) -> bool:
        return book.run.id in self._series

    def _publish(self, book: _Book) -> None:
        follower, system = book.follower, book.system
        if follower is None:
            found = RunSeries(book.run.id, error=book.error)
        else:
            found = RunSeries(
                book.run.id, follower.metrics, system.metrics if system else {}, follower.epochs, follower.first,
                follower.progress, follower.attempt,
            )  # fmt: skip
        self._series[book.run.id] = found
        self.version += 1

    def _open(self, book: _Book) -> None:
        from mlhub.curves.follower import Follower

        path = self._home.run(book.run.id).metrics
        if _is_packed(path):
            if book.unpacking is None:
                book.unpacking = threading.Thread(target=self._unpack, args=(book, path), name="unpack", daemon=True)
                book.unpacking.start()
            return
        book.follower = Follower(path, book.run.attempt)

    def _unpack(self, book: _Book, path: Path) -> None:
        """Metrics that were compacted: make them lines again, in a file without a name."""
        from mlhub.curves.follower import Follower
        from mlhub.errors import MlhubError
        from mlhub.runner import archive
        from mlhub.text import one_line

        try:
            with archive.opened(path) as file:
                follower = Follower(file, book.run.attempt)
                follower.hold()
                book.follower = follower
        except (MlhubError, OSError) as error:
            book.error = one_line(str(error))
            self._publish(book)
        self._again.set()

    def _read_sketches(self) -> None:
        from mlhub.tui.charts.sketches import Sketcher

        rows = self._rows
        now = time.monotonic()
        for run_id, (run, metric) in rows.items():
            known = self._sketchers.get(run_id)
            if known is None or known.metric != metric:
                known = self._sketchers[run_id] = Sketcher(self._home.run(run_id).metrics, metric, run.attempt)
            elif now - self._sketched[run_id] < (_SKETCH if run.active else 5 * _STILL):
                continue
            self._sketched[run_id] = now
            sketch = known.update()
            if sketch is not None:
                self._sketches[run_id] = sketch
                self.version += 1
            if self._ended.is_set():
                return
        if len(self._sketchers) > 400:  # rows that were scrolled away
            for run_id in [run_id for run_id in self._sketchers if run_id not in rows]:
                self._sketchers.pop(run_id)
                self._sketches.pop(run_id, None)


def _is_packed(path: Path) -> bool:
    """Whether only the compact form of a file is there."""
    with suppress(OSError):
        return not os.path.lexists(path) and path.with_suffix(".parquet").is_file()
    return False


def _close(book: _Book) -> None:
    for follower in (book.follower, book.system):
        if follower is not None:
            follower.close()
