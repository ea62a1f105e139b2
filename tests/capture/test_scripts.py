"""Scripts without Lightning: a plain loop with `import mlhub`, the Trainer of Hugging Face."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.capture.conftest import lines, script, series
from tests.capture.test_lightning import run, told
from tests.conftest import Cli


def test_a_plain_loop_that_prints_garbage_and_forks_is_recorded_once(hub: Cli, bare_venv: Path) -> None:
    found = run(hub, bare_venv, "plain.py")
    assert found["status"] == "completed"
    assert [step for step, _ in series(found, "loss")] == list(range(20))
    assert found["config"] == {}
    assert not (Path(found["dir"]) / "capture.json").exists()
    shown = hub("logs", str(found["id"])).stdout
    assert "\x00" not in shown


def test_the_trainer_of_hugging_face_takes_one_line(hub: Cli, bare_venv: Path) -> None:
    found = run(hub, bare_venv, "hf.py")
    assert [step for step, _ in series(found, "train/loss")] == [3, 6, 9, 12]
    assert [step for step, _ in series(found, "eval/loss")] == [6, 12]
    saved = lines(Path(found["dir"]) / "checkpoints.jsonl")
    assert [line["step"] for line in saved] == [6, 12]
    assert sum(line["best"] for line in saved) >= 1
    assert found["config"]["logging_steps"] == 3
    assert "hf_secretsecret" not in json.dumps(told(found))
    assert told(found)["model"]["class"] == "BertForSequenceClassification"
    [outcome] = hub.json("import", str(hub.home.parent / "hf"), "--dry-run")["runs"]
    assert (outcome["kind"], outcome["action"]) == ("tensorboard", "captured")


def test_a_training_in_another_process_after_the_first_is_recorded_too_and_an_odd_epoch_costs_nothing(
    hub: Cli, bare_venv: Path
) -> None:
    found = run(hub, bare_venv, "nested.py")
    assert [step for step, _ in series(found, "parent/loss")] == [0, 1, 2, 3]
    assert [step for step, _ in series(found, "child/loss")] == [0, 1, 2, 3]
    assert "errors" not in told(found)
    kept = json.dumps([told(found), found["config"]])
    assert "hunter2pw" not in kept
    assert "aaaabbbb" not in kept
    assert (Path(found["dir"]) / "capture.json").stat().st_mode & 0o077 == 0


def test_an_mlhub_of_the_environment_is_preferred(bare_venv: Path, tmp_path: Path) -> None:
    package = tmp_path / "mlhub"
    package.mkdir()
    (package / "__init__.py").write_text("MINE = True\n")
    (package / "part.py").write_text("")
    site = Path(__file__).parents[2] / "src" / "mlhub" / "capture" / "site"
    code = "import mlhub.part, mlhub; print(mlhub.MINE, mlhub.__file__)"
    environment = {"PYTHONPATH": f"{site}:{tmp_path}", "PATH": "/usr/bin:/bin"}
    python = bare_venv / "bin" / "python"
    done = subprocess.run([python, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", str(package / "__init__.py")]


def test_a_broken_record_is_noted_once_and_training_goes_on(bare_venv: Path, tmp_path: Path) -> None:
    from mlhub.capture import environment

    gone = {"MLHUB_RUN_DIR": str(tmp_path / "gone"), "MLHUB_RUN_ID": "1", "MLHUB_ATTEMPT": "2", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [bare_venv / "bin" / "python", script("odd.py")],
        env=environment(gone), capture_output=True, text=True, check=True, cwd=tmp_path,
    )  # fmt: skip
    assert "to the end" in done.stdout
    assert done.stderr.count("mlhub: the capture missed something, the training goes on") == 1


def test_what_goes_into_other_peoples_pythons_needs_nothing_and_an_old_one(tmp_path: Path) -> None:
    """Every file parses as Python 3.9, and outside a run the entry points give nothing, without an import of theirs."""
    import ast

    from mlhub.capture import SITE

    light = [SITE.parents[1] / name for name in ("__init__.py", "writer.py", "artifacts.py", "redact.py")]
    for file in (*SITE.rglob("*.py"), *light):
        ast.parse(file.read_text(), feature_version=(3, 9))
    code = "import sys; import mlhub_capture as c; print(c.lightning(), c.pytorch_lightning(), 'json' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], env={"PYTHONPATH": str(SITE)}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["[]", "[]", "False"]


def test_no_call_of_ours_raises_into_a_training_and_each_says_once_what_it_left_out(
    bare_venv: Path, tmp_path: Path
) -> None:
    """In an environment without mlhub, and in the hub's own: the same words, the same records."""
    from mlhub.capture import environment

    code = """
import os, mlhub
for _ in range(2):
    mlhub.log({"loss": 0.5, "text": "x", "": 1, "list": [1], "none": None, "yes": True, "word": "NaN"})
mlhub.log({"late": 1}, step="soon")
mlhub.log({"late": 2})
mlhub.log(5)
mlhub.resume("x")
mlhub.log_image("picture", b"no picture")
mlhub.log_artifact("none")
mlhub.log_text("", "x")
mlhub.log_table("t", ["a"], [[1, 2]])
for n in range(30):
    mlhub.log_artifact(f"none{n}")
print("to the end")
"""
    told = {}
    for name, python in (("bare", bare_venv / "bin" / "python"), ("hub", Path(sys.executable))):
        folder = tmp_path / name
        folder.mkdir()
        env = environment({"MLHUB_RUN_DIR": str(folder), "MLHUB_RUN_ID": "1", "PATH": "/usr/bin:/bin"})
        done = subprocess.run(
            [python, "-c", code], env=env, capture_output=True, text=True, check=True, cwd=tmp_path, timeout=60
        )
        assert done.stdout == "to the end\n"
        told[name] = done.stderr.splitlines()
        records = [
            {key: value for key, value in line.items() if key != "time"} for line in lines(folder / "metrics.jsonl")
        ]
        kept = {"loss": 0.5, "yes": 1, "word": "NaN"}
        assert records == [{"step": 0, **kept}, {"step": 1, **kept}, {"step": 2, "late": 1}, {"step": 3, "late": 2}]
        assert not (folder / "artifacts.jsonl").exists()
    assert told["bare"] == told["hub"]
    assert len(set(told["hub"])) == len(told["hub"]) == 20
    assert told["hub"][0] == "mlhub: not recorded: log: 'text': the text 'x' is no number"
    assert told["hub"][-1].endswith("(no more of these are told)")
