"""The machine over time: a thread that reads GPUs, CPU, memory, disk and network, and keeps a history of them.

Its latest `Reading` is replaced whole. What is judged of it is what the sampler beside each run judges, by the same
table (`mlhub.runner.alerts`). How it is drawn: `mlhub.tui.system.meters` and `mlhub.tui.system.view`.
"""

from __future__ import annotations

import math
import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlhub import monitor
from mlhub.text import one_line, stamp
from mlhub.tui.system.meters import Meters

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mlhub.paths import Home
    from mlhub.runner.owners import Claims, Owned, Owners
    from mlhub.store.runs import Run
    from mlhub.tui.feed import Feed
    from mlhub.tui.prefs import Prefs
    from mlhub.tui.system.history import History

#: seconds between two readings, and from the first to the second: rates need two
_PERIOD, _FIRST = 5.0, 1.0
#: over less, counters say nothing
_SHORTEST = 0.2
#: a wish for more frequent readings holds for so long
_WISH = 3.0
#: how much of a run's system.jsonl is read, of how many runs, and how old what is in it may be
_TAIL, _TAILS, _OLDEST = 1 << 19, 8, 14 * 86400.0
#: a GPU with a greater index in a file is none
_MOST_GPUS = 64
_PARTS = ("util", "memory", "temp", "power", "clock")
_HOST_PARTS = ("cpu", "memory", "disk_free", "net_rx", "net_tx", "disk_read", "disk_write")


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU, its name in clean words, its processes with their owners, and the ids of runs that have claimed it."""

    gpu: monitor.Gpu
    name: str
    processes: tuple[Owned, ...] = ()
    claimed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The machine at the time `at`; None where it isn't known.

    `no_gpu`: why there are no cards, in clean words. `lost`: cards that were there and no longer answer.
    `rates`: bytes a second, named as in `system.jsonl`. `cores`: percent of each, only while somebody watches.
    `alerts` as in `Run.alerts`. `error`: why this reading is of the past.
    """

    at: float = 0.0
    cards: tuple[Card, ...] = ()
    no_gpu: str = ""
    lost: tuple[str, ...] = ()
    cpu: float | None = None
    cores: tuple[float, ...] = ()
    memory: monitor.Memory = field(default_factory=lambda: monitor.Memory(0, 0))
    disk: monitor.Disk | None = None
    rates: Mapping[str, float | None] = field(default_factory=dict)
    alerts: tuple[dict[str, Any], ...] = ()
    error: str = ""

    @property
    def memory_used(self) -> int:
        return self.memory.total - self.memory.available


class Machine:
    """Starts reading with `start`, after the first paint. Reads nothing while `prefs.meters` is off."""

    def __init__(self, home: Home, prefs: Prefs, feed: Feed) -> None:
        self._home, self._prefs, self._feed = home, prefs, feed
        #: rises with each reading
        self.version = 0
        self.reading: Reading | None = None
        #: None until the first reading
        self.history: History | None = None
        self._meters = Meters()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._wish = _PERIOD
        self._wished = -_WISH
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="machine", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    def watch(self, seconds: float = 1.0) -> None:
        """Read this often, for as long as this is called again within three seconds."""
        now = time.monotonic()
        sooner = seconds < self._period(now)
        self._wish, self._wished = seconds, now
        if sooner:
            self._wake.set()

    def switch(self) -> None:
        """Meters off, and on again."""
        self._prefs.meters = not self._prefs.meters
        self.version += 1
        self._wake.set()

    def words(self, room: int = 200) -> list[tuple[str, str]]:
        """For the status row, in at most some `room` columns: texts, each with a colour's name of `Look`."""
        if self.reading is None or not self._prefs.meters:
            return []
        return self._meters.words(self.reading, room)

    def _period(self, now: float) -> float:
        return self._wish if now - self._wished < _WISH else _PERIOD

    def _work(self) -> None:
        from mlhub.tui.system.history import History

        history, reader = History(), _Reader(self._home, self._feed)
        first = True
        while not self._ended.is_set():
            if self._prefs.meters:
                try:
                    reading = reader.read(cores=self._period(time.monotonic()) < _PERIOD)
                    if first:  # shown before the past is read
                        self._publish(reading)
                        history.add_all(_past(self._home, self._feed, reading.at))
                    history.add(reading.at, _values(reading))
                except Exception as error:  # house rule 5: a reader's outermost step; the screen says what it was
                    reading = Reading(at=time.time(), error=one_line(f"the machine can't be read: {error!r}"))
                self.history = history
                self._publish(reading)
            self._wake.wait(min(_FIRST, _PERIOD) if first else self._period(time.monotonic()))
            self._wake.clear()
            first = False
        reader.close()

    def _publish(self, reading: Reading) -> None:
        self.reading = reading
        self.version += 1


class _Reader:
    """One reading after another, by the machine's thread alone."""

    def __init__(self, home: Home, feed: Feed) -> None:
        from mlhub.runner.alerts import Alerts

        self._home, self._feed = home, feed
        self._nvml = monitor.Nvml()
        self._before = time.monotonic(), monitor.counters()
        self._rates: dict[str, float | None] = {}
        self._cores: list[tuple[float, float]] = []
        self._seen: dict[str, str] = {}
        self._alerts, self._raised = Alerts(), dict[str, dict[str, Any]]()
        self._owners: Owners | None = None
        self._owners_of: object = None

    def close(self) -> None:
        self._nvml.close()

    def read(self, *, cores: bool) -> Reading:
        at, rates = time.time(), self._measure()
        gpus, why = self._nvml.gpus()
        cards = tuple(
            Card(gpu, one_line(gpu.name), claims.processes, claims.claimed)
            for gpu, claims in zip(gpus, self._claims(gpus), strict=True)
        )
        memory, disk = monitor.memory(), monitor.disk(self._home.root)
        return Reading(
            at=at,
            cards=cards,
            no_gpu="" if cards else one_line(why or "no GPU found"),
            lost=self._find_lost(cards),
            cpu=rates.get("cpu"),
            cores=self._each_core() if cores else (),
            memory=memory,
            disk=disk,
            rates={name: rate for name, rate in rates.items() if name != "cpu"},
            alerts=self._judge(at, cards, memory, disk),
        )

    def _measure(self) -> dict[str, float | None]:
        """Rates since the last time; over a moment too short to say anything, those of before."""
        now, (then, old) = time.monotonic(), self._before
        if now - then >= _SHORTEST:
            counters = monitor.counters()
            self._rates, self._before = monitor.rates(old, counters, now - then), (now, counters)
        return self._rates

    def _claims(self, gpus: tuple[monitor.Gpu, ...]) -> list[Claims]:
        """Whose the processes are. What is known of the runs is looked up anew when a row has changed."""
        if not gpus:
            return []
        from mlhub.runner.owners import Owners

        here = [run for run in self._feed.snapshot.runs if run.host == os.uname().nodename]
        active, lost = [run for run in here if run.active], [run for run in here if run.orphans]
        made_of = [(run.id, run.attempt, run.pid, run.status, run.name, run.gpus) for run in (*active, *lost)]
        if self._owners is None or made_of != self._owners_of:
            self._owners, self._owners_of = Owners(self._home, active, lost), made_of
        return self._owners.of(gpus)

    def _find_lost(self, cards: tuple[Card, ...]) -> tuple[str, ...]:
        """Cards that were there before: an index is given anew when the driver begins anew, a UUID is the card's."""
        found = {card.gpu.uuid or str(card.gpu.index): f"GPU{card.gpu.index} {card.name}" for card in cards}
        self._seen |= found
        return tuple(words for key, words in self._seen.items() if key not in found)

    def _each_core(self) -> tuple[float, ...]:
        import psutil

        times = [(sum(core) - core.idle - getattr(core, "iowait", 0.0), sum(core)) for core in psutil.cpu_times(True)]
        before, self._cores = self._cores, times
        if len(before) != len(times):
            return ()
        return tuple(
            100 * max(0.0, min(1.0, (busy - was) / (whole - all_then))) if whole > all_then else 0.0
            for (busy, whole), (was, all_then) in zip(times, before, strict=True)
        )

    def _judge(
        self, at: float, cards: tuple[Card, ...], memory: monitor.Memory, disk: monitor.Disk | None
    ) -> tuple[dict[str, Any], ...]:
        """The alerts of the machine itself, the newest first."""
        from mlhub.runner import alerts

        hot = max((card.gpu for card in cards if card.gpu.temperature is not None), key=_heat, default=None)
        reading = alerts.Reading(
            disk_free=disk.free if disk else None,
            disk_folder=str(self._home.root),
            temperature=hot.temperature if hot else None,
            gpu=hot.index if hot else 0,
            memory_left=memory.available / memory.total if memory.total else None,
        )
        for change in self._alerts.evaluate(reading):
            before = self._raised.pop(change.name, None)
            if change.state == "raised":
                entry = {"name": change.name, "severity": change.severity, "text": change.text, "at": stamp(at)}
                self._raised[change.name] = entry | ({"at": before["at"]} if before else {})
        return tuple(reversed(self._raised.values()))


def _heat(gpu: monitor.Gpu) -> int:
    return gpu.temperature or 0


def _values(reading: Reading) -> dict[str, float | None]:
    """A reading as `system.jsonl` names its quantities."""
    values: dict[str, float | None] = {
        "cpu": reading.cpu,
        "memory": reading.memory_used if reading.memory.total else None,
        "disk_free": reading.disk.free if reading.disk else None,
        **reading.rates,
    }
    for card in reading.cards:
        gpu = card.gpu
        told = (gpu.utilization, gpu.memory.used, gpu.temperature, gpu.power, gpu.clock)
        values |= {f"gpu.{gpu.index}.{part}": value for part, value in zip(_PARTS, told, strict=True)}
    return values


def _past(home: Home, feed: Feed, now: float) -> Iterable[tuple[float, dict[str, float | None]]]:
    """What the samplers of runs that are active here have recorded, so that no curve begins empty."""
    feed.ready.wait(5.0)
    here: list[Run] = [run for run in feed.snapshot.runs if run.active and run.host == os.uname().nodename]
    return [record for run in here[:_TAILS] for record in _tail(home, run.id, now)]


def _tail(home: Home, run_id: int, now: float) -> Iterable[tuple[float, dict[str, float | None]]]:
    from mlhub.records import read_number, read_records

    path = home.run(run_id).system
    try:
        records, _ = read_records(path, max(0, os.stat(path).st_size - _TAIL), _TAIL)
    except OSError:
        return
    for record in records:
        at = read_number(record.get("time"))
        if at is not None and now - _OLDEST < at < now:
            told = {name: read_number(value) for name, value in record.items() if _is_ours(name)}
            yield at, {name: value for name, value in told.items() if value is not None and math.isfinite(value)}


def _is_ours(name: str) -> bool:
    """The file is data from outside: nothing that we would not have written becomes a curve."""
    if name in _HOST_PARTS:
        return True
    first, _, rest = name.partition(".")
    index, _, part = rest.partition(".")
    return first == "gpu" and part in _PARTS and index.isdecimal() and len(index) < 3 and int(index) < _MOST_GPUS
