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


class Checkpoints(Callback):
    """Keeps `last`, `best` by the monitored metric and, if more than one is wanted, the runners-up as `step-N`."""

    def __init__(self, folder: Path, config: RunConfig, dataset: Dataset, run: str | None) -> None:
        self.folder = folder
        self.config = config
        self.dataset = dataset
        self.run = run
        self.kept: list[tuple[float, int]] = []  # (goodness, step), best first

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        every = self.config.checkpoint.every_n_epochs
        if trainer.sanity_checking or (trainer.current_epoch + 1) % every:
            return
        monitor = self.config.checkpoint.monitor
        value = trainer.callback_metrics.get(monitor)
        if value is None:
            names = ", ".join(sorted(name for name in trainer.callback_metrics if "map" in name)[:8])
            raise MlhubError(f"checkpoint.monitor: nothing called {monitor} is measured", f"For example: {names}.")
        goodness = float(value) if self.config.checkpoint.mode == "max" else -float(value)
        step = trainer.global_step
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

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save("last", trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if (trainer.current_epoch + 1) % max(5, self.config.checkpoint.every_n_epochs) == 0:
            self._save("last", trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A stop (SIGTERM, Ctrl-C) keeps what was learned; a failure does too, unless the weights are what failed."""
        if trainer.global_step and not isinstance(exception, MlhubError):
            self._save("last", trainer, pl_module)

    def _save(self, name: str, trainer: Trainer, pl_module: Any) -> None:  # noqa: ANN401 - our module, under Lightning's type
        metrics: dict[str, float | None] = {key: float(value) for key, value in trainer.callback_metrics.items()}
        sidecar = Sidecar(
            format=FORMAT,
            config=self.config,
            dataset=self.dataset.name,
            data=self.dataset.fingerprint,
            step=trainer.global_step,
            epoch=trainer.current_epoch,
            metrics=metrics,
            run=self.run,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        save(self.folder / f"{name}.safetensors", pl_module.model, sidecar)


class EpochLines(Callback):
    """One line an epoch for the log: loss, validation, speed, time left. No bar: a log is read later."""

    def __init__(self, monitor: str) -> None:
        self.monitor = monitor
        self.started = 0.0
        self.first = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        self.started, self.first = time.monotonic(), trainer.global_step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        metrics = trainer.callback_metrics
        done, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        speed = (done - self.first) / max(time.monotonic() - self.started, 1e-9)
        parts = [f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}", f"step {done}/{total}"]
        parts += [f"{label} {float(metrics[name]):.4g}" for label, name in self._shown() if name in metrics]
        parts += [f"{speed:.1f} steps/s", f"ETA {_duration((total - done) / max(speed, 1e-9))}"]
        print("  ".join(parts), flush=True)  # noqa: T201 - stdout is the run's log

    def _shown(self) -> tuple[tuple[str, str], ...]:
        return ("loss", "train/loss"), (self.monitor, self.monitor)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
