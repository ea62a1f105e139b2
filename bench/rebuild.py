"""Seconds that `mlhub doctor --rebuild` takes for 1,000 and 10,000 folders, and `mlhub ls` over 100 and 10,000 runs.

    python bench/rebuild.py

The folders are copies of one real run's, each with its own id, name and metrics. Wall time; for `ls` medians.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MLHUB = [sys.executable, "-m", "mlhub"]
ROUNDS = 15


def mlhub(*arguments: str) -> float:
    """Run a command; seconds on the wall."""
    start = time.perf_counter()
    subprocess.run([*MLHUB, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def fill(home: Path, count: int) -> None:
    """One real run, and copies of its folder."""
    mlhub(
        "run",
        "--wait",
        "--name",
        "run-1",
        "--",
        "sh",
        "-c",
        'echo \'{"step":1,"loss":0.5}\' > $MLHUB_RUN_DIR/metrics.jsonl',
    )
    first = home / "runs" / "1"
    spec = json.loads((first / "spec.json").read_text())
    for number in range(2, count + 1):
        folder = home / "runs" / str(number)
        shutil.copytree(first, folder, symlinks=True)
        (folder / "spec.json").write_text(json.dumps(spec | {"id": number, "name": f"run-{number}"}))


def rebuild(home: Path) -> float:
    for file in home.glob("mlhub.db*"):
        file.unlink()
    return mlhub("doctor", "--rebuild")


def main() -> None:
    counts = (100, 1000, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            os.environ["MLHUB_HOME"] = f"{folder}/{count}"
            fill(Path(folder) / str(count), count)
            seconds = rebuild(Path(folder) / str(count))
            print(f"doctor --rebuild, {count:>6} folders: {seconds:7.2f} s, {1e3 * seconds / count:.2f} ms a folder")
            mlhub("ls")  # the first one reads what the newest logged
        samples: dict[int, list[float]] = {count: [] for count in counts}
        for _ in range(ROUNDS):
            for count in counts:  # in turn, so that a busy machine is busy for all of them
                os.environ["MLHUB_HOME"] = f"{folder}/{count}"
                samples[count].append(mlhub("ls"))
    listed = {count: statistics.median(seconds) for count, seconds in samples.items()}
    for count, seconds in listed.items():
        print(f"ls over {count:>6} runs: {1e3 * seconds:6.1f} ms, {seconds / listed[100]:.2f} × that over 100")


if __name__ == "__main__":
    main()
