"""A disk that is full: at the launch, while a run goes on, at its end; the parts, then the whole of mlhub."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlhub.errors import MlhubError
from mlhub.paths import RunPaths
from mlhub.records import read_records
from mlhub.runner.stop import stop
from mlhub.runner.truth import Verdict
from tests.conftest import Cli, make_cli

from .conftest import Sandbox, Seen, eventually, fill, mounted, root_only

pytestmark = root_only


@pytest.mark.parametrize("free", range(4))  # a launch takes four pages: order, slot, and process.json twice
def test_17_launch_is_refused_before_anything_runs(
    small_disk: Path, tmp_path: Path, seen: Seen[str], free: int
) -> None:
    box = Sandbox(small_disk)
    fill(small_disk, free)
    with pytest.raises(MlhubError, match="disk is full") as error:
        box.launch("touch", str(tmp_path / "ran"))
    seen(error.value.message)
    assert not (tmp_path / "ran").exists()
    assert not list(small_disk.rglob("*.tmp"))


def test_16_exit_code_is_recorded_on_a_full_disk(small_disk: Path, seen: Seen[Verdict]) -> None:
    box = Sandbox(small_disk)
    script = box.wait_open("echo no room; exit 3")
    box.shell(script)
    (box.root / "go").touch()
    fill(small_disk)
    assert seen(box.final()).exit_code == 3


def test_16_run_can_be_stopped_on_a_full_disk(small_disk: Path, seen: Seen[Verdict]) -> None:
    box = Sandbox(small_disk)
    box.launch("sleep", "1000")
    fill(small_disk)
    verdict = seen(stop(box.paths, 1, 5, "alice").verdict)
    assert (verdict.status, verdict.signal) == ("cancelled", "SIGTERM")


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[Cli]:
    """The command with its whole home on a disk of 1 MB. What it started is stopped when the test ends."""
    for disk in mounted(tmp_path / "disk", "1m"):
        cli = make_cli(disk / "home")
        yield cli
        (disk / "filler").unlink(missing_ok=True)
        for run in cli.json("ls", code=None):
            if run["status"] in ("queued", "running"):
                cli("stop", run["name"], "--grace", "0", code=None)


#: logs a record and a line a turn, 100 a second, and counts them on its own disk; ends with code 3 once `go` is there
TRAINER = """
import os, sys, time
import mlhub
side, step = sys.argv[1], 0
while not os.path.exists(side + "/go"):
    mlhub.log({"train/loss": 1.0 / (step + 1)}, step=step)
    try:
        print("step", step, flush=True)
    except OSError:
        pass
    step += 1
    with open(side + "/steps", "w") as file:
        file.write(str(step))
    time.sleep(0.01)
sys.exit(3)
"""


def steps_of(side: Path) -> int:
    text = (side / "steps").read_text() if (side / "steps").exists() else ""
    return int(text or 0)


def start_trainer(cli: Cli, side: Path) -> RunPaths:
    side.mkdir()
    run: dict[str, Any] = cli.json("run", "--name", "trainer", "--", sys.executable, "-c", TRAINER, str(side))
    eventually(lambda: steps_of(side) > 5)
    return RunPaths(Path(run["dir"]))


def goes_on(side: Path, turns: int = 20) -> bool:
    """Whether the trainer makes `turns` more turns."""
    before = steps_of(side)
    return bool(eventually(lambda: steps_of(side) >= before + turns))


def test_16_run_goes_on_while_log_metrics_and_system_records_find_no_room(
    small_home: Cli, tmp_path: Path, seen: Seen[dict[str, Any]]
) -> None:
    small_home.environment["MLHUB_SAMPLE_SECONDS"] = "0.1"
    paths = start_trainer(small_home, tmp_path / "side")
    eventually(paths.system.exists)
    fill(small_home.home.parent)
    assert goes_on(tmp_path / "side", 100)
    assert os.statvfs(small_home.home).f_bavail == 0
    run = seen(small_home.json("show", "trainer"))
    assert (run["status"], run["condition"]) == ("running", None)
    before = paths.system.stat().st_size
    (small_home.home.parent / "filler").unlink()
    assert eventually(lambda: paths.system.stat().st_size > before)


def test_16_records_after_a_full_disk_are_read_and_the_torn_one_hides_none(small_home: Cli, tmp_path: Path) -> None:
    paths = start_trainer(small_home, tmp_path / "side")
    fill(small_home.home.parent)
    assert goes_on(tmp_path / "side")
    (small_home.home.parent / "filler").unlink()
    first = steps_of(tmp_path / "side") + 1
    assert goes_on(tmp_path / "side")
    steps = [record["step"] for record in read_records(paths.metrics)[0]]
    last = max(step for step in steps if isinstance(step, int))
    assert steps[-(last - first + 1) :] == list(range(first, last + 1))


def test_16_end_on_a_full_disk_is_told_at_once_and_kept(
    small_home: Cli, tmp_path: Path, seen: Seen[dict[str, Any]]
) -> None:
    paths = start_trainer(small_home, tmp_path / "side")
    fill(small_home.home.parent)
    (tmp_path / "side" / "go").touch()
    eventually(lambda: paths.attempt(1).slot.read_bytes().startswith(b"mlhub-exit-1"))
    run = seen(small_home.json("ls")[0])
    assert (run["status"], run["exit_code"]) == ("failed", 3)
    (small_home.home.parent / "filler").unlink()
    run = small_home.json("show", "trainer")
    assert (run["status"], run["exit_code"]) == ("failed", 3)


def test_16_new_launch_is_refused_while_a_run_goes_on(small_home: Cli, tmp_path: Path, seen: Seen[str]) -> None:
    start_trainer(small_home, tmp_path / "side")
    fill(small_home.home.parent)
    said = small_home("run", "--", "true", code=1).stderr
    assert "disk is full" in seen(said.splitlines()[0].rpartition(": ")[2])
    assert goes_on(tmp_path / "side")


def test_17_mlhub_refuses_to_start_and_leaves_nothing(small_home: Cli, seen: Seen[str]) -> None:
    small_home("ls")
    fill(small_home.home.parent)
    said = small_home("run", "--", "touch", str(small_home.home.parent.parent / "ran"), code=1).stderr
    assert "disk is full" in seen(said.splitlines()[0].rpartition(": ")[2])
    assert not (small_home.home.parent.parent / "ran").exists()
    assert not (small_home.home / "runs").exists() or not list((small_home.home / "runs").iterdir())


def test_17_room_made_lets_it_start(small_home: Cli) -> None:
    small_home("ls")
    fill(small_home.home.parent)
    small_home("run", "--", "true", code=1)
    (small_home.home.parent / "filler").unlink()
    assert json.loads(small_home("run", "--wait", "--json", "--", "true").stdout)["status"] == "completed"
