"""Hostile surroundings of a captured training: torn checkpoints, odd hyperparameters, Slurm, a Python without us."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from mlhub.capture import SITE, environment, ignored_by
from tests.capture.conftest import lines, script
from tests.conftest import Cli

_SLURM = {
    "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1", "SLURM_JOB_NAME": "train", "SLURM_JOB_ID": "77",
    "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost",
}  # fmt: skip


@pytest.mark.parametrize("how", ["slurm", "list"])
def test_a_stop_saves_where_slurm_requeues_and_where_the_list_of_callbacks_was_replaced(
    bare_venv: Path, tmp_path: Path, how: str
) -> None:
    (tmp_path / "attempts" / "1").mkdir(parents=True)
    run = {"MLHUB_RUN_DIR": str(tmp_path), "MLHUB_RUN_ID": "1", "MLHUB_ATTEMPT": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [bare_venv / "bin" / "python", script("attacked.py"), how], cwd=tmp_path, capture_output=True, text=True,
        env=environment(run | (_SLURM if how == "slurm" else {})), check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.count("goes on")) == (143, 0), done.stderr
    assert [(line["kind"], line["step"]) for line in lines(tmp_path / "checkpoints.jsonl")] == [("stop", 6)]
    assert zipfile.is_zipfile(tmp_path / "checkpoints" / "last.ckpt")


def find(folder: Path) -> tuple[str, str]:
    """What the second attempt of a run continues from, and what it says, by a Python without mlhub."""
    code = "from mlhub_capture import resuming; print(resuming.find(1))"
    run = {"MLHUB_RUN_DIR": str(folder), "MLHUB_ATTEMPT": "2", "PYTHONPATH": str(SITE)}
    done = subprocess.run([sys.executable, "-S", "-c", code], env=run, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr


def test_a_resume_passes_over_checkpoints_that_are_torn_empty_or_gone(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("whole", "older", "zeros", "empty", "torn", "gone")]
    for path in (paths[0], paths[4]):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("archive/data.pkl", bytes(5000))
    os.truncate(paths[4], 3000)
    paths[2].write_bytes(bytes(5000))
    paths[3].touch()
    told = [{"path": str(path), "step": n, "attempt": 1, "fit": 1} for n, path in enumerate(paths)]
    (tmp_path / "checkpoints.jsonl").write_text("".join(json.dumps(line) + "\n" for line in told))
    found, said = find(tmp_path)
    assert found == str(paths[0])
    assert [line.split(": ", 1)[1].split(":")[0] for line in said.splitlines()] == [
        f"the checkpoint {tmp_path}/gone is gone", f"the checkpoint {tmp_path}/torn is torn",
        f"the checkpoint {tmp_path}/empty is empty", f"the checkpoint {tmp_path}/zeros is empty",
        f"this attempt continues from {tmp_path}/whole, saved at step 0",
    ]  # fmt: skip
    paths[0].unlink()
    found, said = find(tmp_path)
    assert (found, said.splitlines()[-1]) == (
        "None", "mlhub: no checkpoint of this run is whole and still there: this attempt begins at step 0"
    )  # fmt: skip


def test_a_checkpoint_that_is_stored_elsewhere_is_left_to_the_trainer(tmp_path: Path) -> None:
    line = {"path": "s3://bucket/last.ckpt", "step": 5, "attempt": 1, "fit": 1}
    (tmp_path / "checkpoints.jsonl").write_text(json.dumps(line) + "\n")
    found, said = find(tmp_path)
    assert (found, "gone" in said) == ("s3://bucket/last.ckpt", False)


_LOGS = """
import subprocess, sys
from mlhub_capture import record
record.tell_logs(["exp/a"])
record.release()
other = "from mlhub_capture import record; record.tell_logs(['exp/b'])"
subprocess.run([sys.executable, "-S", "-c", other], check=True)  # another process of the run trains meanwhile
record.tell(more=1)
record.tell_logs(["exp/a", "exp/c"])
"""


def test_folders_of_logs_are_kept_over_processes_and_attempts_with_links_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "exp").symlink_to(tmp_path / "real")
    for attempt, code in (("1", _LOGS), ("2", "from mlhub_capture import record; record.tell(more=2)")):
        (tmp_path / "attempts" / attempt).mkdir(parents=True)
        run = {"MLHUB_RUN_DIR": str(tmp_path), "MLHUB_ATTEMPT": attempt, "PYTHONPATH": str(SITE)}
        subprocess.run([sys.executable, "-S", "-c", code], env=run, cwd=tmp_path, check=True, timeout=60)
    told = json.loads((tmp_path / "capture.json").read_text())
    assert (told["attempt"], told["more"]) == (2, 2)
    assert told["logs"] == [str(tmp_path / folder / name) for name in "abc" for folder in ("exp", "real")]


_ODD = """
import json
from mlhub_capture import facts

class Bad:
    def __repr__(self): raise RuntimeError
    __str__ = __getattr__ = __fspath__ = __repr__
class Evil(dict):
    def __getitem__(self, key): raise RuntimeError
class Endless:
    keys = 1
    def __getitem__(self, key): return 1

itself = {"lr": 0.1}
itself.update({str(n): itself for n in range(10)})
wide = [[[[list(range(50))] * 50] * 50] * 50] * 50
tree = facts.plain({
    "itself": itself, "bad": Bad(), "evil": Evil(a=1), "endless": Endless(), "big": 10 ** 5000, "bytes": b"x",
    "keys": {1: 2, None: 3}, "nan": float("nan"), "long": "x" * 10_000_000, "f": lambda x: x, "wide": wide,
})
assert len(json.dumps(tree["wide"])) < 1_000_000
print(json.dumps({name: part for name, part in tree.items() if name not in ("wide", "long")}))
"""


def test_hyperparameters_of_any_kind_become_json_within_bounds() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-c", _ODD], env={"PYTHONPATH": str(SITE)}, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found.pop("itself") == {"lr": 0.1, **{str(n): "<builtins.dict>" for n in range(10)}}
    assert found.pop("big") in ("<builtins.int>", "<__main__.int>")
    assert found == {
        "bad": "<__main__.Bad>", "evil": {"a": "<RuntimeError>"}, "endless": "<__main__.Endless>", "nan": "NaN",
        "bytes": "<builtins.bytes>", "keys": {"1": 2, "None": 3}, "f": "__main__.<lambda>",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("python -I a.py", "-I"), ("/v/bin/python3 -uE a.py", "-E"), ("python -W error -I a.py", "-I"),
        ("python -X dev a.py -I", None), ("python -m pkg -I", None), ("python -c IE", None), ("python -S a.py", None),
        ("bash -I", None), ("python", None),
    ],
)  # fmt: skip
def test_a_python_that_looks_away_is_known(command: str, option: str | None) -> None:
    assert ignored_by(command.split()) == option


def test_it_is_said_that_a_python_looks_away(cli: Cli) -> None:
    assert cli.json("run", "--dry-run", "--", "python", "-I", "a.py")["capture"] is False
    assert "capture  off: python -I does not" in cli("run", "--dry-run", "--", "python", "-I", "a.py").stdout
    assert "capture is off: python -I" in cli("run", "--wait", "--", sys.executable, "-I", "-c", "1").stderr
