"""The supervisor killed or stalled, alone, with its command, or with everything."""

from __future__ import annotations

import os
import signal

import pytest

from mlhub.runner import identity, record
from mlhub.runner.stop import stop
from mlhub.runner.truth import Verdict

from .conftest import LOADER, Sandbox, Seen, eventually, kill, loader_of


def test_6_run_goes_on_without_its_supervisor(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    verdict = seen(box.inspect())
    assert (verdict.status, verdict.condition, verdict.pid) == ("running", "unsupervised", started.pid)


def test_6_unsupervised_run_can_be_stopped(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    result = stop(box.paths, 1, 5, "alice")
    assert result.verdict.status == "cancelled"
    assert seen(box.final()).reason == "stopped by alice; exit code unknown, its supervisor was killed"
    assert box.family() == []


def test_6_unsupervised_run_that_ignores_term_is_killed(box: Sandbox) -> None:
    started = box.python(LOADER + "signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(1000)")
    box.log("deaf")
    kill(started.supervisor_pid)
    result = stop(box.paths, 1, 0.2, "alice")
    assert "forced after 0.2 s" in (result.verdict.reason or "")
    assert box.family() == []


def test_6_end_of_an_unsupervised_run_is_lost(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.shell(box.wait_open("exit 0"))
    kill(started.supervisor_pid)
    box.go()
    verdict = seen(box.final())
    assert (verdict.status, verdict.exit_code) == ("failed", None)
    assert "lost" in (verdict.reason or "")


@pytest.mark.parametrize(("word", "status"), [("completed", "completed"), ("failed", "failed")])
def test_6_trainers_own_outcome_is_believed(box: Sandbox, seen: Seen[Verdict], word: str, status: str) -> None:
    outcome = f'{{\\"outcome\\":\\"{word}\\",\\"token\\":\\"$MLHUB_RUN_TOKEN\\",\\"attempt\\":1,\\"error\\":\\"bad\\"}}'
    started = box.shell(box.wait_open(f'echo "{outcome}" > {box.paths.outcome}'))
    kill(started.supervisor_pid)
    box.go()
    verdict = seen(box.final())
    assert (verdict.status, verdict.exit_code) == (status, None)
    assert "trainer's own record" in (verdict.reason or "")


def test_6_outcome_of_another_start_is_not_believed(box: Sandbox) -> None:
    record.write_json(str(box.paths.outcome), {"outcome": "completed", "token": "other", "attempt": 1})
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    assert box.final().status == "failed"


def test_7_both_killed_is_lost_and_orphans_are_listed_as_long_as_they_live(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.python(LOADER + "time.sleep(1000)")
    loader = loader_of(box)
    kill(started.supervisor_pid)
    kill(started.pid)
    verdict = seen(box.final())
    assert (verdict.status, verdict.orphans) == ("failed", (loader,))
    kill(loader)
    assert box.inspect().orphans == ()


@pytest.mark.parametrize("order", [("pid", "supervisor_pid"), ("supervisor_pid", "pid")])
def test_7_both_killed_at_once_is_failed_and_never_completed(
    box: Sandbox, seen: Seen[Verdict], order: tuple[str, str]
) -> None:
    started = box.launch("sleep", "1000")
    for victim in order:
        os.kill(getattr(started, victim), signal.SIGKILL)
    verdict = seen(box.final())
    assert verdict.status == "failed"
    assert (verdict.reason or "").startswith(("lost", "killed by SIGKILL"))  # the supervisor may have been the quicker


def test_13_zombie_of_a_stalled_supervisor_is_finishing(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.launch("sleep", "1000")
    os.kill(started.supervisor_pid, signal.SIGSTOP)
    box.until("supervisor stalled")
    kill(started.pid)
    assert seen(box.until("finishing, supervisor stalled")).status == "running"
    os.kill(started.supervisor_pid, signal.SIGCONT)
    assert box.final().reason == "killed by SIGKILL"


def test_22_stop_reaches_a_stalled_supervisor(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.launch("sleep", "1000")
    os.kill(started.supervisor_pid, signal.SIGSTOP)
    seen(box.until("supervisor stalled"))
    assert seen(stop(box.paths, 1, 5, "alice").verdict).reason == "stopped by alice"


def test_22_end_while_the_supervisor_is_stalled_is_recorded_once_it_wakes(box: Sandbox, seen: Seen[Verdict]) -> None:
    started = box.shell(box.wait_open("exit 3"))
    os.kill(started.supervisor_pid, signal.SIGSTOP)
    box.until("supervisor stalled")
    box.go()
    seen(box.until("finishing, supervisor stalled"))
    assert not box.paths.attempt(1).exit.exists()
    os.kill(started.supervisor_pid, signal.SIGCONT)
    assert (box.over().exit_code, record.read_json(str(box.paths.exit))) == (3, box.exit())


def test_22_second_supervisor_cannot_begin_while_the_first_is_stalled(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    os.kill(started.supervisor_pid, signal.SIGSTOP)
    eventually(lambda: (found := identity.find_process(started.supervisor_pid)) and found.stopped)
    pid = os.posix_spawnp(  # as a launch does, at the same attempt
        "python3", ["python3", "-I", "-S", _entry(), str(box.paths.root), "1"], os.environ
    )
    os.waitpid(pid, 0)
    assert box.inspect().supervisor_pid == started.supervisor_pid
    assert len(box.family()) == 1


def _entry() -> str:
    from mlhub.runner import launch

    return launch._ENTRY
