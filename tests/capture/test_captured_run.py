"""A captured training is a training, shows what was captured, and its logs are not imported as a second run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.capture.test_lightning import run
from tests.conftest import Cli


@pytest.fixture(scope="module")
def trained(hub: Cli, bare_venv: Path) -> dict[str, Any]:
    return run(hub, bare_venv, "logged.py")


def test_it_is_a_training_but_none_that_mlhubs_programs_can_read(hub: Cli, trained: dict[str, Any]) -> None:
    assert trained["kind"] == "train"
    for command in ("eval", "index"):
        said = hub(command, str(trained["id"]), code=1).stderr
        assert "was captured from a command" in said
        assert "adapter:hashing" in said
        assert "no hashing train run" in hub(command, code=1).stderr


def test_show_has_config_model_and_checkpoints(hub: Cli, trained: dict[str, Any]) -> None:
    shown = hub.json("show", str(trained["id"]))
    assert shown["config"]["width"] == 8
    assert shown["model"] == {"class": "Model", "parameters": 66, "trainable": 66}
    [best] = [one for one in shown["checkpoints"] if one["best"]]
    [last] = [one for one in shown["checkpoints"] if one["last"]]
    assert best["monitor"] == "train/loss"
    assert Path(last["path"]).name == "last.ckpt"
    assert not best["missing"]
    Path(best["path"]).unlink()
    text = hub("show", str(trained["id"])).stdout
    assert max(map(len, text.split("\nconfig\n")[1].splitlines())) <= 80
    assert "Model, 66 parameters" in text
    assert "best, missing" in text


def test_its_logs_are_left_out_unless_asked_for(hub: Cli, trained: dict[str, Any]) -> None:
    logs = hub.home.parent / "logged" / "lightning_logs"
    assert (logs / "version_0" / "metrics.csv").exists()
    done = hub("import", str(logs))
    assert f"of run {trained['id']}" in done.stderr
    assert "recorded here already" in done.stdout
    assert len(hub.json("ls")) == 1
    [again] = hub.json("import", str(logs), "--again")["runs"]
    assert again["action"] == "imported"
    assert "was imported from lightning" in hub("eval", str(again["run"]), code=1).stderr


def test_the_logs_of_every_fit_and_test_are_left_out(hub: Cli, bare_venv: Path) -> None:
    run(hub, bare_venv, "folds.py")
    logs = hub.home.parent / "folds" / "lightning_logs"
    outcomes = hub.json("import", str(logs), "--dry-run")["runs"]
    assert [one["action"] for one in outcomes] == ["captured"] * 3
