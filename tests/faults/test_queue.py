"""Faults of runs that wait: two ticks at once, a dependency that fails, a reboot, GPUs that dead runs still hold."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlhub.runner import record
from tests.conftest import Cli, make_cli

from .conftest import LOADER, Seen, eventually

FAKE_NVML = Path(__file__).parents[1] / "fake_nvml"


@pytest.fixture
def one_gpu(tmp_path: Path) -> Iterator[Cli]:
    """The command on a machine with one GPU that nobody uses."""
    state = tmp_path / "gpus.json"
    memory = {"total": 8e10, "used": 0}
    state.write_text(
        json.dumps({"gpus": [{"name": "NVIDIA H100", "uuid": "GPU-0", "memory": memory, "processes": []}]})
    )
    cli = make_cli(tmp_path / "home")
    path = [str(FAKE_NVML), *filter(None, [cli.environment.get("PYTHONPATH")])]
    cli.environment.update(FAKE_NVML=str(state), PYTHONPATH=os.pathsep.join(path))
    yield cli
    for run in cli.json("ls", code=None):
        if run["status"] in ("queued", "running"):
            cli("stop", run["name"], "--grace", "0", code=None)


def status_of(cli: Cli, *names: str) -> list[str]:
    return [cli.json("show", name)["status"] for name in names]


def together(cli: Cli, *commands: list[str]) -> None:
    """All of them at once."""
    started = [
        subprocess.Popen([sys.executable, "-P", "-m", *command], env=cli.environment, stdout=subprocess.DEVNULL)
        for command in commands
    ]
    assert [process.wait(60) for process in started] == [0] * len(commands)


def test_21_of_many_ticks_for_one_gpu_exactly_one_starts_a_run(one_gpu: Cli, seen: Seen[str]) -> None:
    one_gpu("queue", "pause")
    for name in "abc":
        one_gpu("run", "--queue", "--gpus", "1", "--name", name, "--", "sleep", "1000")
    with contextlib.closing(sqlite3.connect(one_gpu.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE queue SET paused = 0, reason = NULL")
    together(one_gpu, *[["mlhub.runner.tick"]] * 4, *[["mlhub", "ls"]] * 4)
    found = status_of(one_gpu, "a", "b", "c")
    seen(f"8 ticks: {', '.join(found)}")
    assert found == ["running", "queued", "queued"]


def test_21_of_two_submitters_for_one_gpu_one_starts_and_one_waits(one_gpu: Cli, seen: Seen[str]) -> None:
    one_gpu("ls")
    submit = ["mlhub", "run", "--gpus", "1", "--", "sleep", "1000"]
    together(one_gpu, submit, submit)
    runs = one_gpu.json("ls")
    seen("2 submitters: " + ", ".join(sorted(run["status"] for run in runs)))
    assert sorted(run["status"] for run in runs) == ["queued", "running"]
    assert [run["gpus"] for run in runs if run["status"] == "running"] == [[0]]


def test_7_gpu_of_a_lost_run_is_free_only_when_none_of_its_processes_is_left(one_gpu: Cli, seen: Seen[str]) -> None:
    code = LOADER + "time.sleep(1000)"
    lost = one_gpu.json("run", "--gpus", "1", "--name", "lost", "--", sys.executable, "-c", code)
    log = Path(lost["dir"]) / "output.log"
    eventually(lambda: "loader" in log.read_text())
    one_gpu("run", "--gpus", "1", "--name", "next", "--", "sleep", "1000")
    os.kill(lost["supervisor_pid"], signal.SIGKILL)
    os.kill(lost["pid"], signal.SIGKILL)
    eventually(lambda: status_of(one_gpu, "lost") == ["failed"])
    one_gpu("ls")
    orphans = one_gpu.json("show", "lost")["orphans"]
    assert (len(orphans), status_of(one_gpu, "next")) == (1, ["queued"])
    os.kill(orphans[0], signal.SIGKILL)
    eventually(lambda: one_gpu.json("ls") and status_of(one_gpu, "next") == ["running"])
    assert one_gpu.json("show", "lost")["orphans"] == []
    seen("GPU held by 1 orphan, then free")


def test_24_dependents_of_a_failed_run_are_cancelled_all_the_way(cli: Cli, seen: Seen[dict[str, Any]]) -> None:
    go = cli.home.parent / "go"
    cli("run", "--name", "first", "--", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.02; done; exit 3")
    cli("run", "--after", "first", "--name", "second", "--", "true")
    cli("run", "--after", "second", "--name", "third", "--", "true")
    go.touch()
    eventually(lambda: status_of(cli, "second", "third") == ["cancelled", "cancelled"])
    reasons = [seen(cli.json("show", name))["reason"] for name in ("second", "third")]
    assert reasons == ["dependency: run 1 (first) failed", "dependency: run 2 (second) cancelled"]


def test_24_dependents_are_cancelled_without_any_reader(cli: Cli) -> None:
    go = cli.home.parent / "go"
    cli("run", "--name", "first", "--", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.02; done; exit 3")
    cli("run", "--after", "first", "--name", "second", "--", "true")
    go.touch()
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection:
        question = "SELECT status FROM runs WHERE name = 'second'"
        eventually(lambda: connection.execute(question).fetchone()[0] == "cancelled")


def reboot(cli: Cli, run: dict[str, Any]) -> None:
    """All that a restart of the machine changes: the processes are gone, and the boot is another."""
    os.kill(run["supervisor_pid"], signal.SIGKILL)
    os.kill(run["pid"], signal.SIGKILL)
    process = Path(run["dir"]) / "attempts" / "1" / "process.json"
    earlier = "00000000-0000-0000-0000-000000000000"
    record.write_json(str(process), {**(record.read_json(str(process)) or {}), "boot": earlier})
    with contextlib.closing(sqlite3.connect(cli.home / "mlhub.db")) as connection, connection:
        connection.execute("UPDATE queue SET boot = ?", (earlier,))


def test_11_queue_is_paused_after_a_reboot_and_says_so(cli: Cli, seen: Seen[Any]) -> None:
    run = cli.json("run", "--name", "on", "--", "sleep", "1000")
    cli("run", "--after", "on", "--name", "second", "--", "sleep", "1000")
    cli("run", "--queue", "--name", "free", "--after", "on", "--", "sleep", "1000")
    cli("queue")
    reboot(cli, run)
    document = cli.json("queue")
    assert cli.json("show", "on")["reason"] == "reboot: the machine restarted while it ran"
    assert (document["paused"], document["reason"]) == (True, "the machine was restarted")
    seen(f"queue paused: {document['reason']}")
    assert "PAUSED" in cli("queue").stdout


def test_11_run_that_waited_is_started_only_when_the_queue_goes_on(cli: Cli) -> None:
    run = cli.json("run", "--name", "on", "--", "sleep", "1000", code=0)
    cli("run", "--name", "waiter", "--queue", "--", "sleep", "1000", MLHUB_MAX_RUNS="1")
    assert status_of(cli, "waiter") == ["queued"]
    reboot(cli, run)
    assert [cli.json("ls")[0]["status"] for _ in range(2)] == ["queued", "queued"]
    cli("queue", "resume")
    assert eventually(lambda: status_of(cli, "waiter") == ["running"])
