"""Trains, then trains again in another process, as drivers of folds do; one value of a name of its own is odd."""

import subprocess
import sys

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel


class Model(BoringModel):
    def __init__(self, database="postgres://me:hunter2pw@host/db", wandb_key="aaaabbbb"):
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch, batch_idx):
        found = super().training_step(batch, batch_idx)
        self.log("child/loss" if len(sys.argv) > 1 else "parent/loss", found["loss"])
        if batch_idx == 1:
            self.log("epoch", float("nan"))
        return found


trainer = Trainer(
    max_epochs=1, limit_train_batches=4, limit_val_batches=0, log_every_n_steps=1, logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)  # fmt: skip
trainer.fit(Model())
if len(sys.argv) == 1:
    subprocess.run([sys.executable, __file__, "child"], check=True)
