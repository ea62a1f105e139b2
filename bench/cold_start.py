"""CPU time of commands a user waits for, in units of `python -c pass`, medians of one run on this machine.

    python bench/cold_start.py

`mlhub ls` is timed and TAB are timed over a store of 1,000 runs made here.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlhub.settings import Settings
from mlhub.store.store import Store
from mlhub.text import now

ROUNDS = 15
RUNS = 1000


#: asks as a shell's script does when TAB is pressed
TAB = ["env", "_MLHUB_COMPLETE=zsh", sys.executable, "-m", "mlhub"]


def cpu_and_wall(command: list[str]) -> tuple[float, float]:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - start


def fill(home: Path) -> None:
    store = Store.open(Settings.load({"MLHUB_HOME": str(home)}).to_home())
    for number in range(RUNS):
        store.add(
            name=f"run-{number}", kind="train", created_at=now(), host="bench", config={"training": {"seed": number}}
        )
        run = store.find("@last")
        store.finish(run, status="completed", ended_at=now(), exit_code=0, signal=None, reason=None)
        store.set_summary(run, {"val/map_64": {"last": 0.5, "min": 0.1, "max": 0.5, "step": 900}}, 1, done=True)
    store.close()


def main() -> None:
    mlhub = [sys.executable, "-m", "mlhub"]
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "mlhub --version": [*mlhub, "--version"],
        "mlhub --help": [*mlhub, "--help"],
        f"mlhub ls ({RUNS} runs)": [*mlhub, "ls"],
        f"mlhub ls -n {RUNS}": [*mlhub, "ls", "-n", str(RUNS)],
        "mlhub show": [*mlhub, "show"],
        "mlhub run -- true": [*mlhub, "run", "--", "true"],
        "TAB: a command": [*TAB, "s"],
        "TAB: show RUN": [*TAB, "show", "run-9"],
        "TAB: show (all runs)": [*TAB, "show", ""],
        "TAB: an option": [*TAB, "run", "--"],
        "TAB: a metric": [*TAB, "metrics", "--only", "val"],
        "TAB: a preset": [*TAB, "run", "q"],
        "TAB: KEY=": [*TAB, "run", "quickstart", "training."],
        "TAB: KEY=VALUE": [*TAB, "run", "quickstart", "training.scheduler="],
        "TAB: a tag": [*TAB, "tag", "run-9", "p"],
        "TAB: --filter": [*TAB, "ls", "--filter", "val"],
        "TAB: a data set": [*TAB, "data", "show", ""],
    }
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MLHUB_HOME"] = folder
        fill(Path(folder))
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for command in commands.values():
            cpu_and_wall(command)  # warm the file cache
        for _ in range(ROUNDS):
            for name, command in commands.items():
                samples[name].append(cpu_and_wall(command))
    unit = statistics.median(cpu for cpu, _ in samples["python -c pass"])
    print(f"{'command':<24} {'CPU ms':>8} {'× pass':>8} {'wall ms':>8}")
    for name, pairs in samples.items():
        cpu = statistics.median(cpu for cpu, _ in pairs)
        wall = statistics.median(wall for _, wall in pairs)
        print(f"{name:<24} {1000 * cpu:8.1f} {cpu / unit:8.1f} {1000 * wall:8.1f}")


if __name__ == "__main__":
    main()
