from __future__ import annotations

import os
import signal
import threading

import pytest

from mlhub.errors import MlhubError
from mlhub.runner import lock, record
from mlhub.runner.stop import StopResult, stop

from .conftest import Sandbox, eventually, kill

DEAF = "trap '' TERM; echo deaf; while :; do sleep 0.05; done"


def stop_beside(box: Sandbox, grace: float, who: str, results: list[StopResult]) -> threading.Thread:
    thread = threading.Thread(target=lambda: results.append(stop(box.paths, 1, grace, who)))
    thread.start()
    return thread


def test_stop_says_who_and_waits_for_the_end(box: Sandbox) -> None:
    box.launch("sleep", "1000")
    result = stop(box.paths, 1, 5, "alice")
    assert (result.stopped, result.message) == (True, "run 7: stopped by alice")
    assert box.exit()["requested_by"] == "alice"


def test_grace_0_kills_at_once(box: Sandbox) -> None:
    box.shell("trap 'echo heard' TERM; echo ready; while :; do sleep 0.05; done")
    box.log("ready")
    verdict = stop(box.paths, 1, 0, "alice").verdict
    assert (verdict.signal, verdict.reason) == ("SIGKILL", "stopped by alice, forced at once")
    assert "heard" not in box.paths.log.read_text()


def test_grace_left_out_is_that_of_the_launch(box: Sandbox) -> None:
    box.shell(DEAF, grace=0.2)
    box.log("deaf")
    assert stop(box.paths, 1, None, "alice").verdict.reason == "stopped by alice, forced after 0.2 s"


def test_second_stop_shortens_the_grace(box: Sandbox) -> None:
    box.shell(DEAF)
    box.log("deaf")
    results: list[StopResult] = []
    first = stop_beside(box, 60, "alice", results)
    eventually(lambda: record.read_stop(str(box.paths.attempt(1).root)))
    assert stop(box.paths, 1, 0, "bob").verdict.reason == "stopped by bob, forced at once"
    first.join()
    assert results[0].verdict.status == "cancelled"


def test_second_stop_does_not_lengthen_the_grace(box: Sandbox) -> None:
    box.shell(DEAF)
    box.log("deaf")
    results: list[StopResult] = []
    first = stop_beside(box, 0.5, "alice", results)
    eventually(lambda: record.read_stop(str(box.paths.attempt(1).root)))
    second = stop_beside(box, 60, "alice", results)
    first.join()
    second.join()
    assert {result.verdict.reason for result in results} == {"stopped by alice, forced after 0.5 s"}


def test_stop_of_a_run_that_completed_is_no_error(box: Sandbox) -> None:
    box.shell("exit 0")
    box.final()
    result = stop(box.paths, 1, 5, "alice")
    assert (result.stopped, result.verdict.status) == (False, "completed")
    assert not box.paths.attempt(1).stop.exists()


def test_stop_racing_with_the_end_by_itself_gives_one_of_the_two_truths(box: Sandbox) -> None:
    for attempt in range(1, 16):
        box.shell("exit 0", attempt=attempt)
        verdict = stop(box.paths, attempt, 5, "alice").verdict
        assert verdict.status in ("completed", "cancelled")
        assert (verdict.status == "completed") == (verdict.reason is None)


def test_stop_of_what_was_never_launched_is_an_error(box: Sandbox) -> None:
    with pytest.raises(MlhubError, match="has not been started"):
        stop(box.paths, 1, 5, "alice")


def test_supervisor_killed_in_the_middle_of_a_stop_is_replaced(box: Sandbox) -> None:
    started = box.shell(DEAF)
    box.log("deaf")
    results: list[StopResult] = []
    first = stop_beside(box, 0.5, "alice", results)
    eventually(lambda: record.read_stop(str(box.paths.attempt(1).root)))
    kill(started.supervisor_pid)
    first.join()
    assert results[0].verdict.status == "cancelled"
    assert box.family() == []


def test_two_stops_of_an_unsupervised_run_end_it_once(box: Sandbox) -> None:
    kill(box.launch("sleep", "1000").supervisor_pid)
    results: list[StopResult] = []
    for thread in [stop_beside(box, 5, who, results) for who in ("alice", "bob")]:
        thread.join()
    assert {result.verdict.status for result in results} == {"cancelled"}
    assert len({result.verdict.reason for result in results}) == 1


def test_run_being_stopped_without_a_supervisor_is_still_running(box: Sandbox) -> None:
    kill(box.launch("sleep", "1000").supervisor_pid)
    held = lock.take(str(box.paths.attempt(1).lock))
    assert held is not None
    assert (box.inspect().status, box.inspect().condition) == ("running", "unsupervised")
    os.close(held)


def test_stopped_unsupervised_command_hears_of_a_stop(box: Sandbox) -> None:
    started = box.shell("trap 'echo saved; exit 0' TERM; echo ready; while :; do sleep 0.05; done")
    box.log("ready")
    kill(started.supervisor_pid)
    os.kill(started.pid, signal.SIGSTOP)
    assert "forced" not in (stop(box.paths, 1, 10, "alice").verdict.reason or "")
    assert "saved" in box.paths.log.read_text()
