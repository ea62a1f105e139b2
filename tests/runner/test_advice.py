from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlhub.paths import RunPaths
from mlhub.runner import advice as module
from mlhub.runner import reason as reasons
from mlhub.runner.advice import advice
from mlhub.runner.reason import Ending, explain
from mlhub.store.runs import Run


def run_that(status: str = "failed", reason: str | None = None, name: str = "calm-otter", **more: object) -> Run:
    fields = {"id": 1, "kind": "train", "created_at": "2026-01-01T00:00:00.000Z", "host": "spark"} | more
    return Run(name=name, status=status, reason=reason, **fields)


def advised(tmp_path: Path, run: Run) -> str:
    return advice(run, RunPaths(tmp_path)) or ""


OOM = "out of memory (GPU): torch.OutOfMemoryError: CUDA out of memory."


def note(tmp_path: Path, token: str, **outcome: object) -> None:
    """A start with `token`, and a trainer's own record."""
    folder = tmp_path / "attempts" / "1"
    folder.mkdir(parents=True)
    (folder / "launch.json").write_text(json.dumps({"token": token}))
    (tmp_path / "outcome.json").write_text(json.dumps({"token": "now", "outcome": "failed", **outcome}))


def test_batch_to_try_is_half_of_what_the_trainer_used(tmp_path: Path) -> None:
    note(tmp_path, "now", batch_size=96)
    run = run_that(reason=OOM, config={"training": {"batch_size": "auto"}})
    assert advised(tmp_path, run) == "Try half the batch, 48 for 96: mlhub rerun calm-otter training.batch_size=48"


@pytest.mark.parametrize("noted", [96, None, True, "96", 1 << 80])
def test_batch_noted_by_another_start_or_garbled_yields_to_the_configuration(tmp_path: Path, noted: object) -> None:
    note(tmp_path, "earlier" if noted == 96 else "now", batch_size=noted)
    run = run_that(reason=OOM, config={"training": {"batch_size": 64}})
    assert advised(tmp_path, run) == "Try half the batch, 32 for 64: mlhub rerun calm-otter training.batch_size=32"


def test_batch_that_cannot_be_halved_is_not(tmp_path: Path) -> None:
    assert "bf16" in advised(tmp_path, run_that(reason=OOM, config={"training": {"batch_size": 2}}))


def test_batch_that_nobody_knows_is_not_invented(tmp_path: Path) -> None:
    assert advised(tmp_path, run_that(reason=OOM)) == "Halve its batch size and start it again: mlhub rerun calm-otter"


def test_missing_module_is_installed_in_the_python_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({"python": "/opt/my env/{x}/bin/python"}))
    run = run_that(reason="import error: ModuleNotFoundError: No module named 'cv2.aruco'")
    said = "'/opt/my env/{x}/bin/python' -m pip install opencv-python, then: mlhub rerun calm-otter"
    assert advised(tmp_path, run) == said


def test_missing_library_is_not_pips(tmp_path: Path) -> None:
    run = run_that(reason="import error: ImportError: libGL.so.1: cannot open shared object file: No such file")
    assert advised(tmp_path, run) == "A library of the system is missing: install the package that has libGL.so.1"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("disk full: OSError: [Errno 28] No space left on device", "mlhub gc"),
        ("out of memory (host): oom_kill +1 in /proc/vmstat", "fewer data loader workers"),
        ("shared memory full: RuntimeError: unable to write to file", "/dev/shm"),
        ("data loader worker killed: RuntimeError: DataLoader worker (pid(s) 7)", "Without workers"),
        ("NCCL error: torch.distributed.DistBackendError: NCCL error", "NCCL_DEBUG=INFO mlhub rerun calm-otter"),
        ("GPU not supported: RuntimeError: CUDA error: no kernel image", "not built for this GPU"),
        ("GPU driver too old: RuntimeError", "Update the NVIDIA driver"),
        ("CUDA error: RuntimeError: CUDA error: device-side assert triggered", "label out of range"),
        ("CUDA error: RuntimeError: CUDA error: unspecified launch failure", "CUDA_LAUNCH_BLOCKING=1"),
        ("killed by SIGSEGV (segmentation fault)", "PYTHONFAULTHANDLER=1 mlhub rerun calm-otter"),
        ("exit code 139: killed by SIGSEGV (segmentation fault)", "PYTHONFAULTHANDLER=1"),
        ("killed by SIGKILL", "dmesg"),
        ("lost: the command and its supervisor are gone; exit code unknown", "mlhub resume calm-otter"),
        ("reboot: the machine restarted while it ran", "mlhub resume calm-otter"),
        ("train/loss is NaN at step 7", "learning rate"),
        ("dependency: run 3 (a) failed", "mlhub resume calm-otter"),
        ("exit code 1: KeyError: 'a'", "mlhub logs calm-otter"),
    ],
)
def test_failed_run_gets_advice(tmp_path: Path, reason: str, words: str) -> None:
    assert words in advised(tmp_path, run_that(reason=reason))


LOST = "lost: the command and its supervisor are gone; exit code unknown; the last exception in its log: "


@pytest.mark.parametrize(("error", "words"), [(OOM, "training.batch_size=32"), ("KeyError: 'a'", "mlhub resume")])
def test_lost_run_gets_advice_on_the_last_exception_of_its_log(tmp_path: Path, error: str, words: str) -> None:
    run = run_that(reason=LOST + error, config={"training": {"batch_size": 64}})
    assert words in advised(tmp_path, run)


@pytest.mark.parametrize("reason", ["stopped by alice", "killed by SIGKILL", "training stopped before its end, exit"])
def test_stopped_run_can_go_on_if_it_has_a_checkpoint(tmp_path: Path, reason: str) -> None:
    def said() -> str:
        return advised(tmp_path, run_that("cancelled", reason))

    def save(**more: object) -> None:
        with (tmp_path / "checkpoints.jsonl").open("a") as file:
            file.write(json.dumps({"path": str(tmp_path / "last.ckpt"), **more}) + "\n")

    anew, goes_on = "starts it again from the beginning", "mlhub resume calm-otter goes on from its last checkpoint"
    assert anew in said()
    save()  # gone since
    assert anew in said()
    (tmp_path / "last.ckpt").touch()
    assert goes_on in said()
    (tmp_path / "checkpoints.jsonl").unlink()
    save(weights_only=True)
    assert anew in said()
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "state.pt").touch()
    assert goes_on in said()


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("unsupervised", "mlhub stop calm-otter"),
        ("finishing, supervisor stalled", "kill -CONT 77"),
        ("unknown: other host (spark)", "It runs on spark"),
    ],
)
def test_running_run_in_trouble_gets_advice(tmp_path: Path, condition: str, words: str) -> None:
    assert words in advised(tmp_path, run_that("running", condition=condition, supervisor_pid=77))


@pytest.mark.parametrize("run", [run_that("running"), run_that("queued"), run_that("completed"), run_that("failed")])
def test_run_that_is_well_gets_none(tmp_path: Path, run: Run) -> None:
    assert advice(run, RunPaths(tmp_path)) is None


def test_what_is_left_of_a_run_comes_before_its_reason(tmp_path: Path) -> None:
    run = run_that(reason="lost: gone", orphans=[5, 6])
    assert advised(tmp_path, run) == "Processes of it are still there (5, 6); mlhub doctor --fix ends them"


def test_names_are_quoted_and_clean(tmp_path: Path) -> None:
    assert "mlhub resume 'a {b} c'" in advised(tmp_path, run_that("cancelled", "stopped by x", name="a {b}\x1b[31m\nc"))


def test_hostile_files_give_advice_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "attempts" / "1").mkdir(parents=True)
    os.mkfifo(tmp_path / "outcome.json")
    (tmp_path / "attempts" / "1" / "launch.json").write_bytes(b"[" * 100_000)
    (tmp_path / "spec.json").symlink_to("/dev/zero")
    assert "batch" in advised(tmp_path, run_that(reason=OOM))
    run = run_that(reason="import error: ModuleNotFoundError: No module named 'x'")
    assert advised(tmp_path, run) == "python -m pip install x, then: mlhub rerun calm-otter"


def test_every_kind_of_error_has_advice_of_its_own(tmp_path: Path) -> None:
    last = advised(tmp_path, run_that(reason="exit code 1"))
    kinds = [run_that(reason=f"{kind}: x") for kind in reasons._KINDS]
    assert all(advised(tmp_path, run) != last for run in kinds)


def test_reason_of_a_real_missing_module_is_understood(tmp_path: Path) -> None:
    log = subprocess.run([sys.executable, "-c", "import nosuchmodule"], capture_output=True, text=True, check=False)
    status, reason = explain(Ending(exit_code=1), log.stderr)
    assert "pip install nosuchmodule" in advised(tmp_path, run_that(status, reason))


def test_advice_is_cheap_to_import() -> None:
    code = f"import sys; import {module.__name__}; print('sqlite3' in sys.modules, 'msgspec' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).split() == ["False", "False"]
