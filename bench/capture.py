"""What capture costs a training: a Lightning script of some 1,000 steps a second, with each logger and with none.

    python bench/capture.py [--quick]

A script that knows nothing of mlhub is started by `mlhub run` in an environment without it (torch, Lightning,
TensorBoard and wandb are there). In that one process a Trainer fits the same tiny model again and again, a block of
steps with each logger in turn, so that a busy machine is busy for all; with no logger and ours, capture alone comes
and goes (by MLHUB_RUN_DIR, which its entry point asks when a Trainer is made). The model is of a size that a step
takes about a millisecond, as the budget has it; of a longer step the same microseconds are less. A slow-down is
against no logger in the same round; given are the median over the rounds, and the quartiles. CPU: seconds of the
process a step, all its threads, against the same: what neighbours on a shared machine disturb less than the time that
passes.

µs: what a step takes longer, the median too. The budget: capture slows the training by at most 2 %.
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
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: of log_every_n_steps: Lightning's own default, and as often as can be
RHYTHMS = (50, 1)
BASE, OURS = "no logger", "mlhub run (capture)"
LOGGERS = (BASE, OURS, "MlhubLogger", "CSVLogger", "TensorBoardLogger", "WandbLogger offline")


# inside the run


def inside(answers: Path, rounds: int, steps: int) -> None:
    """Fit with each logger in turn; writes seconds and CPU seconds a step, by logger and rhythm, over rounds."""
    import logging

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    import torch  # noqa: TID251

    torch.set_num_threads(1)
    run_dir = os.environ.pop("MLHUB_RUN_DIR")
    makers, why_not = _makers(answers.parent)
    found: dict[str, list[tuple[float, float]]] = {}
    order = [(name, rhythm) for rhythm in RHYTHMS for name in makers]
    for number in range(rounds + 1):
        random.Random(number).shuffle(order)
        for name, rhythm in order:
            if name == OURS:
                os.environ["MLHUB_RUN_DIR"] = run_dir
            try:
                took = _fit(makers[name](), rhythm, steps)
            finally:
                os.environ.pop("MLHUB_RUN_DIR", None)
            if number:  # the first warms
                found.setdefault(f"{name} @ {rhythm}", []).append(took)
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
    answers.write_text(json.dumps({"found": found, "why_not": why_not}))


def _makers(folder: Path) -> tuple[dict[str, Callable[[], Any]], dict[str, str]]:
    """How to make each logger, and why one can't be made."""
    from lightning.pytorch import loggers

    from mlhub.lightning import MlhubLogger

    os.environ["WANDB_SILENT"] = "true"
    makers: dict[str, Callable[[], Any]] = {
        BASE: lambda: False,
        OURS: lambda: False,
        "MlhubLogger": lambda: MlhubLogger(folder / "metrics.jsonl"),
        "CSVLogger": lambda: loggers.CSVLogger(tempfile.mkdtemp(dir=folder)),
        "TensorBoardLogger": lambda: loggers.TensorBoardLogger(tempfile.mkdtemp(dir=folder)),
        "WandbLogger offline": lambda: loggers.WandbLogger(save_dir=str(folder), offline=True, project="bench"),
    }
    why_not = {}
    for name, make in list(makers.items()):
        try:
            logger = make()
            if name.startswith("Wandb"):
                _ = logger.experiment
        except Exception as error:  # a peer that can't be made is told of, the others are measured
            why_not[name] = f"{type(error).__name__}: {error}"
            del makers[name]
    return makers, why_not


def _fit(logger: Any, rhythm: int, steps: int) -> tuple[float, float]:  # noqa: ANN401 - a logger of any kind
    """Seconds and CPU seconds a step, without the first fifth of a fit: what a Trainer does at first is no step's."""
    import torch  # noqa: TID251
    from lightning import pytorch as pl

    class Tiny(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))
            self.times: list[tuple[float, float]] = []

        def training_step(self, batch: Any, index: int) -> Any:  # noqa: ANN401
            if index == steps // 5:
                self.times.append((time.perf_counter(), time.process_time()))
            loss = self.net(batch).square().mean()
            self.log("train/loss", loss)
            self.log("train/norm", loss.detach().sqrt())
            return loss

        def on_train_end(self) -> None:
            self.times.append((time.perf_counter(), time.process_time()))

        def configure_optimizers(self) -> Any:  # noqa: ANN401
            return torch.optim.SGD(self.parameters(), lr=0.01)

    model = Tiny()
    trainer = pl.Trainer(
        max_epochs=1, accelerator="cpu", logger=logger, log_every_n_steps=rhythm,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, torch.utils.data.DataLoader(torch.ones(steps, 64, 64), batch_size=None))
    (begin, before), (end, after) = model.times
    count = steps - steps // 5
    return (end - begin) / count, (after - before) / count


# the bench


def measure(python: Path, root: Path, rounds: int, steps: int) -> dict[str, Any]:
    """Start the script by `mlhub run`; what it found. Raises SystemExit with the run's log."""
    import stream

    answers, more = root / "answers.json", stream.environment(root / "home")
    script = [str(python), str(Path(__file__).resolve()), "--inside", str(answers), str(rounds), str(steps)]
    command = [*stream.MLHUB, "run", "--follow", "--", *script]
    done = subprocess.run(command, env=more, cwd=root, stdout=sys.stderr, check=False)
    if done.returncode:
        sys.exit("the run failed; its log stands above")
    captured = (root / "home/runs/1/metrics.jsonl").read_bytes().count(b"\n")
    return json.loads(answers.read_text()) | {"captured": captured}


def report(found: dict[str, list[tuple[float, float]]], why_not: dict[str, str]) -> list[str]:
    """Print the table; what is over its budget."""
    over = []
    for rhythm in RHYTHMS:
        base = found[f"{BASE} @ {rhythm}"]
        print(
            f"\nlog_every_n_steps={rhythm:<10}{'steps/s':>10}{'slower by %':>13}{'quartiles':>16}"
            f"{'CPU by %':>11}{'µs':>7}"
        )
        for name in LOGGERS:
            if name in why_not:
                print(f"{name:<28}{why_not[name][:90]}")
                continue
            times = found[f"{name} @ {rhythm}"]
            low, middle, high = _slower(base, times, 0)
            cpu, speed = _slower(base, times, 1)[1], 1 / statistics.median(wall for wall, _ in times)
            more = statistics.median(one[0] - none[0] for none, one in zip(base, times, strict=True)) * 1e6
            print(f"{name:<28}{speed:10.0f}{middle:13.1f}{low:9.1f}{high:7.1f}{cpu:11.1f}{more:7.0f}")
            if name == OURS and middle > 2:
                over.append(f"capture with log_every_n_steps={rhythm}: {middle:.1f} %, budget 2")
    return over


def _slower(base: list[tuple[float, float]], times: list[tuple[float, float]], which: int) -> list[float]:
    """Quartiles of the percent by which a logger's rounds took longer than those without."""
    pairs = zip(base, times, strict=True)
    return statistics.quantiles([100 * (one[which] / reference[which] - 1) for reference, one in pairs], n=4)


def main() -> None:
    if sys.argv[1:2] == ["--inside"]:
        inside(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        return
    import peers

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mlhub-bench-", ignore_cleanup_errors=True) as folder:
        tree = measure(peers.python("wandb"), Path(folder), *((9, 400) if asked.quick else (15, 600)))
    over = report(tree["found"], tree["why_not"])
    print(f"\n{tree['captured']} records captured\n" + ("within the budget" if not over else f"over budget: {over}"))


if __name__ == "__main__":
    main()
