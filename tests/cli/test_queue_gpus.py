"""GPUs that runs claim and wait for: real commands, and a fake NVML that several processes see."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import wait_until
from tests.nvml import FakeNvml, h100

if TYPE_CHECKING:
    from tests.conftest import Cli


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


def test_a_card_whose_memory_somebody_hidden_uses_is_not_free(cli: Cli, cards: FakeNvml) -> None:
    cards.set(h100(memory={"total": 80e9, "used": 70e9}), h100())
    assert cli.json("run", "--gpus", "1", "--", "sleep", "100")["gpus"] == [1]
    assert cli.json("run", "--gpus", "1", "--", "true")["condition"] == "waits for 1 GPU (0 free)"
