"""Do they still answer: commands over a store of 100,000 runs, and over a run of 10 million records. Time and memory.

    python bench/scale.py [--quick] [--runs N] [--records N]

The rows of the 100,000 runs are written through the store, the folders of the newest 100 too; the long run is one real
run whose file of metrics (5 a record) was made longer. Figures are of whole commands: wall and CPU seconds, and the
peak of the resident memory (below some 40 MB it is the bench's own, which a child starts with). There is no peer here:
those of `bench/listing.py` take seconds for 1,000.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import listing
import stream

from mlhub.settings import Settings
from mlhub.store.runs import Run
from mlhub.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

MLHUB = [sys.executable, "-m", "mlhub"]


def measure(home: Path, label: str, *words: str, **more: str) -> None:
    """Run a command and print what it took, how much it said and, if it failed, why."""
    begin = time.perf_counter()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = subprocess.Popen(
            [*MLHUB, *words],
            env=stream.environment(home, COLUMNS="120", **more),
            cwd=home.parent,
            stdout=out,
            stderr=err,
        )
        _, status, usage = os.wait4(child.pid, 0)
        took, size = time.perf_counter() - begin, out.tell()
        err.seek(0)
        said = err.read().decode(errors="replace").strip().splitlines()
    child.returncode = os.waitstatus_to_exitcode(status)
    failed = f"  exit {child.returncode}: {said[-1][:80] if said else ''}" if child.returncode else ""
    failed = failed or ("" if size else "  said nothing")
    cpu = usage.ru_utime + usage.ru_stime
    print(
        f"  {label:<44}{took:8.2f} s{cpu:8.2f} s CPU{usage.ru_maxrss / 1024:8.0f} MB{size / 1000:12,.0f} kB{failed}",
        flush=True,
    )


def many(root: Path, runs: int, folders: int = 100) -> Path:
    """A home with so many ended runs."""
    home = root / "many"
    stream.fill(home, folders, records=5, own=lambda number: (listing.parameters(number), listing.metrics(number)))
    store = Store.open(Settings.load({"MLHUB_HOME": str(home)}).to_home())
    for ended in store.newest(folders):  # their numbers become the highest
        store.forget(ended.id)
    (home / "runs").rename(home / "made")
    (home / "runs").mkdir()
    with store.transaction():
        for number in range(1, runs + 1):
            store.restore(_row(number))
    for run in store.newest(1 << 40):
        store.set_summary(run, _summary(run.id), 0, done=True)
    for back, folder in enumerate(sorted((home / "made").iterdir(), key=lambda path: int(path.name))):
        folder.rename(home / "runs" / str(runs - back))
    store.close()
    return home


def _row(number: int) -> Run:
    chance = random.Random(number)
    stamp = f"2026-{number % 10 + 1:02d}-{number % 27 + 1:02d}T{number % 24:02d}:{number % 60:02d}"
    word, code = chance.choice((("completed", 0),) * 8 + (("failed", 1), ("cancelled", 0)))
    return Run(
        id=number, name=f"bench-{number}", kind="train", status=word, exit_code=code, host="bench", duration=58.0,
        group=f"sweep-{number // 5}" if number % 3 else None, tags=["base"] if number % 7 == 0 else [],
        created_at=f"{stamp}:00.000Z", started_at=f"{stamp}:01.000Z", ended_at=f"{stamp}:59.000Z",
        config=listing.parameters(number),
    )  # fmt: skip


def _summary(number: int) -> dict[str, dict[str, float]]:
    return {
        name: {"last": value, "min": value / 2, "max": value, "step": 1000}
        for name, value in listing.metrics(number).items()
    }


def long(root: Path, records: int) -> Path:
    """A home with one ended run of so many records."""
    home = root / "long"
    stream.fill(home, 1)
    chance = random.Random(1)
    with (home / "runs" / "1" / "metrics.jsonl").open("w") as file:
        for start in range(0, records, 1000):
            lines = []
            for step in range(start, min(start + 1000, records)):
                values = {"train/loss": 1 / (1 + step), "val/acc": chance.random(), "lr": 1e-3, "a": step / 7, "b": 0.5}
                record = {"step": step, "epoch": step // 1000, "time": 1.76e9 + step / 100} | values
                lines.append(json.dumps(record, separators=(",", ":")) + "\n")
            file.write("".join(lines))
    for file in home.glob("mlhub.db*"):
        file.unlink()
    stream.mlhub(home, "doctor", "--rebuild")
    return home


def _elsewhere(make: Callable[[Path, int], Path], root: Path, count: int) -> Path:
    """In a process of its own: what it takes in memory, the commands measured here would begin with."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(make, (root, count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=10_000_000)
    asked = parser.parse_args()
    runs, records = (asked.runs // 10, asked.records // 10) if asked.quick else (asked.runs, asked.records)
    with tempfile.TemporaryDirectory(prefix="mlhub-bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        if runs:
            begin = time.perf_counter()
            home, five = _elsewhere(many, root, runs), [str(runs - back) for back in range(5)]
            size = (home / "mlhub.db").stat().st_size / 1e6
            took = time.perf_counter() - begin
            print(f"\n{runs:,} runs of 20 parameters and 10 metrics (made in {took:.0f} s, {size:.0f} MB)")
            measure(home, "ls", "ls")
            measure(home, "ls --filter (few)", "ls", "--filter", "val/score_3>0.9999 lr<1e-3")
            measure(home, "ls --filter name:bench-9999", "ls", "--filter", "name:bench-9999")
            measure(home, "ls -n all --json", "ls", "-n", str(runs), "--json")
            measure(home, "show", "show")
            measure(home, "compare, five", "compare", *five)
            measure(home, "compare, all, --limit 20", "compare", "--filter", "id>0", "--limit", "20")
            measure(home, "completion of a RUN", "show", "bench-99", _MLHUB_COMPLETE="zsh")
            measure(home, "doctor", "doctor")
        if records:
            begin = time.perf_counter()
            home = _elsewhere(long, root, records)
            size = (home / "runs/1/metrics.jsonl").stat().st_size / 1e6
            print(f"\na run of {records:,} records (made in {time.perf_counter() - begin:.0f} s, {size:,.0f} MB)")
            measure(home, "show, the first time", "show")
            measure(home, "show", "show")
            measure(home, "ls", "ls")
            measure(home, "compare --at step=5000000", "compare", "1", "--at", f"step={records // 2}")
            measure(home, "compare --plot val/acc", "compare", "1", "--plot", "val/acc")
            measure(home, "top --once", "top", "--once")
            measure(home, "metrics --format csv", "metrics", "--format", "csv")
            measure(
                home, "metrics --format parquet", "metrics", "--format", "parquet", "--output", str(root / "x.parquet")
            )


if __name__ == "__main__":
    main()
