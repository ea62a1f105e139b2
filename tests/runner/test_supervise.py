from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlhub.errors import MlhubError
from mlhub.runner import identity, launch, lock, record
from mlhub.runner.stop import stop
from tests.conftest import RESERVED_SIGNALS

from .conftest import Sandbox, eventually

ENTRY = launch._ENTRY


def sabotage(box: Sandbox, monkeypatch: pytest.MonkeyPatch, patch: str) -> None:
    """Supervisors of this test run the lines of `patch` before they begin; `supervise` and `record` are imported."""
    entry = box.root / "entry.py"
    source = Path(ENTRY).parents[2]
    lines = (
        "import os, signal, sys",
        f"sys.path.insert(0, {str(source)!r})",
        "from mlhub.runner import record, supervise",
        "from mlhub.runner.supervise import Supervisor",
        "die = lambda *a, **k: os.kill(os.getpid(), signal.SIGKILL)",
        patch,
        "supervise.main(sys.argv[1:])",
    )
    entry.write_text("\n".join(lines))
    monkeypatch.setattr(launch, "_ENTRY", str(entry))


def start_second(box: Sandbox, attempt: int = 1) -> str:
    """What a second supervisor of the same run answers."""
    heard, said = os.pipe()
    command = [sys.executable, "-I", "-S", ENTRY, str(box.paths.root), str(attempt), str(said)]
    subprocess.run(command, pass_fds=(said,), check=True)
    os.close(said)
    with open(heard) as answer:
        return answer.read()


def test_second_supervisor_of_the_same_run_fails_and_the_first_is_untouched(box: Sandbox) -> None:
    box.shell(box.wait_open("exit 4"))
    before = {path: path.read_bytes() for path in box.paths.root.rglob("*") if path.is_file()}
    assert "another supervisor runs this run already" in start_second(box)
    assert {path: path.read_bytes() for path in box.paths.root.rglob("*") if path.is_file()} == before
    box.go()
    assert box.final().exit_code == 4


def test_supervisor_of_an_ended_attempt_starts_nothing(box: Sandbox) -> None:
    box.shell("echo once")
    before = box.final()
    assert "has ended already" in eventually(lambda: (answer := start_second(box)) and "ended" in answer and answer)
    assert box.inspect() == before
    assert box.paths.log.read_text() == "once\n"


def test_child_waiting_at_the_gate_does_not_hold_the_lock_of_a_dead_supervisor(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(box, monkeypatch, "Supervisor.write_process = die")
    monkeypatch.setattr(launch, "_DEATH_SECONDS", 0)
    with pytest.raises(MlhubError, match="supervisor died"):
        box.launch("touch", "ran")
    eventually(lambda: not lock.held(str(box.paths.attempt(1).lock)))


EARLY = ("supervise.become_subreaper", "Supervisor.start", "Supervisor.write_process", "Supervisor.check_not_stopped")


@pytest.mark.parametrize("step", EARLY)
def test_supervisor_killed_before_the_release_starts_nothing(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    sabotage(box, monkeypatch, f"{step} = die")
    with pytest.raises(MlhubError, match="supervisor died"):
        box.launch("touch", str(box.root / "ran"))
    verdict = box.inspect()
    assert verdict.status == ("failed" if box.paths.attempt(1).process.exists() else "queued")
    assert box.family() == []
    assert not (box.root / "ran").exists()


def test_supervisor_killed_just_after_the_release_leaves_an_unsupervised_run(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sabotage(box, monkeypatch, "Supervisor.answer = die")
    started = box.launch("sleep", "1000")
    assert (box.inspect().condition, box.inspect().pid) == ("unsupervised", started.pid)


@pytest.mark.parametrize("step", ["finish", "find_left", "explain", "leave"])
def test_supervisor_killed_between_the_end_and_the_record_is_lost(
    box: Sandbox, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    sabotage(box, monkeypatch, f"Supervisor.{step} = die")
    box.shell("exit 0")
    verdict = box.final()
    assert (verdict.status, verdict.exit_code) == ("failed", None)


def test_supervisor_killed_after_the_slot_has_recorded_the_code(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = "lambda folder, name, tree: die() if name == record.EXIT else write(folder, name, tree)"
    sabotage(box, monkeypatch, f"write = record.write_copies\nrecord.write_copies = {copies}")
    box.shell("exit 3")
    assert box.final().exit_code == 3
    assert not box.paths.attempt(1).exit.exists()


def test_failure_to_find_a_reason_does_not_lose_the_code(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    sabotage(box, monkeypatch, "sys.modules['mlhub.runner.reason'] = None")
    box.shell("exit 3")
    assert (box.final().status, box.final().exit_code) == ("failed", 3)


def test_term_before_the_release_starts_nothing(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    patch = (
        "write = Supervisor.write_process\nSupervisor.write_process = lambda s: (write(s), os.kill(os.getpid(), 15))"
    )
    sabotage(box, monkeypatch, patch)
    with pytest.raises(MlhubError, match="SIGTERM before it began"):
        box.launch("touch", str(box.root / "ran"))
    assert box.inspect().status == "failed"
    assert not (box.root / "ran").exists()


def test_stop_before_the_release_is_cancelled(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    late = "lambda self: (write(self), record.write_stop(self.folder, 'bob', 5))"
    sabotage(box, monkeypatch, f"write = Supervisor.write_process\nSupervisor.write_process = {late}")
    with pytest.raises(MlhubError, match="stopped by bob before it began"):
        box.launch("touch", str(box.root / "ran"))
    assert box.inspect().status == "cancelled"
    assert not (box.root / "ran").exists()


def test_term_to_the_supervisor_that_nobody_of_ours_sent_is_failed_and_says_who(box: Sandbox) -> None:
    os.kill(box.launch("sleep", "1000").supervisor_pid, signal.SIGTERM)
    verdict = box.final()
    assert verdict.status == "failed"
    assert f"(pid {os.getpid()})" in (verdict.reason or "")


def test_exit_0_after_a_stop_is_cancelled(box: Sandbox) -> None:
    box.shell("trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done")
    box.log("ready")
    verdict = stop(box.paths, 1, 5, "alice").verdict
    assert (verdict.status, verdict.exit_code) == ("cancelled", 0)


def test_command_that_saves_on_term_is_given_the_grace(box: Sandbox) -> None:
    box.shell("trap 'sleep 0.3; echo saved; exit 0' TERM; echo ready; while :; do sleep 0.02; done")
    box.log("ready")
    stop(box.paths, 1, 10, "alice")
    assert "saved" in box.paths.log.read_text()


def test_forced_stop_ends_left_behind_processes_at_once(box: Sandbox) -> None:
    box.shell("trap '' TERM; setsid sh -c 'echo ready; exec sleep 1000' & wait")
    box.log("ready")
    stop(box.paths, 1, 0, "alice")
    assert [process["end"] for process in box.exit()["left_behind"]] == ["KILL"]
    assert box.family() == []


def test_stopped_command_hears_of_a_stop(box: Sandbox) -> None:
    os.kill(box.launch("sleep", "1000").pid, signal.SIGSTOP)
    assert stop(box.paths, 1, 10, "alice").verdict.signal == "SIGTERM"


def test_launchers_hangup_and_interrupt_do_not_reach_the_run(box: Sandbox) -> None:
    started = box.shell(box.wait_open("exit 0"))
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
        os.kill(started.supervisor_pid, number)
    box.go()
    assert box.final().status == "completed"


def test_command_has_default_signals_though_the_launcher_blocks_some(box: Sandbox) -> None:
    old = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        box.shell("grep -E 'Sig(Blk|Ign)' /proc/self/status")
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, old)
    box.final()
    found = {int(line.split()[1], 16) & ~RESERVED_SIGNALS for line in box.paths.log.read_text().splitlines()}
    assert found == {0}


def test_end_is_heard_of_though_the_launcher_ignores_the_signals_of_it(box: Sandbox) -> None:
    old = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGCHLD, signal.SIGTERM)}
    try:
        box.shell("exit 3")
        box.launch("sleep", "1000", attempt=2) if box.over().exit_code == 3 else pytest.fail("no exit code")
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
    assert stop(box.paths, 2, 10, "alice").verdict.signal == "SIGTERM"


def test_command_leads_a_session_of_its_own_without_a_terminal(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    found = identity.find_process(started.pid)
    assert found is not None
    assert (found.session, found.group, found.parent) == (started.pid, started.pid, started.supervisor_pid)


def test_command_inherits_no_file_but_the_three(box: Sandbox) -> None:
    box.shell("ls -l /proc/$$/fd")
    box.final()
    targets = [line.split(" -> ")[1] for line in box.paths.log.read_text().splitlines() if " -> " in line]
    assert targets == ["/dev/null", str(box.paths.log), str(box.paths.log)]


def test_log_is_appended_to_by_each_attempt(box: Sandbox) -> None:
    for attempt in (1, 2):
        box.shell(f"echo {attempt}; echo oops >&2", attempt=attempt)
        box.final(attempt)
    assert box.paths.log.read_text() == "1\noops\n2\noops\n"


def test_exception_of_an_earlier_attempt_is_not_blamed(box: Sandbox) -> None:
    box.python("raise ValueError('bad input')")
    assert box.final().reason == "exit code 1: ValueError: bad input"
    box.shell("exit 1", attempt=2)
    assert box.final(2).reason == "exit code 1"


def test_error_the_trainer_noted_is_the_reason(box: Sandbox) -> None:
    noted = '{\\"outcome\\":\\"failed\\",\\"token\\":\\"$MLHUB_RUN_TOKEN\\",\\"error\\":\\"no such data set\\"}'
    box.shell(f'echo "{noted}" > {box.paths.outcome}; exit 1')
    assert box.final().reason == "exit code 1: no such data set"


def test_newest_attempt_is_mirrored_in_the_run_folder(box: Sandbox) -> None:
    for attempt, code in ((1, 3), (2, 4)):
        box.shell(f"exit {code}", attempt=attempt)
        box.over(attempt)
        assert record.read_json(str(box.paths.exit)) == record.read_slot(str(box.paths.attempt(attempt).slot))
    assert record.read_json(str(box.paths.process)) == record.read_json(str(box.paths.attempt(2).process))


def test_process_json_says_who_runs_it(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    tree = record.read_json(str(box.paths.process))
    assert tree is not None
    assert tree["child"] == {"pid": started.pid, "start": identity.find_process(started.pid).start}
    assert tree["supervisor"]["pid"] == started.supervisor_pid
    assert (tree["boot"], tree["namespace"]) == (identity.boot_id(), identity.pid_namespace())


def test_environment_is_not_written_to_disk(box: Sandbox) -> None:
    box.shell("exit 0", env={**os.environ, "API_KEY": "sesame-open"})
    box.final()
    assert not [path for path in box.paths.root.rglob("*") if path.is_file() and b"sesame" in path.read_bytes()]


def test_orphans_are_reaped_while_the_command_runs(box: Sandbox) -> None:
    started = box.shell(f"(sleep 0.05 & sleep 0.05 &) ; {box.wait_open('exit 0')}")

    def children() -> list[identity.Process]:
        return [process for process in identity.all_processes() if process.parent == started.supervisor_pid]

    eventually(lambda: [process.pid for process in children()] == [started.pid])
    box.go()
    assert box.final().status == "completed"


def test_supervisor_is_gone_after_the_end(box: Sandbox) -> None:
    started = box.shell("exit 0")
    box.over()
    eventually(lambda: (found := identity.find_process(started.supervisor_pid)) is None or found.dead)
    assert (box.paths.attempt(1).root / "supervisor.log").read_text() == ""


def test_next_attempt_waits_for_the_last_supervisor_to_leave(box: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    stay = f"""import time
def stay(*_):
    while not os.path.exists({str(box.root / "go")!r}):
        time.sleep(0.02)
supervise.update_database = stay"""
    sabotage(box, monkeypatch, stay)
    box.shell("exit 3")
    box.final()
    assert lock.held(str(box.paths.lock))
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(box.shell, "exit 4", attempt=2)
        told = box.paths.attempt(2).launch
        eventually(lambda: told.exists() and identity.with_token(f"supervisor:{box.token(2)}"))
        assert not second.done()
        box.go()
        second.result(60)
    assert box.final(2).exit_code == 4


def test_process_title_names_the_run(box: Sandbox) -> None:
    started = box.launch("sleep", "1000")
    assert identity.find_process(started.supervisor_pid).name == "mlhub-run-7"


def test_supervisor_imports_the_standard_library_only_and_little_of_it() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import mlhub.runner.supervise; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(Path(ENTRY).parents[2])],
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()} - {"mlhub"}
    assert loaded <= set(sys.stdlib_module_names) | {"__main__"}
    assert not loaded & {"dataclasses", "pathlib", "subprocess", "logging", "sqlite3", "datetime"}


def test_probing_readers_never_make_a_starting_supervisor_fail(box: Sandbox) -> None:
    over = threading.Event()

    def probe() -> None:
        while not over.is_set():
            for attempt in range(1, 11):
                box.inspect(attempt)
                lock.held(str(box.paths.lock))

    readers = [threading.Thread(target=probe) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for attempt in range(1, 11):
            box.shell("exit 0", attempt=attempt)
            assert box.final(attempt).status == "completed"
    finally:
        over.set()
        for reader in readers:
            reader.join()
