from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlhub.runner import oom

from .conftest import Sandbox, eventually

HOG = "data = []\nwhile True: data.append(b'x' * (1 << 20))"


def test_counters_of_this_machine_are_read() -> None:
    assert "/proc/vmstat" in oom.counts(os.getpid())


def test_only_counters_that_rose_are_evidence() -> None:
    assert oom.evidence({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 0}) == ["oom_kill +1 in b"]


def test_process_that_is_gone_has_the_machines_counter_only() -> None:
    assert list(oom.counts(1 << 30)) == ["/proc/vmstat"]


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group of 48 MB that the test can put a process into."""
    group = Path("/sys/fs/cgroup/memory" if Path("/sys/fs/cgroup/memory").is_dir() else "/sys/fs/cgroup", "mlhub-test")
    try:
        group.mkdir(exist_ok=True)
        next(group.glob("memory.limit_in_bytes"), group / "memory.max").write_text(str(48 << 20))
    except OSError as error:
        pytest.skip(f"no memory control group can be made here: {error}")
    yield group
    eventually(lambda: not (group / "cgroup.procs").read_text())
    group.rmdir()


@pytest.mark.root
def test_20_command_killed_for_memory_says_so_with_evidence(box: Sandbox, small_group: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from mlhub.paths import RunPaths\n"
        "from mlhub.runner.launch import Launch, launch\n"
        "(Path(sys.argv[2]) / 'cgroup.procs').write_text(str(os.getpid()))\n"
        "paths = RunPaths(Path(sys.argv[1]))\n"
        "command = [sys.executable, '-I', '-S', '-c', sys.argv[3]]\n"
        "launch(paths, 1, Launch(command, Path('/'), dict(os.environ), paths.log))"
    )
    subprocess.run([sys.executable, "-c", code, str(box.paths.root), str(small_group), HOG], check=True)
    verdict = box.over()
    assert (verdict.status, verdict.signal) == ("failed", "SIGKILL")
    assert (verdict.reason or "").startswith("out of memory (host): oom_kill +1 in /sys/fs/cgroup")
