"""What one log call costs (5 floats with all their digits, and a step), beside the peers, in one run.

    python bench/log_call.py [--quick] [--only NAME,NAME]

Flat out: µs a call, the writer's close included; medians over rounds in turn, each writer in a process and environment
of its own (`bench/peers.py` makes them on first use). Paced: 100 calls a second, the caches cold, as in a training.
Bytes a scalar: how the files grow, live; ours compacted too. Lost: records that had been logged when the trainer was
killed (SIGKILL, while it logged 100 a second) and that a reader does not find 5 s later.

The budgets: mlhub.log flat out at most 0.5 × json + flush (orjson + one write is the limit of what can be done), paced
at most 2 × a raw write, and nothing lost.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import peers

WRITERS = Path(__file__).with_name("writers.py")
RATE = 100.0
SCALARS = 5


@dataclass
class Contender:
    """A writer in its environment (None: this one) and what was measured of it."""

    label: str
    writer: str
    peer: str | None = None
    calls: int = 5000
    process: subprocess.Popen[str] | None = None
    why_not: str = ""
    flat: list[float] = field(default_factory=list)
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    sizes: list[tuple[int, float]] = field(default_factory=list)
    lost: str = "–"

    @property
    def command(self) -> list[str]:
        return [str(peers.python(self.peer)) if self.peer else sys.executable, str(WRITERS), self.writer]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=_environment(),
        )  # fmt: skip

    def ask(self, *command: object) -> dict[str, float]:
        """Raises RuntimeError with the last line that the writer's process said."""
        assert self.process is not None  # noqa: S101 - started before
        assert self.process.stdin is not None  # noqa: S101
        assert self.process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):
            print(json.dumps(command, default=str), file=self.process.stdin, flush=True)
        if answer := self.process.stdout.readline():
            return json.loads(answer)
        said = self.process.communicate()[1].strip().splitlines()
        raise RuntimeError(said[-1] if said else f"exit status {self.process.returncode}")

    @property
    def bytes_a_scalar(self) -> float | None:
        """What a further record adds, without what an empty file or database has."""
        if len(self.sizes) < 2:
            return None
        (few, small), (many, large) = self.sizes[0], self.sizes[-1]
        return (large - small) / (many - few) / SCALARS


def contenders() -> list[Contender]:
    return [
        Contender("raw write(2)", "raw"),
        Contender("json.dumps + write + flush", "json"),
        Contender("orjson + write(2)", "orjson", "orjson"),
        Contender("mlhub.log", "mlhub.log"),
        Contender("mlhub.log without msgspec", "mlhub.log/json"),
        Contender("MlhubLogger", "MlhubLogger"),
        Contender("Lightning CSVLogger", "CSVLogger"),
        Contender("TensorBoard writer", "tensorboard", "tensorboard", 1000),
        Contender("trackio", "trackio", "trackio", 2000),
        Contender("wandb offline", "wandb", "wandb", 3000),
        Contender("mlflow files", "mlflow-files", "mlflow", 300),
        Contender("mlflow sqlite", "mlflow-sqlite", "mlflow", 30),
        Contender("aim", "aim", "aim", 300),
    ]


def _environment() -> dict[str, str]:
    """Quiet, offline, warnings not wanted."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("MLHUB_", "WANDB_", "MLFLOW_"))}
    return kept | {"PYTHONWARNINGS": "ignore", "TF_CPP_MIN_LOG_LEVEL": "3", "DO_NOT_TRACK": "1"}


def measure(every: list[Contender], root: Path, rounds: int, paced: int) -> None:
    """Those that can't be started or fail have the reason in `why_not`."""
    for number in range(-1, rounds):
        for one in every:
            if one.why_not:
                continue
            try:
                _flat(one, root, number)
            except (RuntimeError, OSError, peers.NotInstalledError) as error:
                missing = isinstance(error, peers.NotInstalledError)
                one.why_not = f"{'not installed' if missing else 'failed'}: {error}"
        print(f"  flat out: round {number + 2} of {rounds + 1}", file=sys.stderr, flush=True)
    for number in range(6):  # short rounds in turn: each is set against the raw write's of the same round
        for one in every:
            if not one.why_not:
                found = one.ask("paced", paced, RATE, _folder(root, one, f"paced{number}"))
                one.p50.append(found["p50"])
                one.p99.append(found["p99"])
        print(f"  paced: round {number + 1} of 6", file=sys.stderr, flush=True)


def _flat(one: Contender, root: Path, number: int) -> None:
    """Round -1 warms up with a tenth of the calls."""
    if one.process is None:
        one.start()
    calls = one.calls // 10 if number < 0 else one.calls
    folder = _folder(root, one, f"flat{number}")
    found = one.ask("flat", calls, folder)
    one.sizes.append((calls, found["bytes"]))
    if number >= 0:
        one.flat.append(found["us"])
    elif (read := one.ask("count", folder)["found"]) != calls:
        one.lost = f"? (reader finds {read:.0f} of {calls})"


def _folder(root: Path, one: Contender, name: str) -> Path:
    folder = root / one.writer.replace("/", "-") / name
    folder.mkdir(parents=True)
    return folder


def kill(every: list[Contender], root: Path, seconds: float, at_once: int = 3) -> None:
    """Kill trainers that log, a few at a time, and ask a fresh process what it finds."""
    able = [one for one in every if not one.why_not and one.lost == "–"]
    for start in range(0, len(able), at_once):
        part = able[start : start + at_once]
        killed = [(one, *_start_live(one, root)) for one in part]
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not all(_logged(counter) for _, _, counter in killed):
            time.sleep(0.1)
        time.sleep(seconds)
        for one, _, _ in killed:
            assert one.process is not None  # noqa: S101
            one.process.send_signal(signal.SIGKILL)
            one.process.wait()
        time.sleep(5)  # for helpers of theirs that live on
        for one, folder, counter in killed:
            logged = _logged(counter)
            one.start()
            found = one.ask("count", folder)["found"]
            one.lost = f"{max(0, logged - found):.0f} of {logged}"
        print(f"  killed: {', '.join(one.label for one in part)}", file=sys.stderr, flush=True)


def _start_live(one: Contender, root: Path) -> tuple[Path, Path]:
    """The folder of a trainer that logs, and the file with its counter."""
    folder, counter = _folder(root, one, "live"), root / f"{one.writer.replace('/', '-')}.counter"
    stop(one)
    one.start()
    assert one.process is not None  # noqa: S101
    assert one.process.stdin is not None  # noqa: S101
    print(json.dumps(["live", RATE, str(folder), str(counter)]), file=one.process.stdin, flush=True)
    return folder, counter


def _logged(counter: Path) -> int:
    data = counter.read_bytes() if counter.exists() else b""
    return struct.unpack("q", data)[0] if len(data) == 8 else 0


def stop(one: Contender) -> None:
    if one.process is not None:
        one.process.kill()
        one.process.communicate()


def compacted(root: Path, one: Contender) -> float | None:
    """Bytes a scalar of our file as `mlhub gc` leaves it."""
    from mlhub.runner import archive

    path = max(root.glob("mlhub.log/flat*/metrics.jsonl"), key=lambda path: path.stat().st_size)
    if not archive.available():
        return None
    archive.compact(path)
    return archive.packed(path).stat().st_size / one.calls / SCALARS


def report(every: list[Contender], root: Path) -> list[str]:
    """Print the table; what is over its budget."""
    by = {one.writer: one for one in every}
    unit, floor = by["json"].flat, by["raw"].p50
    print(f"\n{'one call':<28}{'µs':>9}{'× json':>8}{'p50 µs':>9}{'p99 µs':>9}{'× raw':>7}{'B/scalar':>9}  lost")
    for one in every:
        if one.why_not:
            print(f"{one.label:<28}{one.why_not[:100]}")
            continue
        flat, p50, p99 = (statistics.median(values) for values in (one.flat, one.p50, one.p99))
        print(
            f"{one.label:<28}{flat:9.2f}{_times(one.flat, unit):8.2f}{p50:9.0f}{p99:9.0f}{_times(one.p50, floor):7.1f}"
            f"{one.bytes_a_scalar or 0:9.1f}  {one.lost}"
        )
    ours = by["mlhub.log"]
    if (size := compacted(root, ours)) is not None:
        print(f"{'mlhub.log, compacted':<28}{size:51.1f}")
    figures = {
        "flat out, × json + flush": (_times(ours.flat, unit), 0.5),
        "paced, p50 × raw write": (_times(ours.p50, floor), 2.0),
        "records lost": (float(ours.lost.split()[0]), 0.0),
    }
    return [f"{name}: {value:.2f}, budget {budget:g}" for name, (value, budget) in figures.items() if value > budget]


def _times(ours: list[float], theirs: list[float]) -> float:
    """How many times as long, round by round: the median, which a busy moment of the machine does not move."""
    return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", default="", help="writers beside raw, json and mlhub.log, with commas")
    asked = parser.parse_args()
    wanted = {"raw", "json", "mlhub.log", *filter(None, asked.only.split(","))}
    every = [one for one in contenders() if not asked.only or one.writer in wanted]
    with tempfile.TemporaryDirectory(prefix="mlhub-bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        try:
            measure(every, root, *((3, 50) if asked.quick else (7, 100)))
            kill(every, root, 1.5 if asked.quick else 3.0)
            over = report(every, root)
        finally:
            for one in every:
                stop(one)
    print("\n" + ("all within the budgets" if not over else "over budget:\n  " + "\n  ".join(over)))


if __name__ == "__main__":
    main()
