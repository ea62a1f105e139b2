"""`mlhub top --plain`: one picture, then changes as lines, for screen readers, terminals without a screen, and pipes.

Never a cursor move or a colour. Rows, metrics and the machine are read by the same threads as the screen's
(`mlhub.tui.words.outline.Readers`); what they found is only compared here.
"""

from __future__ import annotations

import select
import sys
import time
from typing import TYPE_CHECKING, Any

from mlhub.runner.reconcile import elapsed
from mlhub.text import duration, one_line
from mlhub.tui.words.outline import gpu_words, memory_share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.store.runs import Run
    from mlhub.tui.system.machine import Card
    from mlhub.tui.words.outline import Readers, State

#: seconds between two looks
_LOOK = 0.5
#: percent by which a GPU's work or memory must have changed to be told
_POINTS = 10
_ENDS = {"completed": "completed", "failed": "failed", "cancelled": "cancelled"}


class Changes:
    """Remembers what was told, and says what is new. `every`: seconds between two lines of one run's progress."""

    def __init__(self, readers: Readers, every: float) -> None:
        self._readers, self._every = readers, every
        self._runs = {run.id: run for run in readers.runs}
        self._error = readers.feed.snapshot.error
        self._alerts: dict[tuple[object, ...], dict[str, Any]] = {}
        self._told: dict[int, tuple[float, int | None]] = {}
        self._gpus: dict[int, tuple[float, float | None, float | None]] = {}
        for _ in self.lines(first=True):
            pass

    @property
    def over(self) -> bool:
        """Whether the one run that is watched has ended, or is gone."""
        if self._readers.focus is None:
            return False
        run = self._runs.get(self._readers.focus)
        return run is None or not (run.active or run.to_be_retried)

    def lines(self, *, first: bool = False) -> Iterator[str]:
        """What has changed since the last call; `first`: nothing is told yet, and all is to be remembered."""
        snapshot = self._readers.feed.snapshot
        if snapshot.error != self._error:
            self._error = snapshot.error
            yield f"rows are of the past: {snapshot.error}" if snapshot.error else "rows are read again"
        self._readers.want()
        runs = {run.id: run for run in self._readers.runs}
        if snapshot.error is None:
            before, self._runs = self._runs, runs
            for run in sorted(runs.values(), key=lambda run: run.id):
                yield from _turns(before.get(run.id), run)
            for run_id in sorted(before.keys() - runs.keys()):
                yield f"{_name(before[run_id])} was removed"
        yield from self._alert_lines(runs)
        for run in runs.values():
            if run.status == "running":
                yield from self._progress(self._readers.state(run), first=first)
        for card in self._readers.machine.reading.cards if self._readers.machine.reading else ():
            yield from self._gpu(card, first=first)

    def _alert_lines(self, runs: dict[int, Run]) -> Iterator[str]:
        reading = self._readers.machine.reading
        found: dict[tuple[object, ...], dict[str, Any]] = {
            (None, alert.get("name")): {"whose": "the machine"} | alert for alert in (reading.alerts if reading else ())
        }
        for run in runs.values():
            if run.active:
                found |= {(run.id, alert.get("name")): {"whose": _name(run)} | alert for alert in run.alerts}
        before, self._alerts = self._alerts, found
        for key in found.keys() - before.keys():
            yield f"alert: {_alert(found[key])}"
        for key in before.keys() - found.keys():
            if key[0] is None or ((run := runs.get(key[0])) and run.active):  # type: ignore[call-overload]
                yield f"alert over: {_alert(before[key])}"

    def _progress(self, state: State, *, first: bool) -> Iterator[str]:
        now, step = time.monotonic(), state.progress.step
        then, told = self._told.get(state.run.id, (now if first else -1e9, None))
        if first:
            self._told[state.run.id] = now, step
        if first or step is None or step == told or now - then < self._every:
            return
        self._told[state.run.id] = now, step
        parts = [f"epoch {state.epoch}"] if state.epoch is not None else []
        share = state.progress.fraction
        parts.append(f"step {state.steps}" + (f" ({100 * share:.0f} %)" if share is not None else ""))
        parts += [state.best] if state.best != "–" else []
        parts += [f"{state.speed:.3g} steps/s"] if state.speed else []
        parts += [f"ETA {duration(state.progress.eta)}"] if state.progress.eta else []
        yield f"{_name(state.run)}: {', '.join(parts)}"

    def _gpu(self, card: Card, *, first: bool) -> Iterator[str]:
        now, share, busy = time.monotonic(), memory_share(card.gpu), card.gpu.utilization
        then, *told = self._gpus.get(card.gpu.index, (-1e9, None, None))
        new = card.gpu.index not in self._gpus
        moved = any(_moved(old, value) for old, value in zip(told, (busy, share), strict=True))
        if new or (moved and now - then >= self._every):
            self._gpus[card.gpu.index] = now, busy, share
            if not first:
                yield f"GPU {card.gpu.index} {gpu_words(card)}"


def _moved(old: float | None, new: float | None) -> bool:
    return (old is None) != (new is None) or (old is not None and new is not None and abs(old - new) >= _POINTS)


def _turns(before: Run | None, run: Run) -> Iterator[str]:
    """What became of a run."""
    if before == run:
        return
    name = _name(run)
    was = before.status if before else None
    if run.status == "queued" and was != "queued":
        yield f"{name} waits" + (f": {one_line(run.condition)}" if run.condition else "")
    elif run.status == "running" and (was != "running" or (before and before.attempt != run.attempt)):
        yield f"{name} started" + (f", attempt {run.attempt}" if run.attempt > 1 else "")
    elif run.status in _ENDS and was != run.status:
        if was is None:
            yield f"{name} started"
        why = f": {one_line(run.reason)}" if run.reason and run.status != "completed" else ""
        took = elapsed(run)
        yield f"{name} {_ENDS[run.status]}" + (f" after {duration(took)}" if took is not None else "") + why
    elif run.status == "running" and before and before.condition != run.condition:
        yield f"{name}: {one_line(run.condition) if run.condition else 'all is well again'}"


def _name(run: Run) -> str:
    return f"run {run.id} {one_line(run.name)}"


def _alert(alert: dict[str, Any]) -> str:
    return f"{alert['whose']}: {one_line(str(alert.get('text')))}"


def follow(readers: Readers, every: float) -> None:
    """Print changes until the one run that is watched has ended, nobody reads any more, or Ctrl-C."""
    changes = Changes(readers, every)
    closed = select.poll()
    closed.register(sys.stdout.fileno(), 0)
    while not changes.over:
        if closed.poll(int(1000 * _LOOK)):  # the other end of the pipe is closed
            raise BrokenPipeError
        for line in changes.lines():
            sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {line}\n")
        sys.stdout.flush()
