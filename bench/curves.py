"""What charts cost: opening metrics of a million points, following them, memory, a picture's microseconds.

    python bench/curves.py [POINTS]

Prints one table. Opening is measured once, in a process of its own, by the clock and in CPU; the rest in CPU, the best
of some, so that a loaded machine tells the same.
"""

from __future__ import annotations

import json
import math
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

METRICS = ("train/loss", "train/acc", "train/grad_norm", "train/lr", "train/images_s")


def write(path: Path, points: int, count: int) -> None:
    """A file as `mlhub.log` writes it, with so many metrics a record."""
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for step in range(points):
            record: dict[str, float] = {"step": step, "epoch": step // 50_000, "time": 1763848800.1 + step * 0.01}
            for index, name in enumerate(METRICS[:count]):
                record[name] = 2 * math.exp(-4 * step / points) + draw.gauss(0, 0.1) + index
            file.write(json.dumps(record, separators=(",", ":")) + "\n")


def more(begin: int, count: int) -> bytes:
    """Records that follow."""
    steps = range(begin, begin + count)
    return b"".join(
        json.dumps({"step": step, "time": 1.8e9 + step * 0.01} | dict.fromkeys(METRICS, 0.5)).encode() + b"\n"
        for step in steps
    )


def report(what: str, value: str) -> None:
    print(f"{what:<62}{value:>14}", flush=True)


def open_one(path: Path) -> None:
    """In a process of its own: how long until something is seen, until all is there, and how long others must wait."""
    import numpy  # noqa: F401, ICN001 - the screen has it by then

    from mlhub.curves.follower import Follower

    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worst, ended = [0.0], threading.Event()

    def wait() -> None:
        """The screen's thread: wakes every millisecond, and notes how late it was."""
        while not ended.is_set():
            start = time.perf_counter()
            time.sleep(0.001)
            worst[0] = max(worst[0], time.perf_counter() - start - 0.001)

    screen = threading.Thread(target=wait)
    screen.start()
    time.sleep(1)
    idle, worst[0] = worst[0], 0.0
    start, used = time.perf_counter(), time.thread_time()
    follower = Follower(path)
    follower.advance(0.01)
    first = time.perf_counter() - start
    while follower.busy:
        follower.advance(0.05)
    whole, used = time.perf_counter() - start, time.thread_time() - used
    ended.set()
    screen.join()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base
    kept = sum(len(series.points) for series in follower.metrics.values())
    print(json.dumps([first, whole, used, worst[0], idle, memory / 1024, kept]))


def best(call: object, times: int = 3) -> float:
    """Seconds of the best of some calls."""
    seconds = []
    for _ in range(times):
        start = time.thread_time()
        call()  # type: ignore[operator]
        seconds.append(time.thread_time() - start)
    return min(seconds)


def bench_opening(folder: Path, points: int) -> None:
    for count in (1, 5):
        path = folder / f"{count}.jsonl"
        write(path, points, count)
        done = subprocess.run(
            [sys.executable, __file__, "--open", str(path)], check=True, capture_output=True, text=True
        )
        first, whole, used, late, idle, memory, kept = json.loads(done.stdout)
        size = path.stat().st_size / 1e6
        report(
            f"open {count} metric{'s' * (count > 1)} of {points:,} points ({size:.0f} MB): first picture",
            f"{first * 1e3:.0f} ms",
        )
        report(f"  all of it read, {kept:,} points kept", f"{whole:.2f} s")
        report("  in CPU", f"{used:.2f} s")
        report("  another thread waits for the interpreter at most", f"{late * 1e3:.1f} ms")
        report("  the same while nothing is read", f"{idle * 1e3:.1f} ms")
        report("  memory", f"{memory:.0f} MB")


def bench_tail(folder: Path) -> None:
    """A run at 100 records a second, looked at four times a second, on top of all that was read."""
    from mlhub.curves.follower import Follower

    path = folder / "5.jsonl"
    follower = Follower(path)
    while follower.busy or not follower.metrics:
        follower.advance(1)
    spent = 0.0
    with path.open("ab", buffering=0) as file:
        for look in range(200):
            file.write(more(30_000_000 + look * 25, 25))
            start = time.thread_time()
            follower.advance(0.05)
            spent += time.thread_time() - start
    report("follow 100 records a second with 5 metrics: CPU", f"{spent / 50 * 100:.2f} %")
    spent = best(lambda: [follower.advance(0.05) for _ in range(1000)]) / 1000
    report("a look at a file that has not grown", f"{spent * 1e6:.0f} µs")


def bench_paint(folder: Path) -> None:
    import numpy as np

    from mlhub.curves.axes import Curve, Scale
    from mlhub.curves.follower import Follower
    from mlhub.curves.plot import Glyphs, Plotter
    from mlhub.curves.traces import smooth

    follower = Follower(folder / "1.jsonl")
    while follower.busy or not follower.metrics:
        follower.advance(1)
    (series,) = follower.metrics.values()
    inks: dict[tuple[str, ...], int] = {}

    def ink(*key: str) -> int:
        return inks.setdefault(key, len(inks))

    curves = [Curve(run, "run", f"#0000{run:02x}", series, follower.first, follower.epochs) for run in range(8)]

    def draw_new(*arguments: object) -> None:
        Plotter().draw(*arguments)  # type: ignore[arg-type]

    plotter, glyphs = Plotter(), Glyphs()
    for count in (1, 8):
        for size in ((49, 13), (158, 40)):
            drawn = partial(draw_new, curves[:count], Scale(), *size, ink, glyphs)
            seconds = best(drawn, 20)
            report(
                f"picture of {count} run{'s' * (count > 1)}, {len(series.points):,} points each, {size[0]}x{size[1]}",
                f"{seconds * 1e6:.0f} µs",
            )
    plotter.draw(curves, Scale(), 158, 40, ink, glyphs)
    moved = best(lambda: plotter.draw(curves, Scale(cursor=random.random() * 1e5), 158, 40, ink, glyphs), 50)
    report("the same with its cursor moved", f"{moved * 1e6:.0f} µs")
    x, y = series.points.step, np.nan_to_num(series.points.value)
    report(f"smoothing of {len(x):,} points", f"{best(lambda: smooth(x, y, len(x) / 100)) * 1e3:.0f} ms")


def bench_sketches(folder: Path) -> None:
    from mlhub.tui.charts.sketches import Sketcher

    report(
        "sketch of a run with a large file, first",
        f"{best(lambda: Sketcher(folder / '5.jsonl', 'train/loss').update()) * 1e3:.1f} ms",
    )
    sketcher = Sketcher(folder / "5.jsonl", "train/loss")
    sketcher.update()
    spent = 0.0
    with (folder / "5.jsonl").open("ab", buffering=0) as file:
        for look in range(20):
            file.write(more(20_000_000 + look * 100, 100))
            start = time.thread_time()
            sketcher.update()
            spent += time.thread_time() - start
    report("sketches of 8 live runs at 100 records a second: CPU", f"{spent / 20 * 8 * 100:.2f} %")
    still = best(lambda: [sketcher.update() for _ in range(1000)]) / 1000
    report("a sketch of a file that has not grown", f"{still * 1e6:.0f} µs")


def main() -> None:
    points = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        bench_opening(Path(folder), points)
        bench_paint(Path(folder))
        bench_sketches(Path(folder))
        bench_tail(Path(folder))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--open"]:
        open_one(Path(sys.argv[2]))
    else:
        main()
