"""Everything at one moment, as text or as JSON: what `mlhub top --once` shows, and where `--plain` begins.

No screen: Textual is not loaded here. How lines and tables are printed is `mlhub.cli.top`'s.
"""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mlhub import monitor
from mlhub.runner.reconcile import elapsed
from mlhub.store.runs import step_of
from mlhub.text import duration, local_time, now, number, one_line, seconds_between, size
from mlhub.tui import prefs
from mlhub.tui.charts.series import SeriesBook
from mlhub.tui.feed import Feed
from mlhub.tui.runs.progress import Progress, progress_of, speed_of
from mlhub.tui.system.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlhub.monitor import Gpu
    from mlhub.paths import Home
    from mlhub.settings import Settings
    from mlhub.store.runs import Run
    from mlhub.tui.model import Snapshot
    from mlhub.tui.system.machine import Card, Reading

#: seconds to wait for rows, for what takes a moment to be read, and between two looks
_ROWS, _MORE, _LOOK = 30.0, 3.0, 0.02
#: ended runs that are told of: to people, and in JSON
_ENDED, _IN_JSON = 10, 20
#: metrics of one run that are told to people
_METRICS = 40


class Readers:
    """The threads that read rows, metrics and the machine, without a screen."""

    def __init__(self, home: Home, settings: Settings, focus: int | None = None) -> None:
        self.home, self.settings, self.focus = home, settings, focus
        self.feed = Feed(home, settings)
        kept = prefs.load(home)
        kept.meters = True
        self.machine = Machine(home, kept, self.feed)
        self.machine.start()
        self.series = SeriesBook(home)
        self._counters = time.monotonic(), monitor.counters()

    def close(self) -> None:
        for reader in (self.series, self.machine, self.feed):
            reader.close()

    @property
    def runs(self) -> tuple[Run, ...]:
        """Those that are asked for, newest first."""
        snapshot = self.feed.snapshot
        if self.focus is None:
            return snapshot.runs
        return tuple(run for run in snapshot.runs if run.id == self.focus)

    def want(self) -> list[Run]:
        """Have the metrics of active runs (or of the one that is asked for) read; these runs."""
        from mlhub.compare.shown import main_metric

        wanted = [run for run in self.runs if run.status == "running" or run.id == self.focus]
        self.series.want_sketches(wanted, {run.id: main_metric(run) for run in wanted})
        return wanted

    def wait(self) -> None:
        """Until all of it was read once; what takes too long is left out."""
        _wait(lambda: self.feed.snapshot.settled or self.feed.snapshot.error, _ROWS)
        wanted = self.want()
        _wait(lambda: all(self.series.sketch(run.id) is not None for run in wanted), _MORE)
        _wait(lambda: self.machine.reading is not None, _MORE)

    def cpu(self) -> float | None:
        """Percent of the machine since these readers began, until the thread's second reading tells."""
        reading = self.machine.reading
        if reading is not None and reading.cpu is not None:
            return reading.cpu
        then, counters = self._counters
        seconds = time.monotonic() - then
        return monitor.rates(counters, monitor.counters(), seconds).get("cpu") if seconds > 0.1 else None

    def state(self, run: Run) -> State:
        """How far a run is."""
        from mlhub.compare.shown import main_metric

        sketch = self.series.sketch(run.id) if run.status == "running" or run.id == self.focus else None
        metric = main_metric(run)
        entry = run.summary.get(metric, {})
        at = time.time()
        return State(
            run,
            metric,
            entry.get("last"),
            progress_of(run, sketch, step_of(run), at),
            speed_of(run, sketch, at),
            sketch.epoch if sketch is not None else None,
        )


def _wait(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(_LOOK)


class State(NamedTuple):
    """A run, its main metric's name and last value (as recorded), and how far it is. `speed`: steps a second."""

    run: Run
    metric: str
    value: float | str | None
    progress: Progress
    speed: float | None
    epoch: int | None

    @property
    def steps(self) -> str:
        """`1200 of 10000`."""
        of = f" of {number(_whole(self.progress.total))}" if self.progress.total else ""
        return number(self.progress.step) + of

    @property
    def rate(self) -> str:
        return f"{self.speed:.3g}/s" if self.speed else "–"

    @property
    def best(self) -> str:
        return f"{one_line(self.metric)} {number(self.value)}" if self.metric and self.value is not None else "–"


def _whole(value: float | None) -> float | int | None:
    return int(value) if value is not None and float(value).is_integer() else value


class Table(NamedTuple):
    """`heads`: titles, with `>` in front of those whose cells stand at the right and `~` of those that shrink."""

    title: str
    heads: tuple[str, ...]
    rows: list[list[str]]


@dataclass(frozen=True)
class Outline:
    """What there is at one moment."""

    snapshot: Snapshot
    states: tuple[State, ...]
    reading: Reading | None
    cpu: float | None
    limit: int
    focus: int | None

    @classmethod
    def of(cls, readers: Readers) -> Outline:
        snapshot = readers.feed.snapshot
        active = [run for run in readers.runs if run.active]
        ended = [run for run in readers.runs if not run.active][:_IN_JSON]
        shown = sorted((*active, *ended), key=lambda run: -run.id)
        return cls(
            snapshot=snapshot,
            states=tuple(readers.state(run) for run in shown),
            reading=readers.machine.reading,
            cpu=readers.cpu(),
            limit=readers.settings.max_runs,
            focus=readers.focus,
        )

    @property
    def waiting(self) -> list[State]:
        """The next one first; those of other hosts after them."""
        order = {run_id: place for place, run_id in enumerate(self.snapshot.waiting)}
        queued = [state for state in self.states if state.run.status == "queued"]
        return sorted(queued, key=lambda state: (order.get(state.run.id, len(order)), state.run.id))

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """Of the machine (`run` is null) and of active runs."""
        machine = [{"run": None} | alert for alert in (self.reading.alerts if self.reading else ())]
        runs = [{"run": state.run.id} | alert for state in self.states for alert in state.run.alerts if _told(state)]
        return [*machine, *runs]

    # as text

    def facts(self) -> list[tuple[str, str]]:
        """What is said of everything in a line each."""
        counts = self.snapshot.counts
        words = [f"{counts[word]} {word}" for word in _WORDS if counts.get(word)]
        found = [("runs", ", ".join(words) or "none yet; start one: mlhub run quickstart")]
        if self.snapshot.error:
            found.append(("rows", f"of the past: {self.snapshot.error}"))
        queue = self.snapshot.queue
        if queue is not None and queue.paused:
            found.append(("queue", f"paused: {one_line(queue.reason or 'by hand')}; mlhub queue resume goes on"))
        found += self._machine()
        names = {state.run.id: one_line(state.run.name) for state in self.states}
        for alert in self.alerts:
            whose = "" if alert["run"] is None else f"run {alert['run']} {names[alert['run']]}: "
            found.append(("alert", f"{whose}{one_line(str(alert.get('text')))} ({local_time(alert.get('at'))})"))
        return found

    def _machine(self) -> list[tuple[str, str]]:
        reading = self.reading
        if reading is None or reading.error:
            return [("machine", reading.error if reading else "not read yet")]
        parts = [f"CPU {self.cpu:.0f} %"] if self.cpu is not None else []
        if reading.memory.total:
            parts.append(f"memory {size(reading.memory_used)} of {size(reading.memory.total)}")
        if reading.disk:
            parts.append(f"disk {size(reading.disk.free)} free")
        cards = [(f"GPU {card.gpu.index}", gpu_words(card)) for card in reading.cards]
        return [("machine", ", ".join(parts)), *(cards or [("GPU", f"none: {reading.no_gpu}")])]

    def tables(self) -> list[Table]:
        """What runs, what waits, and what has ended."""
        running = [state for state in self.states if state.run.status == "running"]
        ended = sorted(
            (state for state in self.states if not state.run.active),
            key=lambda one: one.run.ended_at or "",
            reverse=True,
        )
        found = [
            Table("running", _RUNNING, [_running(state) for state in running]),
            Table("waiting", _WAITING, [_waiting(state) for state in self.waiting]),
            Table("ended", _ENDED_HEADS, [_ended(state) for state in ended[:_ENDED]]),
        ]
        if self.focus is not None:
            found += [Table("metrics", _METRIC_HEADS, _metrics(state.run)) for state in self.states]
        return [table for table in found if table.rows]

    # as JSON

    def document(self) -> dict[str, Any]:
        """As docs/top.md says."""
        reading, queue, host = self.reading, self.snapshot.queue, socket.gethostname()
        here = [run.id for run in self.snapshot.runs if run.active and not run.waiting and run.host == host]
        return {
            "at": now(),
            "host": host,
            "counts": self.snapshot.counts,
            "runs": [state.run.to_json() | {"progress": _progress(state)} for state in self.states],
            "queue": {
                "paused": queue is not None and queue.paused,
                "reason": queue.reason if queue is not None and queue.paused else None,
                "limit": self.limit or None,
                "active": here,
                "waiting": list(self.snapshot.waiting),
            },
            "gpus": [_card(card) for card in reading.cards] if reading else [],
            "machine": _machine(reading, self.cpu),
            "alerts": self.alerts,
            "error": self.snapshot.error,
        }


_WORDS = ("running", "queued", "failed", "completed", "cancelled")
_RUNNING = (">id", "~name", ">step", "~metric", ">speed", ">ETA", ">took", "~note")
_WAITING = (">id", "~name", ">prio", ">gpus", ">queued", "~why")
_ENDED_HEADS = (">id", "status", "~name", ">step", "~metric", ">ended", ">took", "~note")
_METRIC_HEADS = ("~metric", ">last", ">min", ">max", ">step")


def gpu_words(card: Card) -> str:
    """A GPU in a line."""
    gpu = card.gpu
    memory = gpu.memory
    parts = [f"{number(gpu.utilization)} %"] if gpu.utilization is not None else []
    if memory.used is not None:
        parts.append(f"{size(memory.used)} of {size(memory.total) if memory.total else '–'}")
    parts += [f"{gpu.temperature} °C"] if gpu.temperature is not None else []
    parts += [f"{gpu.power:.0f} W"] if gpu.power is not None else []
    parts += [f"run{'s' if len(card.claimed) > 1 else ''} {', '.join(map(str, card.claimed))}"] if card.claimed else []
    return f"{card.name}: {', '.join(parts) or 'no figures'}"


def memory_share(gpu: Gpu) -> float | None:
    """Percent of its memory in use."""
    used, total = gpu.memory.used, gpu.memory.total
    return 100 * used / total if used is not None and total else None


def _told(state: State) -> bool:
    return state.run.active or state.run.condition is not None


def _note(run: Run) -> str:
    texts = [str(alert.get("text")) for alert in run.alerts] if run.active else []
    again = [f"attempt {run.attempt}"] if run.attempt > 1 and run.active else []
    reason = [run.reason] if run.reason and not run.active and run.status != "completed" else []
    return one_line(", ".join([*([run.condition] if run.condition else []), *reason, *texts, *again]))


def _running(state: State) -> list[str]:
    run = state.run
    eta = duration(state.progress.eta)
    return [str(run.id), run.name, state.steps, state.best, state.rate, eta, duration(elapsed(run)), _note(run)]


def _waiting(state: State) -> list[str]:
    run = state.run
    wanted = str(run.gpus_wanted or "–")
    return [str(run.id), run.name, str(run.priority), wanted, local_time(run.created_at), _note(run)]


def _ended(state: State) -> list[str]:
    run = state.run
    step = number(state.progress.step)
    took = duration(elapsed(run))
    return [str(run.id), run.status, run.name, step, state.best, local_time(run.ended_at), took, _note(run)]


def _metrics(run: Run) -> list[list[str]]:
    names = sorted(run.summary)[:_METRICS]
    return [[name, *(number(run.summary[name].get(key)) for key in ("last", "min", "max", "step"))] for name in names]


def _progress(state: State) -> dict[str, Any]:
    return {
        "step": state.progress.step,
        "total": state.progress.total,
        "eta": state.progress.eta,
        "speed": state.speed,
        "epoch": state.epoch,
        "metric": state.metric or None,
        "value": state.value,
        "elapsed": elapsed(state.run),
        "queued": seconds_between(state.run.created_at, state.run.started_at) if state.run.status == "queued" else None,
    }


def _card(card: Card) -> dict[str, Any]:
    """As in `mlhub gpu --json`."""
    import msgspec

    tree: dict[str, Any] = msgspec.to_builtins(card.gpu)
    return tree | {
        "processes": [msgspec.to_builtins(process) for process in card.processes],
        "claimed": list(card.claimed),
    }


def _machine(reading: Reading | None, cpu: float | None) -> dict[str, Any]:
    if reading is None or reading.error:
        return {"error": reading.error if reading else "not read in time"}
    memory = reading.memory
    return {
        "cpu": None if cpu is None else round(cpu, 1),
        "memory": {"total": memory.total, "available": memory.available},
        "disk": asdict_or_none(reading.disk),
        "no_gpu": reading.no_gpu or None,
        **{name: value for name, value in reading.rates.items() if value is not None},
    }


def asdict_or_none(disk: monitor.Disk | None) -> dict[str, int] | None:
    return None if disk is None else {"total": disk.total, "free": disk.free}
