"""What tests share: a home of their own, and the `mlhub` command in it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mlhub.paths import Home


#: 32 and 33 are the C library's own, and no program can change how it was started with them
RESERVED_SIGNALS = 1 << 31 | 1 << 32

# in the background of a script, or under nohup, these are ignored, and so they would be by all that a test starts
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


#: files that take a minute or more, the longest first: begun late, one of them keeps a single worker busy at the end
LONGEST = (
    "tests/test_main_job.py",
    "tests/tui/test_hostile.py",
    "tests/capture/test_scripts.py",
    "tests/capture/test_attacked.py",
    "tests/capture/test_ends.py",
    "tests/capture/test_captured_run.py",
    "tests/tui/test_bytes.py",
    "tests/hashing/test_resume.py",
    "tests/tui/test_runs_view.py",
    "tests/cli/test_queue.py",
    "tests/cli/test_hostile.py",
    "tests/runner/test_archive.py",
    "tests/test_records_attempts.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, the others as they are; xdist keeps this order with --no-loadscope-reorder."""
    place = {name: index for index, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], len(place)))


@dataclass(frozen=True)
class Cli:
    """`mlhub` as a user runs it: a process of its own, in an environment of its own."""

    home: Path
    environment: dict[str, str]
    seconds: float = 110

    def __call__(self, *arguments: str, code: int | None = 0, **changes: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "mlhub", *arguments],
            env=self.environment | changes,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.seconds,
            cwd=self.home.parent,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments: str, code: int | None = 0) -> Any:
        split = arguments.index("--") if "--" in arguments else len(arguments)
        return json.loads(self(*arguments[:split], "--json", *arguments[split:], code=code).stdout)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home that exists and is empty."""
    home = Settings.load({"MLHUB_HOME": str(tmp_path / "home")}).to_home()
    home.root.mkdir(mode=0o700)
    return home


def make_cli(home: Path, seconds: float = 110) -> Cli:
    """The command in `home`, whatever the environment of the tests says."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MLHUB_")}
    return Cli(home, environment | {"MLHUB_HOME": str(home), "COLUMNS": "80"}, seconds)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    """The command, its home not there yet. What it started is stopped when the test ends."""
    runner = make_cli(tmp_path / "home")
    yield runner
    if (tmp_path / "home" / "mlhub.db").exists():
        done = runner("ls", "-n", "1000", "--json", code=None)
        runs = json.loads(done.stdout) if done.returncode == 0 else []
        if active := [run["name"] for run in runs if run["status"] in ("queued", "running")]:
            runner("stop", *active, "--grace", "0", code=None)


def wait_until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What `condition` gives once it is true; the test fails if it isn't in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    pytest.fail(f"not in {seconds} s: {condition}")
