"""The supervisor: one small process a run, standard library only, that starts the command, waits, and records its end.

The steps, in `Supervisor.run`: lock, subreaper, reserve the exit slot, fork a child that blocks on a pipe, write who it
is, release it, wait (on TERM: the group, grace, KILL), end what is left behind, fill the slot, and only then the copy
and the database. A death at any line leaves files from which `mlhub.runner.truth` tells what happened. Nobody talks to
it but by SIGTERM and `stop.json`; it imports neither configuration nor store nor anything else that is heavy.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time

from mlhub.runner import companion, family, identity, lock, oom, record
from mlhub.runner.afterwards import update_database
from mlhub.runner.child import become_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: left-behind processes may end by themselves, then after TERM, for this long
SETTLE_SECONDS = 0.5
LEFT_BEHIND_GRACE = 2.0
_WAIT_SECONDS = 3600.0
_LEAVING_SECONDS = 10.0
_SIGNALS = {signal.SIGCHLD, signal.SIGTERM}
_PR_SET_NAME, _PR_SET_CHILD_SUBREAPER = 15, 36


class Refused(Exception):  # noqa: N818 - what it is, not an error of ours
    """The command was not started, for this reason."""


class GivenUp(Exception):  # noqa: N818 - as above
    """A reader has taken us for dead, and said so: nothing may run any more, and the record is the reader's."""


class Supervisor:
    """One attempt of one run, from the lock to the record."""

    def __init__(self, run_dir: str, attempt: int, report: int | None) -> None:
        self.folder = os.path.join(run_dir, "attempts", str(attempt))
        self.run_dir = run_dir
        self.attempt = attempt
        self.report = report
        self.born = identity.boot_clock()
        self.launch: record.Tree = {}
        self.slot: int | None = None
        self.child = 0
        self.started = self.started_boot = 0.0
        self.log_start = 0
        self.oom: oom.Watch | None = None
        #: who asked for the end before it came: a request of ours, or the sender of a bare SIGTERM
        self.request: record.StopRequest | None = None
        self.sender = ""
        self.deadline: float | None = None
        self.grace = 0.0
        self.forced = False
        self.sampled = False

    def run(self) -> None:
        """All of it, in order."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for number in _SIGNALS:  # a launcher that ignores these passes that on, and we would never hear of an end
            signal.signal(number, signal.SIG_DFL)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_IGN)
        try:
            locks = self.take_locks()
        except (OSError, Refused) as error:
            self.answer({"refused": _words(error)})  # and not a byte on disk: the files are another's
            return
        try:
            os.chdir("/")
            become_subreaper(os.path.basename(self.run_dir))
            self.slot = record.reserve_slot(self.folder)
            self.start(locks)
        except GivenUp:
            self.answer({"refused": record.GIVEN_UP})
            return
        except (OSError, Refused) as error:
            self.refuse(_words(error))
            return
        self.wait()
        self.finish()

    def take_locks(self) -> list[int]:
        """Both locks, open until we die: the run's (one supervisor a run) and the attempt's (what readers test)."""
        found = record.read_launch(self.folder)
        if found is None:
            raise Refused(f"cannot read {self.folder}/{record.LAUNCH}")
        self.launch = found
        taken = []
        for path in (os.path.join(self.run_dir, record.LOCK), os.path.join(self.folder, record.LOCK)):
            descriptor = lock.take(path)
            while descriptor is None and self.predecessor_is_leaving():
                time.sleep(0.02)
                descriptor = lock.take(path)
            if descriptor is None:
                raise Refused("another supervisor runs this run already")
            taken.append(descriptor)
        if record.read_exit(self.folder) is not None:
            raise Refused(f"attempt {self.attempt} has ended already")
        return taken

    def predecessor_is_leaving(self) -> bool:
        """The last attempt has its record, and its supervisor may be at the database still, for seconds at most."""
        last = os.path.join(self.run_dir, "attempts", str(self.attempt - 1))
        return identity.boot_clock() < self.born + _LEAVING_SECONDS and record.read_exit(last) is not None

    def start(self, locks: Sequence[int]) -> None:
        """Fork, write who it is, release, learn whether exec worked. Raises OSError or Refused: nothing ran then."""
        log = os.open(record.text(self.launch, "log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.log_start = os.fstat(log).st_size
        self.oom = oom.Watch(os.getpid())
        gate, release = os.pipe()
        failure, failed = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            for descriptor in (release, failure, *locks, *([self.report] if self.report is not None else [])):
                os.close(descriptor)  # now, not at exec: a child at the gate must not hold a dead supervisor's lock
            become_command(self.launch, gate, failed, log)
        for descriptor in (gate, failed, log):
            os.close(descriptor)
        try:
            self.write_process()
            self.check_not_stopped()
            self.check_not_given_up()
        except (OSError, Refused, GivenUp):
            os.close(release)  # the child reads the end of the pipe and goes
            os.waitpid(self.child, 0)
            raise
        os.write(release, b"g")
        os.close(release)
        with open(failure, "rb") as file:
            trouble = file.read().decode(errors="replace")  # ends at exec
        if trouble:
            os.waitpid(self.child, 0)
            raise Refused(trouble)
        self.answer({
            "pid": self.child, "supervisor_pid": os.getpid(),
            "started_at": record.timestamp(self.started), "started_boot": self.started_boot,
        })  # fmt: skip

    def write_process(self) -> None:
        """Who runs it, on disk before anything runs. Raises OSError."""
        self.started, self.started_boot = time.time(), identity.boot_clock()
        record.write_copies(self.folder, record.PROCESS, {
            "version": 1, "attempt": self.attempt, "token": record.text(self.launch, "token"),
            **identity.this_host()._asdict(),
            "started_at": record.timestamp(self.started), "started_boot": self.started_boot,
            "log_start": self.log_start,
            "supervisor": _pid_and_start(os.getpid()), "child": _pid_and_start(self.child),
        })  # fmt: skip

    def check_not_stopped(self) -> None:
        """A stop that came before the release means that nothing is to run."""
        request = record.read_stop(self.folder)
        if request or signal.SIGTERM in signal.sigpending():
            self.request = request
            raise Refused(
                f"stopped by {request.who or 'an unknown user'} before it began"
                if request
                else "SIGTERM before it began"
            )

    def check_not_given_up(self) -> None:
        """The last step before the release: from here on no reader may take the attempt for one that never began."""
        if record.decide(self.folder, record.BEGUN) != record.BEGUN:
            raise GivenUp

    def wait(self) -> None:
        """Until the child has ended. It stays a zombie, so that its pid and group can't become anybody else's."""
        while not self.reap_others():
            left = _WAIT_SECONDS if self.deadline is None else max(0.0, self.deadline - identity.boot_clock())
            if not self.sampled:
                left = min(left, max(0.0, self.started_boot + companion.DELAY_SECONDS - identity.boot_clock()))
            came = signal.sigtimedwait(_SIGNALS, min(left, _WAIT_SECONDS))
            if not self.sampled and identity.boot_clock() >= self.started_boot + companion.DELAY_SECONDS:
                self.start_sampler()
            if came and came.si_signo == signal.SIGTERM:
                self.note_stop(came)
            if self.deadline is not None and identity.boot_clock() >= self.deadline and not self.reap_others():
                self.deadline, self.forced = None, True
                self.signal_group(signal.SIGKILL)

    def start_sampler(self) -> None:
        """Once. It is no part of the run, and without it the run goes on as well."""
        self.sampled = True
        try:
            companion.start(self.run_dir, self.attempt, record.text(self.launch, "token"))
        except Exception as error:
            _note(f"sampler not started: {error!r}")

    def reap_others(self) -> bool:
        """Reap orphans we adopted; True once the child itself has ended, which is left unreaped."""
        while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if found.si_pid == self.child:
                return True
            os.waitpid(found.si_pid, os.WNOHANG)
        return False

    def note_stop(self, came: signal.struct_siginfo) -> None:
        """TERM to the group once; a further stop can only shorten the grace."""
        first = self.deadline is None and not self.forced and not self.request and not self.sender
        self.request = record.read_stop(self.folder) or self.request
        if self.request is None:
            self.sender = self.sender or f"{_user(came.si_uid)} (pid {came.si_pid})"
        elif not self.request.who:
            self.request = self.request._replace(who=_user(came.si_uid))
        asked = self.request.grace if self.request else None
        grace = max(0.0, asked if asked is not None else record.real(self.launch, "grace") or 0.0)
        if self.forced:
            return
        deadline = identity.boot_clock() + grace
        if self.deadline is None or deadline < self.deadline:
            self.deadline, self.grace = deadline, grace
        if first and grace > 0:
            self.signal_group(signal.SIGTERM)
            self.signal_group(signal.SIGCONT)  # a stopped command would never hear of it

    def signal_group(self, number: int) -> None:
        """The child is unreaped, so the group is its own."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.child, number)

    def finish(self) -> None:
        """End what is left behind, fill the slot, and then what may fail: the copy, the database."""
        ended_boot = identity.boot_clock()
        left = family.end_family(self.find_left, 0.0 if self.forced else SETTLE_SECONDS, self.left_behind_grace())
        _, status, usage = os.wait4(self.child, 0)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        evidence = self.oom.evidence(self.child, killed=number == signal.SIGKILL) if self.oom else []
        tree: record.Tree = {
            "exit_code": os.WEXITSTATUS(status) if number is None else None,
            "signal": _signal_name(number),
            "forced": self.grace if self.forced else None,
            "duration": round(ended_boot - self.started_boot, 3),
            "usage": {"user": usage.ru_utime, "system": usage.ru_stime, "max_rss_kb": usage.ru_maxrss},
            "evidence": evidence[:4],
            "left_behind": [process._asdict() for process in left[:16]],
        }
        tree["status"], tree["reason"] = self.explain(tree)
        self.leave(tree)

    def left_behind_grace(self) -> float:
        """What is left of a stop's grace counts for all processes; forced means at once."""
        if self.forced:
            return 0.0
        left = LEFT_BEHIND_GRACE if self.deadline is None else self.deadline - identity.boot_clock()
        return min(max(0.0, left), LEFT_BEHIND_GRACE)

    def find_left(self) -> list[identity.Process]:
        """Living processes of the run; our own zombies (orphans we adopted) are reaped on the way."""
        found = family.find_family(record.text(self.launch, "token"), self.child, os.getpid())
        for process in identity.all_processes():
            if process.parent == os.getpid() and process.dead and process.pid != self.child:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(process.pid, os.WNOHANG)
        return found

    def explain(self, tree: record.Tree) -> tuple[str, str | None]:
        """Status and reason. Whatever goes wrong in finding words for it, the code itself must still be recorded."""
        try:
            from mlhub.runner import reason

            outcome = record.read_outcome(self.run_dir, record.text(self.launch, "token"))
            ending = reason.Ending(
                tree["exit_code"], tree["signal"], self.request.who if self.request else self.sender,
                self.request is not None, tree["forced"], tuple(tree["evidence"]),
                why=self.request.why if self.request else "",
            )  # fmt: skip
            ending = reason.with_word(ending, outcome, self.folder, self.child)
            plain = ending.exit_code == 0 or ending.ours
            return reason.explain(
                ending, "" if plain else reason.read_tail(record.text(self.launch, "log"), self.log_start)
            )
        except Exception as error:
            _note(f"no reason found: {error!r}")
            return ("completed", None) if tree["exit_code"] == 0 else ("failed", None)

    def refuse(self, why: str) -> None:
        """Nothing ran: say so to whoever waits, and on disk as far as it takes it."""
        stopped = self.request is not None
        tree = {
            "status": "cancelled" if stopped else "failed",
            "reason": why,
            "exit_code": None,
            "signal": None,
            "duration": 0.0,
        }
        if self.slot is not None:
            self.leave(tree)
        self.answer({"refused": why})

    def leave(self, tree: record.Tree) -> None:
        """The record: slot first, which takes no new block; then, best effort, exit.json and the database."""
        tree = {
            "version": 1, "attempt": self.attempt, "token": record.text(self.launch, "token"), **tree,
            "requested_by": self.request.who if self.request else self.sender or None,
            "requested_at": self.request.at if self.request else None,
            "started_at": record.timestamp(self.started) if self.started else None,
            "started_boot": self.started_boot or None, "ended_at": record.timestamp(),
            "pid": self.child or None, "supervisor_pid": os.getpid(), "host": os.uname().nodename,
            "written_by": "supervisor",
        }  # fmt: skip
        if self.slot is not None:
            record.fill_slot(self.slot, tree)
        try:
            record.write_copies(self.folder, record.EXIT, tree)
        except OSError as error:
            _note(f"exit.json not written: {error}")
        if tree["status"] != "failed":  # else another attempt may follow
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(self.folder, record.ORDER))
        update_database(record.text(self.launch, "database"), os.path.basename(self.run_dir), tree, _note)
        if not self.sampled and companion.tells_the_end(self.run_dir):
            self.start_sampler()

    def answer(self, tree: record.Tree) -> None:
        """One line to the process that launched us, which may be gone."""
        if self.report is not None:
            with contextlib.suppress(OSError):
                os.write(self.report, json.dumps(tree).encode() + b"\n")
                os.close(self.report)
            self.report = None


def become_subreaper(run_id: str) -> None:
    """Orphans of the run become our children, and `ps` shows whose supervisor this is."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(_PR_SET_NAME, f"mlhub-run-{run_id}".encode()[:15], 0, 0, 0)


def _pid_and_start(pid: int) -> dict[str, int]:
    found = identity.find_process(pid)
    return {"pid": pid, "start": found.start if found else 0}


def _signal_name(number: int | None) -> str | None:
    if number is None:
        return None
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _user(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"cannot start: {error.strerror}" + (f" ({error.filename})" if error.filename else "")
    return str(error)


def _note(text: str) -> None:
    """To supervisor.log, which is our stderr."""
    with contextlib.suppress(OSError):
        os.write(2, f"{record.timestamp()} {text}\n".encode(errors="backslashreplace"))


def main(arguments: Sequence[str]) -> None:
    """`RUN_DIR ATTEMPT [PIPE]`. Forks once, so that whoever launched us has no child to reap."""
    if os.fork():
        os._exit(0)
    run_dir, attempt, *pipe = arguments
    report = int(pipe[0]) if pipe else None
    if report is not None:
        os.set_inheritable(report, False)
    supervisor = Supervisor(run_dir, int(attempt), report)
    try:
        supervisor.run()
    except BaseException as error:
        import traceback

        _note("".join(traceback.format_exception(error)))
        supervisor.answer({"refused": f"the supervisor failed: {error!r}"})
        sys.exit(1)
