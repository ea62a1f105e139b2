"""From a Lightning training to its state and back. Not the state's file: `mlhub.hashing.state`.

Lightning's own checkpoints restart its loops from wherever a save happened to fall, and guess from their counters what
is left to do; from some places they skip a validation. Here a state is always of a place between two steps, so that
what must be set is counters alone: the next batch is asked for as if it were any other.
"""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import EarlyStopping

from mlhub.errors import MlhubError
from mlhub.hashing.state import Place, State, random_state, set_random_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lightning.pytorch import LightningModule, Trainer

    from mlhub.hashing.data import Batches


def capture(trainer: Trainer, module: LightningModule, batches: Batches, place: Place) -> State:
    """All that the next step depends on, in tensors and plain values. `place` must be where the trainer is."""
    stopping = _early_stopping(trainer)
    return {
        "place": (place.epoch, place.batch, place.validate),
        "step": trainer.global_step,
        "batches": batches.generators(place.batch),
        "weights": module.state_dict(),
        "optimizer": trainer.optimizers[0].state_dict(),
        "schedule": _schedule(trainer).state_dict(),
        "scaler": trainer.precision_plugin.state_dict(),
        "early_stopping": stopping.state_dict() if stopping else {},
        "random": random_state(),
    }


def put_back(trainer: Trainer, module: LightningModule, batches: Batches, state: State) -> None:
    """Bring a trainer that is about to begin to a state. Raises MlhubError if it is not this model's."""
    try:
        place = Place(*state["place"])
        module.load_state_dict(state["weights"])
        trainer.optimizers[0].load_state_dict(state["optimizer"])
        _schedule(trainer).load_state_dict(state["schedule"])
        if state.get("scaler"):
            trainer.precision_plugin.load_state_dict(state["scaler"])
        if (stopping := _early_stopping(trainer)) and state.get("early_stopping"):
            stopping.load_state_dict(state["early_stopping"])
        batches.go_to(place.epoch, place.batch, state["batches"])
        set_random_state(state["random"])
    except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
        why = str(error).partition("\n")[0][:200]
        raise MlhubError(
            f"checkpoints/state.pt does not fit this training: {why}", "Remove it to start from the beginning."
        ) from error
    _count(trainer, place, state["step"], len(batches))


def _count(trainer: Trainer, place: Place, step: int, length: int) -> None:
    """Epochs and steps that are done; an epoch that is amid its batches is not."""
    loop = trainer.fit_loop
    for epochs in (loop.epoch_progress.total, loop.epoch_progress.current):
        _set(epochs, place.epoch)
    _set(loop.epoch_loop.batch_progress.total, place.epoch * length + place.batch)
    _set(loop.epoch_loop.automatic_optimization.optim_progress.optimizer.step.total, step)


def count_batches(trainer: Trainer, done: int) -> None:
    """In the first `on_train_batch_start`: `done` batches of this epoch came before this one."""
    current = trainer.fit_loop.epoch_loop.batch_progress.current
    _set(current, done)
    current.ready = done + 1


def _set(tracker: Any, value: int) -> None:  # noqa: ANN401 - one of Lightning's several
    for name in ("ready", "started", "processed", "completed"):
        if hasattr(tracker, name):
            setattr(tracker, name, value)


def validate(trainer: Trainer) -> None:
    """What Lightning does where a validation is due, for the one that a stop cut short."""
    trainer.validating = True
    trainer.fit_loop.epoch_loop.val_loop.run()
    trainer.training = True


def _schedule(trainer: Trainer) -> Any:  # noqa: ANN401 - a scheduler of torch's, which Lightning calls by a protocol
    return trainer.lr_scheduler_configs[0].scheduler


def _early_stopping(trainer: Trainer) -> EarlyStopping | None:
    return next((callback for callback in trainer.callbacks if isinstance(callback, EarlyStopping)), None)  # type: ignore[attr-defined]
