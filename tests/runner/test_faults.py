"""The faults a run must survive or report truthfully, with real processes; the numbers are those of the fault table."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlhub.errors import MlhubError
from mlhub.runner import identity, record
from mlhub.runner.stop import stop

from .conftest import Sandbox, eventually, kill

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


def test_1_run_outlives_its_terminal(box: Sandbox) -> None:
    code = (
        "import os, sys; from pathlib import Path; from mlhub.paths import RunPaths\n"
        "from mlhub.runner.launch import Launch, launch\n"
        "paths = RunPaths(Path(sys.argv[1]))\n"
        "launch(paths, 1, Launch(['sh', '-c', sys.argv[2]], Path('/'), dict(os.environ), paths.log))\n"
        "sys.stdin.read()"
    )
    launcher, terminal = pty.fork()
    if launcher == 0:
        script = box.wait_open("exit 5")
        os.execv(sys.executable, [sys.executable, "-c", code, str(box.paths.root), script])  # noqa: S606
    eventually(lambda: box.inspect().status == "running" and box.inspect().condition is None)
    os.close(terminal)  # the kernel hangs up on the terminal's session
    assert os.WTERMSIG(os.waitpid(launcher, 0)[1]) == signal.SIGHUP
    assert box.inspect().status == "running"
    box.go()
    assert box.final().exit_code == 5


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("nosuchcommand", "cannot start 'nosuchcommand': No such file or directory"),
        ("./plain.txt", "cannot start './plain.txt': Permission denied"),
        ("/", "cannot start '/': Permission denied"),
    ],
)
def test_3_command_that_cannot_start_is_refused_in_words(box: Sandbox, command: str, words: str) -> None:
    (box.root / "plain.txt").write_text("text")
    with pytest.raises(MlhubError, match="cannot start"):
        box.launch(command)
    assert (box.inspect().status, box.inspect().reason) == ("failed", words)


def test_3_folder_that_is_missing_is_refused_in_words(box: Sandbox) -> None:
    with pytest.raises(MlhubError, match="cannot enter the folder '/nowhere': No such file or directory"):
        box.launch("true", cwd=Path("/nowhere"))
    assert box.inspect().status == "failed"


@pytest.mark.parametrize("code", [1, 3, 255])
def test_4_exit_code_is_recorded(box: Sandbox, code: int) -> None:
    box.shell(f"exit {code}")
    verdict = box.final()
    assert (verdict.status, verdict.exit_code, verdict.reason) == ("failed", code, f"exit code {code}")


def test_4_exit_code_0_is_completed(box: Sandbox) -> None:
    box.shell("exit 0")
    verdict = box.final()
    assert (verdict.status, verdict.exit_code, verdict.reason) == ("completed", 0, None)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGABRT", "SIGHUP", "SIGTERM"])
def test_4_signal_is_recorded(box: Sandbox, name: str) -> None:
    box.shell(f"ulimit -c 0; kill -{name[3:]} $$")
    verdict = box.final()
    assert (verdict.status, verdict.signal, verdict.exit_code) == ("failed", name, None)


def test_4_time_and_memory_used_are_recorded(box: Sandbox) -> None:
    box.python("data = b'x' * 50_000_000\nwhile __import__('time').process_time() < 0.2: pass")
    usage = box.exit()["usage"]
    assert usage["user"] + usage["system"] >= 0.2
    assert usage["max_rss_kb"] > 50_000


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_5_command_killed_by_a_stranger_failed_and_was_not_cancelled(box: Sandbox, number: signal.Signals) -> None:
    os.kill(box.launch("sleep", "1000").pid, number)
    verdict = box.final()
    assert (verdict.status, verdict.reason) == ("failed", f"killed by {number.name}")


def test_6_run_goes_on_without_its_supervisor(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    verdict = box.inspect()
    assert (verdict.status, verdict.condition, verdict.pid) == ("running", "unsupervised", started.pid)


def test_6_unsupervised_run_can_be_stopped(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    result = stop(box.paths, 1, 5, "alice")
    assert result.verdict.status == "cancelled"
    assert box.final().reason == "stopped by alice; exit code unknown, its supervisor was killed"
    assert box.family() == []


def test_6_unsupervised_run_that_ignores_term_is_killed(box: Sandbox) -> None:
    started = box.python(LOADER + "signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)")
    box.log("deaf")
    kill(started.supervisor_pid)
    result = stop(box.paths, 1, 0.2, "alice")
    assert "forced after 0.2 s" in (result.verdict.reason or "")
    assert box.family() == []


def test_6_end_of_an_unsupervised_run_is_lost(box: Sandbox) -> None:
    started = box.shell(box.wait_open("exit 0"))
    kill(started.supervisor_pid)
    box.go()
    verdict = box.final()
    assert (verdict.status, verdict.exit_code) == ("failed", None)
    assert "lost" in (verdict.reason or "")


@pytest.mark.parametrize(("word", "status"), [("completed", "completed"), ("failed", "failed")])
def test_6_trainers_own_outcome_is_believed(box: Sandbox, word: str, status: str) -> None:
    outcome = f'{{\\"outcome\\":\\"{word}\\",\\"token\\":\\"$MLHUB_RUN_TOKEN\\",\\"attempt\\":1,\\"error\\":\\"bad\\"}}'
    started = box.shell(box.wait_open(f'echo "{outcome}" > {box.paths.outcome}'))
    kill(started.supervisor_pid)
    box.go()
    verdict = box.final()
    assert (verdict.status, verdict.exit_code) == (status, None)
    assert "trainer's own record" in (verdict.reason or "")


def test_6_outcome_of_another_start_is_not_believed(box: Sandbox) -> None:
    record.write_json(str(box.paths.outcome), {"outcome": "completed", "token": "other", "attempt": 1})
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    assert box.final().status == "failed"


def test_7_both_killed_is_lost_and_orphans_are_listed_as_long_as_they_live(box: Sandbox) -> None:
    started = box.python(LOADER + "time.sleep(1000)")
    loader = loader_of(box)
    kill(started.supervisor_pid)
    kill(started.pid)
    verdict = box.final()
    assert (verdict.status, verdict.orphans) == ("failed", (loader,))
    kill(loader)
    assert box.inspect().orphans == ()


def test_8_stop_leaves_no_grandchild_with_its_own_session(box: Sandbox) -> None:
    box.python(LOADER + "time.sleep(1000)")
    loader = loader_of(box)
    stop(box.paths, 1, 5, "alice")
    assert identity.find_process(loader) is None
    assert [(process["pid"], process["end"]) for process in box.exit()["left_behind"]] == [(loader, "KILL")]


def test_8_end_by_itself_leaves_no_grandchild_either(box: Sandbox) -> None:
    box.python(LOADER)
    loader = loader_of(box)
    assert box.final().status == "completed"
    assert identity.find_process(loader) is None
    assert [process["end"] for process in box.exit()["left_behind"]] == ["KILL"]


def test_8_grandchild_with_an_empty_environment_is_found_by_its_place_in_the_tree(box: Sandbox) -> None:
    box.shell("env -i setsid sleep 1000 & echo loader $!")
    loader = loader_of(box)
    assert box.final().status == "completed"
    assert identity.find_process(loader) is None


def test_8_what_ends_by_itself_soon_is_not_left_behind(box: Sandbox) -> None:
    box.shell("sleep 0.1 & exit 0")
    assert box.exit()["left_behind"] == []


def test_8_run_started_from_within_a_run_outlives_it(box: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> None:
    inner = Sandbox(tmp_path_factory.mktemp("inner"))
    code = (
        "import os; from pathlib import Path; from mlhub.paths import RunPaths\n"
        "from mlhub.runner.launch import Launch, launch\n"
        f"paths = RunPaths(Path({str(inner.paths.root)!r}))\n"
        "launch(paths, 1, Launch(['sleep', '1000'], Path('/'), dict(os.environ), paths.log))"
    )
    box.launch(sys.executable, "-c", code)
    try:
        assert box.final().status == "completed"
        assert inner.inspect().status == "running"
        assert inner.inspect().condition is None
    finally:
        inner.clear()


def test_9_command_that_ignores_term_is_killed_after_the_grace(box: Sandbox) -> None:
    box.shell("trap '' TERM; echo deaf; while :; do sleep 0.05; done")
    box.log("deaf")
    verdict = stop(box.paths, 1, 0.3, "alice").verdict
    assert (verdict.status, verdict.signal) == ("cancelled", "SIGKILL")
    assert verdict.reason == "stopped by alice, forced after 0.3 s"


def test_10_second_stop_says_that_it_had_ended(box: Sandbox) -> None:
    box.launch("sleep", "1000")
    assert stop(box.paths, 1, 5, "alice").stopped
    again = stop(box.paths, 1, 5, "bob")
    assert (again.stopped, again.message) == (False, "run 7 already ended: cancelled")
    assert box.inspect().reason == "stopped by alice"


def test_11_reboot_is_failed(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    box.edit(box.paths.attempt(1).process, boot="00000000-0000-0000-0000-000000000000")
    verdict = box.inspect()
    assert (verdict.status, verdict.reason) == ("failed", "reboot: the machine restarted while it ran")


@pytest.fixture
def stranger(box: Sandbox) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the pid a killed run's command had, and leads its own session as that did."""
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    eventually(lambda: identity.find_process(started.pid) is None)
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        pytest.skip("pids can't be chosen here")

    def take() -> subprocess.Popen[bytes] | None:
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(started.pid - 1))
        process = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        if process.pid == started.pid:
            return process
        process.kill()
        process.wait()
        return None

    process = eventually(take)
    yield process
    process.kill()
    process.wait()


class TestPidReused:
    pytestmark = root_only

    def test_12_run_is_lost(self, box: Sandbox, stranger: subprocess.Popen[bytes]) -> None:
        assert box.inspect().pid == stranger.pid
        assert box.inspect().status == "failed"

    def test_12_run_is_lost_even_if_the_start_time_is_the_same(
        self, box: Sandbox, stranger: subprocess.Popen[bytes]
    ) -> None:
        found = identity.find_process(stranger.pid)
        assert found is not None
        box.edit(box.paths.attempt(1).process, child={"pid": found.pid, "start": found.start})
        assert box.inspect().status == "failed"

    def test_12_stranger_is_never_signalled(self, box: Sandbox, stranger: subprocess.Popen[bytes]) -> None:
        found = identity.find_process(stranger.pid)
        assert found is not None
        same = {"pid": found.pid, "start": found.start}
        box.edit(box.paths.attempt(1).process, child=same, supervisor=same)
        stop(box.paths, 1, 0, "alice")
        assert stranger.poll() is None


IN_A_NAMESPACE = """
import json, os, signal, sys, time
from pathlib import Path
from mlhub.paths import RunPaths
from mlhub.runner import identity
from mlhub.runner.launch import Launch, launch
from mlhub.runner.truth import inspect
assert os.getpid() == 1  # and so it gets every orphan, and reaps none
paths = RunPaths(Path(sys.argv[1]))
started = launch(paths, 1, Launch(["sleep", "1000"], Path("/"), dict(os.environ), paths.log))
for pid in (started.supervisor_pid, started.pid):
    os.kill(pid, signal.SIGKILL)
    while not identity.find_process(pid).dead:
        time.sleep(0.01)
print(json.dumps([identity.find_process(started.pid).state, inspect(paths, 1).status]))
"""


class TestZombie:
    pytestmark = root_only

    def test_13_zombie_under_a_first_process_that_reaps_nothing_is_dead(self, box: Sandbox) -> None:
        command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", IN_A_NAMESPACE]
        if subprocess.run([*command[:4], "true"], check=False).returncode:
            pytest.skip("root here may not make a pid namespace")
        done = subprocess.run([*command, str(box.paths.root)], capture_output=True, timeout=60, check=True)
        assert json.loads(done.stdout) == ["Z", "failed"]


def test_13_zombie_of_a_stalled_supervisor_is_finishing(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    os.kill(started.supervisor_pid, signal.SIGSTOP)
    box.until("supervisor stalled")
    kill(started.pid)
    assert box.until("finishing, supervisor stalled").status == "running"
    os.kill(started.supervisor_pid, signal.SIGCONT)
    assert box.final().reason == "killed by SIGKILL"


def test_14_same_pids_in_another_pid_namespace_are_lost(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    box.edit(box.paths.attempt(1).process, namespace=1)
    verdict = box.inspect()
    assert (verdict.status, verdict.orphans) == ("failed", (started.pid,))


def test_15_run_of_another_host_is_unknown_and_not_signalled(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    elsewhere = {"boot": "00000000-0000-0000-0000-000000000000", "machine": "0" * 32, "name": "spark"}
    box.edit(box.paths.attempt(1).process, **elsewhere)
    verdict = box.inspect()
    assert (verdict.status, verdict.condition) == ("running", "unknown: other host (spark)")
    with pytest.raises(MlhubError, match="runs on host spark"):
        stop(box.paths, 1, 0, "alice")
    assert not (box.paths.attempt(1).root / "stop.json").exists()
    assert (found := identity.find_process(started.pid)) is not None
    assert not found.dead


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 pages."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("root here may not mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, free: int = 0) -> None:
    """Use up a small disk but for `free` pages."""
    with (folder / "filler").open("ab", buffering=0) as file:
        while os.statvfs(folder).f_bavail > free:
            file.write(b"x" * 4096)


class TestFullDisk:
    pytestmark = root_only

    @pytest.mark.parametrize("free", range(4))  # a launch takes four pages: order, slot, and process.json twice
    def test_17_launch_is_refused_before_anything_runs(self, small_disk: Path, tmp_path: Path, free: int) -> None:
        box = Sandbox(small_disk)
        fill(small_disk, free)
        with pytest.raises(MlhubError, match="disk is full"):
            box.launch("touch", str(tmp_path / "ran"))
        assert not (tmp_path / "ran").exists()
        assert not list(small_disk.rglob("*.tmp"))

    def test_16_exit_code_is_recorded_on_a_full_disk(self, small_disk: Path) -> None:
        box = Sandbox(small_disk)
        script = box.wait_open("echo no room; exit 3")
        box.shell(script)
        (box.root / "go").touch()
        fill(small_disk)
        assert box.final().exit_code == 3

    def test_16_run_can_be_stopped_on_a_full_disk(self, small_disk: Path) -> None:
        box = Sandbox(small_disk)
        box.launch("sleep", "1000")
        fill(small_disk)
        verdict = stop(box.paths, 1, 5, "alice").verdict
        assert (verdict.status, verdict.signal) == ("cancelled", "SIGTERM")


@pytest.mark.parametrize("garbage", [b"", b"{", b"mlhub-exit-1 00000000 {}", b"\0" * 4096, b"[" * 4096])
def test_18_torn_record_is_rejected(box: Sandbox, garbage: bytes) -> None:
    box.shell("exit 0")
    box.over()
    attempt = box.paths.attempt(1)
    attempt.slot.write_bytes(garbage)
    attempt.exit.write_bytes(garbage)
    assert box.inspect().status == "failed"


def test_22_stop_reaches_a_stalled_supervisor(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    os.kill(started.supervisor_pid, signal.SIGSTOP)
    box.until("supervisor stalled")
    assert stop(box.paths, 1, 5, "alice").verdict.reason == "stopped by alice"
