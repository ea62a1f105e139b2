from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import wait_until

if TYPE_CHECKING:
    from tests.conftest import Cli


def test_an_empty_home_names_the_next_command(cli: Cli) -> None:
    assert "mlhub run quickstart" in cli("ls").stdout
    assert cli.json("ls") == []


def test_the_home_is_private(cli: Cli) -> None:
    cli("ls")
    assert cli.home.stat().st_mode & 0o777 == 0o700


def test_a_home_open_to_others_is_warned_about_and_used(cli: Cli) -> None:
    cli.home.mkdir(mode=0o755)
    done = cli("ls")
    assert f"chmod 700 {cli.home}" in done.stderr


def test_a_home_that_can_not_be_made_is_two_lines(cli: Cli) -> None:
    cli.home.write_text("a file in its place")
    said = cli("ls", code=1).stderr.splitlines()
    assert (len(said), said[0][:12]) == (2, "error: home ")


def test_runs_are_listed_newest_first(cli: Cli) -> None:
    for name in ("first", "second", "third"):
        cli("run", "--wait", "--name", name, "--", "true")
    assert [run["name"] for run in cli.json("ls")] == ["third", "second", "first"]
    assert [run["name"] for run in cli.json("ls", "-n", "1")] == ["third"]


def test_a_list_fits_80_columns_and_has_no_control_codes(cli: Cli) -> None:
    cli("run", "--wait", "--name", "강아지-" + "x" * 60, "--", "sh", "-c", "exit 1", code=1)
    said = cli("ls").stdout
    assert all(len(line) <= 80 for line in said.splitlines())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f]", said)


def test_a_list_in_a_closed_pipe_ends_quietly(cli: Cli) -> None:
    cli("run", "--wait", "--", "true")
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m mlhub show | true"], env=cli.environment, capture_output=True, check=True
    )
    assert done.stderr == b""


def test_a_filter_lists_the_newest_runs_that_it_means(cli: Cli) -> None:
    for name in ("good-1", "bad", "good-2", "good-3"):
        cli("run", "--wait", "--name", name, "--", "true")
    found = cli.json("ls", "-n", "2", "--filter", "good status:completed")
    assert [run["name"] for run in found] == ["good-3", "good-2"]


def test_a_filter_that_means_no_run_says_so(cli: Cli) -> None:
    cli("run", "--wait", "--", "true")
    assert cli("ls", "--filter", "name:other").stdout == "no run is meant by the filter\n"


def test_a_wrong_filter_is_wrong_usage_and_says_where(cli: Cli) -> None:
    said = cli("ls", "--filter", "status:runing", code=2).stderr
    assert "did you mean running?" in said
    assert "character 8" in said


def test_show_names_the_cause(cli: Cli) -> None:
    cli("run", "--wait", "--", sys.executable, "-c", "raise ValueError('bad input')", code=1)
    assert "ValueError: bad input" in cli("show").stdout


def test_the_status_of_a_killed_run_is_right_on_the_next_list(cli: Cli) -> None:
    import os
    import signal

    run = cli.json("run", "--", "sleep", "60")
    os.kill(run["pid"], signal.SIGKILL)
    found = wait_until(lambda: [r for r in cli.json("ls") if r["status"] != "running"])
    assert (found[0]["status"], found[0]["signal"]) == ("failed", "SIGKILL")


def test_stop_cancels_and_says_who(cli: Cli) -> None:
    cli("run", "--", "sleep", "60")
    assert "cancelled: stopped by" in cli("stop").stdout
    run = cli.json("show")
    assert (run["status"], run["condition"]) == ("cancelled", None)


def test_a_second_stop_is_no_error(cli: Cli) -> None:
    cli("run", "--name", "once", "--", "true")
    wait_until(lambda: cli.json("show")["status"] == "completed")
    assert "had ended already: completed" in cli("stop", "once").stdout


def test_a_removed_run_leaves_nothing(cli: Cli) -> None:
    cli("run", "--wait", "--name", "gone", "--", "true")
    cli("rm", "gone")
    assert list((cli.home / "runs").iterdir()) == []
    assert "no run 'gone'" in cli("show", "gone", code=1).stderr


def test_a_running_run_is_not_removed(cli: Cli) -> None:
    cli("run", "--name", "busy", "--", "sleep", "60")
    said = cli("rm", "busy", code=1).stderr
    assert "is running" in said
    assert "mlhub stop busy" in said
    assert (cli.home / "runs" / "1" / "spec.json").exists()


def test_removing_several_is_all_or_nothing(cli: Cli) -> None:
    cli("run", "--wait", "--name", "done", "--", "true")
    cli("run", "--name", "busy", "--", "sleep", "60")
    cli("rm", "done", "busy", code=1)
    assert {run["name"] for run in cli.json("ls")} == {"done", "busy"}


@pytest.mark.parametrize("command", [["show"], ["logs"], ["stop"], ["rm"], ["eval"], ["index"]])
def test_an_unknown_run_is_two_lines(cli: Cli, command: list[str]) -> None:
    said = cli(*command, "nobody", code=1).stderr.splitlines()
    assert said[0] == "error: no run 'nobody'"
    assert len(said) == 2


def test_the_tail_of_a_log(cli: Cli) -> None:
    cli("run", "--wait", "--", "seq", "100000")
    assert cli("logs", "-n", "2").stdout == "99999\n100000\n"
    assert cli.json("logs", "-n", "1")["lines"] == ["100000"]


def test_a_lost_database_comes_back_from_the_folders(cli: Cli) -> None:
    cli("run", "--wait", "--name", "kept", "--group", "g", "--tag", "t", "--", "sh", "-c", "exit 3", code=1)
    before = cli.json("show")
    for name in ("mlhub.db", "mlhub.db-wal", "mlhub.db-shm"):
        (cli.home / name).unlink(missing_ok=True)
    assert "1 runs restored" in cli("ls").stderr
    assert cli.json("show", "kept") == before


def test_a_damaged_database_is_set_aside_and_made_anew(cli: Cli) -> None:
    cli("run", "--wait", "--name", "kept", "--", "true")
    before = cli.json("show")
    (cli.home / "mlhub.db").write_bytes(b"garbage" * 1000)
    assert "doctor --rebuild" in cli("ls", code=1).stderr
    cli("doctor", "--rebuild")
    assert cli.json("show", "kept") == before
    assert list(cli.home.glob("mlhub.db.damaged-*"))


def test_a_new_run_never_lands_in_an_old_folder(cli: Cli) -> None:
    cli("run", "--wait", "--name", "old", "--", "true")
    for name in ("mlhub.db", "mlhub.db-wal", "mlhub.db-shm"):
        (cli.home / name).unlink(missing_ok=True)
    assert cli.json("run", "--wait", "--", "true")["id"] == 2


def test_doctor_says_all_is_well(cli: Cli) -> None:
    report = cli.json("doctor")
    assert report["ok"]
    assert {check["name"] for check in report["checks"]} >= {"home", "store", "disk", "nvml"}


def test_gpu_without_a_driver_is_an_empty_list(cli: Cli) -> None:
    report = cli.json("gpu")
    assert report["gpus"] == []
    assert report["auto"]["batch_size"] == 64


def test_another_database_is_refused_rather_than_ignored(cli: Cli) -> None:
    assert "SQLite only" in cli("ls", code=1, MLHUB_DATABASE_URL="postgresql://host/db").stderr
