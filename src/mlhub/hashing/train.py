"""The training program: `python -m mlhub.hashing.train [--config FILE]`. Not how a run is started: that is the runner.

Reads the configuration (default: the run's, `MLHUB_CONFIG`), makes the data set if it is `emoji` and missing, trains,
and leaves metrics and `checkpoints/{last,best}` in the run's folder (`MLHUB_RUN_DIR`).
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from mlhub.config import auto_batch, load_config
from mlhub.data.prepare import prepare
from mlhub.data.weights import require
from mlhub.errors import MlhubError, UsageError
from mlhub.hashing import preset, program
from mlhub.hashing.program import say
from mlhub.hashing.stop import STATUS, Stop, Stopped
from mlhub.paths import RunPaths
from mlhub.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlhub.config import RunConfig
    from mlhub.data.items import Dataset, Item
    from mlhub.hashing.backbones import Backbone, Tokens
    from mlhub.hashing.callbacks import Checkpoints
    from mlhub.hashing.data import Batches, Concepts
    from mlhub.hashing.module import Held
    from mlhub.hashing.state import State

#: texts encoded at once where no gradient is wanted
_TEXTS = 256
#: names in validation's gallery at most; beyond, only those of the validation items
_MOST_NAMES = 20_000


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlhub.hashing.train", description="Train a hashing model.")
    parser.add_argument(
        "--config", type=Path, default=os.environ.get("MLHUB_CONFIG") or None, help="YAML (default: MLHUB_CONFIG)"
    )
    parsed = parser.parse_args(arguments)
    if parsed.config is None:
        raise UsageError("no configuration", "Start it with mlhub run, or give --config FILE.")
    paths = program.run_folder() or RunPaths(Path("run").absolute())
    train(load_config(parsed.config), paths)


def train(config: RunConfig, paths: RunPaths) -> None:
    """Train, leave metrics and checkpoints in the run's folder. Raises MlhubError for wrong data or weights.

    Another attempt of a run continues where the one before saved its state last. SIGTERM has it save and leave.
    """
    with Stop() as stop:
        try:
            _train(config, paths, stop)
        except SystemExit:
            if stop.asked and not stop.training:
                say("stopped before the first step")
            raise


def _train(config: RunConfig, paths: RunPaths, stop: Stop) -> None:
    preset.check_monitor(config)
    require(config.model)
    for key in preset.unused(config):
        say(f"{key} is not used by {config.model.backbone}")
    dataset = _dataset(config)
    import torch  # from here on seconds pass: what could be refused quickly was
    from lightning.pytorch import seed_everything

    if config.model.backbone == "tiny" and not torch.cuda.is_available():
        torch.set_num_threads(1)  # the second core prepares batches: faster than two threads here
    seed_everything(config.training.seed, verbose=False)
    _quiet()
    _fit(config, dataset, paths, stop)


def _dataset(config: RunConfig) -> Dataset:
    """The data set, or the several that `data.mix` names, as one. A built-in one that is missing is made."""
    home = Settings.load().to_home()
    first = prepare(config.data.dataset, home, _Steps())
    names = [name for name in config.data.mix if name != first.name]
    if not names:
        program.remember(data={first.name: first.fingerprint})
        return first
    from mlhub.hashing.mixing import mix

    others = [prepare(name, home, _Steps()) for name in names]
    for other in others:
        weight = config.data.mix[other.name]
        say(f"data set {other.name}: {len(other.select('train'))} training images, weight {weight:g}")
    program.remember(data={one.name: one.fingerprint for one in (first, *others)})
    return mix(first, others, config.data.mix)


def _fit(config: RunConfig, dataset: Dataset, paths: RunPaths, stop: Stop) -> None:
    from mlhub.hashing import data
    from mlhub.hashing.callbacks import Checkpoints
    from mlhub.hashing.losses import Losses
    from mlhub.hashing.mixing import shares
    from mlhub.hashing.model import HashingModel
    from mlhub.hashing.module import HashingModule

    begun = _begun(config, dataset, paths)
    concepts = data.gather(dataset, config.data.languages)
    backbone = _backbone(config, concepts)
    items = dataset.select("train")
    languages = ", ".join(config.data.languages)
    say(f"data set {dataset.name}: {len(items)} training images of {concepts.trained} concepts, {languages}")
    if config.model.freeze_backbone:
        backbone = _encoded_once(backbone, config.model.pretrained, concepts)
    pictures = _pictures(config, dataset, items, backbone, training=True)
    held = _held(config, dataset, concepts, backbone)
    size = begun["batch_size"] if begun else _batch_size(config)
    program.remember(batch_size=size)
    batches = data.Batches(config, size, backbone, concepts, items, pictures, shares(dataset, concepts.index))
    model = HashingModel(backbone, config.model.dropout)
    losses = Losses(config.loss, config.model.bit_list, concepts.trained)
    _start(backbone, model, losses, concepts, pictures)
    module = HashingModule(model, losses, config, held, stop)
    kept = Checkpoints(paths.checkpoints, config, dataset, os.environ.get("MLHUB_RUN_ID"), batches, stop, begun)
    trainer = _trainer(config, paths, batches, kept)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    epoch = f"{batches.steps} steps an epoch, batch {batches.size}"
    say(f"model {config.model.backbone}: {parameters:,} parameters; {epoch}")
    _run(trainer, module, batches)
    say(f"done: {paths.checkpoints}")


def _begun(config: RunConfig, dataset: Dataset, paths: RunPaths) -> State | None:
    """What an earlier attempt of this run saved, if it can be continued from."""
    from mlhub.hashing import state

    if program.attempt() == 1:
        return None
    try:
        begun = state.load(paths.checkpoints / state.NAME, config, dataset.trained_on)
    except MlhubError as error:
        say(f"starts from the beginning: {error.message}")
        return None
    if begun is None:
        say("starts from the beginning: no state was saved")
    else:
        say(f"continues from step {begun['step']}, epoch {begun['place'][0] + 1}")
    return begun


def _run(trainer: Any, module: Any, batches: Any) -> None:  # noqa: ANN401 - Lightning is not known at the top
    started = time.monotonic()
    try:
        trainer.fit(module, train_dataloaders=batches, val_dataloaders=[0])
    except Stopped:
        kept = "checkpoints/last is kept" if trainer.global_step else "nothing is kept"
        say(f"stopped at step {trainer.global_step}; {kept}")
        raise SystemExit(STATUS) from None
    say(f"trained {trainer.global_step} steps in {time.monotonic() - started:.0f} s")


def _trainer(config: RunConfig, paths: RunPaths, batches: Batches, kept: Checkpoints) -> Any:  # noqa: ANN401 - as above
    from lightning.pytorch import Trainer
    from lightning.pytorch.callbacks import Callback, EarlyStopping

    from mlhub.hashing.callbacks import EpochLines
    from mlhub.lightning import MlhubLogger

    training, checkpoint = config.training, config.checkpoint
    callbacks: list[Callback] = [kept, EpochLines(checkpoint.monitor)]
    if training.early_stopping_patience is not None:
        callbacks.append(
            EarlyStopping(
                checkpoint.monitor,
                mode=checkpoint.mode,
                patience=training.early_stopping_patience,
                check_on_train_epoch_end=False,
            )
        )
    # 1 is one epoch and less a share of it; more are steps across epochs; the callback sees to one at the end
    interval, total = training.val_check_interval, batches.steps * training.max_epochs
    steps = max(1, round(interval * batches.steps)) if interval <= 1 else min(int(interval), total)
    return Trainer(
        accelerator="auto",
        devices=1,
        logger=MlhubLogger(paths.metrics),  # type: ignore[operator]  # a class made when asked for
        callbacks=callbacks,
        max_epochs=training.max_epochs,
        precision=training.precision,
        gradient_clip_val=training.gradient_clip_val,
        accumulate_grad_batches=batches.accumulate,
        val_check_interval=steps * batches.accumulate,  # Lightning counts batches
        check_val_every_n_epoch=1 if interval <= 1 else None,
        log_every_n_steps=config.logging.log_every_n_steps,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        default_root_dir=str(paths.root),
    )


def _backbone(config: RunConfig, concepts: Concepts) -> Backbone:
    from mlhub.hashing import backbones

    texts = [text for captions in concepts.captions for some in captions.values() for text in some]
    backbone = backbones.build(config.model, config.data.image_size, config.data.max_text_length, texts=texts)
    backbone.check(concepts.trained)
    return backbone


def _start(backbone: Backbone, model: Any, losses: Any, concepts: Concepts, pictures: Any) -> None:  # noqa: ANN401
    """What is taken from the training data before the first step: normalisation, word table, anchors."""
    import torch

    from mlhub.hashing.loading import sample

    documents = concepts.documents()
    backbone.fit(sample(pictures), documents)
    if losses.config.anchor:
        with torch.no_grad():
            features = [backbone.texts(tokens) for tokens in _tokens(backbone, documents)]
            losses.start_anchors(model.text_head(torch.cat(features)))  # at once: BatchNorm sees all of them


def _tokens(backbone: Backbone, texts: Sequence[str]) -> Iterator[Tokens]:
    """In batches: of a large tower, thousands at once would not fit."""
    return (backbone.tokens(texts[start : start + _TEXTS]) for start in range(0, len(texts), _TEXTS))


def _held(config: RunConfig, dataset: Dataset, concepts: Concepts, backbone: Backbone) -> Held:
    """Validation: held-out images against the names of all concepts (of the held ones, if there are very many)."""
    import torch

    from mlhub.hashing.module import Held

    items = dataset.select("val")
    index = concepts.index
    mine = torch.tensor([index[item.key] for item in items])
    own = _own(dataset, concepts)
    rows = own if len(own) <= _MOST_NAMES else sorted(set(mine.tolist()))
    names = []
    for language in config.data.languages:
        named = [row for row in rows if language in concepts.titles[row]]
        if named:
            texts = [concepts.titles[row][language] for row in named]
            names.append((tuple(_tokens(backbone, texts)), torch.tensor(named)))
    return Held(_pictures(config, dataset, items, backbone, training=False), mine, tuple(names))


def _own(dataset: Dataset, concepts: Concepts) -> list[int]:
    """The concepts of the data set itself: those that were mixed in are no answers of a validation."""
    from mlhub.hashing.mixing import Mixed

    if not isinstance(dataset, Mixed):
        return list(range(len(concepts.names)))
    index, others = concepts.index, dataset.of or {}
    return sorted({index[item.key] for item in dataset.items if item.id not in others})


def _encoded_once(backbone: Backbone, pretrained: str | None, concepts: Concepts) -> Backbone:
    """A frozen backbone's stand-in, which has read every caption. What is random is not worth freezing."""
    from mlhub.hashing.cached import Cached, every_text

    if pretrained is None:
        raise MlhubError("model.freeze_backbone: no pretrained weights to keep", "Set model.pretrained, or unfreeze.")
    say("frozen backbone: encoding captions once")
    cached = Cached(backbone)
    cached.learn(every_text(concepts))
    return cached


def _pictures(config: RunConfig, dataset: Dataset, items: Sequence[Item], backbone: Backbone, *, training: bool) -> Any:  # noqa: ANN401
    """Images, decoded or to be; or their features if the backbone is frozen."""
    from mlhub.hashing import data, loading
    from mlhub.hashing.cached import VIEWS, Cached

    if isinstance(backbone, Cached):
        return backbone.encode(dataset, items, _workers(config), views=VIEWS if training else 1, say=say)
    if items:
        lazy, why = loading.is_lazy(config.data, dataset, items, backbone)
        if training:
            say(why)
        if lazy:
            return loading.Lazy(dataset, items, backbone, _workers(config))
    return data.decode(dataset, items, backbone, _workers(config))


def _workers(config: RunConfig) -> int:
    return config.data.num_workers or os.cpu_count() or 1


def _batch_size(config: RunConfig) -> int:
    """The preset's, or what `auto` chooses, by the rule that `mlhub gpu` shows."""
    if config.training.batch_size != "auto":
        return config.training.batch_size
    import torch

    cards = range(torch.cuda.device_count())
    chosen = auto_batch([torch.cuda.get_device_properties(card).total_memory for card in cards])
    say(f"batch size auto: {chosen.batch_size} ({chosen.reason})")
    return chosen.batch_size


class _Steps:
    """Progress of making the data set: a line when it begins and one when it is done; a remark as it is."""

    def __call__(self, done: int, total: int, text: str) -> None:
        if done in (0, total):
            say(f"data set: {text} ({done}/{total})" if total else text)


def _quiet() -> None:
    """Lightning's advice is for notebooks; ours is in the preset."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    warnings.showwarning = lambda message, *_args, **_kwargs: say(f"warning: {message}")


if __name__ == "__main__":
    sys.exit(program.run(main))
