from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from mlhub.errors import MlhubError
from mlhub.paths import RunPaths
from mlhub.runner import identity, lock, record
from mlhub.runner.launch import AlreadyStartedError
from mlhub.runner.stop import stop
from mlhub.runner.truth import NEVER_STARTED_SECONDS, inspect

from .conftest import Sandbox, kill

ENDED = {"status": "completed", "exit_code": 0, "attempt": 1}


def write(box: Sandbox, name: str, tree: dict[str, Any]) -> None:
    folder = box.paths.attempt(1).root
    folder.mkdir(parents=True, exist_ok=True)
    record.write_json(str(folder / name), tree)


def launched(box: Sandbox, ago: float = 0.0, **changes: Any) -> None:
    """The attempt as `mlhub run` leaves it before the supervisor has begun."""
    at = identity.boot_clock() - ago
    write(box, record.LAUNCH, {"token": "abc", "boot_clock": at, **identity.this_host()._asdict(), **changes})


def test_nothing_launched_is_queued(box: Sandbox) -> None:
    assert (box.inspect().status, box.inspect().condition) == ("queued", None)


def test_fresh_launch_is_starting(box: Sandbox) -> None:
    launched(box)
    assert (box.inspect().status, box.inspect().condition) == ("queued", "starting")


def test_launch_that_came_to_nothing_never_started(box: Sandbox) -> None:
    launched(box, ago=NEVER_STARTED_SECONDS + 0.1)
    assert (box.inspect().status, box.inspect().reason) == ("failed", "never started: its launch was cut short")


def test_launch_of_before_a_reboot_is_failed(box: Sandbox) -> None:
    launched(box, boot="00000000-0000-0000-0000-000000000000")
    assert "reboot" in (box.inspect().reason or "")


def test_launch_on_another_host_is_unknown(box: Sandbox) -> None:
    launched(box, ago=100, boot="00000000-0000-0000-0000-000000000000", name="spark")
    assert box.inspect().condition == "unknown: other host (spark)"


def test_record_comes_before_every_other_sign(box: Sandbox) -> None:
    box.launch("sleep", "1000")
    box.edit(box.paths.attempt(1).process, boot="another", name="elsewhere")
    write(box, record.EXIT, ENDED)
    assert box.inspect().status == "completed"


def test_healthy_run_has_no_condition(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    verdict = box.inspect()
    assert (verdict.status, verdict.condition) == ("running", None)
    assert (verdict.pid, verdict.supervisor_pid, verdict.host) == (
        started.pid,
        started.supervisor_pid,
        os.uname().nodename,
    )
    assert verdict.started_at == started.started_at


def test_lock_alone_is_starting(box: Sandbox) -> None:
    launched(box, ago=5)
    held = lock.take(str(box.paths.attempt(1).lock))
    assert held is not None
    assert (box.inspect().status, box.inspect().condition) == ("running", "starting")
    os.close(held)


def test_lock_alone_for_long_says_what_is_missing(box: Sandbox) -> None:
    launched(box, ago=100)
    held = lock.take(str(box.paths.attempt(1).lock))
    assert held is not None
    assert (box.inspect().condition or "").endswith("process.json is missing or damaged")
    os.close(held)


def test_supervisor_whose_record_is_garbage_is_found_and_stopped(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    box.paths.attempt(1).process.write_text("garbage")
    assert stop(box.paths, 1, 0, "alice").verdict.status == "cancelled"
    assert (found := identity.find_process(started.pid)) is None or found.dead


def test_name_of_a_host_is_fit_to_be_shown(box: Sandbox) -> None:
    box.launch("sleep", "1000")
    box.edit(box.paths.attempt(1).process, boot="another", machine="another", name="ev\x1b[31mil\x07" + "x" * 100)
    assert (box.inspect().condition or "").isprintable()


def test_copy_of_a_folder_is_unknown_and_its_processes_are_not_signalled(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    copy = RunPaths(box.root / "copy")
    shutil.copytree(box.paths.root, copy.root)
    verdict = inspect(copy, 1)
    assert (verdict.status, (verdict.condition or "").startswith("unknown: this folder is a copy")) == ("running", True)
    with pytest.raises(MlhubError, match="a copy"):
        stop(copy, 1, 0, "alice")
    assert (found := identity.find_process(started.pid)) is not None
    assert not found.dead


def test_attempt_that_was_given_up_never_begins(box: Sandbox) -> None:
    folder = box.paths.attempt(1).root
    folder.mkdir(parents=True)
    assert record.decide(str(folder), record.GIVEN_UP) == record.GIVEN_UP
    with pytest.raises(AlreadyStartedError):
        box.launch("touch", str(box.root / "ran"))
    assert not (box.root / "ran").exists()
    assert not box.paths.attempt(1).exit.exists()  # the record is whose who gave it up


def test_attempt_that_has_begun_is_not_given_up(box: Sandbox) -> None:
    box.launch("sleep", "1000")
    assert record.decide(str(box.paths.attempt(1).root), record.GIVEN_UP) == record.BEGUN


def test_fork_that_is_not_yet_the_command_is_starting(box: Sandbox) -> None:
    """As between process.json and exec: the pid is there, with the supervisor's environment still."""
    started = box.launch("sleep", "1000")
    found = identity.find_process(started.supervisor_pid)
    assert found is not None
    box.edit(box.paths.attempt(1).process, child={"pid": found.pid, "start": found.start})
    assert (box.inspect().status, box.inspect().condition) == ("running", "starting")


def test_stop_that_was_asked_for_and_not_recorded_is_cancelled(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    record.write_stop(str(box.paths.attempt(1).root), "alice", 5)
    kill(started.supervisor_pid)
    kill(started.pid)
    verdict = box.final()
    assert (verdict.status, verdict.reason) == ("cancelled", "stopped by alice; how it ended was not recorded")


def test_stop_for_a_fault_that_was_not_recorded_is_failed_for_that_fault(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    record.write_stop(str(box.paths.attempt(1).root), "sampler", 5, "train/loss is NaN at step 7")
    kill(started.supervisor_pid)
    kill(started.pid)
    assert (box.final().status, box.final().reason) == ("failed", "train/loss is NaN at step 7")


def test_lost_run_tells_the_last_exception_of_its_log(box: Sandbox) -> None:
    started = box.python("import time\nwhile not __import__('os').path.exists('go'): time.sleep(0.01)\nimport nowhere")
    kill(started.supervisor_pid)
    box.go()
    said = "; the last exception in its log: import error: ModuleNotFoundError: No module named 'nowhere'"
    assert (box.final().reason or "").endswith(f"exit code unknown{said}")


def test_lost_run_tells_nothing_of_a_log_that_leads_elsewhere(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    (box.root / "secret").write_text("ValueError: secret\n")
    box.paths.log.unlink()
    box.paths.log.symlink_to(box.root / "secret")
    kill(started.supervisor_pid)
    kill(started.pid)
    assert "secret" not in (box.final().reason or "")


def test_outcome_before_a_reboot_is_believed(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    box.edit(box.paths.attempt(1).process, boot="another")
    record.write_json(str(box.paths.outcome), {"outcome": "completed", "token": box.token(), "time": 1763848800.5})
    verdict = box.inspect()
    assert (verdict.status, verdict.ended_at) == ("completed", "2025-11-22T22:00:00.500Z")


@pytest.mark.parametrize(("uncaught", "status"), [(False, "completed"), (True, "failed")])
def test_a_test_that_failed_after_the_training_counts_as_it_does_with_an_exit_code(
    box: Sandbox, uncaught: bool, status: str
) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    told = {"outcome": "failed", "stage": "test", "trained": True, "error": "ValueError: x", "uncaught": uncaught}
    record.write_json(str(box.paths.outcome), {**told, "token": box.token()})
    verdict = box.final()
    assert (verdict.status, verdict.exit_code) == (status, None)
    assert "ValueError: x (by the trainer's own record" in (verdict.reason or "")


def test_reading_changes_nothing(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    kill(started.supervisor_pid)
    kill(started.pid)
    before = {path: path.stat().st_mtime_ns for path in box.paths.root.rglob("*")}
    box.final()
    assert {path: path.stat().st_mtime_ns for path in box.paths.root.rglob("*")} == before


HOSTILE: list[dict[str, Any]] = [
    {},
    {"child": 7, "supervisor": [], "boot": None, "namespace": "x"},
    {"child": {"pid": -1, "start": 0}},
    {"child": {"pid": 0, "start": 0}, "supervisor": {"pid": 1 << 61, "start": 1}},
    {"child": {"pid": 1 << 61, "start": True}},
    {"child": {"pid": "1; rm", "start": {}}},
    {"name": "\x1b[31m" * 100, "machine": ["x"], "token": {"a": 1}},
    {"started_at": 7, "started_boot": "NaN", "token": ""},
]


@pytest.mark.parametrize("tree", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_process_file_is_never_an_exception(box: Sandbox, tree: dict[str, Any]) -> None:
    launched(box, ago=100)
    write(box, record.PROCESS, {**identity.this_host()._asdict(), **tree})
    assert inspect(box.paths, 1).status in ("running", "failed")


@pytest.mark.parametrize("tree", [{"status": "nonsense"}, {"status": 7}, {"exit_code": 0}, []])
def test_record_without_a_final_status_is_none(box: Sandbox, tree: Any) -> None:
    launched(box, ago=100)
    write(box, record.EXIT, tree)
    assert box.inspect().status == "failed"


def test_fields_of_a_record_that_make_no_sense_are_missing(box: Sandbox) -> None:
    write(box, record.EXIT, {"status": "failed", "exit_code": "3", "signal": 9, "reason": ["x"], "started_at": {}})
    verdict = box.inspect()
    assert (verdict.exit_code, verdict.signal, verdict.reason, verdict.started_at) == (None, None, None, None)


def test_attempts_folder_that_is_a_link_to_itself_is_no_exception(box: Sandbox) -> None:
    (box.paths.root / "attempts").symlink_to("attempts")
    assert box.inspect().status == "queued"
