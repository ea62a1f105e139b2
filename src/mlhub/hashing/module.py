"""Training as a LightningModule: steps, optimizer, what validation measures. Not files: `train` and `callbacks`."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor

from mlhub.errors import MlhubError
from mlhub.hashing.codes import pack
from mlhub.hashing.loading import Pictures, parts
from mlhub.hashing.losses import Losses, Sides, shares
from mlhub.hashing.model import Output
from mlhub.hashing.ranking import Retrieval, evaluate_codes, evaluate_float

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.config import RunConfig
    from mlhub.hashing.backbones import Tokens
    from mlhub.hashing.data import Batch
    from mlhub.hashing.model import HashingModel
    from mlhub.hashing.stop import Stop

#: the learning rate ends at this share of its peak
_FLOOR = 0.02
#: a loss with a smaller share of the gradient does nothing
_IDLE = 0.01


@dataclass(frozen=True, slots=True)
class Held:
    """What validation sees: pictures [n, …] of concepts [n]; by language the names, in batches, and whose they are."""

    pictures: Pictures
    concepts: Tensor
    names: tuple[tuple[tuple[Tokens, ...], Tensor], ...]


class HashingModule(LightningModule):
    """Trains a HashingModel. `losses` holds the anchors; the model alone is what a checkpoint keeps."""

    def __init__(self, model: HashingModel, losses: Losses, config: RunConfig, held: Held, stop: Stop) -> None:
        super().__init__()
        self.model = model
        self.losses = losses
        self.config = config
        self.held = held
        self.stop = stop
        self._seen = 0
        self._since = time.monotonic()
        self._warned: set[str] = set()

    def training_step(self, batch: Batch, index: int) -> Tensor:
        sides = Sides(self.model.images(batch.images), self.model.texts(batch.tokens), *batch[2:])
        parts = self.losses(sides)
        loss = torch.stack(list(parts.values())).sum()
        self._seen += len(batch.images)
        steps = (index + 1) % self.trainer.accumulate_grad_batches == 0  # else more batches belong to this step
        if steps and (self.global_step + 1) % self.config.logging.log_every_n_steps == 0:
            self._log_step(loss, parts, sides)
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, logger=False, batch_size=len(batch.images))
        return loss

    def _log_step(self, loss: Tensor, parts: dict[str, Tensor], sides: Sides) -> None:
        total = float(loss.detach())
        if not math.isfinite(total):
            raise MlhubError(f"the loss is {total} at step {self.global_step + 1}", "Lower training.learning_rate.")
        now = time.monotonic()
        found = shares(parts, sides)
        values = {"train/loss": total}
        values |= {f"train/loss_{name}": float(part.detach()) for name, part in parts.items()}
        values |= {f"train/share_{name}": share for name, share in found.items()}
        values |= self._rates()
        values["train/examples_per_s"] = self._seen / max(now - self._since, 1e-9)
        self._seen, self._since = 0, now
        for name, share in found.items():
            if share < _IDLE and name not in self._warned:
                self._warned.add(name)
                warnings.warn(
                    f"loss.{name} has {share:.1%} of the gradient: raise its weight or leave it out", stacklevel=2
                )
        if self.logger is not None:
            self.logger.log_metrics({**values, "epoch": self.current_epoch}, step=self.global_step + 1)

    def _rates(self) -> dict[str, float]:
        """`train/lr`, the heads', and by name those that differ from it."""
        rates = {group["name"]: float(group["lr"]) for group in self.trainer.optimizers[0].param_groups}
        head = rates.pop("head")
        return {"train/lr": head} | {f"train/lr_{name}": rate for name, rate in rates.items() if rate != head}

    def validation_step(self, _batch: object, _index: int) -> None:
        """All of validation at once: it is one gallery."""
        started = time.monotonic()
        values = self.validate()
        self.log_dict(values, batch_size=1, logger=False)
        if self.logger is not None:
            self.logger.log_metrics({**values, "epoch": self.current_epoch}, step=self.global_step)
        self._since += time.monotonic() - started  # not part of the training's speed

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """`val/{i2t,t2i}/{map,r1,r5,r10}_{bits,float}`, means over languages; `val/map_{bits}` over directions.

        Raises Stopped between two parts of it if a stop is asked for.
        """
        images = self._images()
        tables = [self._directions(images, self._texts(names), concepts) for names, concepts in self.held.names]
        values: dict[str, float] = {}
        for key in tables[0]:
            values[f"val/{key}"] = sum(table[key] for table in tables) / len(tables)
        for bits in (*self.config.model.bit_list, "float"):
            values[f"val/map_{bits}"] = (values[f"val/i2t/map_{bits}"] + values[f"val/t2i/map_{bits}"]) / 2
        return values

    def _images(self) -> Output:
        backbone = self.model.backbone
        outputs = []
        for part in parts(self.held.pictures, 256):
            self.stop.check()
            outputs.append(self.model.images(backbone.batch(part, None).to(self.device)))
        return _joined(outputs)

    def _texts(self, names: tuple[Tokens, ...]) -> Output:
        outputs = []
        for tokens in names:
            self.stop.check()
            outputs.append(self.model.texts(tuple(part.to(self.device) for part in tokens)))
        return _joined(outputs)

    def _directions(self, images: Output, texts: Output, concepts: Tensor) -> dict[str, float]:
        relevant = (self.held.concepts[:, None] == concepts).numpy()
        asked = relevant.any(axis=0)  # names whose picture is held
        image_codes, text_codes = pack(images.logits.numpy()), pack(texts.logits.numpy())
        image_vectors, text_vectors = images.vectors.numpy(), texts.vectors.numpy()
        values: dict[str, float] = {}
        for bits in self.config.model.bit_list:
            self.stop.check()
            values |= _named("i2t", str(bits), evaluate_codes(image_codes, text_codes, relevant, bits))
            values |= _named("t2i", str(bits), evaluate_codes(text_codes[asked], image_codes, relevant.T[asked], bits))
        values |= _named("i2t", "float", evaluate_float(image_vectors, text_vectors, relevant))
        return values | _named("t2i", "float", evaluate_float(text_vectors[asked], image_vectors, relevant.T[asked]))

    def configure_optimizers(self) -> Any:  # noqa: ANN401 - one of Lightning's many shapes
        training = self.config.training
        rate = training.learning_rate
        rates = {
            "head": rate,
            "backbone": _either(training.backbone_lr, rate),
            "table": _either(training.table_lr, rate),
            "anchor": _either(training.anchor_lr, rate),
        }
        groups: dict[str, list[torch.nn.Parameter]] = {name: [] for name in rates}
        for name, parameter in self.named_parameters():
            if parameter.requires_grad:
                groups[_group(name)].append(parameter)
        decay = {
            "head": training.weight_decay,
            "backbone": training.weight_decay,
        }  # it would rub out rows rarely touched
        optimizer = torch.optim.AdamW(
            [
                {"name": name, "params": groups[name], "lr": rates[name], "weight_decay": decay.get(name, 0.0)}
                for name in rates
                if groups[name]
            ],
            # four times faster, on a CPU too; but Lightning does not clip gradients of a fused one in mixed precision
            fused=not training.precision.endswith("-mixed"),
        )
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: self._rate(step, steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _rate(self, step: int, steps: int) -> float:
        training = self.config.training
        warm = min(1.0, (step + 1) / max(1, training.warmup_steps))
        if training.scheduler == "constant":
            return warm
        return warm * (_FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps)))))


def _group(name: str) -> str:
    if name.startswith("losses."):
        return "anchor"
    if name == "model.backbone.table":
        return "table"
    return "backbone" if name.startswith("model.backbone.") else "head"


def _either(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _joined(outputs: list[Output]) -> Output:
    return Output(
        torch.cat([output.logits for output in outputs]).float().cpu(),
        torch.cat([output.vectors for output in outputs]).float().cpu(),
    )


def _named(direction: str, length: str, found: Retrieval) -> dict[str, float]:
    return {
        f"{direction}/map_{length}": found.map,
        f"{direction}/r1_{length}": found.r1,
        f"{direction}/r5_{length}": found.r5,
        f"{direction}/r10_{length}": found.r10,
    }
