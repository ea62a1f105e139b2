"""`mlhub resume`: the Trainer of a further attempt is given the newest checkpoint that the run has saved.

Only if the script names none by itself. A script may fit several times: each fit continues from its own checkpoints,
counted from 1 in the order of the program.
"""

from __future__ import annotations

import inspect
import os

from mlhub_capture import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_fits = [0]
_logged: list[int] = []


def fits() -> int:
    """How many times this process has called fit."""
    return _fits[0]


def logged() -> int | None:
    """The last step recorded before the checkpoint that is continued from; None if none is, or none says so."""
    return _logged[0] if _logged else None


def arguments(
    fit: Any, trainer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments for `fit`, with a checkpoint if there is one to continue from; counts the call."""
    if any(getattr(callback, "_early_exit", False) for callback in trainer.callbacks):
        return args, kwargs  # a tuner's trial
    _fits[0] += 1
    if record.attempt() < 2 or getattr(trainer, "fast_dev_run", False) or getattr(trainer, "ckpt_path", None):
        return args, kwargs
    bound = inspect.signature(fit).bind(trainer, *args, **kwargs)
    if bound.arguments.get("ckpt_path") is not None:
        return args, kwargs
    path = find(_fits[0])
    if path is None:
        return args, kwargs
    bound.arguments["ckpt_path"] = path
    if "weights_only" in bound.signature.parameters and bound.arguments.get("weights_only") is None:
        bound.arguments["weights_only"] = False  # the run has written it itself: hyperparameters may be of any class
    return bound.args[1:], bound.kwargs


def find(number: int) -> str | None:
    """The newest whole checkpoint of earlier attempts that fit `number` has saved and that is still there."""
    for line in reversed(record.read_checkpoints()):
        earlier = line.get("fit") == number and isinstance(line.get("attempt"), int)
        if earlier and line["attempt"] < record.attempt() and not line.get("weights_only"):
            path = str(line["path"])
            if os.path.exists(path):
                _logged[:] = [line["logged"]] if isinstance(line.get("logged"), int) else []
                return path
    return None
