"""What benches look at: a home full of ended runs, live runs that write at a steady rate, the same stream into W&B.

    mlhub run -- python bench/stream.py hub --rate 100 --metrics 5 --seconds 60
    python bench/stream.py wandb --rate 100 --metrics 5 --seconds 60 --dir FOLDER   # where `wandb` is installed

As a module it fills homes (`fill`) and starts live runs (`start_live`).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    #: of a run's number: its parameters and its metrics
    Own = Callable[[int], tuple[dict[str, float], dict[str, float]]]

#: the first are charts of training, the rest of validation
METRICS = (
    "train/loss",
    "train/accuracy",
    "val/loss",
    "val/map_64",
    "train/lr",
    "val/recall",
    "train/grad",
    "val/map_32",
)
MLHUB = [sys.executable, "-m", "mlhub"]


def values(step: int, count: int, noise: random.Random) -> dict[str, float]:
    """What a training logs at `step`: falling losses, rising scores, both noisy."""
    fall = math.exp(-step / 3000)
    found = {}
    for number, name in enumerate((METRICS * (count // len(METRICS) + 1))[:count]):
        level = fall if "loss" in name or "grad" in name else 1 - fall
        key = name if number < len(METRICS) else f"{name}_{number // len(METRICS)}"
        found[key] = level + noise.gauss(0, 0.03)
    return found


def write(log: Callable[[dict[str, float], int], None], rate: float, count: int, seconds: float) -> None:
    """Log `rate` records a second on the beat, late ones at once."""
    noise, begin = random.Random(1), time.monotonic()
    step = 0
    while (now := time.monotonic() - begin) < seconds:
        while step < now * rate:
            log(values(step, count, noise), step)
            step += 1
        time.sleep(max(0.001, step / rate - (time.monotonic() - begin)))


def to_hub(rate: float, count: int, seconds: float) -> None:
    import mlhub

    def log(record: dict[str, float], step: int) -> None:
        mlhub.log(record, step=step)
        if step % int(rate * 2 + 1) == 0:
            print(f"step {step}: loss {next(iter(record.values())):.4f}", flush=True)

    write(log, rate, count, seconds)


def to_wandb(rate: float, count: int, seconds: float, folder: str) -> None:
    import wandb

    run = wandb.init(mode="offline", dir=folder, project="bench", settings=wandb.Settings(console="off"))
    write(lambda record, step: run.log(record, step=step), rate, count, seconds)
    run.finish()


# homes


def environment(home: Path, **more: str) -> dict[str, str]:
    # compiled modules are kept, as they are wherever mlhub was installed
    left_out = ("MLHUB_", "SSH_", "PYTHONDONTWRITEBYTECODE", "COLUMNS", "LINES", "NO_COLOR")
    own = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
    return own | {"MLHUB_HOME": str(home), "MLHUB_MAX_RUNS": "100"} | more


def mlhub(home: Path, *arguments: str) -> str:
    """What a command says. Raises CalledProcessError."""
    return subprocess.check_output([*MLHUB, *arguments], env=environment(home), cwd=home.parent, text=True)


def fill(home: Path, count: int, records: int = 200, own: Own | None = None) -> None:
    """`count` ended runs: one real one, and copies of its folder with configurations and metrics of their own.

    `own`: what these are, in place of those of a small training.
    """
    words = 'echo hello; echo \'{"step":1,"train/loss":1}\' > $MLHUB_RUN_DIR/metrics.jsonl'
    mlhub(home, "run", "--wait", "--name", "bench-1", "--", "sh", "-c", words)
    first = home / "runs" / "1"
    spec, end = (json.loads((first / name).read_text()) for name in ("spec.json", "exit.json"))
    curves = [_curve(records, seed) for seed in range(16)]
    for number in range(2, count + 1):
        config, curve = None, curves[number % 16]
        if own is not None:
            config, values = own(number)
            lines = [json.dumps({"step": step, "time": 1.76e9 + step} | values) + "\n" for step in range(records)]
            curve = "".join(lines).encode()
        _copy(first, home / "runs" / str(number), number, spec, end, curve, config)
    for file in home.glob("mlhub.db*"):
        file.unlink()
    mlhub(home, "doctor", "--rebuild")
    fold(home)


def _curve(records: int, seed: int) -> bytes:
    noise = random.Random(seed)
    lines = []
    for step in range(records):
        record = {"step": 10 * step, "epoch": step // 50, "time": 1.76e9 + step} | values(10 * step, 6, noise)
        lines.append(json.dumps(record, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


def _copy(
    first: Path, folder: Path, number: int, spec: dict, end: dict, curve: bytes, config: dict | None = None
) -> None:
    """A run's folder as it is after its end."""
    (folder / "attempts" / "1").mkdir(parents=True)
    chance = random.Random(number)
    config = config or {
        "training": {"lr": chance.choice((1e-4, 3e-4, 1e-3)), "seed": number % 5, "batch_size": 2 ** (number % 6 + 4)},
        "model": {"name": chance.choice(("vit-b", "vit-l", "resnet50")), "bits": 64},
    }
    stamp = f"2026-{number % 10 + 1:02d}-{number % 27 + 1:02d}T{number % 24:02d}:{number % 60:02d}"
    about = {
        "id": number, "name": f"bench-{number}", "config": config, "created_at": f"{stamp}:00.000Z", "kind": "train",
        "group": f"sweep-{number // 5}" if number % 3 else None, "tags": ["base"] if number % 7 == 0 else [],
    }  # fmt: skip
    status, code = (("completed", 0),) * 8 + (("failed", 1), ("cancelled", 0)), chance.randrange(10)
    word, code = status[code]
    ended = {"status": word, "exit_code": code, "started_at": f"{stamp}:01.000Z", "ended_at": f"{stamp}:59.000Z"}
    files = {
        "spec.json": json.dumps(spec | about), "exit.json": json.dumps(end | ended), "output.log": "hello\n",
        "attempts/1/exit.json": json.dumps(end | ended), "process.json": (first / "process.json").read_text(),
        "attempts/1/process.json": (first / "attempts/1/process.json").read_text(),
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text)
    (folder / "metrics.jsonl").write_bytes(curve)


def fold(home: Path) -> None:
    """Sum up every run's metrics, as the first screens over a home do bit by bit."""
    from mlhub.runner.reconcile import glance
    from mlhub.settings import Settings
    from mlhub.store.store import Store

    store = Store.open(Settings.load({"MLHUB_HOME": str(home)}).to_home())
    for run in store.newest(1 << 40):
        glance(store, run)
    store.close()


def start_live(home: Path, count: int, rate: float, metrics: int, seconds: float) -> list[str]:
    """Real runs that write for so long; their names."""
    names = [f"live-{number}" for number in range(1, count + 1)]
    words = ["--rate", str(rate), "--metrics", str(metrics), "--seconds", str(seconds)]
    for name in names:
        mlhub(home, "run", "--name", name, "--", sys.executable, str(Path(__file__).resolve()), "hub", *words)
    return names


def stop(home: Path, names: list[str]) -> None:
    if names:
        mlhub(home, "stop", *names, "--grace", "1")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("to", choices=("hub", "wandb"))
    parser.add_argument("--rate", type=float, default=100, help="records a second")
    parser.add_argument("--metrics", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--dir", default=".")
    asked = parser.parse_args()
    if asked.to == "hub":
        to_hub(asked.rate, asked.metrics, asked.seconds)
    else:
        to_wandb(asked.rate, asked.metrics, asked.seconds, asked.dir)


if __name__ == "__main__":
    main()
