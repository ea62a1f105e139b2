"""Several ranks, of which one ends otherwise than the others: it is named, and the run has not completed."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from mlhub.capture import environment
from tests.capture.conftest import script
from tests.capture.test_lightning import run, told
from tests.conftest import Cli


@pytest.mark.parametrize(
    ("how", "strategy", "reason"),
    [
        ("die", "ddp", "exit code 1: rank 1 was killed by SIGKILL"),
        ("end", "ddp", "training failed at step 4 of 4, exit code 0: rank 1: ValueError: at its end"),
        ("raise", "ddp_spawn", "exit code 1: rank 1: ValueError: rank one's own"),
    ],
)
def test_the_rank_that_went_first_is_named(hub: Cli, bare_venv: Path, how: str, strategy: str, reason: str) -> None:
    found = run(hub, bare_venv, "ranks.py", how, strategy, code=1)
    assert (found["kind"], found["status"], found["reason"]) == ("train", "failed", reason)
    assert told(found)["model"]["class"] == "Model"  # what a spawned rank told stays when its parent writes
    assert "errors" not in told(found)


def test_a_failed_train_of_hugging_face_that_is_caught_is_no_success(hub: Cli, bare_venv: Path) -> None:
    found = run(hub, bare_venv, "hf_ends.py", "caught", code=1)
    reason = "training failed at step 2 of 12, exit code 0: ValueError: the 2nd step"
    assert (found["status"], found["reason"]) == ("failed", reason)
    assert told(found)["exception"]["step"] == 2


@pytest.mark.slow
def test_hugging_face_under_torchrun_names_the_rank(hub: Cli, bare_venv: Path) -> None:
    place = hub.home.parent
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2", script("hf_ends.py"), "rank")
    options = ("--venv", str(bare_venv), "--cwd", str(place), "--wait")
    found: dict[str, Any] = hub.json("run", *options, "--", "python", *torchrun, code=1)
    assert found["reason"] == "exit code 1: rank 1: ValueError: the 2nd step"


def test_the_folders_of_trackers_are_found_without_opening_an_experiment(bare_venv: Path, tmp_path: Path) -> None:
    """By what Lightning's loggers of wandb and MLflow hold after they have opened it themselves."""
    code = """
from types import SimpleNamespace as Of
from mlhub_capture import facts
class Wandb:
    experiment = property(lambda self: 1 / 0)
    log_dir = None
    def __init__(self, run): self._experiment = run
class MLflow:
    experiment = run_id = experiment_id = property(lambda self: 1 / 0)
    log_dir = None
    def __init__(self, uri, run): self._tracking_uri, self._run_id, self._experiment_id = uri, run, "7"
print(facts.log_folders(Of(loggers=[
    Wandb(Of(dir="/w/run-1/files")), Wandb(None), MLflow("file:./ml%20runs", "ab"), MLflow("file:///m", None),
    MLflow("http://server", "ab"),
])))
"""
    done = subprocess.run(
        [bare_venv / "bin" / "python", "-c", code], env=environment({}), cwd=tmp_path, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.strip() == str(["/w/run-1", f"{tmp_path}/ml runs/7/ab"])
