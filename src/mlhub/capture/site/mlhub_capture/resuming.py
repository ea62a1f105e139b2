"""`mlhub resume`: the Trainer of a further attempt is given the newest checkpoint that the run has saved.

Only if the script names none by itself. A script may fit several times: each fit continues from its own checkpoints,
counted from 1 in the order of the program. One that is torn or gone is passed over for the one before it, and said so.
"""

from __future__ import annotations

import inspect
import os
import sys
import zipfile

from mlhub_capture import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_fits = [0]
_logged: list[int] = []
_GONE = "is gone"


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
    passed: set[str] = set()
    for line in reversed(record.read_checkpoints()):
        path = str(line["path"])
        earlier = line.get("fit") == number and isinstance(line.get("attempt"), int)
        if not earlier or line["attempt"] >= record.attempt() or line.get("weights_only") or path in passed:
            continue
        wrong = fault(path)
        if wrong is None:
            _say(f"this attempt continues from {path}, saved at step {line.get('step')}")
            _logged[:] = [line["logged"]] if isinstance(line.get("logged"), int) else []
            return path
        passed.add(path)
        if wrong != _GONE or len(passed) == 1:  # the worse ones are deleted by who keeps the best few
            _say(f"the checkpoint {path} {wrong}: the one saved before it is taken")
    if passed:
        _say("no checkpoint of this run is whole and still there: this attempt begins at step 0")
    return None


def fault(path: str) -> str | None:
    """What is wrong with a checkpoint, seen without loading it; None if nothing is.

    Of a folder, and of what is stored elsewhere (`s3://…`), nothing is known: the Trainer itself finds out.
    """
    try:
        if "://" in path or os.path.isdir(path):
            return None
        with open(path, "rb") as file:
            start = file.read(4)
        if not start.strip(b"\0"):
            return "is empty"
        if start == b"PK\3\4" and not zipfile.is_zipfile(path):  # torch's format, whose table stands at the end
            return "is torn: its end is missing"
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        return f"can't be read ({error.strerror})"
    return None


def _say(text: str) -> None:
    if not _silent():
        sys.stderr.write(f"mlhub: {text}\n")


def _silent() -> bool:
    """One rank says it. Asked before Lightning has started the others, or by what they were started with."""
    return any(os.environ.get(name, "0") != "0" for name in ("LOCAL_RANK", "RANK"))
