"""Trains until it is stopped: `slow.py`, `slow.py ddp`, `slow.py workers`."""

import sys
import time

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel, RandomDataset


class Model(BoringModel):
    def training_step(self, batch, batch_idx):
        time.sleep(0.01)
        out = super().training_step(batch, batch_idx)
        self.log("train/loss", out["loss"])
        return out

    def train_dataloader(self):
        return torch.utils.data.DataLoader(RandomDataset(32, 20_000), num_workers=1 if "workers" in sys.argv else 0)


if __name__ == "__main__":
    ranks = {"devices": 2, "strategy": "ddp"} if "ddp" in sys.argv else {"devices": 1}
    trainer = Trainer(
        accelerator="cpu", max_epochs=1, max_steps=400, limit_val_batches=0, log_every_n_steps=1, logger=False,
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False, **ranks,
    )  # fmt: skip
    trainer.fit(Model())
    print("the script goes on at step", trainer.global_step)
