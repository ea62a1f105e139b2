"""What one log call costs (5 floats and a step), beside `json.dumps` + write + flush and a raw write, in one run.

    python bench/log_call.py

Medians over rounds in turn. The budget: at most 2 × json + write + flush.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from mlhub.records import MetricWriter

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS = 5000
ROUNDS = 9
VALUES = {"train/loss": 0.4512, "train/loss_contrastive": 1.25, "train/lr": 0.001, "val/map_64": 0.55, "speed": 1234.5}


def microseconds(call: Callable[[int], object]) -> float:
    start = time.perf_counter()
    for step in range(CALLS):
        call(step)
    return (time.perf_counter() - start) / CALLS * 1e6


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        writer = MetricWriter(Path(folder) / "mlhub.jsonl")
        lightning = _lightning(Path(folder) / "lightning.jsonl")
        text = (Path(folder) / "json.jsonl").open("a", encoding="utf-8")
        raw = os.open(Path(folder) / "raw.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        line = b'{"step":123,"time":1763848800.1,"train/loss":0.4512,"train/lr":0.001}\n'

        def flush(step: int) -> None:
            text.write(json.dumps({"step": step, "time": time.time(), **VALUES}) + "\n")
            text.flush()

        calls: dict[str, Callable[[int], object]] = {
            "json.dumps + write + flush": flush,
            "raw write(2)": lambda _step: os.write(raw, line),
            "mlhub.log": lambda step: writer.log(VALUES, step=step),
        }
        if lightning is not None:
            calls["MlhubLogger.log_metrics"] = lambda step: lightning.log_metrics(VALUES, step)
        samples: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(ROUNDS):
            for name, call in calls.items():
                samples[name].append(microseconds(call))
    unit = statistics.median(samples["json.dumps + write + flush"])
    print(f"{'call':<28} {'µs':>7} {'× json+flush':>13}")
    for name, values in samples.items():
        print(f"{name:<28} {statistics.median(values):7.2f} {statistics.median(values) / unit:13.2f}")


def _lightning(path: Path):  # noqa: ANN202 - a class that exists only where Lightning does
    try:
        from mlhub.lightning import MlhubLogger
    except ImportError:
        return None
    return MlhubLogger(path)


if __name__ == "__main__":
    main()
