"""Is everything healthy: what `mlhub doctor` looks at, each check a function, each with a remedy. Nothing is changed.

Putting right what is safe to put right is `runner.mend`'s.
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import time
from dataclasses import dataclass
from functools import partial
from typing import Literal

from mlhub import monitor
from mlhub.errors import MlhubError
from mlhub.runner import house, leftovers, lock, record, trash, tree
from mlhub.text import local_time, one_line, seconds_between, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sized
    from pathlib import Path

    from mlhub.paths import Home
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

Status = Literal["ok", "warn", "fail"]

#: bytes free below which there is a warning, and below which nothing can be started any more
LOW_DISK, FULL_DISK = 2_000_000_000, 20_000_000
#: °C
HOT, TOO_HOT = 85, 95
#: a run's times come from the same clock; what is farther ahead than this was written under another
_CLOCK_SECONDS = 60.0
#: a supervisor that still writes copies of the record holds its lock a moment longer
_ENDING_SECONDS = 60.0
#: runs whose files are looked at one by one
_NEWEST = 1000
#: what no clock was set to since mlhub exists: 2024
_LONG_AGO = 1_704_067_200


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at, and what to do if it isn't well. `mend`: `mlhub doctor --fix` does it."""

    name: str
    status: Status
    detail: str
    remedy: str = ""
    mend: bool = False


def examine(home: Home) -> list[Check]:
    """All checks, in the order in which they are shown."""
    from mlhub.store.store import Store

    looks: list[Callable[[], Check]] = [partial(check_home, home)]
    store: Store | None = None
    try:
        store = Store.open(home)
        of_store = (check_store, check_runs, check_alerts, check_orphans, check_queue, check_locks)
        looks += [partial(look, store) for look in (*of_store, check_files, check_temporary, check_clock, check_sizes)]
    except MlhubError as error:
        looks.append(partial(Check, "store", "fail", error.message, error.hint, "--rebuild" in error.hint))
    looks += [partial(check_disk, home, name) for name in ("home", "data", "checkpoints", "logs")]
    looks += [check_packages, check_nvml, check_logout]
    try:
        checks = [_guarded(look) for look in looks]
    finally:
        if store is not None:
            store.close()
    return [check for check in checks if check.detail]


def _guarded(look: Callable[[], Check]) -> Check:
    """A check that can't be made is a failed check: the others are still wanted."""
    try:
        return look()
    except MlhubError as error:
        return Check(_name(look), "fail", error.message, error.hint)
    except OSError as error:
        return Check(_name(look), "fail", str(error), "Make it readable for you.")


def _name(look: Callable[[], Check]) -> str:
    function = look.func if isinstance(look, partial) else look
    return str(getattr(function, "__name__", "check")).removeprefix("check_")


def check_home(home: Home) -> Check:
    found = home.root.stat()
    mode = found.st_mode & 0o777
    close = f"chmod 700 {home.root}"
    if found.st_uid != os.getuid():
        return Check(
            "home", "fail", f"{home.root} belongs to another user ({found.st_uid})", "Set MLHUB_HOME to yours."
        )
    if mode & 0o077:
        return Check("home", "warn", f"{home.root} is open to other users ({mode:04o})", close, mend=True)
    if mode != 0o700:
        return Check("home", "fail", f"{home.root} is closed to you ({mode:04o})", close, mend=True)
    return Check("home", "ok", str(home.root))


def check_store(store: Store) -> Check:
    """SQLite's own check of the file; rows are brought up to date on the way, so that the rest speaks of now."""
    from mlhub.runner.reconcile import refresh_active
    from mlhub.store.migrate import HEAD

    found = store.check()
    if found != "ok":
        return Check("store", "fail", f"{store.home.database}: {one_line(found)}", "mlhub doctor --rebuild", mend=True)
    refresh_active(store)
    rows, active = len(store.ids()), len(store.active())
    return Check("store", "ok", f"{rows} runs, {active} active; schema {HEAD}")


def check_runs(store: Store) -> Check:
    """Runs of which not all is known: without a supervisor, stalled, on another host."""
    odd = [run for run in store.active() if run.condition and not run.waiting and run.condition != "starting"]
    if not odd:
        return Check("runs", "ok", "each active run has its supervisor")
    words = "; ".join(f"{_named(run)}: {one_line(run.condition or '')}" for run in odd[:5])
    return Check(
        "runs", "warn", words + _more(odd, 5), f"mlhub show {odd[0].id} tells more, mlhub stop {odd[0].id} ends it"
    )


def check_alerts(store: Store) -> Check:
    raised = [(run, alert) for run in store.active() for alert in run.alerts]
    if not raised:
        return Check("alerts", "ok", "none")
    words = "; ".join(f"{_named(run)}: {one_line(str(alert.get('text', '')))}" for run, alert in raised[:5])
    worst: Status = "fail" if any(alert.get("severity") == "fail" for _, alert in raised) else "warn"
    return Check("alerts", worst, words + _more(raised, 5), f"mlhub show {raised[0][0].id}")


def check_orphans(store: Store) -> Check:
    """Processes of runs that have ended."""
    found = leftovers.orphaned(store)
    if not found:
        return Check("orphans", "ok", "none")
    words = "; ".join(f"{_named(run)}: {', '.join(map(str, pids[:8]))}" for run, pids in found[:5])
    return Check(
        "orphans", "warn", f"processes of ended runs: {words}{_more(found, 5)}", "mlhub doctor --fix", mend=True
    )


def check_queue(store: Store) -> Check:
    state = store.queue_state(socket.gethostname())
    waiting = sum(run.waiting for run in store.active())
    if state.paused:
        detail = f"paused ({one_line(state.reason or 'by hand')}); {waiting} waiting"
        return Check("queue", "warn", detail, "mlhub queue resume")
    return Check("queue", "ok", f"{waiting} waiting")


def check_locks(store: Store) -> Check:
    """Locks that are held though nothing should hold them: by what has hung, as any death frees them."""
    held = []
    try:
        with open(store.home.migrate_lock, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        held.append("the store's upgrade (migrate.lock)")
    except FileNotFoundError:
        pass
    for run in store.newest(_NEWEST):
        age = None if run.active else seconds_between(run.ended_at, None)
        path = store.home.run(run.id).attempt(run.attempt).lock
        if age is not None and age > _ENDING_SECONDS and lock.held(str(path)):
            held.append(f"the supervisor of {_named(run)}, which has ended (pid {run.supervisor_pid})")
    if held:
        return Check(
            "locks", "warn", "; ".join(held[:5]) + _more(held, 5), "End the process that holds it, or wait for it."
        )
    return Check("locks", "ok", "none is held by what has ended")


def check_files(store: Store) -> Check:
    """Records that are there and can't be read."""
    torn = []
    for run in store.newest(_NEWEST):
        paths = store.home.run(run.id)
        torn += [
            path for path in (paths.spec, paths.process) if os.path.lexists(path) and not record.read_json(str(path))
        ]
        attempt = paths.attempt(run.attempt)
        if not run.active and os.path.lexists(attempt.slot) and record.read_exit(str(attempt.root)) is None:
            torn += [attempt.slot] if (record.read_bytes(str(attempt.slot)) or b"x").strip(b"\n") else []
    if torn:
        words = ", ".join(one_line(str(path.relative_to(store.home.root))) for path in torn[:5])
        return Check(
            "files",
            "warn",
            f"torn or garbled: {words}{_more(torn, 5)}",
            "Nothing to do: the rest is read without them.",
        )
    return Check("files", "ok", "the newest runs' records can be read")


def check_temporary(store: Store) -> Check:
    spare = house.plan(store, house.Ages(0, 0, 0), ("temporary",)).items
    count = sum(len(item.paths) for item in spare)
    if not count:
        return Check("temporary", "ok", "no half-written files")
    taken = size(sum(item.bytes for item in spare))
    return Check(
        "temporary", "warn", f"{count} half-written files of dead writers, {taken}", "mlhub doctor --fix", mend=True
    )


def check_clock(store: Store) -> Check:
    """The wall clock against the newest run's times and, where systemd tells, against the network's."""
    newest = store.newest(1)
    ahead = seconds_between(newest[0].created_at, None) if newest else None
    if time.time() < _LONG_AGO or (ahead is not None and ahead < -_CLOCK_SECONDS):
        what = (
            f"the newest run was made at {local_time(newest[0].created_at)}, later than now"
            if newest
            else "it is not set"
        )
        return Check("clock", "warn", what, "Set the clock: timedatectl set-ntp true. Orders and durations stay right.")
    if _synchronised() is False:
        return Check("clock", "warn", "not synchronised with the network", "timedatectl set-ntp true")
    return Check("clock", "ok", "not behind the newest run")


def _synchronised() -> bool | None:
    """What systemd says of NTP; None where it isn't there."""
    try:
        command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=2, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())


def check_sizes(store: Store) -> Check:
    """What logs and the trash take, which is what can be freed without losing a result."""
    home = store.home
    logs = sum(tree.size(path) for path in _logs(store))
    thrown = sum(entry.size() for entry in trash.entries(home))
    detail = f"logs take {size(logs)}, the trash {size(thrown)}"
    space = monitor.disk(home.root)
    if space is not None and logs + thrown > space.free:
        return Check("sizes", "warn", detail, "mlhub gc shows what can be freed")
    return Check("sizes", "ok", detail)


def _logs(store: Store) -> list[Path]:
    ids = store.ids()
    if store.home.logs is not None:
        return [store.home.logs / str(run_id) for run_id in ids]
    return [path for run_id in ids for path in (store.home.run(run_id).log, store.home.run(run_id).root / "logs")]


def check_disk(home: Home, which: str) -> Check:
    """The file system of the home, or of another folder that lies elsewhere; nothing to say if it doesn't."""
    folder = home.root if which == "home" else getattr(home, which)
    name = "disk" if which == "home" else f"disk {which}"
    while folder is not None and not folder.exists():  # not made yet: it will be on its parent's
        folder = folder.parent
    if folder is None or (which != "home" and folder.stat().st_dev == home.root.stat().st_dev):
        return Check(name, "ok", "")
    space = monitor.disk(folder)
    if space is None:
        return Check(name, "warn", f"{folder}: its file system doesn't say")
    detail = f"{size(space.free)} free of {size(space.total)}"
    if space.free >= LOW_DISK:
        return Check(name, "ok", detail)
    status: Status = "warn" if space.free >= FULL_DISK else "fail"
    return Check(name, status, detail, "mlhub gc shows what can be freed; mlhub rm RUN --purge frees a run at once.")


def check_packages() -> Check:
    from mlhub.adapters import HASHING

    if absent := HASHING.missing():
        return Check("hashing", "warn", f"not installed: {', '.join(absent)}", f"pip install 'mlhub[{HASHING.extra}]'")
    return Check("hashing", "ok", "training, evaluation and search can run")


def check_nvml() -> Check:
    """The driver, and how warm each GPU is."""
    found, why_none = monitor.gpus()
    if not found:
        return Check("nvml", "ok", f"no GPU ({one_line(why_none or 'none found')})")
    words = [
        f"{gpu.index} {one_line(gpu.name)}{'' if gpu.temperature is None else f' {gpu.temperature} °C'}"
        for gpu in found
    ]
    warmest = max((gpu.temperature for gpu in found if gpu.temperature is not None), default=0)
    status: Status = "ok" if warmest < HOT else "warn" if warmest < TOO_HOT else "fail"
    return Check("nvml", status, ", ".join(words), "Look after its cooling: a GPU this warm slows down or stops.")


def check_logout() -> Check:
    from mlhub.runner.logout import logout_kills

    danger = logout_kills()
    if danger:
        return Check("logout", "warn", danger, "loginctl enable-linger")
    return Check("logout", "ok", "runs survive a logout")


def _named(run: Run) -> str:
    return f"run {run.id} ({one_line(run.name)})"


def _more(found: Sized, shown: int) -> str:
    return f" and {len(found) - shown} more" if len(found) > shown else ""
