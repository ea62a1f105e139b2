"""`mlhub wait`: which runs, until when, and what it says when the world is not as it should be."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.queueing import gate, let_go
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli


def begin(cli: Cli, name: str, *options: str, then: str = "true") -> None:
    """A run that lasts until `let_go(cli, name)`."""
    cli("run", "--name", name, *options, "--", "sh", "-c", f"{gate(cli, name)}; {then}")


class Waiter:
    """`mlhub wait …` as it waits."""

    def __init__(self, cli: Cli, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mlhub", "wait", *arguments],
            env=cli.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.begun = self.process.stderr.readline()

    def end(self) -> tuple[int, str, str]:
        out, error = self.process.communicate(timeout=60)
        return self.process.returncode, out, error


@pytest.fixture
def two(cli: Cli) -> Iterator[Cli]:
    begin(cli, "one", "--group", "pair", "--tag", "a")
    begin(cli, "two", "--group", "pair", then="exit 3")
    yield cli
    let_go(cli, "one")
    let_go(cli, "two")


def test_it_waits_for_all_and_fails_if_one_did(two: Cli) -> None:
    waiter = Waiter(two, "one", "two")
    assert "waiting for one, two" in waiter.begun
    let_go(two, "two")
    let_go(two, "one")
    code, out, _ = waiter.end()
    assert code == 1
    assert sorted(out.splitlines()) == ["run 1  one  completed", "run 2  two  failed: exit code 3"]


def test_any_returns_with_the_first_and_what_that_did(two: Cli) -> None:
    waiter = Waiter(two, "--any", "--group", "pair")
    let_go(two, "one")
    assert waiter.end()[:2] == (0, "run 1  one  completed\n")
    assert two.json("show", "two")["status"] == "running"


def test_runs_are_chosen_by_tag_and_query_and_by_name_beside(two: Cli) -> None:
    let_go(two, "one")
    let_go(two, "two")
    assert two("wait", "--tag", "a").stdout == "run 1  one  completed\n"
    assert len(two.json("wait", "two", "--filter", "name:one", code=1)) == 2
    assert "no run is meant" in two("wait", "--tag", "nosuch", code=1).stderr


def test_json_is_the_run_or_an_array_in_the_order_asked_for(two: Cli) -> None:
    let_go(two, "one")
    let_go(two, "two")
    assert [run["name"] for run in two.json("wait", "two", "one", code=1)] == ["two", "one"]
    assert two.json("wait", "one")["status"] == "completed"
    assert two.json("wait", code=1)["name"] == "two"


def test_quiet_says_nothing(two: Cli) -> None:
    let_go(two, "two")
    done = two("wait", "two", "-q", code=1)
    assert (done.stdout, done.stderr) == ("", "")


def test_a_time_that_is_up_is_said_and_exits_1_and_the_runs_go_on(two: Cli) -> None:
    done = two("wait", "one", "two", "--timeout", "0.3", code=1)
    assert "error: not ended within 0.3 s: one, two" in done.stderr
    found = json.loads(two("wait", "one", "--timeout", "0", "--json", code=1).stdout)
    assert found["status"] == "running"


def test_ctrl_c_ends_the_waiting_not_the_run(two: Cli) -> None:
    waiter = Waiter(two, "one")
    waiter.process.send_signal(signal.SIGINT)
    code, _, error = waiter.end()
    assert code == 130
    assert "no longer waiting: one goes on" in error
    assert two.json("show", "one")["status"] == "running"


def test_a_run_with_retries_is_waited_for_until_its_last_attempt(cli: Cli) -> None:
    script = f'[ "$MLHUB_ATTEMPT" = 2 ] || exit 7; {gate(cli, "second")}'
    cli("run", "--name", "twice", "--retries", "1", "--", "sh", "-c", script)
    waiter = Waiter(cli, "twice")
    wait_until(lambda: cli.json("show", "twice")["attempt"] == 2)
    let_go(cli, "second")
    assert waiter.end()[:2] == (0, "run 1  twice  completed\n")


def test_a_queued_run_has_its_turn_while_it_is_waited_for(cli: Cli) -> None:
    begin(cli, "first")
    cli("run", "--name", "second", "--after", "first", "--", "true")
    waiter = Waiter(cli, "second")
    let_go(cli, "first")
    assert waiter.end()[0] == 0


def test_of_a_paused_queue_it_says_so_and_a_queued_run_that_is_stopped_has_ended(cli: Cli) -> None:
    cli("queue", "pause", "for now")
    cli("run", "--queue", "--name", "later", "--", "true")
    waiter = Waiter(cli, "later")
    assert waiter.process.stderr is not None
    assert waiter.process.stderr.readline() == "note: queue paused (for now); mlhub queue resume lets it go on\n"
    cli("stop", "later")
    code, out, _ = waiter.end()
    assert (code, out.startswith("run 1  later  cancelled")) == (1, True)


def test_a_queue_that_is_paused_while_one_waits_is_told_each_time(cli: Cli) -> None:
    begin(cli, "base")
    cli("run", "--queue", "--name", "later", "--", "true", MLHUB_MAX_RUNS="1")
    cli.environment["MLHUB_MAX_RUNS"] = "1"
    waiter = Waiter(cli, "later")
    assert waiter.process.stderr is not None
    for why in ("new driver", "new disk"):
        cli("queue", "pause", why)
        assert waiter.process.stderr.readline() == f"note: queue paused ({why}); mlhub queue resume lets it go on\n"
    cli("queue", "resume")
    let_go(cli, "base")
    assert waiter.end() == (0, "run 2  later  completed\n", "")


def test_a_run_that_was_killed_with_its_supervisor_has_ended(cli: Cli) -> None:
    begin(cli, "one")
    run = wait_until(lambda: (found := cli.json("show", "one"))["supervisor_pid"] and found)
    waiter = Waiter(cli, "one")
    os.kill(run["supervisor_pid"], signal.SIGKILL)
    os.kill(run["pid"], signal.SIGKILL)
    code, out, _ = waiter.end()
    assert code == 1
    assert out.startswith("run 1  one  failed: lost")


def test_a_locked_database_hides_no_end(cli: Cli) -> None:
    begin(cli, "one")
    waiter = Waiter(cli, "one")
    holder = sqlite3.connect(cli.home / "mlhub.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    let_go(cli, "one")
    code, out, _ = waiter.end()
    holder.execute("ROLLBACK")
    holder.close()
    assert (code, out) == (0, "run 1  one  completed\n")


def test_a_database_that_is_made_anew_meanwhile_is_opened_anew(cli: Cli) -> None:
    begin(cli, "one")
    waiter = Waiter(cli, "one")
    for name in ("mlhub.db", "mlhub.db-wal", "mlhub.db-shm"):
        (cli.home / name).unlink(missing_ok=True)
    cli("ls")
    let_go(cli, "one")
    assert waiter.end()[:2] == (0, "run 1  one  completed\n")
    assert cli.json("show", "one")["status"] == "completed"


def test_a_run_that_is_removed_meanwhile_is_named(two: Cli) -> None:
    waiter = Waiter(two, "one", "two")
    with sqlite3.connect(two.home / "mlhub.db") as connection:
        connection.execute("DELETE FROM runs WHERE name = 'two'")
    connection.close()
    (two.home / "runs" / "2").rename(two.home.parent / "away")
    let_go(two, "one")
    code, out, error = waiter.end()
    assert (code, out) == (1, "run 1  one  completed\n")
    assert "run 2 (two) was removed meanwhile" in error


def test_a_run_of_another_host_is_not_waited_for(two: Cli) -> None:
    process = two.home / "runs" / "1" / "attempts" / "1" / "process.json"
    kept = process.read_text()
    process.write_text(json.dumps(json.loads(kept) | {"name": "spark", "machine": "0" * 32, "boot": "0"}))
    done = two("wait", "one", code=1)
    assert done.stdout.startswith("run 1  one  running: unknown: other host")
    process.write_text(kept)


def test_two_ways_that_exclude_each_other_are_refused(cli: Cli) -> None:
    assert "both --any and --all" in cli("wait", "--any", "--all", code=2).stderr
    assert "not a time" in cli("wait", "--timeout", "nan", code=2).stderr
