"""The database torn, gone or locked; the files of a run torn; a run removed while it runs."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlhub.paths import RunPaths
from mlhub.runner import identity, lock
from mlhub.runner.truth import Verdict, inspect
from tests.conftest import Cli, make_cli

from .conftest import Sandbox, Seen, eventually


@pytest.mark.parametrize("garbage", [b"", b"{", b"mlhub-exit-1 00000000 {}", b"\0" * 4096, b"[" * 4096])
def test_18_torn_record_is_rejected(box: Sandbox, seen: Seen[Verdict], garbage: bytes) -> None:
    box.shell("exit 0")
    box.over()
    attempt = box.paths.attempt(1)
    attempt.slot.write_bytes(garbage)
    attempt.exit.write_bytes(garbage)
    assert seen(box.inspect()).status == "failed"


def make_history(cli: Cli) -> None:
    """Runs of every status and kind of end, with a group, tags, metrics, and one whose supervisor was killed."""
    logs = "import mlhub; [mlhub.log({'train/loss': 1 / (step + 1)}, step=step) for step in range(5)]"
    cli("run", "--wait", "--name", "good", "--group", "a", "--tag", "x", "--tag", "y", "--", sys.executable, "-c", logs)
    cli("run", "--wait", "--name", "bad", "--", "sh", "-c", "echo 'ValueError: b'; exit 3", code=1)
    cli("run", "--name", "killed", "--", "sleep", "1000")
    os.kill(cli.json("show", "killed")["pid"], signal.SIGKILL)
    cli("run", "--name", "stopped", "--", "sleep", "1000")
    cli("stop", "stopped")
    cli("run", "--name", "alone", "--", "sleep", "1000")
    os.kill(cli.json("show", "alone")["supervisor_pid"], signal.SIGKILL)
    cli("run", "--name", "on", "--", "sleep", "1000")
    cli("run", "--name", "next", "--after", "on,alone", "--priority", "3", "--retries", "2", "--", "true")
    statuses = ["queued", "running", "running", "cancelled", "failed", "failed", "completed"]
    eventually(lambda: [run["status"] for run in cli.json("ls")] == statuses)


def delete(database: Path) -> None:
    for file in database.parent.glob("mlhub.db*"):
        file.unlink()


def overwrite_the_middle(database: Path) -> None:
    with database.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (database.stat().st_size - 4096))
    for file in database.parent.glob("mlhub.db-*"):
        file.unlink()


def cut_short(database: Path) -> None:
    os.truncate(database, database.stat().st_size // 2)
    for file in database.parent.glob("mlhub.db-*"):
        file.unlink()


def write_something_else(database: Path) -> None:
    delete(database)
    database.write_text("these are my notes\n" * 500)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A home with a run of each kind: what one test loses, its own rebuilding brings back for the next."""
    cli = make_cli(tmp_path_factory.mktemp("history") / "home")
    make_history(cli)
    yield cli
    cli("stop", "alone", "on", "--grace", "0")


@pytest.mark.parametrize("damage", [delete, overwrite_the_middle, cut_short, write_something_else])
def test_18_rebuild_brings_every_run_back_field_by_field(history: Cli, seen: Seen[str], damage: Any) -> None:
    before = {run["name"]: history.json("show", run["name"]) for run in history.json("ls")}
    damage(history.home / "mlhub.db")
    history("doctor", "--rebuild", code=None)
    history("queue", "resume")  # which the loss of the database has paused
    after = {run["name"]: history.json("show", run["name"]) for run in history.json("ls")}
    different = [
        (name, field, value, after.get(name, {}).get(field))
        for name, run in before.items()
        for field, value in run.items()
        if after.get(name, {}).get(field) != value
    ]
    seen(f"{len(after)} of {len(before)} runs back, {len(different)} fields differ")
    assert (len(before), len(after), different) == (7, 7, [])


def test_18_damaged_database_is_named_with_its_remedy(cli: Cli, seen: Seen[str]) -> None:
    cli("run", "--wait", "--", "true")
    write_something_else(cli.home / "mlhub.db")
    said = cli("ls", code=1).stderr
    assert "doctor --rebuild" in said
    seen("ls names doctor --rebuild")


@contextlib.contextmanager
def locked(cli: Cli) -> Iterator[None]:
    """The database, with somebody writing in it."""
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db", isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def status_in_database(cli: Cli) -> str:
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection:
        found: str = connection.execute("SELECT status FROM runs").fetchone()[0]
        return found


def test_19_database_locked_at_the_end_is_caught_up_with_by_the_next_reader(
    cli: Cli, seen: Seen[dict[str, Any]]
) -> None:
    go = cli.home.parent / "go"
    cli("run", "--", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.02; done; exit 3")
    paths = RunPaths(cli.home / "runs" / "1")
    with locked(cli):
        go.touch()
        assert eventually(lambda: (verdict := inspect(paths, 1)).final and verdict).exit_code == 3
        eventually(lambda: not lock.held(str(paths.lock)))
        assert status_in_database(cli) == "running"
    assert "database is locked" in (paths.attempt(1).root / "supervisor.log").read_text()
    run = seen(cli.json("show", "1"))
    assert (run["status"], run["exit_code"]) == ("failed", 3)


def test_19_end_is_in_the_database_without_any_reader(cli: Cli) -> None:
    cli("run", "--", "true")
    assert eventually(lambda: status_in_database(cli) == "completed")


def test_18_end_does_not_bring_back_a_database_that_was_deleted(cli: Cli) -> None:
    go = cli.home.parent / "go"
    cli("run", "--", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.02; done; exit 0")
    paths = RunPaths(cli.home / "runs" / "1")
    delete(cli.home / "mlhub.db")
    go.touch()
    eventually(lambda: inspect(paths, 1).final and not lock.held(str(paths.lock)))
    assert not (cli.home / "mlhub.db").exists()


@pytest.mark.parametrize("unsupervised", [False, True])
def test_25_running_run_is_not_removed(cli: Cli, seen: Seen[str], unsupervised: bool) -> None:
    run = cli.json("run", "--", "sleep", "1000")
    if unsupervised:
        os.kill(run["supervisor_pid"], signal.SIGKILL)
    said = cli("rm", "1", "--yes", code=1).stderr
    assert "Stop it first" in said
    seen("refused: " + said.splitlines()[0].removeprefix("error: "))
    found = identity.find_process(run["pid"])
    assert found is not None
    assert not found.dead
    assert cli.json("show", "1")["status"] == "running"
