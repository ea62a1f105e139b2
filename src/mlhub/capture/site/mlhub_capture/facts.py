"""What is known of a training before it begins, as plain JSON: hyperparameters, model, optimizers, versions.

Reads, and changes nothing; no forward pass. What JSON can't say is said by the name of its class.
"""

from __future__ import annotations

import enum
import os
import platform
import sys

from mlhub_capture import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DEEPEST = 8
_LONGEST = 2000
_MOST = 1000
_TRAINER = (
    "max_epochs", "min_epochs", "max_steps", "min_steps", "accumulate_grad_batches", "gradient_clip_val",
    "gradient_clip_algorithm", "log_every_n_steps", "val_check_interval", "check_val_every_n_epoch", "precision",
    "num_nodes", "num_devices", "world_size", "fast_dev_run", "barebones",
)  # fmt: skip


def plain(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can say it."""
    if isinstance(value, enum.Enum):
        return plain(value.value, depth + 1)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return record.word(value)
    if isinstance(value, (str, os.PathLike)):
        return os.fsdecode(value)[:_LONGEST]
    return _plain_of_many(value, depth) if depth < _DEEPEST and _holds(value) else _plain_of_object(value)


def _holds(value: Any) -> bool:
    return _table(value) is not None or isinstance(value, (list, tuple, set, frozenset))


def _plain_of_many(value: Any, depth: int) -> Any:
    table = _table(value)
    if table is None:
        return [plain(part, depth + 1) for part in list(value)[:_MOST]]
    return {str(key)[:200]: plain(part, depth + 1) for key, part in list(table.items())[:_MOST]}


def _plain_of_object(value: Any) -> Any:
    kind = type(value)
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"
    if kind.__module__ == "torch" and kind.__name__ in ("dtype", "device"):
        return str(value)
    if getattr(value, "ndim", None) == 0:
        return record.word(record.number(value))
    return f"<{kind.__module__}.{kind.__qualname__}>"


def _table(value: Any) -> Any:
    """A mapping, or what holds names and values as argparse's and jsonargparse's namespaces do."""
    if hasattr(value, "keys") and hasattr(value, "__getitem__"):
        return {key: value[key] for key in value}
    if type(value).__name__ in ("Namespace", "SimpleNamespace"):
        return vars(value)
    return None


def hyperparameters(trainer: Any, module: Any) -> dict[str, Any]:
    """What the script calls so: LightningCLI's whole configuration, else what was saved of module and data module."""
    for callback in trainer.callbacks:
        if type(callback).__name__ == "SaveConfigCallback" or (
            hasattr(callback, "parser") and hasattr(callback, "config")
        ):
            config = callback.config
            tree = plain(config.as_dict() if hasattr(config, "as_dict") else config)
            return {name: part for name, part in tree.items() if name not in ("config", "ckpt_path")}
    found = {}
    for owner in (getattr(trainer, "datamodule", None), module):
        if owner is not None and getattr(owner, "_log_hyperparams", False):
            found.update(plain(dict(owner.hparams_initial)))
    return {name: part for name, part in found.items() if name not in ("_class_path", "_instantiator")}


def trainer_settings(trainer: Any) -> dict[str, Any]:
    """The Trainer's own."""
    found = {}
    for name in _TRAINER:
        value = getattr(trainer, name, None)
        if value is not None:
            found[name] = plain(value)
    for name in ("strategy", "accelerator"):
        found[name] = type(getattr(trainer, name, None)).__name__
    return found


def optimizers(trainer: Any) -> list[dict[str, Any]]:
    """Class and settings of each; those of the first group of parameters."""
    return [
        {"class": type(optimizer).__name__, "groups": len(optimizer.param_groups), **{
            name: plain(value) for name, value in optimizer.param_groups[0].items() if name != "params"
        }}
        for optimizer in getattr(trainer, "optimizers", None) or []
    ]  # fmt: skip


def summary(module: Any) -> dict[str, Any]:
    """Layers at the top with their class and number of parameters, and the sums."""
    layers = [{"name": name, "class": type(child).__name__, **_count(child)} for name, child in module.named_children()]
    return {"class": type(module).__name__, **_count(module), "layers": layers[:_MOST]}


def _count(module: Any) -> dict[str, int]:
    parameters = trainable = 0
    for parameter in module.parameters():
        try:
            size = parameter.numel()
        except ValueError:  # lazy: it has no shape yet
            continue
        parameters += size
        trainable += size if parameter.requires_grad else 0
    return {"parameters": parameters, "trainable": trainable}


def versions(*packages: str) -> dict[str, str]:
    """Of Python and of those packages that are loaded."""
    found = {"python": platform.python_version()}
    for name in ("torch", *packages):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            found[name] = str(version)
    return found
