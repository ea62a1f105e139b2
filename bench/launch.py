"""What a launch costs: `python bench/launch.py [ROUNDS]`. Medians, beside `python -c pass` and subprocess.Popen.

launch     `mlhub.runner.launch.launch` until it returns: the command has been exec'd
to exec    from the call to the command's own first system call, by the boot's clock
popen      subprocess.Popen of the same command until it returns
supervisor resident memory of the supervisor, and what of it is its own (not shared with other Pythons)
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlhub.paths import RunPaths
from mlhub.runner import identity
from mlhub.runner.launch import Launch, Started, launch
from mlhub.runner.stop import stop


def clock(started: float) -> float:
    return (time.perf_counter() - started) * 1000


def python_pass() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return clock(started)


def popen() -> float:
    started = time.perf_counter()
    process = subprocess.Popen(["true"])
    took = clock(started)
    process.wait()
    return took


def launched(paths: RunPaths, *command: str) -> tuple[float, Started]:
    started = time.perf_counter()
    result = launch(paths, 1, Launch(command, Path("/"), dict(os.environ), paths.log))
    return clock(started), result


def to_exec(paths: RunPaths) -> float:
    """Milliseconds from the call to the moment the command says the time itself (10 ms of /proc/uptime's ticks)."""
    called = identity.boot_clock()
    launched(paths, "cat", "/proc/uptime")
    while not (text := paths.log.read_text() if paths.log.exists() else "").endswith("\n"):
        time.sleep(0.001)
    return max(0.0, float(text.split()[0]) - called) * 1000


def memory(pid: int) -> tuple[float, float]:
    """Resident and private megabytes."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    kilobytes = {name: int(value.split()[0]) for name, value in fields.items()}
    return kilobytes["Rss"] / 1024, (kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]) / 1024


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        runs = [RunPaths(Path(folder) / str(number)) for number in range(1, 2 * rounds + 2)]
        for paths in runs:
            paths.root.mkdir()
        base = statistics.median(python_pass() for _ in range(rounds))
        plain = statistics.median(popen() for _ in range(rounds))
        ours = statistics.median(launched(paths, "true")[0] for paths in runs[:rounds])
        exec_ = statistics.median(to_exec(paths) for paths in runs[rounds:-1])
        _, started = launched(runs[-1], "sleep", "60")
        resident, private = memory(started.supervisor_pid)
        stop(runs[-1], 1, 0, "bench")
    print(f"python -c pass   {base:6.1f} ms")
    print(f"popen            {plain:6.1f} ms   {plain / base:5.2f} x python -c pass")
    print(f"launch           {ours:6.1f} ms   {ours / base:5.2f} x python -c pass   {ours / plain:5.1f} x popen")
    print(f"launch to exec   {exec_:6.1f} ms   {exec_ / base:5.2f} x python -c pass")
    print(f"supervisor       {resident:6.1f} MB resident, {private:.1f} MB of it its own")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
