"""Folds, each with a logger of its own, then a test that has one, too."""

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.loggers import CSVLogger


class Model(BoringModel):
    def training_step(self, batch, batch_idx):
        self.log("loss", 1.0)
        return super().training_step(batch, batch_idx)

    def test_step(self, batch, batch_idx):
        self.log("accuracy", 0.5)


def trainer():
    return Trainer(
        accelerator="cpu", max_epochs=1, limit_train_batches=2, limit_val_batches=0, limit_test_batches=1,
        log_every_n_steps=1, logger=CSVLogger("."), enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip


trainer().fit(Model())
trainer().fit(Model())
trainer().test(Model(), verbose=False)
