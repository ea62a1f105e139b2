"""The kernel's out-of-memory killer takes the command, the supervisor, a worker: in a control group of 48 MB."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlhub.runner import identity
from mlhub.runner.oom import Watch
from mlhub.runner.truth import Verdict

from .conftest import Sandbox, Seen, eventually

pytestmark = pytest.mark.root

HOG = "data = []\nwhile True: data.append(b'x' * (1 << 20))"


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


LAUNCH_INSIDE = """
import os, sys
from pathlib import Path
from mlhub.paths import RunPaths
from mlhub.runner.launch import Launch, launch
Path(sys.argv[2], "cgroup.procs").write_text(str(os.getpid()))
paths = RunPaths(Path(sys.argv[1]))
launch(paths, 1, Launch(sys.argv[3:], Path("/"), dict(os.environ), paths.log))
"""


def launch_inside(box: Sandbox, group: Path, *command: str) -> None:
    """Launch a run whose supervisor and command are in `group`."""
    subprocess.run([sys.executable, "-c", LAUNCH_INSIDE, str(box.paths.root), str(group), *command], check=True)


def test_20_command_killed_for_memory_says_so_with_evidence(
    box: Sandbox, seen: Seen[Verdict], small_group: Path
) -> None:
    launch_inside(box, small_group, sys.executable, "-I", "-S", "-c", HOG)
    verdict = seen(box.over())
    assert (verdict.status, verdict.signal) == ("failed", "SIGKILL")
    assert (verdict.reason or "").startswith("out of memory (host): ")
    assert "oom_kill +1 in /sys/fs/cgroup" in (verdict.reason or "")
    if Watch(os.getpid()).reads_log:
        assert f"kernel log: killed process {verdict.pid} (python" in (verdict.reason or "")


def test_20_shell_whose_child_was_killed_for_memory_says_so_too(
    box: Sandbox, seen: Seen[Verdict], small_group: Path
) -> None:
    script = box.root / "hog.py"
    script.write_text(HOG)
    launch_inside(box, small_group, "sh", "-c", f"{sys.executable} -I -S {script}; exit $?")
    verdict = box.over()
    assert (verdict.status, verdict.exit_code) == ("failed", 137)
    assert (verdict.reason or "").startswith("out of memory (host): ")


def test_20_kill_by_hand_is_not_called_memory_because_another_was_killed_for_it(
    box: Sandbox, small_group: Path
) -> None:
    if not Watch(os.getpid()).reads_log:
        pytest.skip("the kernel's log can't be read here")
    started = box.launch("sleep", "1000")
    move = f"import os; open({str(small_group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
    assert subprocess.run([sys.executable, "-c", move + HOG], check=False).returncode == -9
    os.kill(started.pid, 9)
    assert box.over().reason == "killed by SIGKILL"


def test_20_supervisor_killed_for_memory_leaves_an_unsupervised_run(
    box: Sandbox, seen: Seen[Verdict], small_group: Path
) -> None:
    started = box.launch("sleep", "1000")
    Path(f"/proc/{started.supervisor_pid}/oom_score_adj").write_text("1000")  # the kernel's first choice
    for pid in (started.supervisor_pid, started.pid):
        (small_group / "cgroup.procs").write_text(str(pid))
    move = f"import os; open({str(small_group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
    subprocess.run([sys.executable, "-c", move + HOG], check=False)
    eventually(lambda: (found := identity.find_process(started.supervisor_pid)) is None or found.dead)
    verdict = seen(box.inspect())
    assert (verdict.status, verdict.condition) == ("running", "unsupervised")
    box.clear()
