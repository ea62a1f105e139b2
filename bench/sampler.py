"""What the sampler beside a run costs: its CPU against a core over a minute, and its memory.

    python bench/sampler.py [SECONDS]

The run has eight processes and logs ten times a second; the machine's own processes count too, as each look at the
run's tree passes over all of /proc. Without an NVIDIA driver the price of NVML is not in the figure.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

import psutil

from mlhub.paths import RunPaths
from mlhub.runner import identity
from mlhub.runner.launch import Launch, launch
from mlhub.runner.stop import stop

WORK = """
import os, sys, time
sys.path.insert(0, sys.argv[2])
from mlhub.records import MetricWriter
for _ in range(7):
    if not os.fork():
        time.sleep(3600)
writer = MetricWriter(sys.argv[1])
for step in range(10**9):
    writer.log({"train/loss": 1 / (1 + step)}, step=step)
    time.sleep(0.1)
"""


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    with tempfile.TemporaryDirectory() as folder:
        paths = RunPaths(Path(folder) / "runs" / "1")
        paths.root.mkdir(parents=True)
        source = str(Path(__file__).resolve().parent.parent / "src")
        command = (sys.executable, "-c", WORK, str(paths.metrics), source)
        launch(paths, 1, Launch(command, Path(folder), dict(os.environ), paths.log))
        token = json.loads(paths.attempt(1).launch.read_text())["token"]
        while not (found := identity.with_token(f"sampler:{token}")):
            time.sleep(0.1)
        sampler = psutil.Process(found[0].pid)
        while not paths.system.exists():  # what it costs to begin is counted on its own
            time.sleep(0.05)
        start = sum(sampler.cpu_times()[:2])
        time.sleep(seconds)
        used, memory = sum(sampler.cpu_times()[:2]) - start, sampler.memory_info().rss
        records = len(paths.system.read_text().splitlines())
        stop(paths, 1, 0.0, "bench")
    print(f"to begin   {1000 * start:6.0f} ms of CPU, once, a second after the command")
    share = f"{100 * used / seconds:6.2f} % of a core"
    print(f"then       {share} ({1000 * used:.0f} ms in {seconds:.0f} s, {records} records)")
    print(f"resident   {memory / 1e6:6.1f} MB, with {len(psutil.pids())} processes on the machine")


if __name__ == "__main__":
    main()
