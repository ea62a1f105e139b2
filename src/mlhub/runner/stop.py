"""Ending a run: leave the intent, signal its supervisor, wait for the record; without a supervisor, do its work.

Nothing is signalled whose identity isn't certain. Not the place where queued runs are cancelled: they have no process.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from dataclasses import dataclass

from mlhub.errors import MlhubError
from mlhub.runner import family, identity, lock, record
from mlhub.runner.truth import Evidence, Verdict, inspect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import AttemptPaths, RunPaths

#: beyond the grace: the supervisor's own time for what is left behind, and for a slow disk
MARGIN_SECONDS = 15.0
_POLL = 0.02


@dataclass(frozen=True, slots=True)
class StopResult:
    """How it stands now, in a struct and in a line for the user. `stopped` is False if it had ended before."""

    verdict: Verdict
    message: str
    stopped: bool


def stop(paths: RunPaths, attempt: int, grace: float | None, who: str) -> StopResult:
    """End an attempt: TERM, `grace` seconds, KILL (at once if it is 0), and wait until it has ended.

    `grace` None is the one the run was launched with.

    A run that has ended already is no error. Raises MlhubError if it runs on another host, was not launched, or does
    not end because we may not signal it.
    """
    folder = paths.attempt(attempt)
    name = paths.root.name
    verdict = inspect(paths, attempt)
    if verdict.final:
        return StopResult(verdict, f"run {name} already ended: {verdict.status}", stopped=False)
    if verdict.condition and verdict.condition.startswith("unknown: this folder"):
        raise MlhubError(
            f"run {name}: {verdict.condition.partition(': ')[2]}", "Stop it with the home it was started in."
        )
    if verdict.condition and verdict.condition.startswith("unknown: other host"):
        raise MlhubError(f"run {name} runs on host {verdict.host}", f"Stop it there: mlhub stop {name}")
    if verdict.status == "queued" and verdict.condition is None:
        raise MlhubError(f"run {name} has not been started", "Nothing to stop.")
    given = record.real(record.read_json(str(folder.launch)), "grace") if grace is None else grace
    seconds = max(0.0, given or 0.0)
    record.write_stop(str(folder.root), who, seconds)
    verdict = _end(paths, attempt, seconds, who)
    if not verdict.final:
        raise MlhubError(
            f"run {name} does not end ({verdict.condition or 'its processes are still there'})", _hint(verdict)
        )
    return StopResult(verdict, f"run {name}: {verdict.reason or verdict.status}", stopped=True)


def _hint(verdict: Verdict) -> str:
    return f"Check that you may signal process {verdict.pid}, or try `mlhub stop --grace 0`."


def _end(paths: RunPaths, attempt: int, grace: float, who: str) -> Verdict:
    """Signal and wait, through the supervisor while there is one; its death changes the way, not the end."""
    folder = paths.attempt(attempt)
    deadline = identity.boot_clock() + grace + MARGIN_SECONDS
    told: set[int] = set()
    while True:
        verdict = inspect(paths, attempt)
        if verdict.final or identity.boot_clock() >= deadline:
            return verdict
        known = Evidence.read(folder)
        supervisor = known.find_supervisor() if known else None
        if known and supervisor and not supervisor.dead:
            if supervisor.pid not in told:
                _tell(supervisor)
                told.add(supervisor.pid)
            _wait_for(supervisor, min(deadline, identity.boot_clock() + 1.0))
        elif known and verdict.condition == "unsupervised":
            _end_unsupervised(folder, known, grace, who)
        else:
            time.sleep(_POLL)  # it is starting, or another stop is at work


def _tell(supervisor: identity.Process) -> None:
    """TERM; and CONT, as a stalled supervisor would never hear of it."""
    if identity.send(supervisor, signal.SIGTERM):
        identity.send(supervisor, signal.SIGCONT)
    else:
        owner = os.stat(f"/proc/{supervisor.pid}").st_uid if os.path.exists(f"/proc/{supervisor.pid}") else os.getuid()
        if owner != os.getuid():
            raise MlhubError(f"process {supervisor.pid} belongs to another user", "Ask its owner to stop the run.")


def _wait_for(process: identity.Process, deadline: float) -> None:
    """Until the process is gone or the deadline on the boot's clock has come."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        time.sleep(_POLL)
        return
    try:
        if identity.find_same(process.pid, process.start):
            select.select([descriptor], [], [], max(0.0, deadline - identity.boot_clock()))
    finally:
        os.close(descriptor)


def _end_unsupervised(folder: AttemptPaths, known: Evidence, grace: float, who: str) -> None:
    """The supervisor's part of the end. The lock keeps a second stop away; the exit code can't be known any more."""
    held = lock.take(str(folder.lock))
    if held is None:
        time.sleep(_POLL)
        return
    try:
        if record.read_exit(str(folder.root)) is not None:
            return
        forced = _end_child(known, grace)
        left = family.end_family(lambda: family.find_family(known.token, None), 0.1, 2.0)
        if not any(process.end == "still there" for process in left):
            _leave_record(folder, known, left, _ending(folder, who, grace, forced))
    finally:
        os.close(held)


def _end_child(known: Evidence, grace: float) -> bool:
    """End the verified command and its group; True if it had to be killed."""
    child = known.find_child()
    if child is None or child.dead:
        return False

    if grace > 0:
        for process in _with_child(known):
            if process.group == child.pid:
                identity.send(process, signal.SIGTERM)
                identity.send(process, signal.SIGCONT)
    deadline = identity.boot_clock() + grace
    while (rest := _with_child(known)) and identity.boot_clock() < deadline:
        time.sleep(_POLL)
    forced = bool(rest)
    limit = identity.boot_clock() + MARGIN_SECONDS / 3
    while (rest := _with_child(known)) and identity.boot_clock() < limit:
        for process in rest:
            identity.send(process, signal.SIGKILL)
        time.sleep(_POLL)
    return forced


def _with_child(known: Evidence) -> list[identity.Process]:
    """The command and everything of the run, while the command lives: only then do its group and tree mean anything."""
    child = known.find_child()
    return [] if child is None or child.dead else family.find_family(known.token, child.pid)


def _ending(folder: AttemptPaths, who: str, grace: float, forced: bool) -> tuple[str, str]:
    """Status and reason: cancelled, or, where the stop names a fault, failed by that."""
    from mlhub.runner.reason import Ending, explain

    asked = record.read_stop(str(folder.root))
    ending = Ending(who=who, ours=True, forced=grace if forced else None, why=asked.why if asked else "")
    status, reason = explain(ending, "")
    return status, f"{reason}; exit code unknown, its supervisor was killed"


def _leave_record(
    folder: AttemptPaths, known: Evidence, left: list[family.LeftBehind], ending: tuple[str, str]
) -> None:
    request = record.read_stop(str(folder.root))
    tree: record.Tree = {
        "version": 1,
        "attempt": int(folder.root.name),
        "token": known.token,
        "status": ending[0],
        "reason": ending[1],
        "exit_code": None,
        "signal": None,
        "requested_by": request.who if request else None,
        "requested_at": request.at if request else None,
        "started_at": known.started_at,
        "ended_at": record.timestamp(),
        "duration": round(identity.boot_clock() - known.started_boot, 3) if known.started_boot else None,
        "left_behind": [process._asdict() for process in left[:16]],
        "host": known.host.name,
        "written_by": "stop",
    }
    with contextlib.suppress(OSError):  # a full disk can't take the copy; the slot was reserved for that
        slot = (
            record.reserve_slot(str(folder.root))
            if not folder.slot.exists()
            else os.open(folder.slot, os.O_RDWR | os.O_CLOEXEC)
        )
        try:
            record.fill_slot(slot, tree)
        finally:
            os.close(slot)
        record.write_copies(str(folder.root), record.EXIT, tree)
