"""Fails amid the second epoch."""

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel


class Model(BoringModel):
    def training_step(self, batch, batch_idx):
        if self.current_epoch == 1 and batch_idx == 3:
            raise ValueError("the 3rd batch\nis broken")
        return super().training_step(batch, batch_idx)


Trainer(accelerator="cpu", max_epochs=3, limit_train_batches=5, enable_progress_bar=False, logger=False).fit(Model())
