"""Lightning's demo model with the CSV logger, and checkpoints where Lightning puts them."""

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger


class Model(BoringModel):
    def __init__(self, width=8):
        super().__init__()
        self.save_hyperparameters()

    def training_step(self, batch, batch_idx):
        out = super().training_step(batch, batch_idx)
        self.log("train/loss", out["loss"])
        return out


if __name__ == "__main__":
    Trainer(
        accelerator="cpu", max_epochs=2, limit_train_batches=4, limit_val_batches=0, log_every_n_steps=1,
        enable_progress_bar=False, logger=CSVLogger("."),
        callbacks=[ModelCheckpoint(monitor="train/loss", save_last=True)],
    ).fit(Model())  # fmt: skip
