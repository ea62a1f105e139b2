"""What a hostile or unlucky user does to the hub by hand: each was tried and broke something once."""

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

from tests.conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli


def script(cli: Cli, text: str, *options: str, code: int | None = 0) -> None:
    """A run of a shell script, waited for."""
    cli("run", "--wait", *options, "--", "sh", "-c", text, code=code)


def test_a_run_that_links_its_log_to_its_folder_of_logs_takes_no_other_log_with_it(cli: Cli, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    cli.environment["MLHUB_LOG_DIR"] = str(logs)
    script(cli, "echo precious", "--name", "kept")
    script(cli, f"rm $MLHUB_RUN_DIR/output.log; ln -s {logs}/2 $MLHUB_RUN_DIR/output.log", "--name", "evil")
    cli("rm", "evil", "--purge")
    assert cli("logs", "kept").stdout == "precious\n"
    assert os.listdir(logs) == ["1"]


def test_two_homes_that_share_a_folder_of_checkpoints_keep_them_apart(cli: Cli, tmp_path: Path) -> None:
    shared = tmp_path / "checkpoints"
    cli.environment["MLHUB_CHECKPOINT_DIR"] = str(shared)
    script(cli, "echo mine > $MLHUB_RUN_DIR/checkpoints/best")
    cli.environment["MLHUB_HOME"] = str(tmp_path / "second")
    script(cli, "ls $MLHUB_RUN_DIR/checkpoints", "--name", "theirs")
    assert cli("logs", "theirs").stdout == ""
    cli("rm", "theirs")
    assert (shared / "1" / "best").read_text() == "mine\n"


def test_a_launch_that_fails_half_way_leaves_no_folder_of_logs(cli: Cli, tmp_path: Path) -> None:
    cli.environment.update(MLHUB_LOG_DIR=str(tmp_path / "logs"), MLHUB_CHECKPOINT_DIR="/dev/null/checkpoints")
    cli("run", "--", "true", code=1)
    assert (cli.json("ls"), os.listdir(cli.home / "runs"), os.listdir(tmp_path / "logs")) == ([], [], [])


def test_folders_with_odd_numbers_for_names_are_passed_over(cli: Cli) -> None:
    script(cli, "true")
    for name in ("²", "99999999999999999999", "007"):
        (cli.home / "runs" / name).mkdir()
    (cli.home / "runs" / "1" / "attempts" / "²").mkdir()
    (cli.home / "mlhub.db").unlink()
    cli("doctor", "--rebuild")
    assert [run["id"] for run in cli.json("ls")] == [1]


@pytest.mark.parametrize("grace", ["inf", "nan", "1e300", "-1"])
def test_a_grace_that_can_not_be_waited_for_is_refused_and_kills_nothing(cli: Cli, grace: str) -> None:
    cli("run", "--grace", grace, "--", "true", code=2)
    cli("run", "--name", "saving", "--", "sleep", "60")
    cli("stop", "saving", "--grace", grace, code=2)
    assert cli.json("show", "saving")["status"] == "running"


def test_a_mistyped_run_does_not_keep_the_others_from_being_stopped(cli: Cli) -> None:
    cli("run", "--name", "one", "--", "sleep", "60")
    done = cli("stop", "no-such", "one", code=1)
    assert "error: no run 'no-such'" in done.stderr
    assert cli.json("show", "one")["status"] == "cancelled"


HOSTILE_METRICS = {
    "a number too large": '{"step":1,"loss":1' + "0" * 400 + "}",
    "a number of 5,000 digits": '{"step":1,"loss":' + "9" * 5000 + "}",
    "a step that is a list": '{"step":[1],"loss":1}',
    "half a surrogate pair": r'{"step":1,"\ud800":1}',
    "a deep value": '{"step":1,"loss":' + "[" * 100_000 + "}",
    "an escape": r'{"step":1,"\u001b[2J\n":1}',
}


@pytest.mark.parametrize("line", HOSTILE_METRICS.values(), ids=HOSTILE_METRICS)
def test_hostile_metrics_stop_no_reader(cli: Cli, line: str) -> None:
    script(cli, "true")
    (cli.home / "runs" / "1" / "metrics.jsonl").write_text(f'{line}\n{{"step":2,"sound":0.5}}\n')
    (cli.home / "mlhub.db").unlink()
    assert cli.json("ls")[0]["summary"]["sound"]["last"] == 0.5
    assert "\x1b" not in cli("ls").stdout + cli("show").stdout


@pytest.mark.parametrize("name", ["metrics.jsonl", "spec.json", "output.log"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(cli: Cli, name: str) -> None:
    script(cli, "true")
    file = cli.home / "runs" / "1" / name
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    (cli.home / "mlhub.db").unlink()
    for command in ("ls", "show"):
        cli(command)
    assert "Traceback" not in cli("logs", code=None).stderr


def test_hostile_records_of_an_end_stop_no_reader(cli: Cli) -> None:
    script(cli, "true")
    attempt = cli.home / "runs" / "1" / "attempts" / "1"
    (attempt / "exit.slot").unlink()
    ended = {"status": "failed", "reason": "\ud800\x1b[2J", "started_at": "noon", "ended_at": "2026-01-01T00:00:00"}
    (attempt / "exit.json").write_text(json.dumps(ended))
    (cli.home / "mlhub.db").unlink()
    assert cli.json("ls")[0]["status"] == "failed"
    assert "\x1b" not in cli("ls").stdout + cli("show").stdout


def test_a_spec_from_somewhere_else_is_read_as_plain_text(cli: Cli) -> None:
    script(cli, "true")
    spec = {"name": "\x1b[2Ja\nb", "kind": "\x1b[2J", "tags": ["\x1b[2J"], "command": ["\x1b[2J", 5, None]}
    (cli.home / "runs" / "1" / "spec.json").write_text(json.dumps(spec))
    (cli.home / "mlhub.db").unlink()
    assert cli.json("ls")[0]["name"] == "a b"
    assert "\x1b" not in cli("ls").stdout + cli("show").stdout


def test_any_number_of_rows_may_be_asked_for(cli: Cli) -> None:
    cli("ls", "-n", "9" * 30)


def test_a_reference_that_is_not_unicode_finds_nothing(cli: Cli) -> None:
    assert "no run" in cli("show", os.fsdecode(b"\xff"), code=1).stderr


def test_a_command_and_a_folder_that_are_not_utf8_run_and_are_recorded(cli: Cli, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"d\xff")
    odd.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "mlhub", "run", "--wait", "--", "printf", b"\xff\n"],
        env=cli.environment, cwd=odd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    assert (cli.home / "runs" / "1" / "output.log").read_bytes() == b"\xff\n"
    assert cli.json("show")["status"] == "completed"
    cli("show")


@pytest.mark.parametrize("option", ["--name", "--group", "--tag"])
def test_a_name_that_is_not_utf8_is_wrong_usage(cli: Cli, option: str) -> None:
    assert f"error: {option}" in cli("run", option, os.fsdecode(b"\xff"), "--", "true", code=2).stderr


@pytest.mark.parametrize("name", ["50%25", "what?mode=ro", "a#b", 'sp ace"quote', "new\nline", "~nosuch"])
def test_a_home_may_have_any_name(cli: Cli, tmp_path: Path, name: str) -> None:
    before = set(os.listdir(tmp_path))
    cli.environment["MLHUB_HOME"] = name
    script(cli, "true")
    assert "runs/2" in cli("run", "--dry-run", "--", "true").stdout
    assert set(os.listdir(tmp_path)) - before == {name}


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(cli: Cli, closed: str) -> None:
    mlhub = f"{sys.executable} -m mlhub"
    text = f"{mlhub} run --name a --wait -- true {closed} && {mlhub} ls {closed} && {mlhub} rm a {closed}"
    done = subprocess.run(["sh", "-c", text], env=cli.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_message_never_goes_to_stdout_for_want_of_a_stderr(cli: Cli) -> None:
    text = f"{sys.executable} -m mlhub show nobody --json 2>&-"
    assert subprocess.run(["sh", "-c", text], env=cli.environment, capture_output=True, check=False).stdout == b""


def test_a_terminal_that_knows_ascii_only_gets_readable_text_and_whole_json(cli: Cli) -> None:
    script(cli, "echo 강아지", "--name", "강아지")
    cli.environment["PYTHONIOENCODING"] = "ascii"
    for command in ("ls", "show", "logs"):
        assert "???" in cli(command).stdout
    assert cli.json("ls")[0]["name"] == "강아지"


def test_a_folder_that_is_gone_is_named(cli: Cli, tmp_path: Path) -> None:
    text = f"mkdir gone; cd gone; rmdir ../gone; {sys.executable} -m mlhub run -- true"
    done = subprocess.run(
        ["sh", "-c", text], env=cli.environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stderr.startswith("error: the current folder is gone\nhint:  cd ")


def test_a_database_of_a_newer_mlhub_is_not_set_aside_as_damaged(cli: Cli) -> None:
    script(cli, "true")
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "made by a newer mlhub" in cli("doctor", "--rebuild", code=1).stderr
    assert not list(cli.home.glob("mlhub.db.damaged*"))


def test_a_database_that_is_somebody_elses_is_named_and_set_aside_when_asked(cli: Cli) -> None:
    cli.home.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("CREATE TABLE runs (mine)")
    assert "mlhub doctor --rebuild" in cli("ls", code=1).stderr.splitlines()[1]
    cli("doctor", "--rebuild")
    assert cli.json("ls") == []


def test_a_running_run_whose_folder_was_removed_is_not_said_to_have_failed(cli: Cli) -> None:
    run = cli.json("run", "--", "sleep", "60")
    shutil.rmtree(run["dir"])
    shown = cli.json("ls")[0]
    assert (shown["status"], shown["condition"]) == ("running", "its folder was removed")
    assert f"kill {run['supervisor_pid']}" in cli("stop", code=1).stderr
    os.kill(run["supervisor_pid"], signal.SIGTERM)
    wait_until(lambda: "ended by SIGTERM" in (cli.json("show")["reason"] or ""))


def test_a_run_lost_with_its_folder_says_so(cli: Cli) -> None:
    run = cli.json("run", "--", "sleep", "60")
    shutil.rmtree(run["dir"])
    for pid in (run["supervisor_pid"], run["pid"]):
        os.kill(pid, signal.SIGKILL)
    assert wait_until(lambda: cli.json("show")["reason"]) == "lost: its folder was removed; exit code unknown"


@pytest.mark.parametrize("command", [["ls"], ["data", "ls"], ["doctor"]])
def test_an_open_home_is_warned_about_once(cli: Cli, command: list[str]) -> None:
    cli.home.mkdir(mode=0o755)
    assert cli(*command).stderr.count("chmod 700") == 1


def test_a_log_that_is_a_link_to_a_file_of_others_is_not_read(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("rosebud")
    script(cli, f"rm $MLHUB_RUN_DIR/output.log; ln -s {tmp_path}/secret $MLHUB_RUN_DIR/output.log")
    assert "rosebud" not in cli("logs", code=1).stdout


def test_a_folder_with_an_attempt_of_no_end_hangs_nothing(cli: Cli) -> None:
    script(cli, "exit 1", "--name", "base", code=1)
    (cli.home / "runs" / "1" / "attempts" / "999999999999999999").mkdir()
    for file in cli.home.glob("mlhub.db*"):
        file.unlink()
    assert cli.json("show", "base")["reason"] == "exit code 1"
    assert cli.json("resume", "base", "--wait", code=1)["attempt"] == 2


def test_an_argument_list_of_more_than_a_megabyte_is_run(cli: Cli) -> None:
    words = [f"{number:0100}" for number in range(12_000)]
    cli("run", "--wait", "--", "sh", "-c", "echo $#", "sh", *words)
    assert cli("logs").stdout == "12000\n"
    assert len(cli("show").stdout) < 5000


@pytest.mark.parametrize("column", ["alerts", "summary", "config", "tags"])
def test_a_damaged_row_is_named_with_its_remedy_which_helps(cli: Cli, column: str) -> None:
    script(cli, "true", "--name", "base")
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute(f"UPDATE runs SET {column} = 'garbage'")  # noqa: S608 - one of the four above
    assert f"{column} of run 1 is damaged" in cli("ls", code=1).stderr
    assert cli("doctor", code=1).stderr == ""
    cli("doctor", "--rebuild")
    assert [run["name"] for run in cli.json("ls")] == ["base"]


@pytest.mark.root
def test_a_home_on_a_disk_that_was_mounted_read_only_can_be_read(cli: Cli) -> None:
    script(cli, "echo hello", "--name", "base")
    mounts = (["mount", "--bind", cli.home, cli.home], ["mount", "-o", "remount,ro,bind", cli.home])
    if subprocess.run(mounts[0], check=False).returncode:
        pytest.skip("root here may not mount")
    try:
        subprocess.run(mounts[1], check=True)
        assert [run["status"] for run in cli.json("ls")] == ["completed"]
        assert cli("logs", "base").stdout == "hello\n"
        assert cli.json("show", "base")["exit_code"] == 0
    finally:
        subprocess.run(["umount", cli.home], check=True)
