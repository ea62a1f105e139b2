"""`mlhub stop` of a captured training: a checkpoint, an end in time; `mlhub resume` goes on from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.capture.conftest import lines, script, series
from tests.conftest import Cli, wait_until


def stop_amid(hub: Cli, run: dict[str, Any], records: int) -> dict[str, Any]:
    """The run, stopped when its file has so many records."""
    metrics = Path(run["dir"]) / "metrics.jsonl"
    wait_until(lambda: len(lines(metrics)) >= records, 60)
    hub("stop", run["name"], "--grace", "30")
    found: dict[str, Any] = hub.json("show", run["name"])
    return found


def check_stopped(run: dict[str, Any]) -> dict[str, Any]:
    """The last checkpoint it told of, which is there."""
    assert (run["status"], run["exit_code"]) == ("cancelled", 143)
    assert "forced" not in run["reason"]
    saved = lines(Path(run["dir"]) / "checkpoints.jsonl")[-1]
    assert saved["kind"] == "stop"
    assert saved["path"] == str(Path(run["dir"]) / "checkpoints" / "last.ckpt")
    assert Path(saved["path"]).stat().st_size > 0
    assert "goes on" not in (Path(run["dir"]) / "output.log").read_text()
    return saved


@pytest.mark.slow
@pytest.mark.parametrize("how", ["workers", "ddp"])
def test_a_stopped_training_saves_and_is_resumed_from_there(hub: Cli, bare_venv: Path, how: str) -> None:
    options = ("--venv", str(bare_venv), "--cwd", str(hub.home.parent), "--name", how)
    run = hub.json("run", *options, "--", "python", script("slow.py"), how)
    run = stop_amid(hub, run, 20)
    at = check_stopped(run)["step"]
    hub("resume", how, "--wait")
    run = hub.json("show", how)
    assert (run["status"], run["attempt"]) == ("completed", 2)
    assert "goes on at step 400" in (Path(run["dir"]) / "output.log").read_text()
    steps = [step for step, _ in series(run, "train/loss")]
    assert steps == list(range(400))  # none is missing, none is there twice
    mark = next(record for record in lines(Path(run["dir"]) / "metrics.jsonl") if record.get("attempt") == 2)
    assert mark["step"] == at - 1  # steps count from 0, those done from 1
    assert not list((Path(run["dir"]) / "attempts" / "1").glob("left*"))
