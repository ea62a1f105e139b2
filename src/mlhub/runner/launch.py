"""Starting a run's supervisor, detached, and hearing from it whether the command started. The rest is the supervisor's.

Not the place where a run gets its row, folder and spec (`mlhub.runner.submit`).
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlhub.errors import MlhubError
from mlhub.runner import identity, lock, record
from mlhub.runner.logout import logout_kills, scope_prefix
from mlhub.runner.truth import Evidence, inspect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.paths import AttemptPaths, RunPaths

__all__ = ["AlreadyStartedError", "DiskFullError", "Launch", "Started", "launch", "logout_kills"]

#: a machine under full load answers in 2 s; what takes longer hangs
ANSWER_SECONDS = 30.0
#: the kernel frees a killed process's lock in milliseconds
_DEATH_SECONDS = 2.0
_ENTRY = str(Path(__file__).with_name("__main__.py"))


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start. `env` is the command's whole environment and never written to disk; `grace` is in seconds.

    `database` is the SQLite file whose row (its id is the name of the run's folder) the supervisor brings to final.
    """

    argv: Sequence[str]
    cwd: Path
    env: Mapping[str, str]
    log: Path
    grace: float = 10.0
    database: Path | None = None
    stop_on_nan: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """The command runs: its pid, its supervisor's, and since when (UTC)."""

    pid: int
    supervisor_pid: int
    started_at: str
    started_boot: float = 0.0


class AlreadyStartedError(MlhubError):
    """Somebody else launched this very attempt."""


class DiskFullError(MlhubError):
    """Nothing was started, and would be if there were room."""


def launch(paths: RunPaths, attempt: int, spec: Launch) -> Started:
    """Start attempt `attempt` of a run, detached from this process and its terminal; returns once the command runs.

    Raises MlhubError if it was refused or could not be started, with the reason. Then nothing runs, and the attempt's
    exit record says why, as far as the disk takes it.
    """
    paths = replace(paths, root=paths.root.absolute())  # the supervisor lives in /
    folder = paths.attempt(attempt)
    token = secrets.token_hex(8)
    _check_free(paths, attempt)
    if attempt > 1:  # what comes into the log from now on is this attempt's
        from mlhub.runner.follow import catch_up

        catch_up(paths, attempt - 1, wait=True)
    try:
        folder.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = os.open(folder.root / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        record.write_json(str(folder.launch), _order(attempt, spec, token, os.stat(folder.root).st_ino), exclusive=True)
        answer = _start_supervisor(paths, attempt, {**spec.env, identity.TOKEN_NAME: f"supervisor:{token}"}, log)
    except FileExistsError:
        raise AlreadyStartedError(
            f"attempt {attempt} of run {paths.root.name} was started already", "mlhub show tells how it went."
        ) from None
    except OSError as error:
        raise _cannot_write(folder, error) from error
    finally:
        os.close(log)
    pid, supervisor_pid = record.whole(answer, "pid"), record.whole(answer, "supervisor_pid")
    if pid is None or supervisor_pid is None:
        why = record.text(answer, "refused")
        if not why and (started := _find_started(paths, attempt)):
            return started
        if record.was_given_up(str(folder.root)):
            raise AlreadyStartedError(
                f"attempt {attempt} of run {paths.root.name} was given up", "mlhub show tells why."
            )
        raise _refusal(why or "the supervisor died or hung before the command was started", folder)
    return Started(pid, supervisor_pid, record.text(answer, "started_at"), record.real(answer, "started_boot") or 0.0)


def _find_started(paths: RunPaths, attempt: int) -> Started | None:
    """What runs though its supervisor died before it could say so: then it is an unsupervised run like any other."""
    deadline = identity.boot_clock() + _DEATH_SECONDS
    while identity.boot_clock() < deadline:
        known = Evidence.read(paths.attempt(attempt))
        child = identity.find_same(*known.child) if known and known.child else None
        held = lock.held(str(paths.attempt(attempt).lock))
        if not held and (child is None or child.dead):
            return None
        # only by its token: a fork of the dead supervisor, on its way out, must not pass for the command
        if not held and known and known.supervisor and child and identity.read_token(child.pid) == known.token:
            return Started(child.pid, known.supervisor[0], known.started_at or "", known.started_boot)
        time.sleep(0.01)
    return None


def _check_free(paths: RunPaths, attempt: int) -> None:
    """Never two writers in one folder: an earlier attempt's command may outlive its supervisor."""
    if attempt > 1 and inspect(paths, attempt - 1).status == "running":
        raise MlhubError(
            f"attempt {attempt - 1} of run {paths.root.name} is still running", f"mlhub stop {paths.root.name} ends it."
        )


def _order(attempt: int, spec: Launch, token: str, folder_inode: int) -> record.Tree:
    """launch.json: what the supervisor reads, and from when on readers count it as launched."""
    return {
        "version": 1,
        "attempt": attempt,
        "token": token,
        "argv": list(spec.argv),
        "cwd": str(spec.cwd.absolute()),
        "log": str(spec.log.absolute()),
        "grace": spec.grace,
        "stop_on_nan": spec.stop_on_nan,
        "database": str(spec.database.absolute()) if spec.database else None,
        "inode": folder_inode,
        "at": record.timestamp(),
        "boot_clock": identity.boot_clock(),
        **identity.this_host()._asdict(),
    }


def _start_supervisor(paths: RunPaths, attempt: int, env: Mapping[str, str], log: int) -> record.Tree | None:
    """Its answer, or None if it died without one. It gets a scope of its own where a logout would kill it."""
    prefix = scope_prefix()
    answer = _exchange(prefix, paths, attempt, env, log)
    if answer is None and prefix and not paths.attempt(attempt).slot.exists():  # systemd-run itself failed
        answer = _exchange([], paths, attempt, env, log)
    return answer


def _exchange(prefix: list[str], paths: RunPaths, attempt: int, env: Mapping[str, str], log: int) -> record.Tree | None:
    heard, said = os.pipe()
    command = [*prefix, sys.executable, "-I", "-S", _ENTRY, str(paths.root), str(attempt), str(said)]
    try:
        process = subprocess.Popen(
            command,
            cwd="/",
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            pass_fds=(said,),
            start_new_session=True,
        )
    except BaseException:
        os.close(heard)
        raise
    finally:
        os.close(said)
    try:
        return _hear(heard)
    except TimeoutError:
        os.killpg(process.pid, signal.SIGKILL)  # not reaped yet, so the group is its own
        return None
    finally:
        os.close(heard)
        process.wait()  # it forked at once and is gone


def _hear(descriptor: int) -> dict[str, Any] | None:
    """The supervisor's one line; None if it ended without. Raises TimeoutError."""
    deadline = identity.boot_clock() + ANSWER_SECONDS
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - identity.boot_clock()))
        if not ready:
            raise TimeoutError
        data = os.read(descriptor, 1 << 16)
        if not data:
            return None
        line += data
    answer: dict[str, Any] = json.loads(line)
    return answer


def _cannot_write(folder: AttemptPaths, error: OSError) -> MlhubError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFullError("the disk is full; nothing was started", f"Make room where {folder.root} lies.")
    return MlhubError(f"cannot start: {error.strerror} ({error.filename})", f"Check that {folder.root} can be written.")


def _refusal(reason: str, folder: AttemptPaths) -> MlhubError:
    if os.strerror(errno.ENOSPC) in reason:
        return _cannot_write(folder, OSError(errno.ENOSPC, ""))
    if reason.startswith("cannot start '"):
        return MlhubError(reason, "Check the command's name and that it is executable.")
    if reason.startswith("cannot enter"):
        return MlhubError(reason, "Start it from a folder that exists.")
    return MlhubError(reason, f"More may stand in {folder.root / 'supervisor.log'}.")
