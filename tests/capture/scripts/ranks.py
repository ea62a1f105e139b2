"""Two ranks on the CPU, the second of which goes otherwise: `ranks.py HOW STRATEGY`."""

import os
import sys

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

how, strategy = sys.argv[1:]


class Model(BoringModel):
    def training_step(self, batch, batch_idx):
        if self.trainer.global_rank == 1 and self.trainer.global_step == 2:
            if how == "raise":
                raise ValueError("rank one's own")
            if how == "die":
                os.kill(os.getpid(), 9)
        return super().training_step(batch, batch_idx)

    def on_train_end(self):
        if self.trainer.global_rank == 1 and how == "end":
            raise ValueError("at its end")


if __name__ == "__main__":
    Trainer(
        accelerator="cpu", devices=2, strategy=strategy, max_epochs=1, limit_train_batches=4, limit_val_batches=0,
        log_every_n_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    ).fit(Model())  # fmt: skip
