"""How a training may end without a word: left amid a step, caught and gone on, done and then something else.

Of several ways each is a fork's, in a folder of its own beneath the run's: Lightning is imported once for all.
"""

import os
import signal
import sys

from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

for how in sys.argv[1:]:
    if len(sys.argv) == 2:
        break
    child = os.fork()
    if child == 0:
        os.environ["MLHUB_RUN_DIR"] = os.path.join(os.environ["MLHUB_RUN_DIR"], how)
        break
    print("ended", how, child, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()


class TrialPruned(Exception):  # noqa: N818 - its name
    """As Optuna has it."""


class Model(BoringModel):
    def training_step(self, batch, batch_idx):
        if self.broken and self.trainer.global_step == 5:
            if how in ("search", "parallel"):
                os.write(ready[1], b".")
                signal.pause()
            if how in ("os._exit", "another"):
                os._exit(0)
            if how == "sys.exit":
                sys.exit(0)
            if how == "nested":
                trainer().validate(Model(broken=False), verbose=False)
                os._exit(0)
            raise TrialPruned if how == "pruned" else ValueError("the 5th step")
        found = super().training_step(batch, batch_idx)
        self.log("loss", found["loss"])
        return found

    def test_step(self, batch, batch_idx):
        raise RuntimeError("no such thing")

    def __init__(self, broken=True):
        super().__init__()
        self.broken = broken


def trainer(**more):
    return Trainer(
        **more,
        accelerator="cpu", max_epochs=2, limit_train_batches=6, limit_val_batches=1, num_sanity_val_steps=0,
        log_every_n_steps=1, logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def fork_trial(broken):
    child = os.fork()
    if child == 0:
        trainer().fit(Model(broken))
        os._exit(0)
    return child


ready = os.pipe()
if how in ("search", "parallel"):  # two trials, each a process; the bad one is killed amid its steps
    if how == "search":
        os.waitpid(fork_trial(False), 0)
    bad = fork_trial(True)
    os.close(ready[1])
    os.read(ready[0], 1)
    if how == "parallel":  # and the bad one is the one that writes
        os.waitpid(fork_trial(False), 0)
    os.kill(bad, signal.SIGKILL)
    os.waitpid(bad, 0)
    sys.exit()
try:
    if how == "another":  # a program that trains, and after it one that validates
        os.waitpid(fork_trial(True), 0)
    elif how == "max_time":
        trainer(max_time={"milliseconds": 1}).fit(Model(broken=False))
    else:
        trainer().fit(Model(broken=how != "test"))
except (ValueError, TrialPruned) as error:
    print("caught", error)
if how == "again":
    trainer().fit(Model(broken=False))
if how in ("caught", "another"):
    trainer().validate(Model(), verbose=False)
if how == "test":
    try:
        trainer().test(Model())
    except RuntimeError as error:
        print("caught", error)
