from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mlhub.records import read_records

SCRIPT = """
import sys, torch
from {package} import LightningModule, Trainer
from mlhub.lightning import MlhubLogger

class Line(LightningModule):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters({{"width": 1}})
        self.layer = torch.nn.Linear(1, 1)
    def training_step(self, batch, _):
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("train/loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)

data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 1)), batch_size=2)
trainer = Trainer(max_epochs=2, logger=MlhubLogger(), accelerator="cpu", log_every_n_steps=1, enable_progress_bar=False,
                  enable_model_summary=False, enable_checkpointing=False)
trainer.fit(Line(), data)
"""


@pytest.mark.parametrize("package", ["lightning.pytorch", "pytorch_lightning"])
def test_a_trainer_s_metrics_land_in_the_run_s_file(tmp_path: Path, package: str) -> None:
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT.format(package=package)],
        env={"MLHUB_RUN_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    records = read_records(tmp_path / "metrics.jsonl")[0]
    assert [(record["step"], record["epoch"]) for record in records] == [(step, step // 4) for step in range(8)]
    assert all(isinstance(record["train/loss"], float) for record in records)
    assert json.loads((tmp_path / "hparams.json").read_text()) == {"width": 1}


def test_asking_for_another_name_is_an_attribute_error() -> None:
    import mlhub.lightning

    with pytest.raises(AttributeError, match="Mlflow"):
        _ = mlhub.lightning.Mlflow


def test_importing_the_module_does_not_import_lightning() -> None:
    script = "import sys, mlhub.lightning; sys.exit('lightning' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
