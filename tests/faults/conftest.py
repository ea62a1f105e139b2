"""What tests of faults share: a sandbox, the word for what was seen, small disks, processes that are hard to end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mlhub.runner.truth import Verdict
from mlhub.text import fit
from tests.runner.conftest import Sandbox, box, eventually, kill

__all__ = [
    "LOADER",
    "Sandbox",
    "Seen",
    "box",
    "eventually",
    "fill",
    "kill",
    "loader_of",
    "mounted",
    "seen",
    "small_disk",
]

Thing = TypeVar("Thing")
Seen = Callable[[Thing], Thing]

root_only = [pytest.mark.root, pytest.mark.skipif(os.getuid() != 0, reason="needs root")]

#: starts a grandchild with its own session that ignores TERM, says its pid, and does what comes after
LOADER = """
import os, signal, sys, time
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.write(told, b"%d" % os.getpid())
        time.sleep(1000)
    os._exit(0)
print("loader", os.read(ready, 20).decode(), flush=True)
"""


def loader_of(box: Sandbox) -> int:
    return int(box.log("loader ").split("loader ")[1].split()[0])


@pytest.fixture
def seen(record_property: Callable[[str, object], None]) -> Callable[[Any], Any]:
    """Note what the test saw, for the table of `make faults`, and pass it on: a verdict, a run as JSON, or words."""

    def note(thing: Any) -> Any:
        record_property("seen", _words(thing))
        return thing

    return note


def _words(thing: Any) -> str:
    if isinstance(thing, Verdict):
        thing = {"status": thing.status, "condition": thing.condition, "reason": thing.reason}
    if not isinstance(thing, dict):
        return str(thing)
    condition = f" ({thing['condition']})" if thing["condition"] else ""
    reason = f": {fit(thing['reason'], 48)}" if thing["reason"] else ""
    return f"{thing['status']}{condition}{reason}"


def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own in `folder`, for a fixture to yield from; skips where that is not allowed."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, check=False).returncode:
        pytest.skip("only root may mount a small disk, and not everywhere")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 pages."""
    yield from mounted(tmp_path / "disk", "64k")


def fill(folder: Path, free: int = 0) -> None:
    """Use up a small disk but for `free` pages."""
    with (folder / "filler").open("ab", buffering=0) as file:
        while os.statvfs(folder).f_bavail > free:
            file.write(b"x" * 4096)
