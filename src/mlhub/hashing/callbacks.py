"""What happens around training: checkpoints are kept, an epoch prints a line. Not Lightning's own checkpoints."""

from __future__ import annotations

import contextlib
import time
from datetime import UTC, datetime
from typing import Any

from lightning.pytorch import Callback

from mlhub.errors import MlhubError
from mlhub.hashing import resume, state
from mlhub.hashing.checkpoint import FORMAT, Sidecar, describe, save
from mlhub.hashing.program import say
from mlhub.hashing.state import Place
from mlhub.hashing.stop import Stopped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from lightning.pytorch import LightningModule, Trainer

    from mlhub.config import RunConfig
    from mlhub.data.items import Dataset
    from mlhub.hashing.data import Batches
    from mlhub.hashing.state import State
    from mlhub.hashing.stop import Stop

#: seconds after which `last` is written amid an epoch, and before which it isn't written again at an epoch's end
_LONG = 600
_SHORT = 10
#: nor before this many times what writing it took: saving is to cost a training 1 % at most
_DEAR = 100


class Checkpoints(Callback):
    """Keeps `last`, `best` by the monitored metric and, if more than one is wanted, the runners-up as `step-N`.

    What is kept every n epochs is kept at the end too: the last step is always validated and considered. Beside `last`
    stands the full state of the training, to continue from, until it has ended; given one, it continues from it.
    """

    def __init__(
        self,
        folder: Path,
        config: RunConfig,
        dataset: Dataset,
        run: str | None,
        batches: Batches,
        stop: Stop,
        begun: State | None = None,
    ) -> None:
        self.folder = folder
        self.config = config
        self.dataset = dataset
        self.run = run
        self.batches = batches
        self.stop = stop
        self.begun = begun
        self.kept: list[tuple[float, int]] = []  # (goodness, step), best first
        self.epoch = 0
        self.place = Place(0, 0)
        self.done = 0  # batches of the first epoch that an earlier attempt did
        self.measured: tuple[int, dict[str, float]] = (-1, {})  # step of the last validation, and its metrics
        self.considered = -1  # step of the last one that could become the best
        self.saved = time.monotonic()
        self.cost = 0.0  # seconds that saving took last

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        state.sweep(self.folder)
        if self.begun is not None:
            resume.put_back(trainer, pl_module, self.batches, self.begun)
            self.place = Place(*self.begun["place"])
            self.epoch, self.done = self.place.epoch, self.place.batch % len(self.batches)
            self.measured, self.considered = self.begun["measured"], self.begun["considered"]
            self.kept = self._kept()
            self.begun = None  # as large as the model and its optimizer
        if trainer.logger is not None:
            trainer.logger.resume(trainer.global_step)  # type: ignore[attr-defined]  # MlhubLogger's
        self.stop.begin()
        if self.place.validate:
            resume.validate(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del pl_module
        self.epoch = trainer.current_epoch  # which is one more once training has ended

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        if self.done:
            resume.count_batches(trainer, self.done)
            self.done = 0
        self.place = Place(self.epoch, trainer.fit_loop.epoch_loop.batch_idx)
        if self.place.batch % self.batches.accumulate:
            return  # amid a step
        self.stop.check()
        if trainer.global_step and time.monotonic() - self.saved > _LONG:
            self._keep(trainer, pl_module)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        del pl_module
        self.place = Place(self.epoch, self.place.batch + 1)
        if trainer.global_step >= trainer.estimated_stepping_batches:
            trainer.should_stop = True  # it would now anyway; told so, Lightning validates once more

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        del trainer, pl_module
        self.place = Place(self.place.epoch, self.place.batch, validate=True)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.place = Place(self.place.epoch, self.place.batch)
        values = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        self.measured = trainer.global_step, values
        if self._due():
            self._consider(trainer, pl_module)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.place = Place(self.epoch + 1, 0)
        if self._due() and time.monotonic() - self.saved > max(_SHORT, _DEAR * self.cost):
            self._keep(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.measured[0] == trainer.global_step != self.considered:
            self._consider(trainer, pl_module)
        self._save("last", trainer, pl_module)
        (self.folder / state.NAME).unlink(missing_ok=True)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """A stop (SIGTERM, Ctrl-C) keeps what was learned; a failure does too, unless the weights are what failed."""
        if not trainer.global_step or isinstance(exception, MlhubError):
            return
        digest = self._save("last", trainer, pl_module)
        if isinstance(exception, Stopped):  # else it may be amid a step: the state of before is the one to go back to
            self._save_state(trainer, pl_module, digest)

    def _due(self) -> bool:
        return (self.epoch + 1) % self.config.checkpoint.every_n_epochs == 0

    def _consider(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the weights just validated if they are among the best."""
        step, metrics = self.measured
        self.considered = step
        goodness = self._goodness(metrics[self.config.checkpoint.monitor])
        kept = [entry for entry in self.kept if entry[1] != step]  # an attempt before may have been here
        best = not kept or goodness > kept[0][0]
        kept = sorted([*kept, (goodness, step)], key=_rank)[: self.config.checkpoint.save_top_k]
        several = self.config.checkpoint.save_top_k > 1
        try:
            if several and (goodness, step) in kept:
                self._save(f"step-{step}", trainer, pl_module)
            if best:
                self._save("best", trainer, pl_module)
        except MlhubError as error:
            say(f"warning: {error.message}; training goes on")
            return
        self.kept = kept
        names = {f"step-{number}" for _, number in kept if several}
        for file in self.folder.glob("step-*.*"):
            if file.stem not in names:
                file.unlink(missing_ok=True)

    def _goodness(self, value: float) -> float:
        return value if self.config.checkpoint.mode == "max" else -value

    def _kept(self) -> list[tuple[float, int]]:
        """The best as the files have it: they may be newer than the state that is continued from."""
        found: dict[int, float] = {}
        for file in (*self.folder.glob("step-*.safetensors"), self.folder / "best.safetensors"):
            with contextlib.suppress(MlhubError):
                about = describe(file)
                value = about.metrics.get(self.config.checkpoint.monitor)
                if value is not None and about.config == self.config and about.data == self.dataset.fingerprint:
                    found[about.step] = self._goodness(value)
        kept = sorted(((goodness, step) for step, goodness in found.items()), key=_rank)
        return kept[: self.config.checkpoint.save_top_k]

    def _keep(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """`last` and the state, from time to time. For want of room the training goes on with those of before."""
        started = time.monotonic()
        try:
            digest = self._save("last", trainer, pl_module)
            if not trainer.should_stop:
                self._save_state(trainer, pl_module, digest)
        except MlhubError as error:
            say(f"warning: {error.message}; training goes on")
        self.saved = time.monotonic()
        self.cost = self.saved - started

    def _save_state(self, trainer: Trainer, pl_module: LightningModule, digest: str) -> None:
        tree = {
            **state.describe(self.config, self.dataset.trained_on, self.batches.size),
            **resume.capture(trainer, pl_module, self.batches, self.place),
            "measured": self.measured,
            "considered": self.considered,
            "last": digest,
        }
        state.save(self.folder / state.NAME, tree)

    def _save(self, name: str, trainer: Trainer, pl_module: Any) -> str:  # noqa: ANN401 - our module, under Lightning's type
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
        return save(self.folder / f"{name}.safetensors", pl_module.model, sidecar)


def _rank(entry: tuple[float, int]) -> tuple[float, int]:
    """The best first; of equals, the earliest."""
    goodness, step = entry
    return -goodness, step


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
        if done > self.first:
            parts += [f"{speed:.1f} steps/s", f"ETA {_duration((total - done) / max(speed, 1e-9))}"]
        say("  ".join(parts))

    def _shown(self) -> tuple[tuple[str, str], ...]:
        loss = ("loss", "train/loss")
        return (loss, (self.monitor, self.monitor)) if self.validated else (loss,)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
