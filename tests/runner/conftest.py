"""A run folder a test, real supervisors and commands in it, and nothing of them left afterwards."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mlhub.paths import RunPaths
from mlhub.runner import identity, lock, record
from mlhub.runner.launch import Launch, Started, launch
from mlhub.runner.truth import Verdict, inspect

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], seconds: float = 20.0) -> Found:
    """The first true thing `look` returns; fails the test if none comes within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {found!r}")
        time.sleep(0.01)
    return found


class Sandbox:
    """One run's folder, and short words for what tests do with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = RunPaths(root / "runs" / "7")
        self.paths.root.mkdir(parents=True)

    def launch(self, *argv: str, attempt: int = 1, cwd: Path | None = None, **more: Any) -> Started:
        environment = more.pop("env", dict(os.environ))
        return launch(self.paths, attempt, Launch(argv, cwd or self.root, environment, self.paths.log, **more))

    def shell(self, script: str, **more: Any) -> Started:
        return self.launch("sh", "-c", script, **more)

    def python(self, code: str, **more: Any) -> Started:
        return self.launch(sys.executable, "-I", "-S", "-c", code, **more)

    def wait_open(self, then: str) -> str:
        """A shell script that runs `then` once the file `go` is in the folder."""
        return f"while [ ! -e {self.root}/go ]; do sleep 0.02; done; {then}"

    def go(self) -> None:
        (self.root / "go").touch()

    def inspect(self, attempt: int = 1) -> Verdict:
        return inspect(self.paths, attempt)

    def final(self, attempt: int = 1) -> Verdict:
        return eventually(lambda: (verdict := self.inspect(attempt)).final and verdict)

    def over(self, attempt: int = 1) -> Verdict:
        """The verdict once the supervisor has gone too: after the record it writes copies."""
        verdict = self.final(attempt)
        eventually(lambda: not lock.held(str(self.paths.attempt(attempt).lock)))
        return verdict

    def until(self, condition: str, attempt: int = 1) -> Verdict:
        return eventually(lambda: (verdict := self.inspect(attempt)).condition == condition and verdict)

    def exit(self, attempt: int = 1) -> dict[str, Any]:
        """The exit record, once it is there."""
        return eventually(lambda: record.read_exit(str(self.paths.attempt(attempt).root)))

    def log(self, words: str) -> str:
        """The log, once `words` are in it."""
        return eventually(lambda: self.paths.log.exists() and words in (text := self.paths.log.read_text()) and text)

    def edit(self, file: Path, **changes: Any) -> None:
        record.write_json(str(file), {**(record.read_json(str(file)) or {}), **changes})

    def token(self, attempt: int = 1) -> str:
        return record.text(record.read_json(str(self.paths.attempt(attempt).launch)), "token")

    def family(self) -> list[identity.Process]:
        """Living processes of any attempt, found by token."""
        return [process for number in self.attempts() for process in identity.with_token(self.token(number))]

    def attempts(self) -> list[int]:
        folder = self.paths.root / "attempts"
        return [int(entry.name) for entry in folder.iterdir()] if folder.is_dir() else []

    def clear(self) -> None:
        """KILL supervisors, then commands."""
        for number in self.attempts():
            for token in (f"supervisor:{self.token(number)}", self.token(number)):
                for process in identity.with_token(token) if self.token(number) else []:
                    identity.send(process, signal.SIGKILL)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(tmp_path)
    yield sandbox
    sandbox.clear()


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    """Signal a process and, for KILL, wait until it is dead (a zombie will do)."""
    os.kill(pid, number)
    if number == signal.SIGKILL:
        eventually(lambda: (found := identity.find_process(pid)) is None or found.dead)
