"""Makes the samples in this folder anew, by W&B and MLflow themselves. Run by hand, in an environment that has both:

    python -m venv /tmp/peers && /tmp/peers/bin/pip install wandb==0.31.0 mlflow==3.17.0
    /tmp/peers/bin/python tests/foreign/samples/make.py

Made with these versions, in a folder of its own (what they record of the machine is then that folder); what they write
beside the runs (logs, lists of packages) is removed again.
"""

from __future__ import annotations

import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

WORK = Path("/tmp/mlhub-samples")
socket.gethostname = lambda: "sample-host"  # they record where they ran


def make_wandb(work: Path) -> None:
    """One run that ends well, with all that is imported; one with another exit code; one that was killed."""
    os.environ |= {"WANDB_MODE": "offline", "WANDB_DIR": str(work), "WANDB_SILENT": "true", "WANDB_DISABLE_GIT": "true"}
    os.environ |= {"WANDB_USERNAME": "nobody", "WANDB_HOST": "sample-host", "WANDB_CONSOLE": "wrap"}
    import wandb

    run = wandb.init(
        project="samples", name="sunny-sample", group="seeds", tags=["paper", "naïve 1"], notes="two\nlines",
        id="good0001",
        config={"lr": 0.1, "model": {"depth": 3, "name": "tiny"}, "betas": [0.9, 0.99], "none": None},
        settings=wandb.Settings(x_stats_sampling_interval=0.5, x_save_requirements=False),
    )  # fmt: skip
    print("hello from the run")  # noqa: T201 - its output is recorded
    for step in range(20):
        run.log({"train/loss": 1 / (step + 1), "val": {"map": step / 20}, "epoch": step // 10})
    run.log({"nan": math.nan, "inf": math.inf, "text": "not a number", "image": wandb.Histogram([1, 2, 3])}, step=30)
    run.config.update({"late": True})
    run.summary["best"] = 0.95
    time.sleep(1.5)  # for the system's metrics
    run.finish()

    run = wandb.init(project="samples", id="bad00001", config={"lr": 10})
    run.log({"loss": 7.5})
    run.finish(exit_code=3)

    child = subprocess.Popen([sys.executable, __file__, "killed"])
    time.sleep(6)
    child.kill()  # and with it the program that W&B writes by
    child.wait()
    for folder in (work / "wandb").glob("offline-run-*"):
        for name in ("logs", "tmp"):
            shutil.rmtree(folder / name, ignore_errors=True)
        (folder / "files" / "requirements.txt").unlink(missing_ok=True)


def be_killed(work: Path) -> None:
    import wandb

    os.setpgid(0, 0)
    run = wandb.init(
        project="samples", id="dead0001", name="killed", dir=work, settings=wandb.Settings(x_disable_stats=True)
    )
    for step in range(1_000_000):
        run.log({"loss": float(step)})
        time.sleep(0.05)
        if step == 60:
            os.killpg(0, signal.SIGKILL)


def make_mlflow(work: Path) -> None:
    """Runs that finished, failed, run still, were deleted; one with a parent."""
    import mlflow

    os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
    store = work / "mlruns"
    mlflow.set_tracking_uri(store.as_uri())
    mlflow.set_experiment("sample experiment")
    with mlflow.start_run(run_name="good one", tags={"paper": "yes"}, description="two\nlines") as run:
        mlflow.log_params({"lr": 0.1, "depth": 3, "name": "tiny", "long": "x" * 300, "a/b": True})
        for step in range(10):
            mlflow.log_metrics({"train/loss": 1 / (step + 1), "acc": step / 10}, step=step)
        mlflow.log_metric("acc", math.nan, step=10)
        mlflow.log_metric("acc", math.inf, step=11)
        mlflow.log_text("hello", "note.txt")
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("loss", 1.0)
    try:
        with mlflow.start_run(run_name="bad one"):
            mlflow.log_metric("loss", 2.0, step=5)
            raise ValueError  # noqa: TRY301 - MLflow sees it pass
    except ValueError:
        pass
    client = mlflow.MlflowClient()
    live = client.create_run(run.info.experiment_id, run_name="runs still")
    client.log_metric(live.info.run_id, "loss", 3.0, step=1)
    gone = client.create_run(run.info.experiment_id, run_name="deleted")
    client.delete_run(gone.info.run_id)


def main() -> None:
    """Makes the samples below WORK with a copy of this file, and puts them beside this one."""
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir()
    shutil.copy(__file__, WORK)
    subprocess.run([sys.executable, WORK / "make.py", "make"], check=True, cwd=WORK)
    for name, ignored in (("wandb", "debug*"), ("mlruns", ".trash")):
        target = Path(__file__).parent / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(WORK / name, target, ignore=shutil.ignore_patterns(ignored, "latest-run"))
    shutil.rmtree(WORK)


if __name__ == "__main__":
    if "killed" in sys.argv:
        be_killed(WORK)
    elif "make" in sys.argv:
        make_wandb(WORK)
        make_mlflow(WORK)
    else:
        main()
