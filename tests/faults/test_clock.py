"""The wall's clock jumps while runs go on: by libfaketime, never the real clock."""

from __future__ import annotations

import glob
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli, make_cli

from .conftest import Seen, eventually

LIBRARY = next(iter(glob.glob("/usr/lib/*/faketime/libfaketime.so.1")), None)


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file that says how far from the real time everybody's clock is: `+0`, `-3600`, `+30d`."""
    file = tmp_path / "clock"
    file.write_text("+0\n")
    return file


@pytest.fixture
def moved(tmp_path: Path, clock: Path) -> Iterator[Cli]:
    """The command, and all it starts, with a wall's clock that can be set."""
    if LIBRARY is None:
        pytest.skip("libfaketime is not installed (Debian: apt-get install faketime)")
    cli = make_cli(tmp_path / "home")
    cli.environment.update(
        LD_PRELOAD=LIBRARY, FAKETIME_TIMESTAMP_FILE=str(clock), FAKETIME_NO_CACHE="1", FAKETIME_DONT_FAKE_MONOTONIC="1"
    )
    told = "import time; print(int(time.time()), int(time.clock_gettime(time.CLOCK_BOOTTIME)))"
    answer = [subprocess.check_output([sys.executable, "-c", told], env=cli.environment, text=True).split()]
    clock.write_text("-30d\n")
    answer.append(subprocess.check_output([sys.executable, "-c", told], env=cli.environment, text=True).split())
    clock.write_text("+0\n")
    if int(answer[0][0]) - int(answer[1][0]) < 86400 or abs(int(answer[0][1]) - int(answer[1][1])) > 60:
        pytest.skip(f"libfaketime does not move the wall's clock alone here: {answer}")
    yield cli
    for run in cli.json("ls", code=None):
        if run["status"] in ("queued", "running"):
            cli("stop", run["name"], "--grace", "0", code=None)


def wall_seconds(run: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(run[key]) for key in ("started_at", "ended_at"))
    return (ended - began).total_seconds()


@pytest.mark.parametrize(("jump", "about"), [("-3600", -3600), ("+30d", 30 * 86400)])
def test_23_duration_is_the_boot_clocks_however_the_walls_jumped(
    moved: Cli, clock: Path, seen: Seen[str], jump: str, about: int
) -> None:
    go = moved.home.parent / "go"
    moved("run", "--name", "mine", "--", "sh", "-c", f"while [ ! -e {go} ]; do sleep 0.05; done; exit 0")
    clock.write_text(f"{jump}\n")
    assert moved.json("show", "mine")["status"] == "running"
    go.touch()
    run = eventually(lambda: (found := moved.json("show", "mine"))["status"] == "completed" and found)
    seen(f"wall {wall_seconds(run):+.0f} s, duration {run['duration']:.1f} s")
    assert abs(wall_seconds(run) - about) < 60
    assert 0 < run["duration"] < 60
    assert re.search(r"\bmine\b.* \d+(\.\d)?s", moved("ls").stdout)


def test_23_order_is_by_id_whatever_the_times_say(moved: Cli, clock: Path, seen: Seen[str]) -> None:
    moved("run", "--name", "older", "--", "true")  # no --wait: this library's time.sleep fails at a jump
    clock.write_text("-30d\n")
    moved("run", "--name", "newer", "--", "true")
    runs = moved.json("ls")
    assert runs[0]["created_at"] < runs[1]["created_at"]
    assert [run["name"] for run in runs] == ["newer", "older"]
    assert moved.json("show", "@last")["name"] == "newer"
    seen("newer first, though 30 days before")


def test_23_launch_is_given_up_by_the_boot_clock_alone(moved: Cli, clock: Path) -> None:
    moved("run", "--name", "mine", "--", "sleep", "1000")
    clock.write_text("+30d\n")
    assert moved.json("ls")[0]["status"] == "running"


def test_23_run_that_waits_keeps_its_place(moved: Cli, clock: Path) -> None:
    moved("queue", "pause")
    moved("run", "--queue", "--name", "first", "--", "true")
    clock.write_text("-30d\n")
    moved("run", "--queue", "--name", "second", "--", "true")
    assert [run["name"] for run in moved.json("queue")["waiting"]] == ["first", "second"]
