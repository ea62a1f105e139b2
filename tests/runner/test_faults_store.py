"""The faults that show in the database: 2, 19, 25 of the table, through the command line."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mlhub.paths import RunPaths
from mlhub.runner import identity, lock
from mlhub.runner.truth import inspect

from .conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Cli


def run_and_be_killed_at(cli: Cli, step: str, name: str) -> None:
    """`mlhub run` that dies by SIGKILL where it would call `step`."""
    code = (
        "import importlib, os, sys\n"
        f"module, _, function = {step!r}.rpartition('.')\n"
        "setattr(importlib.import_module(module), function, lambda *a, **k: os.kill(os.getpid(), 9))\n"
        f"sys.argv = ['mlhub', 'run', '--name', {name!r}, '--', 'sleep', '1000']\n"
        "from mlhub.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], env=cli.environment, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


def test_2_command_line_killed_before_the_start_is_failed_within_10_s(cli: Cli) -> None:
    run_and_be_killed_at(cli, "mlhub.runner.queue.launch", "row-only")
    run_and_be_killed_at(cli, "mlhub.runner.launch._start_supervisor", "row-and-order")
    assert {run["status"] for run in cli.json("ls")} == {"queued"}
    ended = eventually(lambda: (runs := cli.json("ls")) and all(run["status"] == "failed" for run in runs) and runs)
    assert all("never started" in run["reason"] for run in ended)


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


def test_19_database_locked_at_the_end_is_caught_up_with_by_the_next_reader(cli: Cli) -> None:
    go = cli.home.parent / "go"
    cli("run", "--", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.02; done; exit 3")
    paths = RunPaths(cli.home / "runs" / "1")
    with locked(cli):
        go.touch()
        assert eventually(lambda: (verdict := inspect(paths, 1)).final and verdict).exit_code == 3
        eventually(lambda: not lock.held(str(paths.lock)))
    assert "database is locked" in (paths.attempt(1).root / "supervisor.log").read_text()
    assert status_in_database(cli) == "running"
    assert (cli.json("show", "1")["status"], cli.json("show", "1")["exit_code"]) == ("failed", 3)


def test_end_is_in_the_database_without_any_reader(cli: Cli) -> None:
    cli("run", "--", "true")
    assert eventually(lambda: status_in_database(cli) == "completed")


def test_end_does_not_bring_back_a_database_that_was_deleted(cli: Cli) -> None:
    go = cli.home.parent / "go"
    cli("run", "--", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.02; done; exit 0")
    paths = RunPaths(cli.home / "runs" / "1")
    for file in cli.home.glob("mlhub.db*"):
        file.unlink()
    go.touch()
    eventually(lambda: inspect(paths, 1).final and not lock.held(str(paths.lock)))
    assert not (cli.home / "mlhub.db").exists()


@pytest.mark.parametrize("unsupervised", [False, True])
def test_25_running_run_is_not_removed(cli: Cli, unsupervised: bool) -> None:
    run = cli.json("run", "--", "sleep", "1000")
    if unsupervised:
        os.kill(run["supervisor_pid"], signal.SIGKILL)
    assert "Stop it first" in cli("rm", "1", "--yes", code=1).stderr
    found = identity.find_process(run["pid"])
    assert found is not None
    assert not found.dead
    assert cli.json("show", "1")["status"] == "running"
