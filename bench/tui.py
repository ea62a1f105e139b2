"""What `mlhub top` costs and how fast it answers, through a pty of 160x45, with the budgets beside each figure.

    python bench/tui.py [--quick] [--only rest,live,start,leet] [--memory MINUTES]

W&B LEET is measured on the same stream in turns with ours; `bench/peers.py` installs it into an environment of its
own. CPU is of one core, of the screen with its children. Latency ends with the last byte of the repaint that shows the
change. A million points a metric: `bench/curves.py`. On a shared machine trust ratios, not times.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import peers
import stream

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.tui.terminal import Terminal, Use, mlhub_command

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZE = (160, 45)
#: records a second and metrics of each of the eight live runs
LIVE, LIVE_RATE, LIVE_METRICS = 8, 10.0, 8
#: of the run that LEET shows too
RATE, CHARTS = 100.0, 5
#: seconds from the start until the first curves and rows are all there
_SETTLE = 4.0
#: a column within the table of runs
_COLUMN = 8


class Table:
    """Prints a figure and its budget; remembers what was over."""

    def __init__(self) -> None:
        self.over: list[str] = []

    def title(self, words: str) -> None:
        print(f"\n{words}", flush=True)

    def row(self, what: str, figure: float, unit: str, budget: float | None = None) -> None:
        verdict = ""
        if budget is not None:
            passed = figure <= budget
            verdict = f"budget {budget:g} {unit}: {'pass' if passed else 'OVER'}"
            if not passed:
                self.over.append(f"{what}: {figure:.4g} {unit}, budget {budget:g}")
        print(f"  {what:<58} {figure:>9.4g} {unit:<6} {verdict}", flush=True)


@contextmanager
def screen(home: Path, *words: str, shown: str = "LIVE", **more: str) -> Iterator[Terminal]:
    """`mlhub top`, once it shows what it has."""
    with Terminal(mlhub_command("top", *words), stream.environment(home, **more), SIZE) as terminal:
        terminal.until_shown(shown, 60)
        time.sleep(_SETTLE)
        terminal.forget()
        yield terminal
        terminal.send("q")
        terminal.wait(10)


def prefer(home: Path, **changes: object) -> None:
    """Write the screen's settings, and none else."""
    (home / "top.json").write_text(json.dumps(changes))


def cost(terminal: Terminal, seconds: float) -> tuple[float, float]:
    """Percent of a core and bytes a second over the next `seconds`."""
    before = terminal.use()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(5.0, max(0.0, end - time.monotonic())))
        terminal.forget()
    return rates(before, terminal.use())


def rates(before: Use, after: Use) -> tuple[float, float]:
    took = after.at - before.at
    return 100 * (after.cpu - before.cpu) / took, (after.bytes - before.bytes) / took


def latencies(terminal: Terminal, count: int) -> list[float]:
    """Milliseconds from a key that moves the cursor in the table of runs to the picture of it."""
    chance, found = random.Random(2), []

    def cursor() -> tuple[str, ...]:
        return tuple(terminal.background(row, _COLUMN) for row in range(4, 20))

    terminal.send("1")
    time.sleep(0.5)
    for number in range(count):
        time.sleep(chance.uniform(0.12, 0.4))
        before = cursor()
        at = terminal.send("down" if number % 2 == 0 else "up")
        found.append(1000 * terminal.seconds_until(lambda before=before: cursor() != before, at))
        terminal.forget()
    return found


def show_latency(table: Table, found: list[float], budget: float) -> None:
    table.row("key to repaint, median", statistics.median(found), "ms", budget)
    table.row("key to repaint, 95th percentile", sorted(found)[int(0.95 * len(found))], "ms")


# scenarios


def at_rest(table: Table, home: Path, seconds: float, presses: int) -> None:
    table.title(f"at rest: 1,000 ended runs, nothing live, {seconds:.0f} s")
    for meters in (True, False):
        prefer(home, meters=meters)
        with screen(home) as terminal:
            cpu, sent = cost(terminal, seconds)
            table.row(f"CPU, meters {'on' if meters else 'off'}", cpu, "%", 0.5)
            table.row(f"to the terminal, meters {'on' if meters else 'off'}", sent, "B/s", 250 if meters else 0)
            if meters:
                show_latency(table, latencies(terminal, presses), 10)


def live(table: Table, home: Path, seconds: float, presses: int) -> None:
    table.title(
        f"{LIVE} live runs of {LIVE_RATE:g} records a second and {LIVE_METRICS} metrics, 4 charts, table of 1,000 runs"
    )
    for theme, budget in (("night", 20.0), ("ssh", 8.0)):
        prefer(home, theme=theme)
        with screen(home) as terminal:
            cpu, sent = cost(terminal, seconds)
            table.row(f"CPU, theme {theme}", cpu, "%", 9)
            table.row(f"to the terminal, theme {theme}", sent / 1000, "kB/s", budget)
            if theme == "night":
                show_latency(table, latencies(terminal, presses), 15)
                size = terminal.use()
                table.row("memory (PSS)", size.pss / 1e6, "MB")
    prefer(home)
    with screen(home, SSH_CONNECTION="10.0.0.1 5 10.0.0.2 22") as terminal:
        cpu, sent = cost(terminal, seconds)
        table.row("CPU, as over SSH (2 looks a second)", cpu, "%", 9)
        table.row("to the terminal, as over SSH", sent / 1000, "kB/s", 8)


def first_paint(table: Table, homes: dict[int, Path], rounds: int) -> None:
    table.title(f"first paint: seconds from the command to rows and keys on the screen, median of {rounds}")
    floors = []
    for _ in range(rounds):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", "import textual.app"], check=True)
        floors.append(time.perf_counter() - begin)
    floor = statistics.median(floors)
    table.row("python -c 'import textual.app'", floor, "s")
    for count, home in homes.items():
        prefer(home)
        found = [_seconds_to_paint(home, f"bench-{count}") for _ in range(rounds + 1)][1:]
        seconds = statistics.median(found)
        table.row(f"{count:,} runs", seconds, "s", 1.0 if count == 1000 else None)
        table.row(f"{count:,} runs, × the import", seconds / floor, "×")


def _seconds_to_paint(home: Path, words: str) -> float:
    with Terminal(mlhub_command("top"), stream.environment(home), SIZE) as terminal:
        seconds = terminal.seconds_until(lambda: words in terminal.text and "quit" in terminal.text, terminal.born)
        terminal.send("q")
        terminal.wait(10)
    return seconds


def beside_leet(table: Table, root: Path, seconds: float) -> None:
    table.title(f"one live run at {RATE:g} records a second, {CHARTS} charts, beside W&B LEET on the same stream")
    python = str(peers.python("wandb"))
    home = root / "one"
    own = {**os.environ, "WANDB_CONFIG_DIR": str(root / "wandb-config"), "WANDB_CACHE_DIR": str(root / "wandb-cache")}
    words = ["--rate", str(RATE), "--metrics", str(CHARTS), "--seconds", str(6 * seconds + 120)]
    script = str(Path(__file__).with_name("stream.py").resolve())
    peer = subprocess.Popen(
        [python, script, "wandb", *words, "--dir", str(root)],
        env=own,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stream.mlhub(home, "run", "--name", "live-1", "--", sys.executable, script, "hub", *words)
    try:
        folder = _wait_for(root / "wandb" / "latest-run")
        prefer(home, grid="2x3")
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for _ in range(2):  # in turns, so that a busy machine is busy for both
            with screen(home, "live-1") as terminal:
                terminal.send("2", "z")
                time.sleep(2)
                ours.append(cost(terminal, seconds))
                picture, use = terminal.text, terminal.use()
            command = [str(Path(python).with_name("wandb")), "leet", str(folder)]
            with Terminal(command, own, SIZE) as terminal:
                terminal.until_shown("train/loss", 60)
                time.sleep(_SETTLE)
                theirs.append(cost(terminal, seconds))
                peer_use = terminal.use()
        table.row("LEET: CPU", _mean(theirs, 0), "%")
        table.row("LEET: to the terminal", _mean(theirs, 1) / 1000, "kB/s")
        table.row("LEET: memory (PSS)", peer_use.pss / 1e6, "MB")
        table.row("mlhub: CPU", _mean(ours, 0), "%", 0.5 * _mean(theirs, 0))
        table.row("mlhub: to the terminal", _mean(ours, 1) / 1000, "kB/s", _mean(theirs, 1) / 1000)
        table.row("mlhub: memory (PSS)", use.pss / 1e6, "MB")
        table.row("CPU, ours to theirs", _mean(ours, 0) / _mean(theirs, 0), "×", 0.5)
        drawn = sum(name in picture for name in stream.METRICS[:CHARTS])
        print(f"  ours shows {drawn} of {CHARTS} charts", flush=True)
    finally:
        peer.terminate()
        stream.stop(home, ["live-1"])
        peer.wait(30)


def _mean(pairs: list[tuple[float, float]], which: int) -> float:
    return statistics.fmean(pair[which] for pair in pairs)


def _wait_for(path: Path, seconds: float = 60) -> Path:
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(path)
        time.sleep(0.1)
    return path.resolve()


def memory(table: Table, home: Path, minutes: float) -> None:
    table.title(f"memory (PSS) over {minutes:g} minutes with {LIVE} live runs")
    with screen(home) as terminal:
        begin, points = time.monotonic(), []
        while (passed := time.monotonic() - begin) < 60 * minutes:
            points.append((passed / 60, terminal.use().pss / 1e6))
            time.sleep(10)
            terminal.forget()
        late = [point for point in points if point[0] > minutes / 5]
        slope = statistics.linear_regression(*zip(*late, strict=True)).slope
        table.row("after it has settled", points[0][1], "MB")
        table.row(f"after {minutes:g} minutes", points[-1][1], "MB")
        table.row("slope of the last four fifths", slope, "MB/min", 0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="short measurements")
    parser.add_argument("--only", default="start,rest,live,leet", help="scenarios, with commas")
    parser.add_argument("--memory", type=float, default=0, metavar="MINUTES", help="watch the memory for so long too")
    asked = parser.parse_args()
    seconds, presses, rounds = (10.0, 20, 3) if asked.quick else (30.0, 60, 5)
    wanted, table = set(asked.only.split(",")), Table()
    with tempfile.TemporaryDirectory(prefix="mlhub-bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        homes = {1000: root / "thousand"}
        if wanted & {"start", "rest", "live"} or asked.memory:
            stream.fill(homes[1000], 1000)
        if "start" in wanted:
            if not asked.quick:
                homes[10_000] = root / "ten-thousand"
                stream.fill(homes[10_000], 10_000, records=10)
            first_paint(table, homes, rounds)
        if "rest" in wanted:
            at_rest(table, homes[1000], seconds, presses)
        if "live" in wanted or asked.memory:
            names = stream.start_live(
                homes[1000], LIVE, LIVE_RATE, LIVE_METRICS, 60 * asked.memory + 10 * seconds + 300
            )
            try:
                if "live" in wanted:
                    live(table, homes[1000], seconds, presses)
                if asked.memory:
                    prefer(homes[1000])
                    memory(table, homes[1000], asked.memory)
            finally:
                stream.stop(homes[1000], names)
        if "leet" in wanted:
            beside_leet(table, root, seconds)
    print("\n" + ("all within the budgets" if not table.over else "over budget:\n  " + "\n  ".join(table.over)))


if __name__ == "__main__":
    main()
