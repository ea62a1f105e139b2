"""A LightningCLI of `pytorch_lightning`, as its documentation has it."""

from pytorch_lightning.cli import LightningCLI
from pytorch_lightning.demos.boring_classes import BoringDataModule, DemoModel


class Model(DemoModel):
    def training_step(self, batch, batch_nb):
        x = batch
        loss = self(x).sum()
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss


if __name__ == "__main__":
    LightningCLI(Model, BoringDataModule)
