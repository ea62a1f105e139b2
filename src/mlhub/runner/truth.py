"""What a run's state is: decided by each reader from files, locks and /proc, in one fixed order; nothing is changed.

1 a valid exit record: final. 2 another host: unknown. 3 another boot: failed (reboot). 4 the lock is held: running.
5 the command itself lives: running, unsupervised. 6 neither: failed (lost), with orphans; or what the trainer's own
outcome record says. Not the place where verdicts become rows (`mlhub.runner.reconcile`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from mlhub.runner import family, identity, lock, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import AttemptPaths, RunPaths

#: a launch without a supervisor's lock or a process is given up after this, on the boot's clock
NEVER_STARTED_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The state of one attempt. `status` is one of the contract's five words; what else is known stands in `condition`.

    Before anything was launched the status is `queued`, the condition None; between launch and start it is `starting`.
    `orphans` are pids of the run's processes that live on without command and supervisor.
    """

    status: str
    condition: str | None = None
    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None
    started_at: str | None = None
    ended_at: str | None = None
    pid: int | None = None
    supervisor_pid: int | None = None
    host: str | None = None
    orphans: tuple[int, ...] = ()
    #: seconds of the boot's clock, which nobody sets: when it started, and how long it ran
    started_boot: float | None = None
    duration: float | None = None
    #: the launch was cut short: nothing of the command has run
    never_started: bool = False

    @property
    def final(self) -> bool:
        return self.status in ("completed", "failed", "cancelled")


_NOWHERE = identity.Host("", "", "", 0)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What process.json (or, before it, launch.json) says of an attempt, every field checked for its type."""

    token: str = ""
    host: identity.Host = _NOWHERE
    started_at: str | None = None
    launched_boot: float = 0.0
    started_boot: float = 0.0
    child: tuple[int, int] | None = None
    supervisor: tuple[int, int] | None = None
    log_start: int = 0
    #: of the attempt's folder where it was launched; a copy of the home has others
    inode: int | None = None

    @classmethod
    def read(cls, folder: AttemptPaths) -> Evidence | None:
        """None if this attempt was never launched, or both files are garbled."""
        launch, process = record.read_launch(str(folder.root)), record.read_json(str(folder.process))
        tree = process or launch
        if tree is None:
            return None
        host = identity.Host(
            _word(record.text(tree, "name")),
            record.text(tree, "machine"),
            record.text(tree, "boot"),
            record.whole(tree, "namespace") or 0,
        )
        return cls(
            token=record.text(tree, "token"),
            host=host,
            started_at=record.text(process, "started_at") or None,
            launched_boot=record.real(launch, "boot_clock") or 0.0,
            started_boot=record.real(process, "started_boot") or 0.0,
            child=_pid_and_start(process, "child"),
            supervisor=_pid_and_start(process, "supervisor"),
            log_start=max(0, record.whole(process, "log_start") or 0),
            inode=record.whole(launch, "inode"),
        )

    def find_child(self) -> identity.Process | None:
        """The command's own process, or its zombie, if it is certainly that one."""
        if self.child is None or self.host.namespace != identity.pid_namespace():
            return None
        found = identity.find_same(*self.child)
        return found if found and found.dead else identity.find_same(*self.child, self.token)

    def find_supervisor(self) -> identity.Process | None:
        if self.host.namespace != identity.pid_namespace():
            return None
        if self.supervisor is None:  # process.json isn't there yet, or damaged
            return next(iter(identity.with_token(f"supervisor:{self.token}")), None) if self.token else None
        return identity.find_same(*self.supervisor, f"supervisor:{self.token}")


def inspect(paths: RunPaths, attempt: int) -> Verdict:
    """The state of an attempt, now. Never raises for what is in the files; reads at most a few small ones."""
    folder = paths.attempt(attempt)
    known = Evidence.read(folder)
    if (ended := record.read_exit(str(folder.root))) is not None:
        return _final(ended, known)
    if known is None:
        return Verdict(status="queued")
    here = identity.this_host()
    if known.host.boot != here.boot:
        same = (known.host.machine, known.host.name) == (here.machine, here.name)
        return _rebooted(folder, known) if same else _elsewhere(known)
    verdict = _running(folder, known)
    if verdict is not None:
        return verdict
    # a record may have been written between our first look and the lock's release
    if (ended := record.read_exit(str(folder.root))) is not None:
        return _final(ended, known)
    return _gone(folder, known)


def _inode(folder: AttemptPaths) -> int | None:
    try:
        return os.stat(folder.root).st_ino
    except OSError:
        return None


def _word(text: str) -> str:
    """A host's name, which may come from a file that others wrote, fit to be shown."""
    if text.isascii() and text.isprintable():
        return text[:64]
    from mlhub.text import one_line

    return one_line(text)[:64]


def _final(ended: record.Tree, known: Evidence | None) -> Verdict:
    return Verdict(
        status=record.text(ended, "status"),
        exit_code=record.whole(ended, "exit_code"),
        signal=record.text(ended, "signal") or None,
        reason=record.text(ended, "reason") or None,
        started_at=record.text(ended, "started_at") or (known.started_at if known else None),
        ended_at=record.text(ended, "ended_at") or None,
        pid=known.child[0] if known and known.child else None,
        supervisor_pid=known.supervisor[0] if known and known.supervisor else None,
        host=record.text(ended, "host") or None,
        started_boot=known.started_boot if known else None,
        duration=record.real(ended, "duration"),
    )


def _verdict(known: Evidence, status: str, condition: str | None = None, **more: object) -> Verdict:
    return Verdict(
        status=status,
        condition=condition,
        started_at=known.started_at,
        pid=known.child[0] if known.child else None,
        supervisor_pid=known.supervisor[0] if known.supervisor else None,
        host=known.host.name or None,
        started_boot=known.started_boot or None,
        **more,  # type: ignore[arg-type]  # names and types are those of Verdict at each call below
    )


def _elsewhere(known: Evidence) -> Verdict:
    return _verdict(known, "running", f"unknown: other host ({known.host.name or 'unnamed'})")


def _rebooted(folder: AttemptPaths, known: Evidence) -> Verdict:
    return _by_outcome(folder, known) or _verdict(known, "failed", reason="reboot: the machine restarted while it ran")


def _running(folder: AttemptPaths, known: Evidence) -> Verdict | None:
    """Running, in whatever condition; None if neither lock nor child says so."""
    if known.inode is not None and known.inode != _inode(folder):
        return _verdict(known, "running", "unknown: this folder is a copy of the one that it runs in")
    if lock.held(str(folder.lock)):
        return _verdict(known, "running", _condition(known))
    child = known.find_child()
    if child is not None and not child.dead:
        return _verdict(known, "running", "unsupervised")
    if known.child is None and 0 <= identity.boot_clock() - known.launched_boot < NEVER_STARTED_SECONDS:
        return _verdict(known, "queued", "starting")
    return None


def _condition(known: Evidence) -> str | None:
    """What is to be said of a run whose lock is held; None if all is well."""
    if known.child is None:
        late = identity.boot_clock() - known.launched_boot >= NEVER_STARTED_SECONDS
        return "starting, for long: its process.json is missing or damaged" if late else "starting"
    if known.host.namespace != identity.pid_namespace():
        return None  # its processes can't be seen from here, but the lock is the kernel's word
    child, supervisor = known.find_child(), known.find_supervisor()
    if child is None and identity.find_same(*known.child, f"supervisor:{known.token}"):
        return "starting"  # forked, and not yet the command
    words = [] if child and not child.dead else ["finishing"]
    if supervisor is None:
        words.append("unsupervised")  # somebody stops it just now, and holds the lock meanwhile
    elif supervisor.stopped:
        words.append("supervisor stalled")
    return ", ".join(words) or None


def _gone(folder: AttemptPaths, known: Evidence) -> Verdict:
    """Neither supervisor nor command is left."""
    orphans = tuple(process.pid for process in find_orphans(known))
    request = record.read_stop(str(folder.root))
    if request is not None:
        if request.why:
            return _verdict(known, "failed", reason=request.why, orphans=orphans)
        who = request.who or "an unknown user"
        return _verdict(known, "cancelled", reason=f"stopped by {who}; how it ended was not recorded", orphans=orphans)
    if known.child is None:
        why = "never started: its launch was cut short"
        return _verdict(known, "failed", reason=why, orphans=orphans, never_started=True)
    by_outcome = _by_outcome(folder, known, orphans)
    if by_outcome is not None:
        return by_outcome
    reason = "lost: the command and its supervisor are gone; exit code unknown"
    return _verdict(known, "failed", reason=reason + _last_words(folder, known), orphans=orphans)


def _last_words(folder: AttemptPaths, known: Evidence) -> str:
    """The last exception in the attempt's log, said beside the reason: not everybody who prints one dies of it."""
    from mlhub.runner.reason import exceptions, name_error, read_tail

    log = str(folder.root.parent.parent / "output.log")
    # a link may lead out of the home, and whose it is can't be told here
    found = [] if os.path.islink(log) else exceptions(read_tail(log, known.log_start))
    return f"; the last exception in its log: {name_error(found[-1])}" if found else ""


def find_orphans(known: Evidence) -> list[identity.Process]:
    """Living processes that carry the run's token."""
    return family.find_family(known.token, None) if known.token else []


def find_orphans_of(paths: RunPaths, attempt: int) -> list[int]:
    """Pids of what an ended attempt left behind, as far as this machine can see."""
    known = Evidence.read(paths.attempt(attempt))
    return [process.pid for process in find_orphans(known)] if known else []


def _by_outcome(folder: AttemptPaths, known: Evidence, orphans: tuple[int, ...] = ()) -> Verdict | None:
    """The trainer's own word on how it ended, if it is about this very start; None without one."""
    from mlhub.runner.reason import Ending, by_word, with_word

    outcome = record.read_outcome(str(folder.root.parent.parent), known.token)
    found = by_word(with_word(Ending(), outcome, str(folder.root), known.child[0] if known.child else None))
    if found is None:
        return None
    (status, reason), ended = found, record.real(outcome, "time")
    witness = "by the trainer's own record; its supervisor was killed"
    return _verdict(
        known,
        status,
        reason=f"{reason} ({witness})" if reason else witness,
        ended_at=record.timestamp(ended) if ended is not None and 0 < ended < 1 << 34 else None,
        orphans=orphans,
    )


def _pid_and_start(tree: record.Tree | None, key: str) -> tuple[int, int] | None:
    found = record.part(tree, key)
    pid, start = record.whole(found, "pid"), record.whole(found, "start")
    return (pid, start) if pid and pid > 0 and start is not None else None
