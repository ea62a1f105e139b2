"""Rows made to say what is true: each reader reads the run folders of active runs and writes down what it found.

What is true is decided in `runner.truth`; here it becomes rows. There is no daemon: every reading command calls this.
"""

from __future__ import annotations

import math
import os
import socket
from contextlib import suppress
from pathlib import Path

import msgspec

from mlhub.errors import NotFoundError
from mlhub.metrics import summarise
from mlhub.runner import alerts, identity, order
from mlhub.runner.truth import NEVER_STARTED_SECONDS, Verdict, find_orphans_of, inspect
from mlhub.store.runs import ACTIVE
from mlhub.text import now, seconds_between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import RunPaths
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

FOLDER_GONE = "its folder was removed"

#: a launch that is cut short so often is no accident
_MOST_LAUNCHES = 20


def refresh_active(store: Store) -> None:
    """Bring every queued or running row up to date."""
    for run in store.active():
        with suppress(NotFoundError):  # ended and removed by somebody else between two lines of ours
            settle(store, run)
    for run in store.orphaned():
        living = find_orphans_of(store.home.run(run.id), run.attempt)
        if living != run.orphans:
            store.set_orphans(run, living)


def refresh(store: Store, run: Run) -> Run:
    """The run as it is now, its summary folded up to the last whole record."""
    run = settle(store, run) if run.active else run
    while not run.summary_done and (folded := fold_summary(store, run)) is not None:
        run = folded
    return run


def settle(store: Store, run: Run) -> Run:
    """Read the run's folder and write what it says into its row; the row as it then is."""
    paths = store.home.run(run.id)
    if paths.attempt(run.attempt).launch.exists():
        verdict = inspect(paths, run.attempt)
        if verdict.reason and verdict.reason.startswith("never started") and _back_into_queue(store, run):
            return store.reload(run)
    elif run.started_at is not None:
        verdict = _without_folder(paths, run)
    else:
        found = _before_launch(store, run)
        if found is None:
            return run
        verdict = found
    if verdict.status in ACTIVE:
        _continue(store, run, verdict)
    else:
        _finish(store, run, verdict)
    return store.reload(run)


def _before_launch(store: Store, run: Run) -> Verdict | None:
    """Of a run that nobody has launched: its end, or None as long as it waits or is being launched."""
    paths = store.home.run(run.id)
    if (ended := inspect(paths, run.attempt)).final:  # cancelled in the queue, says its folder
        return ended
    waits = order.read(paths) is not None
    if waits and run.waiting:
        return None
    age = identity.boot_clock() - (run.claimed_boot or 0.0)
    if run.claimed_boot is not None and 0 <= age < NEVER_STARTED_SECONDS:
        return None
    if waits:  # who claimed it was killed before the launch
        store.unclaim(run)
        return None
    return Verdict(status="failed", reason="never started: mlhub was ended before the launch")


def _back_into_queue(store: Store, run: Run) -> bool:
    """A run from the queue whose launch was cut short, so that nothing ran, waits again, as its next attempt."""
    paths = store.home.run(run.id)
    given = order.read(paths)
    if given is None or given.attempt != run.attempt or run.attempt >= _MOST_LAUNCHES:
        return False
    ended = store.finish(run, status="failed", ended_at=now(), exit_code=None, signal=None, reason="never started")
    with suppress(OSError):  # a full disk: then it has failed, which is true too
        order.requeue(store, run, given, retries=run.retries, slots=run.slots)
    return ended


def _without_folder(paths: RunPaths, run: Run) -> Verdict:
    """A run whose folder somebody removed: its supervisor, known by its command line, tells whether it still runs."""
    try:
        command = Path(f"/proc/{run.supervisor_pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        command = []
    if os.fsencode(paths.root) in command:
        return Verdict(status="running", condition=FOLDER_GONE)
    return Verdict(status="failed", reason="lost: its folder was removed; exit code unknown")


def _continue(store: Store, run: Run, verdict: Verdict) -> None:
    if run.status != verdict.status and verdict.status == "running":
        _write_start(store, run, verdict)
        run = msgspec.structs.replace(run, condition=None)
    raised = alerts.read_active(store.home.run(run.id))
    stalled = next((str(alert.get("text")) for alert in raised if alert.get("name") == "stalled"), None)
    condition = ", ".join(word for word in (verdict.condition, stalled) if word) or None
    if run.condition != condition:
        store.set_condition(run, condition)
    if run.alerts != raised:
        store.set_alerts(run, raised)


def _write_start(store: Store, run: Run, verdict: Verdict) -> None:
    store.start(
        run,
        started_at=verdict.started_at,
        pid=verdict.pid,
        supervisor_pid=verdict.supervisor_pid,
        started_boot=verdict.started_boot,
    )


def _finish(store: Store, run: Run, verdict: Verdict) -> None:
    if run.started_at is None and verdict.started_at is not None:
        _write_start(store, run, verdict)
    store.finish(
        run,
        status=verdict.status,
        ended_at=verdict.ended_at or now(),
        exit_code=verdict.exit_code,
        signal=verdict.signal,
        reason=verdict.reason,
        duration=verdict.duration,
    )
    if verdict.orphans:
        store.set_orphans(run, list(verdict.orphans))
    if not (verdict.status == "failed" and run.retries):
        order.forget(store.home.run(run.id))


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


def fold_summary(store: Store, run: Run) -> Run | None:
    """`run` with the next part of its metrics folded into its summary; None when there was nothing new."""
    path = store.home.run(run.id).metrics
    try:
        summary, offset = summarise(path, run.summary, run.summary_offset)
    except OSError:  # one folder that can't be read must not cost the list of all
        return None
    done = not run.active and offset == run.summary_offset
    if offset == run.summary_offset and not done:
        return None
    store.set_summary(run, summary, offset, done=done)
    return store.reload(run)
