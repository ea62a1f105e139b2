"""Hears SIGTERM amid a fit: `attacked.py slurm` in an allocation of Slurm's, `attacked.py list` without our callback."""

import os
import signal
import sys

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.demos.boring_classes import BoringModel


class Rude(Callback):
    def on_train_start(self, trainer, pl_module):
        if "list" in sys.argv:
            trainer.callbacks = [self]

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 5:
            os.kill(os.getpid(), signal.SIGTERM)


Trainer(
    accelerator="cpu", max_epochs=1, limit_val_batches=0, logger=False, enable_checkpointing=False, callbacks=[Rude()],
    enable_progress_bar=False, enable_model_summary=False,
).fit(BoringModel())  # fmt: skip
print("goes on")
