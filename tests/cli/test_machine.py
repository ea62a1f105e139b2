"""`mlhub gpu` and `mlhub doctor` as a user sees them, with GPUs that a file describes."""

from __future__ import annotations

import contextlib
import getpass
import os
import sqlite3
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import wait_until
from tests.nvml import FakeNvml, h100

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli


@pytest.fixture
def nvml(cli: Cli, tmp_path: Path) -> FakeNvml:
    fake = FakeNvml(tmp_path, h100(), h100())
    cli.environment.update(fake.environment)
    return fake


def on_gpu(nvml: FakeNvml, *pids: int) -> None:
    nvml.set(h100(processes=[{"pid": pid, "memory": 10**9} for pid in pids]), h100())


def processes(cli: Cli) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli.json("gpu")["gpus"][0]["processes"]
    return found


def test_a_runs_process_is_told_with_its_run(cli: Cli, nvml: FakeNvml) -> None:
    run = cli.json("run", "--name", "otter", "--", "sleep", "1000")
    on_gpu(nvml, run["pid"])
    assert processes(cli) == [
        {"pid": run["pid"], "memory": 10**9, "run": 1, "name": "otter", "user": getpass.getuser(),
         "command": "sleep 1000"}
    ]  # fmt: skip
    assert "1 otter" in cli("gpu").stdout


def test_a_process_that_threw_its_environment_away_is_known_by_its_place_in_the_tree(cli: Cli, nvml: FakeNvml) -> None:
    run = cli.json("run", "--", "sh", "-c", "env -i sleep 999 & exec sleep 1000")
    children = ["pgrep", "-P", str(run["pid"])]
    child = wait_until(lambda: subprocess.run(children, check=False, capture_output=True, text=True).stdout)
    on_gpu(nvml, int(child))
    assert [process["run"] for process in processes(cli)] == [1]


def test_a_strangers_process_is_told_by_user_and_command(cli: Cli, nvml: FakeNvml) -> None:
    with subprocess.Popen(["sleep", "998"]) as stranger:
        on_gpu(nvml, stranger.pid)
        found = processes(cli)[0]
        stranger.kill()
    assert (found["run"], found["name"], found["user"]) == (None, None, getpass.getuser())
    assert found["command"] == "sleep 998"


def test_a_process_that_is_gone_or_cannot_be_seen_is_still_listed(cli: Cli, nvml: FakeNvml) -> None:
    on_gpu(nvml, 4194305)
    assert processes(cli)[0] | {"memory": 0} == {
        "pid": 4194305, "memory": 0, "run": None, "name": None, "user": None, "command": None
    }  # fmt: skip


def test_a_hostile_command_line_reaches_no_terminal(cli: Cli, nvml: FakeNvml) -> None:
    with subprocess.Popen(["sh", "-c", "sleep 997; : \x1b[2J\nnext"]) as stranger:
        on_gpu(nvml, stranger.pid)
        said = cli("gpu").stdout
        stranger.kill()
    assert "\x1b" not in said
    assert all(len(line) <= 80 for line in said.splitlines())


def test_claimed_gpus_are_told(cli: Cli, nvml: FakeNvml) -> None:
    cli("run", "--gpus", "1", "--", "sleep", "1000")
    assert [gpu["claimed"] for gpu in cli.json("gpu")["gpus"]] == [[1], []]


def test_a_hot_gpu_fails_the_doctor(cli: Cli, nvml: FakeNvml) -> None:
    nvml.set(h100(temperature=97))
    report = cli.json("doctor", code=1)
    assert [check["status"] for check in report["checks"] if check["name"] == "nvml"] == ["fail"]
    assert "97 °C" in cli("doctor", code=1).stdout


def test_fix_names_each_step(cli: Cli) -> None:
    cli.home.mkdir(mode=0o755)
    assert f"fixed chmod 700 {cli.home}" in cli("doctor", "--fix").stdout
    assert cli.json("doctor", "--fix")["fixed"] == []


def test_the_unit_is_printed_without_systemd(cli: Cli) -> None:
    done = cli("doctor", "--unit")
    assert done.stdout.startswith("[Unit]\n")
    assert f'Environment="MLHUB_HOME={cli.home}"' in done.stdout
    assert "systemctl --user" in done.stderr


def rows(cli: Cli) -> list[dict[str, Any]]:
    """Every field of every row, but for the book-keeping that only speeds reading up."""
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection:
        connection.row_factory = sqlite3.Row
        found = [dict(row) for row in connection.execute("SELECT * FROM runs ORDER BY id")]
    for row in found:
        for name in ("summary_offset", "summary_done", "summary", "claimed_boot"):
            row.pop(name)
    return found


def test_a_rebuild_brings_every_run_back_field_by_field(cli: Cli, nvml: FakeNvml) -> None:
    log = 'echo \'{"step":3,"time":1.5,"loss":0.5}\' > $MLHUB_RUN_DIR/metrics.jsonl; '
    cli("run", "--wait", "--name", "done", "--group", "g", "--tag", "a", "--tag", "b", "--", "sh", "-c", log + "true")
    cli("run", "--wait", "--name", "bad", "--", "sh", "-c", log + "exit 3", code=1)
    cli("run", "--wait", "--name", "killed", "--", "sh", "-c", "kill -9 $$", code=1)
    cli("run", "--name", "busy", "--gpus", "1", "--retries", "2", "--", "sleep", "1000")
    cli("run", "--name", "next", "--queue", "--priority", "5", "--after", "busy", "--gpus", "2", "--", "true")
    cli("run", "--name", "later", "--queue", "--after", "next,busy", "--", "true")
    cli("run", "--name", "stopped", "--", "sleep", "1000")
    cli("stop", "stopped", "--grace", "0")
    shown, before = cli.json("ls"), rows(cli)
    (cli.home / "mlhub.db").write_bytes(b"garbage" * 1000)
    cli("doctor", "--rebuild", code=None)
    cli("queue", "resume")  # which the loss of the database has paused
    assert cli.json("ls") == shown
    assert rows(cli) == before


def test_a_packed_run_says_the_same_after_a_rebuild(cli: Cli) -> None:
    records = "".join(f'{{"step":{n},"time":1.5,"loss":{n}.5}}\\n' for n in range(1000))
    cli("run", "--wait", "--name", "old", "--", "sh", "-c", f"printf '{records}' > $MLHUB_RUN_DIR/metrics.jsonl")
    before, exported = cli.json("show", "old"), cli("metrics", "old").stdout
    assert cli.json("gc", "--only", "metrics", "--older-than", "0", "--yes")["freed"] > 0
    assert os.path.exists(cli.home / "runs" / "1" / "metrics.parquet")
    (cli.home / "mlhub.db").write_bytes(b"garbage" * 1000)
    cli("doctor", "--rebuild")
    assert cli.json("show", "old") == before
    assert cli("metrics", "old").stdout == exported
