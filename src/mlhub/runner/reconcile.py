"""Rows made to say what is true: each reader reads the run folders of active runs and writes down what it found.

What is true is decided in `runner.truth`; here it becomes rows. There is no daemon: every reading command calls this.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mlhub.errors import NotFoundError
from mlhub.metrics import fold, read_records
from mlhub.runner.truth import Verdict, inspect
from mlhub.store.runs import ACTIVE
from mlhub.text import now, seconds_between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import RunPaths
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

FOLDER_GONE = "its folder was removed"

#: a row without a launch this many seconds after it was made belongs to an mlhub that was killed in between
_NEVER_STARTED_SECONDS = 10


def refresh_active(store: Store) -> None:
    """Bring every queued or running row up to date."""
    for run in store.active():
        with suppress(NotFoundError):  # ended and removed by somebody else between two lines of ours
            settle(store, run)


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
    elif run.started_at is not None:
        verdict = _without_folder(paths, run)
    else:
        age = seconds_between(run.created_at, None)
        if age is not None and 0 <= age < _NEVER_STARTED_SECONDS:
            return run
        verdict = Verdict(status="failed", reason="never started: mlhub was ended before the launch")
    if verdict.status in ACTIVE:
        _continue(store, run, verdict)
    else:
        _finish(store, run, verdict)
    return store.reload(run)


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
        store.start(run, started_at=verdict.started_at, pid=verdict.pid, supervisor_pid=verdict.supervisor_pid)
    if run.condition != verdict.condition:
        store.set_condition(run, verdict.condition)


def _finish(store: Store, run: Run, verdict: Verdict) -> None:
    if run.started_at is None and verdict.started_at is not None:
        store.start(run, started_at=verdict.started_at, pid=verdict.pid, supervisor_pid=verdict.supervisor_pid)
    store.finish(
        run,
        status=verdict.status,
        ended_at=verdict.ended_at or now(),
        exit_code=verdict.exit_code,
        signal=verdict.signal,
        reason=verdict.reason,
    )


def glance(store: Store, run: Run) -> Run:
    """`run` for a list: with the next part of its metrics, or as it was if somebody removed it meanwhile."""
    with suppress(NotFoundError):
        return run if run.summary_done else fold_summary(store, run) or run
    return run


def fold_summary(store: Store, run: Run) -> Run | None:
    """`run` with the next part of its metrics folded into its summary; None when there was nothing new."""
    path = store.home.run(run.id).metrics
    try:
        records, offset = read_records(path, run.summary_offset)
    except OSError:  # one folder that can't be read must not cost the list of all
        return None
    done = not run.active and offset == run.summary_offset
    if offset == run.summary_offset and not done:
        return None
    store.set_summary(run, fold(run.summary, records), offset, done=done)
    return store.reload(run)
