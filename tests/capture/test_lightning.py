"""What is recorded of Lightning scripts that are unchanged, in an environment without mlhub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.capture.conftest import lines, script, series
from tests.conftest import Cli


def run(hub: Cli, venv: Path, name: str, *words: str, code: int = 0, options: tuple[str, ...] = ()) -> dict[str, Any]:
    """A run of a script that is waited for; its home holds its files, so that none come from another."""
    place = hub.home.parent / Path(name).stem
    place.mkdir(exist_ok=True)
    options = ("--venv", str(venv), "--cwd", str(place), "--wait", *options)
    started = hub.json("run", *options, "--", "python", script(name), *words, code=code)
    found: dict[str, Any] = hub.json("show", str(started["id"]))
    return found


def told(run: dict[str, Any], name: str = "capture.json") -> dict[str, Any]:
    tree: dict[str, Any] = json.loads((Path(run["dir"]) / name).read_text())
    return tree


@pytest.fixture(scope="module")
def trained(hub: Cli, bare_venv: Path) -> dict[str, Any]:
    return run(hub, bare_venv, "boring.py")


def test_metrics_come_at_the_trainers_own_rhythm_each_once(trained: dict[str, Any]) -> None:
    steps = [step for step, _ in series(trained, "train/loss")]
    assert steps == [9, 19, 29, 39, 49, 59, 69]
    assert [step for step, _ in series(trained, "val/loss")] == [24, 49, 74]


def test_what_is_not_a_number_and_names_of_any_length_are_kept(trained: dict[str, Any]) -> None:
    assert {value for _, value in series(trained, "train/bad")} == {"NaN", "Infinity"}
    assert len(series(trained, "n" * 10_000)) == 7
    assert {value for _, value in series(trained, "metric/time")} == {5.0}  # a record has a time of its own


def test_what_callbacks_give_to_the_loggers_is_recorded_too(trained: dict[str, Any]) -> None:
    rates = [value for _, value in series(trained, "lr-Adam")]
    assert rates == pytest.approx([0.05, 0.005, 0.0005])


def test_early_stopping_is_no_failure_and_is_told(trained: dict[str, Any]) -> None:
    assert trained["status"] == "completed"
    assert trained["reason"].startswith("early stopping: ")
    assert "val/loss" in trained["reason"]


def test_hyperparameters_become_the_config_and_no_secret_does(trained: dict[str, Any]) -> None:
    assert trained["config"] == {"width": 32, "rate": 0.05, "api_key": "***"}


def test_model_optimizer_and_versions_are_told(trained: dict[str, Any]) -> None:
    known = told(trained)
    assert known["model"]["parameters"] == 66
    assert known["model"]["layers"][0] == {"name": "layer", "class": "Linear", "parameters": 66, "trainable": 66}
    assert (known["optimizers"][0]["class"], known["optimizers"][0]["lr"]) == ("Adam", 0.05)
    assert known["versions"]["lightning"].startswith("2.")
    assert "errors" not in known


def test_checkpoints_are_told_as_they_are_saved(trained: dict[str, Any]) -> None:
    saved = lines(Path(trained["dir"]) / "checkpoints.jsonl")
    assert all(Path(line["path"]).is_absolute() and line["monitor"] == "val/loss" for line in saved)
    best = [line for line in saved if line["best"]]
    assert [(line["step"], line["score"]) for line in best] == [(25, 2.0)]  # the check before training was the first
    assert [line["step"] for line in saved if line["last"]] == [25, 50, 75]
    assert Path(best[0]["path"]).exists()


def test_the_packages_of_that_python_are_told(trained: dict[str, Any], bare_venv: Path) -> None:
    assert told(trained, "spec.json")["python"] == str(bare_venv / "bin" / "python")


@pytest.fixture(scope="module")
def by_cli(hub: Cli, bare_venv: Path) -> dict[str, Any]:
    words = ("fit", "--trainer.max_epochs=2", "--trainer.limit_train_batches=4", "--trainer.log_every_n_steps=2")
    quiet = ("--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", "--model.out_dim=3")
    return run(hub, bare_venv, "cli.py", *words, *quiet)


def test_pytorch_lightning_is_captured_as_well(by_cli: dict[str, Any]) -> None:
    assert told(by_cli)["package"] == "pytorch_lightning"
    assert [step for step, _ in series(by_cli, "train_loss_step")] == [1, 3, 5, 7]
    assert [step for step, _ in series(by_cli, "train_loss_epoch")] == [3, 7]


def test_the_configuration_of_a_lightning_cli_is_the_runs(by_cli: dict[str, Any]) -> None:
    assert by_cli["config"]["trainer"]["max_epochs"] == 2
    assert by_cli["config"]["model"]["out_dim"] == 3


@pytest.fixture(scope="module")
def crashed(hub: Cli, bare_venv: Path) -> dict[str, Any]:
    return run(hub, bare_venv, "crash.py", code=1)


def test_a_crash_is_told_with_its_exception(crashed: dict[str, Any]) -> None:
    assert crashed["status"] == "failed"
    assert crashed["reason"] == "exit code 1: ValueError: the 3rd batch"
    known = told(crashed)["exception"]
    assert (known["step"], known["epoch"]) == (8, 1)
    assert "is broken" in known["message"]
    assert "crash.py" in known["traceback"]


def test_nothing_odd_reaches_the_training_or_the_record(hub: Cli, bare_venv: Path) -> None:
    found = run(hub, bare_venv, "odd.py", "fork")
    assert "to the end" in (Path(found["dir"]) / "output.log").read_text()
    assert "errors" not in told(found)
    names = set(found["summary"])
    assert {"first", "pickled", "odd", "dry", "parent"} <= names
    assert not names & {"trial", "bare", "fork"}
    assert [step for step, _ in series(found, "parent")] == [0, 1, 2]
    saved = lines(Path(found["dir"]) / "checkpoints.jsonl")
    assert not [line for line in saved if ".lr_find" in line["path"]]


def test_no_capture_leaves_a_training_alone(hub: Cli, bare_venv: Path) -> None:
    found = run(hub, bare_venv, "crash.py", code=1, options=("--no-capture",))
    assert not (Path(found["dir"]) / "capture.json").exists()
    assert found["reason"] == "exit code 1: ValueError: the 3rd batch"  # from its log
