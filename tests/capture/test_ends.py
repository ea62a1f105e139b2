"""Trainings that end otherwise than their script does: a status tells of the training, not of the exit code alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlhub.capture import SITE
from tests.capture.conftest import script
from tests.capture.test_lightning import run, told
from tests.conftest import Cli


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("os._exit", "failed", "training stopped before its end, its last record at step 4 of 12, exit code 0"),
        ("sys.exit", "failed", "training stopped before its end at step 5 of 12, exit code 0"),
        ("caught", "failed", "training failed at step 5 of 12, exit code 0: ValueError: the 5th step"),
        ("again", "completed", None),
        ("nested", "failed", "training stopped before its end, its last record at step 4 of 12, exit code 0"),
        ("test", "completed", "trained; then test failed, exit code 0: RuntimeError: no such thing"),
    ],
)
def test_exit_code_0_is_no_success_of_a_training_that_was_not_done(
    hub: Cli, bare_venv: Path, how: str, status: str, reason: str | None
) -> None:
    found = run(hub, bare_venv, "ends.py", how, code=int(status == "failed"))
    assert (found["status"], found["exit_code"], found["reason"]) == (status, 0, reason)
    assert "errors" not in told(found)


def test_pruning_and_a_time_that_is_up_are_no_failures(hub: Cli, bare_venv: Path) -> None:
    found = run(hub, bare_venv, "ends.py", "pruned")
    assert (found["status"], found["reason"]) == ("completed", "pruned at step 5")
    found = run(hub, bare_venv, "ends.py", "max_time")
    assert found["status"] == "completed"
    assert found["reason"].startswith("max_time: its time was up at step ")


def test_the_packages_are_those_that_the_process_itself_finds(hub: Cli, bare_venv: Path, tmp_path: Path) -> None:
    beside = tmp_path / "beside"
    (beside / "google_auth-2.5.dist-info").mkdir(parents=True)
    (beside / "google_auth-2.5.dist-info" / "METADATA").write_text("Name: google-auth\nVersion: 2.5\n")
    paths = [
        hub.json(
            "run", "--venv", str(bare_venv), "--cwd", str(tmp_path), "--wait", "--", "env", *added,
            "python", script("ends.py"), "again",
        )
        for added in ((), (f"PYTHONPATH={beside}:{SITE}",))
    ]  # fmt: skip
    a, b = paths
    assert told(a)["packages"]["torch"]
    assert "mlhub_capture" not in told(a)["packages"]
    assert hub.json("diff", str(a["id"]), str(b["id"]))["packages"]["only_b"] == {"google-auth": "2.5"}
    assert (Path(a["dir"]) / "spec.json").stat().st_mode & 0o777 == 0o600
