"""Where a run is seen from: after a reboot, with pids used again, from another pid namespace or host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlhub.errors import MlhubError
from mlhub.runner import identity
from mlhub.runner.stop import stop
from mlhub.runner.truth import Verdict

from .conftest import Sandbox, Seen, eventually, kill, root_only


def test_11_reboot_is_failed(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    box.edit(box.paths.attempt(1).process, boot="00000000-0000-0000-0000-000000000000")
    verdict = seen(box.inspect())
    assert (verdict.status, verdict.reason) == ("failed", "reboot: the machine restarted while it ran")


@pytest.fixture
def stranger(box: Sandbox) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has the pid a killed run's command had, and leads its own session as that did."""
    if not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        pytest.skip("pids can't be chosen here")
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    eventually(lambda: identity.find_process(started.pid) is None)

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

    def test_12_run_is_lost(self, box: Sandbox, seen: Seen[Verdict], stranger: subprocess.Popen[bytes]) -> None:
        verdict = seen(box.inspect())
        assert (verdict.pid, verdict.status) == (stranger.pid, "failed")

    def test_12_run_is_lost_even_if_the_start_time_is_the_same(
        self, box: Sandbox, stranger: subprocess.Popen[bytes]
    ) -> None:
        found = identity.find_process(stranger.pid)
        assert found is not None
        box.edit(box.paths.attempt(1).process, child={"pid": found.pid, "start": found.start})
        assert box.inspect().status == "failed"

    def test_12_stranger_is_never_signalled(
        self, box: Sandbox, seen: Seen[str], stranger: subprocess.Popen[bytes]
    ) -> None:
        found = identity.find_process(stranger.pid)
        assert found is not None
        same = {"pid": found.pid, "start": found.start}
        box.edit(box.paths.attempt(1).process, child=same, supervisor=same)
        stop(box.paths, 1, 0, "alice")
        assert stranger.poll() is None
        seen("the stranger lives")


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
for pid in (started.supervisor_pid, started.pid) if sys.argv[2] == "kill" else ():
    os.kill(pid, signal.SIGKILL)
    while not identity.find_process(pid).dead:
        time.sleep(0.01)
print(json.dumps([identity.find_process(started.pid).state, inspect(paths, 1).status]))
"""


def run_in_a_namespace(box: Sandbox, what: str) -> list[str]:
    """State and status of a run, as seen by the first process of a pid namespace, whose end is the end of all in it."""
    command = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", IN_A_NAMESPACE]
    if subprocess.run([*command[:4], "true"], check=False).returncode:
        pytest.skip("root here may not make a pid namespace")
    done = subprocess.run([*command, str(box.paths.root), what], capture_output=True, timeout=60, check=True)
    found: list[str] = json.loads(done.stdout)
    return found


class TestNamespace:
    pytestmark = root_only

    def test_13_zombie_under_a_first_process_that_reaps_nothing_is_dead(self, box: Sandbox, seen: Seen[str]) -> None:
        state, status = run_in_a_namespace(box, "kill")
        seen(f"state {state}: {status}")
        assert (state, status) == ("Z", "failed")

    def test_14_run_of_a_container_that_has_ended_is_lost(self, box: Sandbox, seen: Seen[Verdict]) -> None:
        assert run_in_a_namespace(box, "leave")[1] == "running"
        verdict = seen(box.final())
        assert (verdict.status, verdict.reason) == (
            "failed",
            "lost: the command and its supervisor are gone; exit code unknown",
        )
        assert (verdict.pid or 0) < 20  # a small number, which some process of ours has: it is not mistaken for it

    def test_14_stop_from_outside_signals_nobody(self, box: Sandbox) -> None:
        run_in_a_namespace(box, "leave")
        assert not stop(box.paths, 1, 0, "alice").stopped


def test_14_same_pids_in_another_pid_namespace_are_lost(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    box.edit(box.paths.attempt(1).process, namespace=1)
    verdict = seen(box.inspect())
    assert (verdict.status, verdict.orphans) == ("failed", (started.pid,))


def test_15_run_of_another_host_is_unknown_and_not_signalled(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.launch("sleep", "1000")
    elsewhere = {"boot": "00000000-0000-0000-0000-000000000000", "machine": "0" * 32, "name": "spark"}
    box.edit(box.paths.attempt(1).process, **elsewhere)
    verdict = seen(box.inspect())
    assert (verdict.status, verdict.condition) == ("running", "unknown: other host (spark)")
    with pytest.raises(MlhubError, match="runs on host spark"):
        stop(box.paths, 1, 0, "alice")
    assert not (box.paths.attempt(1).root / "stop.json").exists()
    assert (found := identity.find_process(started.pid)) is not None
    assert not found.dead
