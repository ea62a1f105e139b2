"""What is known of a training before it begins, as plain JSON: hyperparameters, model, optimizers, versions.

Reads, and changes nothing; no forward pass. What JSON can't say is said by the name of its class.
"""

from __future__ import annotations

import enum
import importlib.metadata
import os
import platform
import sys
from itertools import islice
from urllib.parse import unquote

from mlhub_capture import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard

_DEEPEST = 8
_LONGEST = 2000
_MOST = 1000
_MOST_OF_ALL = 10_000
#: beyond it a whole number is no setting, and a list of digits that Python refuses to write
_GREATEST = 1 << 1000
_NAMESPACES = ("Namespace", "SimpleNamespace")
_TRAINER = (
    "max_epochs", "min_epochs", "max_steps", "min_steps", "accumulate_grad_batches", "gradient_clip_val",
    "gradient_clip_algorithm", "log_every_n_steps", "val_check_interval", "check_val_every_n_epoch", "precision",
    "num_nodes", "num_devices", "world_size", "fast_dev_run", "barebones",
)  # fmt: skip


def plain(value: Any) -> Any:
    """`value` as JSON can say it: at most 8 deep, 1,000 parts of each and 10,000 of all; what fails, by its class."""
    return _plain(value, 0, [_MOST_OF_ALL], ())


def _plain(value: Any, depth: int, left: list[int], above: tuple[int, ...]) -> Any:
    try:
        left[0] -= 1
        if isinstance(value, enum.Enum):
            value = value.value
        if value is None or isinstance(value, (bool, int)):
            return value if value is None or abs(value) < _GREATEST else f"{value:.4e}"
        if isinstance(value, float):
            return record.word(value)
        if isinstance(value, (str, os.PathLike)):
            return os.fsdecode(value)[:_LONGEST]
        if depth >= _DEEPEST or left[0] <= 0 or id(value) in above or not _holds(value):
            return _plain_of_object(value)
        return _plain_of_many(value, depth + 1, left, (*above, id(value)))
    except Exception:  # somebody's own class, whose methods may do anything
        return _name_of(value)


def _holds(value: Any) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) or _is_table(value)


def _is_table(value: Any) -> bool:
    """A mapping, or what holds names and values as argparse's and jsonargparse's namespaces do."""
    kind = type(value)
    return kind.__name__ in _NAMESPACES or (hasattr(kind, "keys") and hasattr(kind, "__getitem__"))


def _plain_of_many(value: Any, depth: int, left: list[int], above: tuple[int, ...]) -> Any:
    if not _is_table(value):
        return [_plain(part, depth, left, above) for part in islice(value, min(_MOST, left[0]))]
    table = vars(value) if type(value).__name__ in _NAMESPACES else value
    found = {}
    for key in islice(table.keys(), min(_MOST, left[0])):
        name = key[:200] if isinstance(key, str) else _key(key)
        try:
            part = table[key]
        except Exception as error:  # a mapping of somebody's own, an interpolation that leads nowhere
            part = f"<{type(error).__name__}>"
        found[name] = _plain(part, depth, left, above)
    return found


def _key(key: Any) -> str:
    try:
        return str(key)[:200]
    except Exception:
        return _name_of(key)


def _plain_of_object(value: Any) -> Any:
    kind = type(value)
    if isinstance(value, type) or (callable(value) and hasattr(value, "__qualname__")):
        return f"{value.__module__}.{value.__qualname__}"[:_LONGEST]
    if kind.__module__ == "torch" and kind.__name__ in ("dtype", "device"):
        return str(value)
    if getattr(value, "ndim", None) == 0:
        item = value.item()
        return item if isinstance(item, (bool, int)) else record.word(record.number(item))
    return _name_of(value)


def _name_of(value: Any) -> str:
    kind = type(value)
    return f"<{kind.__module__}.{kind.__qualname__}>"[:200]


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


def log_folders(trainer: Any) -> list[str]:
    """Where its loggers write: what is there is this run, and an import leaves it out."""
    found = [_log_folder(logger) for logger in trainer.loggers]
    return [os.path.abspath(folder) for folder in (*found, *tracker_folders()) if _is_path(folder)][:_MOST]


def _log_folder(logger: Any) -> Any:
    """That of one; of MLflow's by the parts it was made of. Nothing is asked that would make a run on a server."""
    known = vars(logger)
    uri, run = known.get("_tracking_uri"), known.get("_run_id")
    if isinstance(uri, str) and isinstance(run, str) and uri.startswith("file:"):
        return os.path.join(_local(uri), str(known.get("_experiment_id")), run)
    experiment = known.get("_experiment")
    folder = getattr(experiment, "dir", None)  # wandb's: files/ in the run's
    return os.path.dirname(folder) if _is_path(folder) else getattr(logger, "log_dir", None)


def tracker_folders() -> list[str]:
    """Where the runs of wandb and MLflow write that are open now in this process; neither is imported for it."""
    found = []
    folder = getattr(getattr(sys.modules.get("wandb"), "run", None), "dir", None)
    if _is_path(folder):
        found.append(os.path.dirname(folder))
    active = getattr(sys.modules.get("mlflow"), "active_run", None)
    run = active() if active is not None else None
    uri = getattr(getattr(run, "info", None), "artifact_uri", None)  # artifacts/ in the run's
    if isinstance(uri, str) and (uri.startswith("file:") or "://" not in uri):
        found.append(os.path.dirname(_local(uri)))
    return [os.path.abspath(folder) for folder in found]


def _local(uri: str) -> str:
    return unquote(uri[len("file:") :]) if uri.startswith("file:") else uri


def _is_path(value: Any) -> TypeGuard[str | os.PathLike[str]]:
    return isinstance(value, (str, os.PathLike))


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


def packages() -> dict[str, str]:
    """Name -> version of all that this very process can import, however it got on its path; the first of a name counts.

    By the names of their folders, which takes milliseconds; metadata is read where a name does not tell.
    """
    found: dict[str, str] = {}
    site = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for one in importlib.metadata.distributions():
        folder = os.fspath(getattr(one, "_path", ""))
        if os.path.dirname(folder) == site:
            continue  # ourselves
        name, _, version = os.path.basename(folder)[: -len(".dist-info")].partition("-")
        if not folder.endswith(".dist-info") or not version:
            name, version = str(one.metadata["Name"] or ""), str(one.version)
        if name:
            found.setdefault(name, version)
    return dict(sorted(found.items()))


def versions(*packages: str) -> dict[str, str]:
    """Of Python and of those packages that are loaded."""
    found = {"python": platform.python_version()}
    for name in ("torch", *packages):
        version = getattr(sys.modules.get(name), "__version__", None)
        if version is not None:
            found[name] = str(version)
    return found
