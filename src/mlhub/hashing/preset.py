"""What this room can say of a preset at once, without torch: metric names, keys that a backbone passes over.

Not a check of values by themselves: that is `mlhub.config`.
"""

from __future__ import annotations

import difflib

import msgspec

from mlhub.config import RunConfig
from mlhub.errors import ConfigError

#: keys that only `tiny` reads: an open_clip model brings its own
_TINY_ONLY = ("model.hidden_dim", "data.image_size", "training.table_lr")


def validation_names(config: RunConfig) -> list[str]:
    """Every metric that validation measures, the ones over both directions first."""
    lengths = [*map(str, config.model.bit_list), "float"]
    names = [f"val/map_{length}" for length in lengths]
    for direction in ("i2t", "t2i"):
        names += [f"val/{direction}/{measure}_{length}" for measure in ("map", "r1", "r5", "r10") for length in lengths]
    return names


def check_monitor(config: RunConfig) -> None:
    """Raises ConfigError if no validation measures what `checkpoint.monitor` names."""
    known, monitor = validation_names(config), config.checkpoint.monitor
    if monitor not in known:
        named = difflib.get_close_matches(monitor, known, n=3, cutoff=0.3) or known[:3]
        raise ConfigError(
            f"checkpoint.monitor: validation measures no {monitor}",
            f"With model.bit_list {list(config.model.bit_list)} for example: {', '.join(named)}.",
        )


def unused(config: RunConfig) -> list[str]:
    """Dotted keys that differ from their default and that this backbone doesn't read."""
    if config.model.backbone == "tiny":
        return []
    keys = [*_TINY_ONLY, *(["training.backbone_lr"] if config.model.freeze_backbone else [])]
    return [key for key in keys if _value(config, key) != _value(RunConfig(), key)]


def _value(config: RunConfig, key: str) -> object:
    section, _, name = key.partition(".")
    return msgspec.structs.asdict(msgspec.structs.asdict(config)[section])[name]
