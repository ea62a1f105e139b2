"""SIGTERM, as `mlhub stop` sends it: the Trainer saves a checkpoint at the end of a batch, and the program leaves.

In place of Lightning's own handler, which saves nothing and, with several ranks, talks to them amid a step. All ranks
leave after the same batch: each says in a file where it was when it heard, and all go on to the first batch end beyond
what any of them said. No two of them are more than one apart, as each step needs them all.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import weakref

from mlhub_capture import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

#: as a shell says it of a program that SIGTERM ended
STATUS = 143
_AT_END_SECONDS = 2.0


class _State:
    """Of this process."""

    asked = False
    saving = False
    saved = False
    said: list[int] | None = None
    users: tuple[Any, ...] = ()  # handlers of the script's own
    trainer: Any = None  # weakly: its model may fill a GPU
    callback: Any = None  # the script may have taken it out of the Trainer's list


def saving() -> bool:
    """Whether a checkpoint is being saved because of a stop."""
    return _State.saving


def listen(trainer: Any, callback: Any) -> None:
    """From now on SIGTERM is heard here; what the script itself does about it, it does first."""
    if threading.current_thread() is not threading.main_thread() or _of_slurm(trainer):
        return
    before: Any = signal.getsignal(signal.SIGTERM)
    _State.trainer, _State.callback = weakref.ref(trainer), callback
    if before is not _receive:
        found = getattr(before, "signal_handlers", None) or [before]
        _State.users = tuple(
            handler for handler in found
            if callable(handler) and handler is not _receive and not _is_lightnings(handler)
        )  # fmt: skip
        signal.signal(signal.SIGTERM, _receive)
    if _State.asked:
        _arm()


def _is_lightnings(handler: Any) -> bool:
    return type(getattr(handler, "__self__", None)).__name__.endswith("SignalConnector")


def _of_slurm(trainer: Any) -> bool:
    """Whether SIGTERM means to Lightning that Slurm is to requeue the job; by default SIGUSR1 does."""
    environment = trainer._accelerator_connector.cluster_environment
    requeues = "SLURM" in type(environment).__name__ and bool(getattr(environment, "auto_requeue", False))
    return requeues and getattr(environment, "requeue_signal", None) == signal.SIGTERM


def _receive(number: int, frame: Any) -> None:
    if not _State.asked:
        _State.asked = True
        try:
            _arm()
            trainer = _State.trainer()
            launcher = trainer.strategy.launcher if trainer is not None else None
            if launcher is not None:  # who signalled us alone has not told the other ranks
                launcher.kill(number)
        except Exception as error:
            record.note("stop", error)
    for handler in _State.users:
        handler(number, frame)


def _arm() -> None:
    """Only now there is something to do at the end of a batch."""
    callback = _State.callback
    if callback is not None:
        callback.on_train_batch_end = _at_train_batch
        callback.on_validation_batch_end = _at_validation_batch
        trainer = _State.trainer()
        if trainer is not None and not any(found is callback for found in trainer.callbacks):
            trainer.callbacks.append(callback)  # the script has replaced the list


def _at_train_batch(trainer: Any, *_args: Any, **_kwargs: Any) -> None:
    try:
        ready = not _amid_step(trainer) and agreed(*_ranks(trainer), [trainer.global_step, 0, 0])
        if ready:  # Lightning does so only after this hook, which we don't return from
            trainer._logger_connector.update_train_step_metrics()
    except Exception as error:
        record.note("stop", error)
        ready = True
    if ready:
        leave(trainer)


def _at_validation_batch(
    trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: Any, dataloader_idx: Any = 0
) -> None:
    if getattr(trainer, "sanity_checking", False):
        raise _exception(trainer)  # nothing is learned yet
    try:
        ready = agreed(*_ranks(trainer), [trainer.global_step, dataloader_idx + 1, batch_idx])
    except Exception as error:
        record.note("stop", error)
        ready = True
    if ready:
        leave(trainer)


def _amid_step(trainer: Any) -> bool:
    """Whether more batches are to come before the weights change."""
    return bool(trainer.fit_loop.epoch_loop._should_accumulate())


def _ranks(trainer: Any) -> tuple[int, int]:
    return trainer.global_rank, trainer.world_size


def agreed(rank: int, ranks: int, here: list[int]) -> bool:
    """Whether this is the place where all ranks leave: `here` is a list that grows from one place to the next."""
    if ranks < 2:
        return True
    if _State.said is None:
        _say(rank, here)
    said = _read(ranks)
    return said is not None and here > max(said)


def _folder() -> str:
    return os.path.join(record.attempt_dir(), "stopping")


def _say(rank: int, here: list[int]) -> None:
    os.makedirs(_folder(), mode=0o700, exist_ok=True)
    path = os.path.join(_folder(), str(rank))
    with open(path + ".new", "w") as file:
        json.dump(here, file)
    os.replace(path + ".new", path)
    _State.said = here


def _read(ranks: int) -> list[list[int]] | None:
    """Where each rank was when it heard; None until all have said so."""
    found = []
    for rank in range(ranks):
        path = os.path.join(_folder(), str(rank))
        if not os.path.exists(path):
            return None
        with open(path) as file:
            found.append(json.load(file))
    return found


def leave_at_end(trainer: Any) -> None:
    """Asked too late for another batch: leave before the script goes on, if all ranks know that they are to."""
    if not _State.asked:
        return
    if trainer.world_size > 1:
        if _State.said is None:
            _say(trainer.global_rank, [trainer.global_step, 0, 0])
        until = time.monotonic() + _AT_END_SECONDS
        while _read(trainer.world_size) is None:
            if time.monotonic() > until:
                return
            time.sleep(0.02)
    leave(trainer)


def leave(trainer: Any) -> NoReturn:
    """Save and end. All ranks take part: some strategies save a part on each."""
    _save(trainer)
    raise _exception(trainer)


def save_after_failure(trainer: Any) -> None:
    """Save if the signal took down what fed the training (a worker that was just starting), between two batches."""
    if _State.asked and not _State.saved and trainer.world_size < 2:
        progress = trainer.fit_loop.epoch_loop.batch_progress.current
        if progress.ready == progress.completed and not _amid_step(trainer):
            _save(trainer)


def _save(trainer: Any) -> None:
    _State.saving = _State.saved = True
    try:
        if trainer.global_step:
            trainer.save_checkpoint(os.path.join(record.run_dir(), "checkpoints", "last.ckpt"))
    except Exception as error:  # a full disk: it is to end all the same
        record.note("the checkpoint of a stop", error)
    finally:
        _State.saving = False


def _exception(trainer: Any) -> SystemExit:
    """Lightning's own for it, if it has one. Only one rank ends with a status: another's would have it killed."""
    kind = SystemExit
    try:
        import importlib

        package = type(trainer._logger_connector).__module__.split(".trainer.")[0]
        kind = importlib.import_module(package + ".utilities.exceptions").SIGTERMException
    except (ImportError, AttributeError):
        pass
    return kind(STATUS if trainer.is_global_zero else 0)
