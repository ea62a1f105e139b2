"""What may befall a callback: trials of tuners, dry runs, copies, pickles, several Trainers, a fork that trains."""

import copy
import os
import pickle
import sys

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.tuner import Tuner


class Model(BoringModel):
    def __init__(self, lr=0.1, name="m"):
        super().__init__()
        self.lr, self.name = lr, name

    def training_step(self, batch, batch_idx):
        out = super().training_step(batch, batch_idx)
        if not self.trainer.barebones:
            self.log(self.name, out["loss"])
        return out


class Odd(Trainer):
    """Somebody's own."""

    def fit(self, model):
        super().fit(model)

    def save_checkpoint(self, filepath, *more):
        super().save_checkpoint(filepath, *more)


def trainer(kind=Trainer, **more):
    return kind(accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, **more)


few = {"max_epochs": 1, "limit_train_batches": 3, "limit_val_batches": 1, "logger": False, "log_every_n_steps": 1}
tuned = trainer(**few, enable_checkpointing=False)
Tuner(tuned).lr_find(Model(name="trial"), num_training=5)
trainer(barebones=True, max_epochs=1, limit_train_batches=2).fit(Model(name="bare"))
trainer(fast_dev_run=2).fit(Model(name="dry"))
first = trainer(**few, enable_checkpointing=False)
pickle.loads(pickle.dumps(first)).fit(Model(name="pickled"))
first.fit(Model(name="first"))
copy.deepcopy(first)
odd = trainer(Odd, **few, default_root_dir="odd")
odd.fit(Model(name="odd"))
odd.test(Model(), verbose=False)
odd.predict(Model())
if len(sys.argv) > 1:
    child = os.fork()
    trainer(**few, enable_checkpointing=False).fit(Model(name="fork" if child == 0 else "parent"))
    if child:
        os.waitpid(child, 0)
print("to the end")
