"""Trainings that end otherwise than their script does: a status tells of the training, not of the exit code alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from mlhub.capture import SITE, environment
from mlhub.runner import record
from mlhub.runner.reason import Ending, explain, with_word
from tests.capture.conftest import script
from tests.capture.test_lightning import told
from tests.conftest import Cli

STOPPED = "training stopped before its end, its last record at step 4 of 12, exit code 0"
ENDS = {
    "os._exit": ("failed", STOPPED),
    "sys.exit": ("failed", "training stopped before its end at step 5 of 12, exit code 0"),
    "caught": ("failed", "training failed at step 5 of 12, exit code 0: ValueError: the 5th step"),
    "another": ("failed", STOPPED),
    "again": ("completed", None),
    "nested": ("failed", STOPPED),
    "test": ("completed", "trained; then test failed, exit code 0: RuntimeError: no such thing"),
    "pruned": ("completed", "pruned at step 5"),
    "max_time": ("completed", "max_time: its time was up at step "),
    "search": ("completed", "trained; then another " + STOPPED),
    "parallel": ("completed", "trained; then another " + STOPPED),
}


@pytest.fixture(scope="module")
def ended(bare_venv: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[int, int]]]:
    """The folder of a run's folder for each of `ENDS`; the pid and the exit code of each, forks of one process."""
    root = tmp_path_factory.mktemp("ends")
    for how in ENDS:
        (root / how / "attempts" / "1").mkdir(parents=True)
    own = {"MLHUB_RUN_DIR": str(root), "MLHUB_RUN_ID": "1", "MLHUB_RUN_TOKEN": "t", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [bare_venv / "bin" / "python", script("ends.py"), *ENDS], cwd=root, env=environment(own), check=True,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = [line.split() for line in done.stdout.splitlines()]
    return root, {words[1]: (int(words[2]), int(words[3])) for words in said if words[:1] == ["ended"]}


@pytest.mark.parametrize("how", ENDS)
def test_a_status_is_that_of_the_training_where_the_exit_code_is_0(
    ended: tuple[Path, dict[str, tuple[int, int]]], how: str
) -> None:
    root, codes = ended
    child, code = codes[how]
    outcome = record.read_outcome(str(root / how), "t")
    word = with_word(Ending(exit_code=code), outcome, str(root / how / "attempts" / "1"), child)
    status, reason = explain(word, "")
    if how == "max_time" and reason:
        reason = reason[: len(ENDS[how][1] or "")]
    assert (code, status, reason) == (0, *ENDS[how])
    assert "errors" not in json.loads((root / how / "capture.json").read_text())


def test_such_runs_have_that_status_and_the_packages_that_the_process_itself_finds(
    hub: Cli, bare_venv: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "beside"
    (beside / "google_auth-2.5.dist-info").mkdir(parents=True)
    (beside / "google_auth-2.5.dist-info" / "METADATA").write_text("Name: google-auth\nVersion: 2.5\n")
    a, b = (
        hub.json(
            "run", "--venv", str(bare_venv), "--cwd", str(tmp_path), "--wait", "--", "env", *added,
            "python", script("ends.py"), how, code=int(ENDS[how][0] == "failed"),
        )
        for how, added in (("caught", ()), ("search", (f"PYTHONPATH={beside}:{SITE}",)))
    )  # fmt: skip
    assert [(run["status"], run["exit_code"], run["reason"]) for run in (a, b)] == [
        ("failed", 0, ENDS["caught"][1]), ("completed", 0, ENDS["search"][1])
    ]  # fmt: skip
    assert told(a)["packages"]["torch"]
    assert "mlhub_capture" not in told(a)["packages"]
    assert hub.json("diff", str(a["id"]), str(b["id"]))["packages"]["only_b"] == {"google-auth": "2.5"}
    assert (Path(a["dir"]) / "spec.json").stat().st_mode & 0o777 == 0o600
