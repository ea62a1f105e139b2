"""The sampler: `python -P -m mlhub.runner.sample RUN_DIR ATTEMPT`, a process beside each run that may die at no cost.

Every few seconds: a record into `system.jsonl`, the alerts, the log's rotation; twice a second the metrics that the
program prints or leaves in its own trackers' files; at the end of the attempt, a notice and, if the supervisor was
killed, a tick of the queue in its place. It watches; the one thing it does to a run is to ask for its stop when a loss
is not a number and the run was started so. How it is measured, judged, told, compressed and followed is in `vitals`,
`judge` and `alerts`, `notify`, `segments`, `follow`.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlhub.paths import RunPaths
from mlhub.runner import alerts, identity, lock, record, segments
from mlhub.runner.companion import spawn
from mlhub.runner.follow import Follower, catch_up
from mlhub.runner.judge import Judge, Progress
from mlhub.runner.tidy import due
from mlhub.runner.truth import Evidence, inspect
from mlhub.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    import subprocess

    from mlhub.runner.vitals import Measured

LOCK = "sampler.lock"
#: the first record comes this soon: rates need a while to be about
_FIRST_SECONDS = 0.5
#: how often the record of the end is looked for once the command has ended
_ENDING_SECONDS = 0.25
_LONGEST_WAIT = 5.0
#: what a program prints is a metric this soon, and its loss known not to be a number
_FOLLOW_SECONDS = 0.5
#: at the end of a run that logs faster than is read, this much more is read
_LAST_LOOKS = 16
_ALERT_KINDS = {"warn": "warning", "fail": "failure"}
_END_KINDS = {"completed": "success", "failed": "failure", "cancelled": "warning"}


class _Gone(Exception):  # noqa: N818 - not an error: the run's folder was removed
    pass


class Journal:
    """Appends JSON lines. A full disk costs lines, never the sampler; up to `keep` of them are written when it can."""

    def __init__(self, path: Path, keep: int = 0) -> None:
        self._path = path
        self._fd: int | None = None
        self._keep = keep
        self._waiting: list[bytes] = []
        self._torn = False

    def append(self, tree: dict[str, Any]) -> None:
        """One line, in the kernel's hands on return unless the disk is full."""
        self._waiting.append(json.dumps(tree, separators=(",", ":")).encode() + b"\n")
        self.flush()

    def flush(self) -> None:
        """What could not be written before."""
        with contextlib.suppress(OSError):
            while self._waiting:
                descriptor = self._open()
                line = (b"\n" if self._torn else b"") + self._waiting[0]
                self._torn = os.write(descriptor, line) != len(line)
                if self._torn:
                    break
                self._waiting.pop(0)
        self._waiting = self._waiting[-self._keep :] if self._keep else []

    def _open(self) -> int:
        """The file, made by its first line. One that ends in half a line, of a sampler that was killed, is mended."""
        if self._fd is None:
            self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            size = os.fstat(self._fd).st_size
            self._torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"
        return self._fd


class Sampler:
    """One attempt's, from the lock to the notice of its end."""

    def __init__(self, paths: RunPaths, attempt: int, settings: Settings) -> None:
        self.paths = paths
        self.attempt = attempt
        self.folder = str(paths.attempt(attempt).root)
        self.settings = settings
        self.launch = record.read_json(str(paths.attempt(attempt).launch)) or {}
        self.alerts = alerts.Alerts({entry["name"]: entry["severity"] for entry in alerts.read_active(paths)})
        self.alert_journal = Journal(paths.alerts, keep=64)
        self.system_journal = Journal(paths.system)
        self.progress = Progress(paths.metrics, skip=attempt > 1)
        self.follower = Follower(paths, attempt)
        self.moved = False
        self.stops_on_nan = self.launch.get("stop_on_nan") is True
        self.children: list[subprocess.Popen[bytes]] = []

    def run(self) -> None:
        """Until the attempt has ended. Raises _Gone if its folder is removed meanwhile."""
        known = Evidence.read(self.paths.attempt(self.attempt))
        if known is not None and not self.is_over(known):
            self.watch(known)
        self.end()

    def watch(self, known: Evidence) -> None:
        """The measurements, one every few seconds, while the command lives; then the wait for its record."""
        from mlhub.runner.vitals import Vitals

        home = self.settings.to_home()
        folders = [folder for folder in (home.root, home.checkpoints, home.logs) if folder is not None]
        vitals = Vitals(known, folders, os.environ.get("CUDA_VISIBLE_DEVICES"))
        judge = Judge(self.settings.stall_minutes, identity.boot_clock())
        due = identity.boot_clock() + _FIRST_SECONDS
        while not self.is_over(known):
            child = known.find_child()
            alive = child is not None and not child.dead
            if alive and identity.boot_clock() >= due:
                self.sample(vitals.measure(), judge)
                due = max(due + self.settings.sample_seconds, identity.boot_clock() + self.settings.sample_seconds / 2)
            self.follow()
            if alive and self.stops_on_nan:
                self.look()
            left = min(due - identity.boot_clock(), _FOLLOW_SECONDS)
            self.sleep(known, left if alive else _ENDING_SECONDS)

    def is_over(self, known: Evidence) -> bool:
        """The record of the end is there; or nobody is left to run the command and to write one."""
        if not os.path.isdir(self.folder):
            raise _Gone
        if record.read_exit(self.folder) is not None:
            return True
        found = (known.find_child(), known.find_supervisor())
        return all(process is None or process.dead for process in found)

    def sleep(self, known: Evidence, seconds: float) -> None:
        """At most so long, and only until the command or the supervisor dies."""
        seconds = min(max(0.0, seconds), _LONGEST_WAIT)
        descriptors = []
        try:
            poll = select.poll()
            for process in (known.find_child(), known.find_supervisor()):
                if process is not None and not process.dead:
                    descriptors.append(os.pidfd_open(process.pid))
                    poll.register(descriptors[-1], select.POLLIN)
            poll.poll(1000 * seconds + 1)
        except OSError:  # an old kernel, or a sandbox that forbids pidfds
            time.sleep(min(seconds, 1.0))
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self.children = [process for process in self.children if process.poll() is None]

    def sample(self, measured: Measured, judge: Judge) -> None:
        """One measurement: recorded, judged, acted upon."""
        self.system_journal.append({"time": round(time.time(), 3), **measured.record})
        self.follower.find_files(measured.pids)
        self.look()
        reading = judge.read(measured, self.progress, self.moved, identity.boot_clock())
        self.moved = False
        limit = self.settings.log_limit_mb << 20
        kept = segments.rotate(self.paths, self.settings.to_home().logs, limit)
        self.note(self.alerts.evaluate(replace(reading, log_size=kept, log_limit=10 * limit)))

    def follow(self) -> None:
        """Take in what the program leaves elsewhere, unless the disk is full: then the next look does it."""
        with contextlib.suppress(OSError):
            self.follower.look()

    def look(self) -> bool:
        """Take in new metrics; an alert, and the stop if wished, for what is not a number. True if any came."""
        moved = self.progress.look()
        self.moved = self.moved or moved
        self.note(self.alerts.evaluate(alerts.Reading(not_finite=self.progress.not_finite)))
        bad = next((found for found in self.progress.not_finite if found.is_loss), None)
        if bad is not None and self.stops_on_nan:
            self.stops_on_nan = False
            self.stop(f"{bad.text} (--stop-on-nan)")
        return moved

    def note(self, changes: list[alerts.Change]) -> None:
        """Append what changed, and tell of it."""
        self.alert_journal.flush()
        for change in changes:
            line = {"time": round(time.time(), 3), "name": change.name, "severity": change.severity}
            self.alert_journal.append(line | {"text": change.text, "state": change.state, "attempt": self.attempt})
            if change.news and (change.severity == "fail" or "warn" in self.settings.notify_on):
                self.tell(change.text, _ALERT_KINDS[change.severity], change.name)

    def stop(self, why: str) -> None:
        """Ask for the stop of the run; it has failed then, and was not cancelled."""
        grace = record.real(self.launch, "grace") or 0.0
        record.write_stop(self.folder, "mlhub", grace, why=why)
        known = Evidence.read(self.paths.attempt(self.attempt))
        supervisor = known.find_supervisor() if known else None
        if supervisor is None or not identity.send(supervisor, signal.SIGTERM):
            from mlhub.runner.stop import stop

            stop(self.paths, self.attempt, grace, "mlhub")

    def end(self) -> None:
        """The last metrics, the alerts that are over, a notice; the queue, if nobody else looks after it; old runs."""
        verdict = inspect(self.paths, self.attempt)
        self.stops_on_nan = False
        catch_up(self.paths, self.attempt, wait=True)
        for _ in range(_LAST_LOOKS):
            if not self.look():
                break
        self.note(self.alerts.end())
        if verdict.status == "failed" or (verdict.final and verdict.status in self.settings.notify_on):
            self.tell(verdict.reason or "", _END_KINDS[verdict.status], verdict.status)
        home = self.settings.to_home()
        if not home.database.exists():
            return
        os.environ["MLHUB_HOME"] = str(home.root)
        with contextlib.suppress(OSError):
            if record.read_exit(self.folder) is None:
                spawn("tick", "mlhub.runner.tick")
            if due(home):
                spawn("tidy", "mlhub.runner.tidy")

    def tell(self, text: str, kind: str, what: str) -> None:
        """A notice about this run, if anybody wants notices. Its failure costs a line in supervisor.log."""
        if not self.settings.notify:
            return
        from mlhub.runner.notify import Message, send_later
        from mlhub.text import one_line

        spec = record.parse(record.read_bytes(str(self.paths.spec), 8 << 20))
        name = one_line(record.text(spec, "name"))[:80] or "unnamed"
        title = f"mlhub: run {self.paths.root.name} ({name}) {what}"
        body = f"{one_line(text) or what}\non {os.uname().nodename}, attempt {self.attempt}"
        try:
            self.children.append(send_later(self.settings.notify, Message(title, body, kind)))
        except OSError as error:
            _note(f"notice not sent: {error.strerror}")


def _note(text: str) -> None:
    """To supervisor.log, which is our stderr."""
    with contextlib.suppress(OSError):
        os.write(2, f"{record.timestamp()} sampler: {text}\n".encode(errors="backslashreplace"))


def _settings(paths: RunPaths) -> Settings:
    """Those of the home that the run lies in; the defaults where its config.toml is wrong: others say that it is."""
    from mlhub.errors import MlhubError

    home = str(paths.root.parent.parent)
    try:
        return Settings.load({**os.environ, "MLHUB_HOME": home})
    except MlhubError as error:
        _note(error.message)
        return Settings(home=home)


def main(arguments: list[str]) -> None:
    """`RUN_DIR ATTEMPT`. A second sampler of an attempt ends at once."""
    paths, attempt = RunPaths(Path(arguments[0])), int(arguments[1])
    settings = _settings(paths)
    if not settings.sampler:
        return
    try:
        held = lock.take(str(paths.attempt(attempt).root / LOCK))
        if held is not None:
            Sampler(paths, attempt, settings).run()
    except _Gone:
        return
    except Exception as error:  # our outermost step: whatever it is, the run goes on without us
        _note(repr(error))
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
