"""A disk with no byte left: nothing is started, and what is there can be seen and removed."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mlhub.records import read_records
from tests.conftest import Cli, make_cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.root


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Cli]:
    """A home with one ended run on a file system of its own that is then filled up."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=700k", "tmpfs", str(disk)], check=True)
    try:
        cli = make_cli(disk / "home")
        cli("run", "--wait", "--name", "old", "--", "true")
        with (disk / "fill").open("wb", buffering=0) as file:
            while os.statvfs(disk).f_bavail:
                file.write(bytes(4096))
        yield cli
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_launch_is_refused_and_leaves_nothing(full: Cli) -> None:
    said = full("run", "--", "true", code=1).stderr
    assert "disk is full" in said
    assert [entry.name for entry in (full.home / "runs").iterdir()] == ["1"]


def test_runs_are_still_listed(full: Cli) -> None:
    assert [run["name"] for run in full.json("ls")] == ["old"]


def test_a_run_can_be_removed_for_good_to_make_room(full: Cli) -> None:
    full("rm", "old", "--purge")
    assert full.json("ls") == []


def test_a_run_that_can_not_go_to_the_trash_stays_as_it_was_and_the_way_out_is_named(full: Cli) -> None:
    before = sorted(os.listdir(full.home / "runs" / "1"))
    said = full("rm", "old", code=1).stderr
    assert "mlhub rm old --purge" in said
    assert [run["name"] for run in full.json("ls")] == ["old"]
    assert sorted(os.listdir(full.home / "runs" / "1")) == before


def test_the_trash_can_be_emptied_to_make_room(full: Cli) -> None:
    fill = full.home.parent / "fill"
    fill.unlink()
    assert "the trash frees nothing" in full("rm", "old").stdout
    with fill.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while os.statvfs(fill.parent).f_bavail:
            file.write(bytes(4096))
    assert full.json("gc", "--trash", "now", "--yes")["freed"] > 0
    assert os.statvfs(fill.parent).f_bavail > 0


def test_the_doctor_says_that_it_is_full(full: Cli) -> None:
    checks = {check["name"]: check for check in full.json("doctor", code=1)["checks"]}
    assert (checks["disk"]["status"], checks["store"]["status"]) == ("fail", "ok")


def test_a_waiting_run_keeps_its_turn_until_there_is_room(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=True)
    try:
        cli = make_cli(disk / "home")
        cli("run", "--name", "first", "--", "sh", "-c", f"while [ ! -e {tmp_path}/go ]; do sleep 0.02; done")
        cli("run", "--queue", "--name", "next", "--", "true")
        with (disk / "fill").open("wb", buffering=0) as file:
            while os.statvfs(disk).f_bavail:
                file.write(bytes(4096))
        (tmp_path / "go").touch()
        waiting = wait_until(lambda: (found := cli.json("ls"))[1]["status"] == "completed" and found[0])
        assert waiting["status"] == "queued"
        (disk / "fill").unlink()
        cli("queue", "resume")
        wait_until(lambda: cli.json("show", "next")["status"] == "completed")
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


#: a training that outlives a full disk: 200 records while there is no room, then 10 when there is again
_TRAINING = """
import os, sys
import mlhub
mlhub.log({"loss": 1.0}, step=0)
fill = sys.argv[1]
with open(fill, "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError:
        pass
for step in range(1, 201):
    mlhub.log({"loss": 1.0}, step=step)
os.unlink(fill)
for step in range(201, 211):
    mlhub.log({"loss": 1.0}, step=step)
"""


def test_a_training_that_loses_records_to_a_full_disk_is_told_of_it_and_that_recording_goes_on(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "train.py").write_text(_TRAINING)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=True)
    try:
        cli = make_cli(disk / "home")
        cli("run", "--wait", "--name", "train", "--", sys.executable, str(tmp_path / "train.py"), str(disk / "fill"))
        records = read_records(cli.home / "runs" / "1" / "metrics.jsonl")[0]
        steps = [record["step"] for record in records]
        log = (cli.home / "runs" / "1" / "output.log").read_text()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert steps[0] == 0
    assert steps[-10:] == [*range(201, 211)]
    lost = 211 - len(steps)
    assert lost > 1
    assert log.count("records of metrics are being lost, the training goes on (") == 1
    assert log.count(f"{lost} records of metrics; recording goes on again") == 1
