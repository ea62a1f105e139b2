"""`mlhub rm` and `mlhub gc` as a user sees them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli


def ended(cli: Cli, name: str, script: str = "true") -> None:
    cli("run", "--wait", "--name", name, "--", "sh", "-c", script)


def test_a_removed_run_comes_back_as_it_was(cli: Cli) -> None:
    ended(cli, "otter", "echo hello")
    before = cli.json("show", "otter")
    said = cli("rm", "otter").stdout
    assert "mlhub rm --restore 1" in said
    assert [entry["name"] for entry in cli.json("rm", "--list")] == ["otter"]
    cli("rm", "--restore", "1")
    assert cli.json("show", "otter") == before
    assert cli("logs", "otter").stdout == "hello\n"
    assert cli("rm", "--list").stdout == "the trash is empty\n"


def test_a_restored_run_whose_name_is_taken_says_so(cli: Cli) -> None:
    ended(cli, "otter")
    cli("rm", "otter")
    ended(cli, "otter")
    assert "otter-1" in cli("rm", "--restore", "otter").stdout


def test_a_run_that_another_waits_for_is_removed_and_that_is_said(cli: Cli) -> None:
    cli("queue", "pause")
    ended(cli, "first")
    cli("run", "--queue", "--after", "first", "--name", "second", "--", "true")
    assert "second waited for run 1" in cli("rm", "first").stderr
    assert "mlhub stop second" in cli("rm", "second", code=1).stderr


def test_of_many_removals_at_once_one_removes(cli: Cli) -> None:
    ended(cli, "otter")
    command = [sys.executable, "-m", "mlhub", "rm", "otter"]
    started = [subprocess.Popen(command, env=cli.environment, stderr=subprocess.DEVNULL) for _ in range(4)]
    assert sorted(process.wait() for process in started) == [0, 1, 1, 1]
    assert (os.listdir(cli.home / "runs"), os.listdir(cli.home / "trash")) == ([], ["1-otter"])


def test_an_id_in_the_trash_is_not_given_out_after_the_database_was_lost(cli: Cli) -> None:
    ended(cli, "otter")
    cli("rm", "otter")
    for name in ("mlhub.db", "mlhub.db-wal", "mlhub.db-shm"):
        (cli.home / name).unlink(missing_ok=True)
    assert cli.json("run", "--wait", "--", "true")["id"] == 2


def test_a_purged_run_is_gone_for_good(cli: Cli) -> None:
    ended(cli, "otter")
    assert "freed" in cli("rm", "otter", "--purge").stdout
    assert cli.json("rm", "--list") == []
    assert "no run 'otter' in the trash" in cli("rm", "--restore", "otter", code=1).stderr


@pytest.mark.parametrize("arguments", [[], ["--list", "x"], ["x", "--purge", "--restore"]])
def test_words_that_do_not_go_together_are_wrong_usage(cli: Cli, arguments: list[str]) -> None:
    cli("rm", *arguments, code=2)


def test_a_run_with_living_processes_is_not_removed(cli: Cli) -> None:
    pid_file = cli.home.parent / "pid"
    orphans = f"setsid sh -c 'echo $$ > {pid_file}; exec sleep 1000' & exec sleep 1000"
    run = cli.json("run", "--", "sh", "-c", orphans)
    orphan = int(wait_until(lambda: pid_file.exists() and pid_file.read_text().strip()))
    for pid in (run["supervisor_pid"], run["pid"]):
        os.kill(pid, signal.SIGKILL)
    try:
        wait_until(lambda: cli.json("show", "1")["status"] == "failed")
        said = cli("rm", "1", code=1).stderr
        assert (str(orphan) in said, "mlhub doctor --fix" in said) == (True, True)
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_gc_shows_first_and_then_frees(cli: Cli) -> None:
    ended(cli, "otter", "head -c 500000 /dev/zero > $MLHUB_RUN_DIR/artifacts/big")
    cli("rm", "otter")
    assert cli("gc").stdout == "nothing to free\n"
    assert "run 1 (otter)" in cli("gc", "--trash", "now").stdout
    assert len(cli.json("rm", "--list")) == 1
    done = cli.json("gc", "--trash", "now", "--yes")
    assert (done["dry_run"], done["freed"] >= 500_000, done["items"][0]["kind"]) == (False, True, "trash")
    assert cli.json("rm", "--list") == []


def test_a_plan_fits_80_columns(cli: Cli) -> None:
    ended(cli, "강아지-" + "x" * 60)
    cli("rm", "1")
    assert all(len(line) <= 80 for line in cli("gc", "--trash", "now").stdout.splitlines())


@pytest.mark.parametrize("arguments", [["--only", "datasets"], ["--trash", "soon"], ["--trash", "nan"]])
def test_a_wrong_word_is_told(cli: Cli, arguments: list[str]) -> None:
    assert "error:" in cli("gc", *arguments, code=None).stderr


def test_hostile_names_in_the_trash_reach_no_terminal(cli: Cli) -> None:
    entry = cli.home / "trash" / os.fsdecode(b"7-\x1b[2J\xff\nname")
    ended(cli, "otter")
    entry.mkdir(parents=True)
    (entry / "row.json").write_text('{"trashed": 1e300, "row": {"name": "\\u001b[2J", "kind": 5}}')
    for arguments in (["rm", "--list"], ["gc", "--trash", "now"], ["rm", "--restore", "7"], ["ls"]):
        done = cli(*arguments)
        assert "\x1b" not in done.stdout + done.stderr
