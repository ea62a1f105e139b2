"""The queue as users meet it: real commands that wait for slots and for each other."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.queueing import gate, let_go, statuses, until
from tests.conftest import make_cli, wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli


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


def test_runs_that_wait_on_a_host_which_is_no_more_are_shown_and_can_be_taken_over(cli: Cli) -> None:
    cli("queue", "pause")
    cli("run", "--queue", "--name", "later", "--", "true")
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE runs SET host = 'old-name'")
    cli("queue", "resume")
    assert "1 more on old-name" in cli("queue").stdout
    cli("queue", "adopt", "old-name")
    until(cli, later="completed")


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
