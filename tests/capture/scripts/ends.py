"""How a training may end without a word: left amid a step, caught and gone on, done and then something else."""

import os
import sys

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

how = sys.argv[1]


class TrialPruned(Exception):  # noqa: N818 - its name
    """As Optuna has it."""


class Model(BoringModel):
    def training_step(self, batch, batch_idx):
        if self.broken and self.trainer.global_step == 5:
            if how == "os._exit":
                os._exit(0)
            if how == "sys.exit":
                sys.exit(0)
            if how == "nested":
                trainer().validate(Model(broken=False), verbose=False)
                os._exit(0)
            raise TrialPruned if how == "pruned" else ValueError("the 5th step")
        found = super().training_step(batch, batch_idx)
        self.log("loss", found["loss"])
        return found

    def test_step(self, batch, batch_idx):
        raise RuntimeError("no such thing")

    def __init__(self, broken=True):
        super().__init__()
        self.broken = broken


def trainer(**more):
    return Trainer(
        **more,
        accelerator="cpu", max_epochs=2, limit_train_batches=6, limit_val_batches=1, num_sanity_val_steps=0,
        log_every_n_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


try:
    if how == "max_time":
        trainer(max_time={"milliseconds": 1}).fit(Model(broken=False))
    else:
        trainer().fit(Model(broken=how != "test"))
except (ValueError, TrialPruned) as error:
    print("caught", error)
if how == "again":
    trainer().fit(Model(broken=False))
if how == "test":
    try:
        trainer().test(Model())
    except RuntimeError as error:
        print("caught", error)
