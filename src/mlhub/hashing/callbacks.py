"""What happens around training: checkpoints are kept, an epoch prints a line. Not Lightning's own checkpoints."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

from lightning.pytorch import Callback

from mlhub.errors import MlhubError
from mlhub.hashing.checkpoint import FORMAT, Sidecar, save

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer

    from mlhub.config import RunConfig
    from mlhub.data.items import Dataset


#: seconds after which `last` is written amid an epoch, and before which it isn't written again at an epoch's end
_LONG = 600
_SHORT = 10


class Checkpoints(Callback):
    """Keeps `last`, `best` by the monitored metric and, if more than one is wanted, the runners-up as `step-N`.

    What is kept every n epochs is kept at the end too: the last step is always validated and considered.
    """

    def __init__(self, folder: Path, config: RunConfig, dataset: Dataset, run: str | None) -> None:
        self.folder = folder
        self.config = config
        self.dataset = dataset
        self.run = run
        self.kept: list[tuple[float, int]] = []  # (goodness, step), best first
        self.epoch = 0
        self.measured: tuple[int, dict[str, float]] = (-1, {})  # step of the last validation, and its metrics
        self.considered = -1  # step of the last one that could become the best
        self.saved = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        self.epoch = trainer.current_epoch  # which is one more once training has ended

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        values = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        self.measured = trainer.global_step, values
        if self._due():
            self._consider(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if trainer.global_step >= trainer.estimated_stepping_batches:
            trainer.should_stop = True  # it would now anyway; told so, Lightning validates once more
        elif time.monotonic() - self.saved > _LONG:
            self._save("last", trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._due() and time.monotonic() - self.saved > _SHORT:
            self._save("last", trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.measured[0] == trainer.global_step != self.considered:
            self._consider(trainer, pl_module)
        self._save("last", trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A stop (SIGTERM, Ctrl-C) keeps what was learned; a failure does too, unless the weights are what failed."""
        if trainer.global_step and not isinstance(exception, MlhubError):
            self._save("last", trainer, pl_module)

    def _due(self) -> bool:
        return (self.epoch + 1) % self.config.checkpoint.every_n_epochs == 0

    def _consider(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the weights just validated if they are among the best."""
        step, metrics = self.measured
        self.considered = step
        value = metrics[self.config.checkpoint.monitor]
        goodness = value if self.config.checkpoint.mode == "max" else -value
        best = not self.kept or goodness > self.kept[0][0]
        self.kept = sorted([*self.kept, (goodness, step)], key=lambda entry: -entry[0])
        dropped = self.kept[self.config.checkpoint.save_top_k :]
        self.kept = self.kept[: self.config.checkpoint.save_top_k]
        if self.config.checkpoint.save_top_k > 1 and (goodness, step) in self.kept:
            self._save(f"step-{step}", trainer, pl_module)
        for _, old in dropped:
            for suffix in (".safetensors", ".json"):
                (self.folder / f"step-{old}{suffix}").unlink(missing_ok=True)
        if best:
            self._save("best", trainer, pl_module)

    def _save(self, name: str, trainer: Trainer, pl_module: Any) -> None:  # noqa: ANN401 - our module, under Lightning's type
        step, metrics = self.measured
        sidecar = Sidecar(
            format=FORMAT,
            config=self.config,
            dataset=self.dataset.name,
            data=self.dataset.fingerprint,
            step=trainer.global_step,
            epoch=self.epoch,
            metrics={**metrics} if step == trainer.global_step else {},  # those of these very weights
            run=self.run,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        save(self.folder / f"{name}.safetensors", pl_module.model, sidecar)
        if name == "last":
            self.saved = time.monotonic()


class EpochLines(Callback):
    """One line an epoch for the log: loss, validation, speed, time left. No bar: a log is read later."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.started = 0.0
        self.first = 0
        self.validated = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        self.started, self.first = time.monotonic(), trainer.global_step

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del trainer, pl_module
        self.validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        metrics = trainer.callback_metrics
        done, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        speed = (done - self.first) / max(time.monotonic() - self.started, 1e-9)
        parts = [f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", f"step {done}/{total}"]
        parts += [f"{label} {float(metrics[name]):.4g}" for label, name in self._shown() if name in metrics]
        self.validated = False
        parts += [f"{speed:.1f} steps/s", f"ETA {_duration((total - done) / max(speed, 1e-9))}"]
        print("  ".join(parts), flush=True)  # noqa: T201 - stdout is the run's log

    def _shown(self) -> tuple[tuple[str, str], ...]:
        loss = ("loss", "train/loss")
        return (loss, (self.monitor, self.monitor)) if self.validated else (loss,)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
