"""Lightning's own demo model, with what people add to it; it knows nothing of mlhub."""

import math

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger


class Model(BoringModel):
    def __init__(self, width=32, rate=0.05, api_key="hunter2"):
        super().__init__()
        self.save_hyperparameters()
        self.seen = 0

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.rate)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, step_size=1)]

    def training_step(self, batch, batch_idx):
        out = super().training_step(batch, batch_idx)
        self.log("train/loss", out["loss"])
        self.log("train/bad", math.nan if batch_idx == 9 else math.inf)
        self.log("n" * 10_000, 1.0)
        self.log("time", 5.0)
        return out

    def on_validation_epoch_end(self):
        self.seen += 1
        self.log("val/loss", float(self.seen))  # ever worse


class NamesLogger(CSVLogger):
    """A CSV file takes no new columns by names of 10 kB; who gets the numbers is not the point."""

    def log_metrics(self, metrics, step=None):
        pass


if __name__ == "__main__":
    torch.manual_seed(0)
    trainer = Trainer(
        accelerator="cpu", max_epochs=20, limit_train_batches=25, limit_val_batches=2, log_every_n_steps=10,
        enable_progress_bar=False, logger=NamesLogger("out"), default_root_dir="out",
        callbacks=[
            EarlyStopping("val/loss", patience=2), ModelCheckpoint("kept", monitor="val/loss", save_top_k=-1, save_last=True),
            LearningRateMonitor("epoch"),
        ],
    )  # fmt: skip
    trainer.fit(Model())
