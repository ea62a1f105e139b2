from __future__ import annotations

import pytest

from tests.foreign.collect import SAMPLES
from tests.foreign.test_tensorboard import scalars, write


@pytest.fixture
def board(tmp_path):
    (tmp_path / "board").mkdir()
    write(tmp_path / "board" / "exp", scalars((0, b"val/loss", 2.0), (90, b"val/loss", 1.0)))
    return tmp_path / "board"


def test_imported_runs_are_listed_shown_compared_and_exported(cli, board):
    done = cli("import", str(board), str(SAMPLES))
    assert "8 imported" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    runs = {run["name"]: run for run in cli.json("ls")}
    assert runs["exp"]["started_at"] == "2023-11-14T22:13:20.000Z"
    assert runs["exp"]["duration"] == 90
    assert runs["killed"]["status"] == "failed"
    shown = cli("show", "exp").stdout
    assert f"tensorboard, {board}" in shown.replace("\n", "")
    assert "1m 30s" in shown
    assert cli.json("show", "exp")["imported"]["kind"] == "tensorboard"
    assert "val/loss" in cli("compare", "exp", "killed").stdout
    assert cli("metrics", "exp").stdout.count("\n") == 2
    assert "hello from the run" in cli("logs", "sunny-sample").stdout


def test_what_became_of_each_is_one_json_document(cli, board):
    first = cli.json("import", str(board))
    assert [(run["action"], run["name"], run["kind"]) for run in first["runs"]] == [("imported", "exp", "tensorboard")]
    assert [run["action"] for run in cli.json("import", str(board))["runs"]] == ["unchanged"]
    assert [run["action"] for run in cli.json("import", str(SAMPLES), "--dry-run")["runs"]] == ["imported"] * 7
    assert len(cli.json("ls")) == 1


def test_imported_runs_can_be_removed_and_nothing_else(cli, board):
    cli("import", str(board))
    for command in (("stop", "exp"), ("resume", "exp"), ("rerun", "exp")):
        assert "was imported from" in cli(*command, code=1).stderr
    cli("rm", "exp")
    done = cli("import", str(board))
    assert "mlhub rm --restore 1" in done.stderr
    assert cli.json("ls") == []
    cli("rm", "--restore", "1")
    assert [run["name"] for run in cli.json("ls")] == ["exp"]


def test_they_survive_the_loss_of_the_database(cli, board):
    cli("import", str(board), str(SAMPLES))
    before = cli.json("ls")
    (cli.home / "mlhub.db").write_bytes(b"rubbish" * 1000)
    cli("doctor", "--rebuild", code=None)
    cli("ls")  # folds the metrics
    assert [run | {"alerts": []} for run in cli.json("ls")] == before


def test_wrong_usage_is_said(cli, tmp_path):
    assert "did you mean wandb?" in cli("import", str(tmp_path), "--kind", "wandbb", code=2).stderr
    assert "not usable" in cli("import", str(tmp_path), "--name", "a/b", code=2).stderr
    assert "nowhere" in cli("import", str(tmp_path / "nowhere"), code=1).stderr
    (tmp_path / "empty").mkdir()
    done = cli("import", str(tmp_path / "empty"), "--kind", "mlflow", code=1)
    assert "no run of mlflow found" in done.stderr
    assert "Traceback" not in done.stderr
