"""Rows made to say what is true: each reader reads the run folders of active runs and writes down what it found.

What is true is decided in `runner.truth`; here it becomes rows. There is no daemon: every reading command calls this.
"""

from __future__ import annotations

import math
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from mlhub.errors import NotFoundError, StoreError
from mlhub.records import summarise
from mlhub.runner import identity, lock, order, record
from mlhub.runner.truth import NEVER_STARTED_SECONDS, Verdict, find_orphans_of, inspect
from mlhub.store.runs import ACTIVE
from mlhub.text import now, seconds_between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import RunPaths
    from mlhub.records import Summary
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

#: bytes of metrics that are folded before the row is written: for a list, and for who waits for the end. Each fold
#: looks for marks in all that follows, so that in small parts a file of gigabytes would be read a hundred times.
_PART, _WHOLE = 1 << 24, 1 << 28

FOLDER_GONE = "its folder was removed"

#: who reads waits no longer for somebody who hangs while writing; what can't be written now is shown all the same
_PATIENCE_SECONDS = 1.0
#: held by a sampler, as `mlhub.runner.sample.LOCK`, whose import a list would feel
_SAMPLER = "sampler.lock"
#: a launch that is cut short so often is no accident
_MOST_LAUNCHES = 20


def refresh_active(store: Store) -> dict[int, Run]:
    """Bring every queued or running row up to date; what was found, by id, also where it could not be written."""
    with store.patience(_PATIENCE_SECONDS):
        return _refresh_active(store)


def _refresh_active(store: Store) -> dict[int, Run]:
    found = {}
    for run in store.active():
        with suppress(NotFoundError):  # ended and removed by somebody else between two lines of ours
            found[run.id] = settle(store, run)
    for run in store.orphaned():
        if run.host != socket.gethostname():
            continue  # they can't be seen from here
        living = find_orphans_of(store.home.run(run.id), run.attempt)
        if living != run.orphans:
            with suppress(StoreError):
                store.set_orphans(run, living)
    return found


def listed(store: Store, run: Run, found: dict[int, Run]) -> Run:
    """A row for a list: its metrics folded a step further, and its end as found where a full disk took no writing."""
    seen = found.get(run.id)
    if seen is not None and run.active and not seen.active and seen.attempt == run.attempt:
        run = seen
    return glance(store, run)


def refresh(store: Store, run: Run) -> Run:
    """The run as it is now, its summary folded up to the last whole record."""
    run = settle(store, run) if run.active else run
    while not run.summary_done and (folded := fold_summary(store, run, _WHOLE)) is not None:
        run = folded
    return run


def settle(store: Store, run: Run) -> Run:
    """Read the run's folder and write what it says into its row; the row as it then is."""
    paths = store.home.run(run.id)
    if paths.attempt(run.attempt).launch.exists():
        verdict = inspect(paths, run.attempt)
        if verdict.never_started:
            if not order.close_attempt(paths, run, "failed", verdict.reason or _NEVER):
                return run  # it begins this very moment
            if back_into_queue(store, run):
                return store.reload(run)
    elif run.started_at is not None:
        verdict = _without_folder(paths, run)
    else:
        found = _before_launch(store, run)
        if found is None:
            return run
        verdict = found
    raised = _raised(paths) if verdict.status in ACTIVE else []
    seen = _as_found(run, verdict, raised)
    with suppress(StoreError):  # a full disk, a read-only home: what was read is true all the same
        if seen.active:
            _continue(store, run, seen)
        else:
            _finish(store, run, seen)
        return store.reload(run)
    return seen


def _raised(paths: RunPaths) -> list[dict[str, Any]]:
    """The alerts of a run that is active: without one, a list need not load how they are read."""
    from mlhub.runner.alerts import read_active

    return read_active(paths)


def _as_found(run: Run, verdict: Verdict, raised: list[dict[str, Any]]) -> Run:
    """The row as it should be."""
    stalled = [str(alert.get("text")) for alert in raised if alert.get("name") == "stalled"]
    began = verdict.started_at is not None
    return msgspec.structs.replace(
        run,
        status=verdict.status,
        condition=", ".join((*([verdict.condition] if verdict.condition else []), *stalled)) or None,
        exit_code=verdict.exit_code,
        signal=verdict.signal,
        reason=verdict.reason,
        started_at=verdict.started_at if began else run.started_at,
        started_boot=verdict.started_boot if began else run.started_boot,
        pid=verdict.pid if began else run.pid,
        supervisor_pid=verdict.supervisor_pid if began else run.supervisor_pid,
        ended_at=None if verdict.status in ACTIVE else verdict.ended_at or now(),
        duration=verdict.duration,
        orphans=list(verdict.orphans),
        alerts=raised,
    )


def _before_launch(store: Store, run: Run) -> Verdict | None:
    """Of a run that nobody has launched: its end, or None as long as it waits or is being launched."""
    paths = store.home.run(run.id)
    if (ended := inspect(paths, run.attempt)).final:  # cancelled in the queue, says its folder
        return ended
    waits = paths.attempt(run.attempt).order.exists()
    if waits and run.waiting:
        return None
    age = identity.boot_clock() - (run.claimed_boot or 0.0)
    if run.claimed_boot is not None and 0 <= age < NEVER_STARTED_SECONDS:
        return None
    if waits:  # who claimed it was killed before the launch
        store.unclaim(run)
        return None
    order.close_attempt(paths, run, "failed", _NEVER)
    return Verdict(status="failed", reason=_NEVER)


_NEVER = "never started: mlhub was ended before the launch"


def back_into_queue(store: Store, run: Run) -> bool:
    """A run from the queue whose attempt was closed before it began waits again, as its next attempt."""
    paths = store.home.run(run.id)
    with suppress(OSError):  # a full disk: then it has failed, which is true too
        if run.attempt < _MOST_LAUNCHES and order.pass_on(paths, run.attempt):
            return order.requeue(store, run, retries=run.retries, slots=run.slots)
    return False


def _without_folder(paths: RunPaths, run: Run) -> Verdict:
    """A run whose folder somebody removed: its supervisor, known by its command line, tells whether it still runs."""
    try:
        command = Path(f"/proc/{run.supervisor_pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        command = []
    if os.fsencode(paths.root) in command:
        return Verdict(status="running", condition=FOLDER_GONE)
    return Verdict(status="failed", reason="lost: its folder was removed; exit code unknown")


def _continue(store: Store, run: Run, seen: Run) -> None:
    if run.status != seen.status and seen.status == "running":
        _write_start(store, seen)
        run = msgspec.structs.replace(run, condition=None)
    if run.condition != seen.condition:
        store.set_condition(run, seen.condition)
    if run.alerts != seen.alerts:
        store.set_alerts(run, seen.alerts)


def _write_start(store: Store, seen: Run) -> None:
    store.start(
        seen,
        started_at=seen.started_at,
        pid=seen.pid,
        supervisor_pid=seen.supervisor_pid,
        started_boot=seen.started_boot,
    )


def _finish(store: Store, run: Run, seen: Run) -> None:
    if run.started_at is None and seen.started_at is not None:
        _write_start(store, seen)
    store.finish(
        run,
        status=seen.status,
        ended_at=seen.ended_at,
        exit_code=seen.exit_code,
        signal=seen.signal,
        reason=seen.reason,
        duration=seen.duration,
    )
    if seen.orphans:
        store.set_orphans(run, seen.orphans)
    if not seen.to_be_retried:
        order.forget(store.home.run(run.id), run.attempt)


def elapsed(run: Run) -> float | None:
    """Seconds that the newest attempt ran, or has run so far; None before it began.

    By the boot's clock, which nobody sets; by the wall's only for what another host or boot says.
    """
    if run.started_at is None:
        return None
    if run.duration is not None:
        return run.duration
    so_far = identity.boot_clock() - (run.started_boot or math.inf)
    if run.active and so_far >= 0 and run.host == socket.gethostname():
        return so_far
    return seconds_between(run.started_at, run.ended_at)


def glance(store: Store, run: Run) -> Run:
    """`run` for a list: with the next part of its metrics, or as it was if somebody removed it meanwhile."""
    with suppress(NotFoundError):
        return run if run.summary_done else fold_summary(store, run) or run
    return run


def _of_archive(paths: RunPaths) -> Summary | None:
    from mlhub.runner.archive import read_summary

    return read_summary(paths)


def take_in(paths: RunPaths, run: Run) -> bool:
    """Take in what the program printed, where no sampler does; False if there is more of an ended run to come.

    For who reads the file of metrics itself; who reads the summary of `refresh` or `glance` has it so.
    """
    if run.active and (run.status != "running" or lock.held(str(paths.attempt(run.attempt).root / _SAMPLER))):
        return True
    from mlhub.runner.follow import catch_up

    return catch_up(paths, run.attempt, final=not run.active)


def _take_captured(store: Store, run: Run, paths: RunPaths) -> None:
    """What the program says of itself: that it trains, and its hyperparameters, for a run started without a config."""
    if not paths.capture.exists():
        return
    from mlhub.arguments import with_arguments
    from mlhub.runner.folder import read_json, read_spec
    from mlhub.runner.kinds import kind_of

    captured = read_json(paths.capture)
    if kind_of(run.kind, captured) != run.kind:
        with suppress(StoreError):
            store.set_training(run)
    found = record.part(captured, "parameters")
    if found and not run.config:
        command = read_spec(paths).get("command")
        argv = [str(word) for word in command] if isinstance(command, list) else []
        with suppress(StoreError):
            store.set_config(run, with_arguments(found, argv))


def fold_summary(store: Store, run: Run, limit: int = _PART) -> Run | None:
    """`run` with the next `limit` bytes or so of its metrics folded into its summary; None: there was nothing new."""
    paths = store.home.run(run.id)
    if run.kind == "command" or not run.config:
        _take_captured(store, run, paths)
    whole = take_in(paths, run)
    try:
        summary, offset = summarise(paths.metrics, run.summary, run.summary_offset, limit)
        if not run.active and offset == run.summary_offset == 0:  # of a rebuilt row: its metrics may be compacted
            summary = _of_archive(paths) or summary
    except OSError:  # one folder that can't be read must not cost the list of all
        return None
    done = not run.active and whole and offset == run.summary_offset
    if offset == run.summary_offset and not done:
        return None
    with suppress(StoreError):
        store.set_summary(run, summary, offset, done=done)
        return store.reload(run)
    return msgspec.structs.replace(run, summary=summary, summary_offset=offset, summary_done=done)
