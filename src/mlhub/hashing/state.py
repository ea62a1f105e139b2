"""The full state of a training amid its work, `checkpoints/state.pt`: what another attempt continues from.

Beside the weights in `last` it holds what only training needs: optimizer, schedule, random generators, the place in
the data. One file, whole in itself, so that no death between two files can mix two steps. Not for use: that is
`mlhub.hashing.checkpoint`. How Lightning is brought to a state is `mlhub.hashing.resume`.
"""

from __future__ import annotations

import os
import pickle
import random
import sys
from typing import Any

import msgspec
import torch

from mlhub import __version__
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.config import RunConfig

NAME = "state.pt"
FORMAT = 1

State = dict[str, Any]


class Place(msgspec.Struct, frozen=True):
    """Between two steps: `batch` of `epoch` comes next, both from 0; `validate`: what was learned is measured first."""

    epoch: int
    batch: int
    validate: bool = False


def describe(config: RunConfig, data: str, batch_size: int) -> State:
    """What a state must agree in with the training that it is to continue. `data` is the data set's fingerprint."""
    return {"format": FORMAT, "config": config.to_yaml(), "data": data, "batch_size": batch_size}


def save(path: Path, state: State) -> None:
    """Write `path` whole or not at all. Raises MlhubError and leaves the one before if it can't be written."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            torch.save({**state, "version": __version__}, file)
            file.flush()
            os.fsync(file.fileno())  # after a power cut it would be the only way back
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # the latter is torch's word for a full disk
        why = error.strerror if isinstance(error, OSError) else "the disk is full?"
        raise MlhubError(f"{path}: can't be written: {why}", "Make room, or set MLHUB_CHECKPOINT_DIR.") from error
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path, config: RunConfig, data: str) -> State | None:
    """The state, on the CPU, or None where there is none. Nothing but tensors and plain values is ever read.

    Raises MlhubError, saying why in a line, if it is damaged or of another configuration or data set.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise _unusable(str(error).strip().partition("\n")[0] or type(error).__name__) from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise _unusable("this version of mlhub did not write it")
    if state.get("config") != config.to_yaml():
        raise _unusable("it is of another configuration")
    if state.get("data") != data:
        raise _unusable("the data set has changed since")
    if missing := _KEYS - state.keys():
        raise _unusable(f"it has no {', '.join(sorted(missing))}")
    try:
        msgspec.convert(state["place"], tuple[int, int, bool], strict=True)
        msgspec.convert((state["step"], state["batch_size"]), tuple[int, int])
    except msgspec.ValidationError as error:
        raise _unusable(str(error)) from None
    return state


_KEYS = {"place", "step", "batch_size", "batches", "weights", "optimizer", "schedule", "random", "measured"}


def _unusable(why: str) -> MlhubError:
    return MlhubError(f"checkpoints/{NAME} can't be continued from: {why[:200]}")


def sweep(folder: Path) -> None:
    """Remove what a killed writer left half-written in a folder that only this process writes to."""
    for file in (*folder.glob(".*.safetensors.*"), *folder.glob(".*.json.*"), *folder.glob(f".{NAME}.*")):
        file.unlink(missing_ok=True)


def random_state() -> State:
    """Where all random generators are: Python's, torch's, each GPU's, and numpy's if it is in use."""
    state: State = {
        "python": random.getstate(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }
    if numpy := sys.modules.get("numpy"):
        name, keys, *rest = numpy.random.get_state()
        state["numpy"] = (name, keys.tolist(), *rest)
    return state


def set_random_state(state: State) -> None:
    random.setstate(state["python"])
    torch.set_rng_state(state["torch"])
    if state["cuda"] and len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])
    if "numpy" in state and (numpy := sys.modules.get("numpy")):
        numpy.random.set_state(state["numpy"])
