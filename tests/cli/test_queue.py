"""The queue as users meet it: real commands that wait for slots, for each other and for GPUs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlhub.runner import identity
from tests.conftest import make_cli, wait_until
from tests.nvml import FakeNvml, h100

if TYPE_CHECKING:
    from tests.conftest import Cli


def statuses(cli: Cli) -> dict[str, str]:
    return {run["name"]: run["status"] for run in cli.json("ls", "-n", "1000")}


def until(cli: Cli, **wanted: str) -> dict[str, str]:
    return wait_until(lambda: (found := statuses(cli)) and wanted.items() <= found.items() and found)


def gate(cli: Cli, name: str) -> str:
    """A shell script that ends once `name` is let go."""
    return f"while [ ! -e {cli.home.parent}/{name} ]; do sleep 0.02; done"


def let_go(cli: Cli, name: str) -> None:
    (cli.home.parent / name).touch()


def test_a_run_over_the_limit_queues_by_itself_and_says_so(cli: Cli) -> None:
    cli("run", "--", "sleep", "100", MLHUB_MAX_RUNS="1")
    said = cli("run", "--name", "second", "--", "true", MLHUB_MAX_RUNS="1").stdout
    assert "run 2  second  queued (waits for a slot (1 of 1 taken))" in said


def test_an_ending_run_starts_the_next_without_anybody_looking(cli: Cli) -> None:
    cli("run", "--", "sh", "-c", gate(cli, "go"))
    cli("run", "--queue", "--", "touch", str(cli.home.parent / "ran"))
    assert not (cli.home.parent / "ran").exists()
    let_go(cli, "go")
    wait_until((cli.home.parent / "ran").exists)


def test_waiting_runs_start_by_priority_and_then_by_age(cli: Cli) -> None:
    cli("run", "--name", "first", "--", "sh", "-c", gate(cli, "go"))
    order = cli.home.parent / "order"
    for name, priority in (("low", "-1"), ("old", "0"), ("new", "0"), ("high", "5")):
        cli("run", "--queue", "--name", name, "--priority", priority, "--", "sh", "-c", f"echo {name} >> {order}")
    let_go(cli, "go")
    until(cli, low="completed")
    assert order.read_text().split() == ["high", "old", "new", "low"]


def test_moving_changes_the_order(cli: Cli) -> None:
    cli("run", "--", "sleep", "100")
    for name in "abc":
        cli("run", "--queue", "--name", name, "--", "true")
    cli("queue", "move", "c")
    cli("queue", "move", "a", "--last")
    assert [run["name"] for run in cli.json("queue")["waiting"]] == ["c", "b", "a"]
    cli("queue", "move", "a", "--before", "b")
    assert [run["name"] for run in cli.json("queue")["waiting"]] == ["c", "a", "b"]


def test_a_paused_queue_starts_nothing_and_goes_on_when_told(cli: Cli) -> None:
    cli("queue", "pause", "driver update")
    assert "queued (queue paused (driver update))" in cli("run", "--queue", "--name", "later", "--", "true").stdout
    assert "PAUSED: driver update" in cli("queue").stdout
    cli("queue", "resume")
    until(cli, later="completed")


def test_draining_waits_for_what_runs_and_leaves_the_queue_paused(cli: Cli) -> None:
    cli("run", "--name", "running", "--", "sh", "-c", gate(cli, "go"))
    cli("run", "--queue", "--name", "waiting", "--", "true")
    drain = subprocess.Popen([sys.executable, "-m", "mlhub", "queue", "drain"], env=cli.environment)
    wait_until(lambda: cli.json("queue")["paused"])
    assert drain.poll() is None
    let_go(cli, "go")
    assert drain.wait(60) == 0
    assert statuses(cli) == {"running": "completed", "waiting": "queued"}


def test_a_waiting_run_is_stopped_without_ever_running(cli: Cli) -> None:
    cli("run", "--", "sleep", "100")
    cli("run", "--queue", "--name", "never", "--", "touch", str(cli.home.parent / "ran"))
    assert "stopped by" in cli("stop", "never").stdout
    cli("stop", "1", "--grace", "0")
    assert cli.json("show", "never")["status"] == "cancelled"
    assert not (cli.home.parent / "ran").exists()


def test_a_run_comes_after_those_it_names(cli: Cli) -> None:
    cli("run", "--name", "base", "--", "sh", "-c", gate(cli, "go"))
    said = cli("run", "--after", "base", "--name", "next", "--", "true").stdout
    assert "queued (waits for run 1 (base))" in said
    let_go(cli, "go")
    until(cli, base="completed", next="completed")


def test_what_waits_for_a_run_that_failed_is_cancelled_and_so_is_what_waits_for_that(cli: Cli) -> None:
    cli("run", "--name", "base", "--", "sh", "-c", gate(cli, "go") + "; exit 1")
    cli("run", "--after", "base", "--name", "next", "--", "true")
    cli("run", "--after", "next", "--priority", "9", "--name", "last", "--", "true")
    let_go(cli, "go")
    until(cli, base="failed", next="cancelled", last="cancelled")
    assert cli.json("show", "next")["reason"] == "dependency: run 1 (base) failed"


def test_coming_after_a_run_that_failed_already_is_refused(cli: Cli) -> None:
    cli("run", "--wait", "--name", "base", "--", "false", code=1)
    assert "--after base: it failed" in cli("run", "--after", "base", "--", "true", code=2).stderr


def test_sixteen_submitters_at_once_against_two_slots_start_two_and_forget_none(cli: Cli) -> None:
    log = cli.home.parent / "log"
    cli("ls")
    # each holds its slot until the gate opens, and says so when it begins and ends
    script = f'echo + >> {log}; {gate(cli, "go")}; sleep 0.1; echo - >> {log}; echo "$MLHUB_RUN_ID" >> {log}.ids'
    command = [sys.executable, "-m", "mlhub", "run", "--", "sh", "-c", script]
    environment = cli.environment | {"MLHUB_MAX_RUNS": "2"}
    submitters = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(16)]
    assert [process.wait(60) for process in submitters] == [0] * 16
    assert sorted(statuses(cli).values()) == ["queued"] * 14 + ["running"] * 2
    let_go(cli, "go")
    wait_until(lambda: set(statuses(cli).values()) == {"completed"}, 60)
    active = highest = 0
    for line in log.read_text().split():
        active += 1 if line == "+" else -1
        highest = max(highest, active)
    assert highest == 2
    assert sorted(map(int, (log.parent / "log.ids").read_text().split())) == list(range(1, 17))


def test_a_claim_whose_launcher_was_killed_goes_back_into_the_queue_and_starts(cli: Cli) -> None:
    cli("run", "--name", "first", "--", "sh", "-c", gate(cli, "go"), MLHUB_SAMPLER="0")
    cli("run", "--queue", "--name", "next", "--", "true")
    os.kill(cli.json("show", "first")["supervisor_pid"], signal.SIGKILL)  # so that nobody ticks but us
    let_go(cli, "go")
    code = (
        "import os, sys; from mlhub.runner import queue\n"
        "queue.launch = lambda *a: os.kill(os.getpid(), 9)\n"
        "from mlhub.cli import main; sys.argv = ['mlhub', 'queue']; main()"
    )

    def killed() -> bool:
        done = subprocess.run([sys.executable, "-c", code], env=cli.environment, capture_output=True, check=False)
        return done.returncode == -signal.SIGKILL

    wait_until(killed)
    assert cli.json("show", "next")["status"] == "queued"
    until(cli, next="completed")


def test_the_order_with_its_environment_is_gone_once_the_run_has_started(cli: Cli) -> None:
    cli("run", "--name", "first", "--", "sh", "-c", gate(cli, "go"))
    secrets = {"SECRET_WORD": "plover", "MLHUB_NOTIFY": "json://127.0.0.1:9/rosebud"}
    cli("run", "--queue", "--name", "next", "--", "sh", "-c", "echo secret is $SECRET_WORD", **secrets)
    order = cli.home / "runs" / "2" / "attempts" / "1" / "order.json"
    assert order.stat().st_mode & 0o777 == 0o600
    assert "rosebud" not in order.read_text()
    let_go(cli, "go")
    until(cli, next="completed")
    assert "secret is plover" in cli("logs", "next").stdout
    assert not order.exists()
    held = [path for path in (cli.home / "runs" / "2").rglob("*.json") if "plover" in path.read_text()]
    assert held == []


def test_after_a_reboot_the_queue_is_paused_and_says_so(cli: Cli) -> None:
    cli("run", "--", "sleep", "100")
    cli("run", "--queue", "--name", "later", "--", "true")
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE queue SET boot = 'another'")
    cli("stop", "1", "--grace", "0")
    found = cli.json("queue")
    assert (found["paused"], found["reason"]) == (True, "the machine was restarted")
    assert [run["condition"] for run in found["waiting"]] == ["queue paused (the machine was restarted)"]


def test_waiting_runs_come_back_with_a_rebuilt_database(cli: Cli) -> None:
    cli("run", "--", "sleep", "100")
    cli("run", "--queue", "--name", "later", "--priority", "3", "--", "true")
    before = cli.json("show", "later")
    for file in cli.home.glob("mlhub.db*"):
        file.unlink()
    after = cli.json("show", "later")
    assert {key: after[key] for key in before if key != "condition"} == {
        key: before[key] for key in before if key != "condition"
    }


@pytest.fixture
def cards(cli: Cli, tmp_path: Path) -> FakeNvml:
    """Four GPUs, the last with somebody else's process."""
    nvml = FakeNvml(tmp_path, h100(), h100(), h100(), h100(processes=[{"pid": 1, "memory": 1e9}]))
    cli.environment.update(nvml.environment)
    return nvml


def test_gpus_are_claimed_and_shown_to_the_command(cli: Cli, cards: FakeNvml) -> None:
    first = cli.json("run", "--gpus", "2", "--", "sh", "-c", "echo cards $CUDA_VISIBLE_DEVICES; sleep 100")
    second = cli.json("run", "--gpus", "1", "--", "sleep", "100")
    assert (first["gpus"], second["gpus"]) == ([0, 1], [2])
    wait_until(lambda: "cards 0,1" in cli("logs", "1").stdout)


def test_a_run_waits_for_gpus_that_others_use_and_nobody_behind_it_takes_them(cli: Cli, cards: FakeNvml) -> None:
    cli("run", "--gpus", "2", "--", "sleep", "100")
    big = cli.json("run", "--gpus", "2", "--", "sleep", "100")
    small = cli.json("run", "--gpus", "1", "--", "sleep", "100")
    assert (big["status"], big["condition"]) == ("queued", "waits for 2 GPUs (1 free)")
    assert small["condition"] == "waits for 1 GPU (1 free, behind run 2)"
    cli("stop", "1", "--grace", "0")
    wait_until(lambda: cli.json("show", "2")["status"] == "running")
    assert cli.json("show", "2")["gpus"] == [0, 1]


def test_more_gpus_than_there_are_are_refused(cli: Cli, cards: FakeNvml) -> None:
    assert "--gpus 5: this machine has 4" in cli("run", "--gpus", "5", "--", "true", code=2).stderr


def test_without_a_gpu_asking_for_one_is_refused(cli: Cli) -> None:
    assert "there is none here" in cli("run", "--gpus", "1", "--", "true", code=2).stderr


def test_gpus_of_a_lost_run_are_kept_until_nothing_of_it_is_left(cli: Cli, cards: FakeNvml) -> None:
    script = "setsid sleep 1000 & echo loader $!; sleep 1000"
    lost = cli.json("run", "--gpus", "3", "--", "sh", "-c", script)
    wait_until(lambda: "loader" in cli("logs", "1").stdout)
    for pid in (lost["supervisor_pid"], lost["pid"]):
        os.kill(pid, signal.SIGKILL)
    ended = wait_until(lambda: (run := cli.json("show", "1"))["status"] == "failed" and run)
    assert ended["orphans"]
    assert cli.json("run", "--gpus", "1", "--", "true")["status"] == "queued"
    cli("stop", "1")
    wait_until(lambda: cli.json("show", "2")["status"] == "completed")


def test_runs_that_wait_on_a_host_which_is_no_more_are_shown_and_can_be_taken_over(cli: Cli) -> None:
    cli("queue", "pause")
    cli("run", "--queue", "--name", "later", "--", "true")
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE runs SET host = 'old-name'")
    cli("queue", "resume")
    assert "1 more on old-name" in cli("queue").stdout
    cli("queue", "adopt", "old-name")
    until(cli, later="completed")


def held_up_before_its_launch(cli: Cli, *arguments: str) -> subprocess.Popen[bytes]:
    """`mlhub …` that has claimed a run and waits for the file `launch` before it launches it."""
    code = (
        "import os, sys, time; from mlhub.runner import queue\n"
        "real = queue.launch_claimed\n"
        "def late(*a, **k):\n"
        f"    open({str(cli.home.parent / 'claimed')!r}, 'w').close()\n"
        f"    while not os.path.exists({str(cli.home.parent / 'launch')!r}): time.sleep(0.02)\n"
        "    return real(*a, **k)\n"
        "queue.launch_claimed = late\n"
        f"from mlhub.cli import main; sys.argv = ['mlhub', *{arguments!r}]; main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=cli.environment, stderr=subprocess.PIPE)
    wait_until((cli.home.parent / "claimed").exists)
    return process


def make_claims_old(cli: Cli) -> None:
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE runs SET claimed_boot = claimed_boot - 11")


def test_a_run_taken_for_dead_because_its_launcher_was_held_up_is_not_launched_after(cli: Cli) -> None:
    cli("ls")
    launcher = held_up_before_its_launch(cli, "run", "--", "touch", str(cli.home.parent / "ran"))
    make_claims_old(cli)
    assert cli.json("show", "1")["status"] == "failed"
    let_go(cli, "launch")
    _, said = launcher.communicate(timeout=60)
    assert (launcher.returncode, b"never started" in said) == (1, True)
    assert not (cli.home.parent / "ran").exists()


def test_a_claim_that_was_given_to_another_is_launched_once(cli: Cli) -> None:
    log = cli.home.parent / "log"
    cli("queue", "pause")
    cli("run", "--queue", "--", "sh", "-c", f"echo ran >> {log}")
    launcher = held_up_before_its_launch(cli, "queue", "resume")
    make_claims_old(cli)
    wait_until(lambda: cli.json("show", "1")["status"] == "completed")
    let_go(cli, "launch")
    launcher.communicate(timeout=60)
    assert log.read_text() == "ran\n"
    assert cli.json("show", "1")["attempt"] == 1


def test_a_stop_between_the_claim_and_the_launch_is_heard(cli: Cli) -> None:
    cli("ls")
    launcher = held_up_before_its_launch(cli, "run", "--", "touch", str(cli.home.parent / "ran"))
    assert "before it began" in cli("stop", "1").stdout
    let_go(cli, "launch")
    _, said = launcher.communicate(timeout=60)
    assert (launcher.returncode, b"stopped by" in said) == (1, True)
    assert cli.json("show", "1")["status"] == "cancelled"
    assert not (cli.home.parent / "ran").exists()


def test_retries_that_a_reboot_made_necessary_wait_in_a_paused_queue(cli: Cli) -> None:
    run = cli.json("run", "--retries", "1", "--", "sleep", "1000")
    for pid in (run["supervisor_pid"], run["pid"]):
        os.kill(pid, signal.SIGKILL)
    process = cli.home / "runs" / "1" / "attempts" / "1" / "process.json"
    process.write_text(process.read_text().replace(json.loads(process.read_text())["boot"], "another"))
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE queue SET boot = 'another'")
    cli("run", "--wait", "--", "true")
    found = cli.json("show", "1")
    assert (found["status"], found["attempt"]) == ("queued", 2)
    assert cli.json("queue")["reason"] == "the machine was restarted"


def test_a_rebuilt_queue_is_paused(cli: Cli) -> None:
    cli("queue", "pause", "driver update")
    cli("run", "--queue", "--", "true")
    for file in cli.home.glob("mlhub.db*"):
        file.unlink()
    assert cli.json("show", "1")["condition"] == "queue paused (the database was made anew)"


def test_removing_a_run_that_completed_keeps_what_comes_after_it(cli: Cli) -> None:
    cli("run", "--name", "base", "--wait", "--", "true")
    cli("queue", "pause")
    cli("run", "--queue", "--after", "base", "--name", "next", "--", "true")
    cli("rm", "base")
    cli("queue", "resume")
    until(cli, next="completed")


def test_the_limit_of_whoever_started_a_run_does_not_count_when_it_ends(cli: Cli) -> None:
    cli("run", "--", "sh", "-c", gate(cli, "go"), MLHUB_MAX_RUNS="9")
    cli("run", "--", "sleep", "1000", MLHUB_MAX_RUNS="9")
    cli("run", "--name", "third", "--", "true", MLHUB_MAX_RUNS="1")
    let_go(cli, "go")
    wait_until(lambda: cli.json("show", "1")["status"] == "completed")
    assert statuses(cli)["third"] == "queued"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--queue", "--priority", "99999999999999999999", "--", "true"),
        ("run", "--after", ",", "--", "true"),
        ("queue", "watch", "--interval", "nan"),
        ("queue", "watch", "--interval", "inf"),
    ],
)
def test_what_makes_no_sense_is_wrong_usage(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert "Traceback" not in cli(*arguments, code=2).stderr


def test_a_card_whose_memory_somebody_hidden_uses_is_not_free(cli: Cli, cards: FakeNvml) -> None:
    cards.set(h100(memory={"total": 80e9, "used": 70e9}), h100())
    assert cli.json("run", "--gpus", "1", "--", "sleep", "100")["gpus"] == [1]
    assert cli.json("run", "--gpus", "1", "--", "true")["condition"] == "waits for 1 GPU (0 free)"


def test_a_line_can_be_moved_in_for_ever(cli: Cli) -> None:
    cli("queue", "pause")
    for name in "abz":
        cli("run", "--queue", "--name", name, "--", "true")
    for _ in range(30):
        cli("queue", "move", "a", "--before", "z")
        cli("queue", "move", "b", "--before", "z")
    assert [run["name"] for run in cli.json("queue")["waiting"]] == ["a", "b", "z"]


def test_a_copy_of_a_home_starts_nothing_by_being_looked_at(cli: Cli) -> None:
    cli("run", "--name", "busy", "--", "sleep", "1000")
    cli("run", "--queue", "--name", "later", "--", "touch", str(cli.home.parent / "ran"))
    copy = make_cli(cli.home.parent / "copy")
    shutil.copytree(cli.home, copy.home)
    found = {run["name"]: run for run in copy.json("ls")}
    assert found["later"]["condition"] == "queue paused (this home is a copy)"
    assert "a copy" in copy("stop", "busy", "--grace", "0", code=1).stderr
    assert statuses(cli) == {"busy": "running", "later": "queued"}
    assert not (cli.home.parent / "ran").exists()


def test_a_supervisor_held_up_at_its_birth_does_not_begin_what_was_given_up(cli: Cli) -> None:
    """Nothing is patched: the supervisor is stopped before its first step, as a disk that hangs would stop it."""
    cli("ls")
    command = [sys.executable, "-m", "mlhub", "run", "--", "touch", str(cli.home.parent / "ran")]
    with subprocess.Popen(command, env=cli.environment, stderr=subprocess.PIPE) as launcher:
        supervisor = wait_until(lambda: stopped_supervisor(cli.home / "runs" / "1"))
        launch = cli.home / "runs" / "1" / "attempts" / "1" / "launch.json"
        launch.write_text(json.dumps(json.loads(launch.read_text()) | {"boot_clock": 1.0}))  # given up long ago
        assert "never started" in cli.json("show", "1")["reason"]
        os.kill(supervisor, signal.SIGCONT)
        _, said = launcher.communicate(timeout=60)
    assert (launcher.returncode, b"never started" in said) == (1, True)
    assert not (cli.home.parent / "ran").exists()


def stopped_supervisor(folder: Path) -> int | None:
    """The supervisor of a run's first attempt, stopped before it took its lock; None if it isn't there yet."""
    for process in identity.all_processes():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
            if os.fsencode(folder) in words and b"-S" in words:
                os.kill(process.pid, signal.SIGSTOP)
                return process.pid
    return None
