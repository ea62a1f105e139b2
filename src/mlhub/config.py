"""The configuration of a run: a YAML preset and `KEY=VALUE` overrides become one frozen, checked `RunConfig`.

Not the settings of the hub (`mlhub.settings`), and not the reading of what a key does: that is `mlhub.hashing`.
"""

from __future__ import annotations

import difflib
import os
import re
import types
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from mlhub.errors import ConfigError, NotFoundError, UsageError
from mlhub.yaml12 import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Positive = Annotated[int, msgspec.Meta(ge=1, le=10**9)]
Weight = Annotated[float, msgspec.Meta(ge=0, le=1e300)]  # which leaves out infinity
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class ModelConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which towers, and the head that turns their vectors into codes."""

    backbone: str = "tiny"
    pretrained: str | None = None
    freeze_backbone: bool = False
    bit_list: tuple[Positive, ...] = (8, 16, 32, 48, 64, 128)
    hidden_dim: Positive = 512
    dropout: Share = 0.0


class DataConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which images and captions, and how they are prepared."""

    dataset: str = "emoji"
    image_size: Annotated[int, msgspec.Meta(ge=24, le=4096)] = 48
    max_text_length: Positive = 64
    languages: tuple[str, ...] = ("en", "ko")
    num_workers: Annotated[int, msgspec.Meta(ge=0)] = 0
    #: images: once, and held; always when a batch wants them; auto: once if a quarter of the free memory holds them
    decode: Literal["auto", "once", "always"] = "auto"
    #: several data sets in one training, by weight; `dataset` is one of them, and alone validates
    mix: dict[str, Annotated[float, msgspec.Meta(gt=0, le=1e6)]] = {}


class TrainingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long, how fast, in what precision."""

    #: concepts a step: each gives up to two images, and a caption in every language
    batch_size: Annotated[int, msgspec.Meta(ge=2, le=10**6)] | Literal["auto"] = 64
    max_epochs: Positive = 30
    learning_rate: Weight = 1e-3
    backbone_lr: Weight | None = None
    weight_decay: Weight = 0.01
    warmup_steps: Annotated[int, msgspec.Meta(ge=0)] = 100
    optimizer: Literal["adamw"] = "adamw"
    scheduler: Literal["cosine", "constant"] = "cosine"
    gradient_clip_val: Weight | None = 1.0
    accumulate_grad_batches: Positive = 1
    #: up to 1, a share of an epoch; above, steps
    val_check_interval: Positive | Annotated[float, msgspec.Meta(gt=0, le=1)] = 1
    precision: Literal["32-true", "16-mixed", "bf16-mixed"] = "32-true"
    early_stopping_patience: Annotated[int, msgspec.Meta(ge=0)] | None = None
    #: of the tiny backbone's word table and of the anchors; null: learning_rate
    table_lr: Weight | None = None
    anchor_lr: Weight | None = None
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**32)] = 1


class LossConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The weight of each named loss (0 leaves it out); see `mlhub.hashing.losses`."""

    temperature: Annotated[float, msgspec.Meta(gt=0, le=1e300)] = 0.07
    contrastive: Weight = 1.0
    anchor: Weight = 0.0
    label: Weight = 0.0
    quantization: Weight = 0.0
    distillation: Weight = 0.0
    #: of the anchor loss's targets
    smoothing: Share = 0.0


class CheckpointConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which weights are kept."""

    save_top_k: Positive = 1
    monitor: str = "val/map_64"
    mode: Literal["min", "max"] = "max"
    every_n_epochs: Positive = 1  # of `last`, and of what may become best; both at the end too


class LoggingConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How often a step is recorded."""

    log_every_n_steps: Positive = 10


class RunConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole preset, every value checked, nothing left to guess."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    training: TrainingConfig = TrainingConfig()
    loss: LossConfig = LossConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    logging: LoggingConfig = LoggingConfig()

    def tree(self) -> dict[str, Any]:
        """Plain keys and values, as the row keeps them."""
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]  # a Struct becomes a dict

    def to_yaml(self) -> str:
        """The resolved configuration as YAML, keys in their order here."""
        return dump(self.tree())


def find_preset(name: str) -> Path:
    """The file of a preset named by path, or by bare name in `configs/` here or beside the package.

    Raises NotFoundError, naming the presets there are.
    """
    path = Path(os.path.expanduser(name))  # Path's own raises RuntimeError for an unknown ~user
    if path.is_file():
        return path.absolute()
    if path.suffix not in (".yaml", ".yml") and path.name == name:
        for folder in _preset_folders():
            if (found := folder / f"{name}.yaml").is_file():
                return found.absolute()
    elif path.parts[:1] == ("configs",) and len(path.parts) == 2:
        for folder in _preset_folders():  # the README's command, typed where no configs/ is
            if (found := folder / path.name).is_file():
                return found.absolute()
    if path.is_dir():
        raise NotFoundError(f"preset {name}: is a folder, not a YAML file", "Name a file in it.")
    known = preset_names()
    raise NotFoundError(f"preset {name}: no such file", f"Presets that ship with mlhub: {', '.join(known)}.")


def preset_names() -> list[str]:
    """The bare names that `find_preset` knows."""
    return sorted({file.stem for folder in _preset_folders() for file in folder.glob("*.yaml")})


def _preset_folders() -> list[Path]:
    package = Path(__file__).parent
    # in a wheel configs/ lies inside the package, in a checkout two folders up
    return [
        folder for folder in (Path("configs"), package / "configs", package.parents[1] / "configs") if folder.is_dir()
    ]


def load_config(path: Path, overrides: Sequence[str] = (), environment: Mapping[str, str] = os.environ) -> RunConfig:
    """Read a preset, apply `KEY=VALUE` overrides, expand `${VAR}`, check everything.

    Raises ConfigError (preset) or UsageError (override), naming the dotted key, what was expected, the nearest key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read ({error})", "Name a readable UTF-8 YAML file.") from error
    raw = parse(text, str(path))
    tree = {} if raw is None else raw
    try:
        _check_keys(RunConfig, tree, "")
        for override in overrides:
            _apply(tree, override)
        return check_config(tree, environment)
    except ConfigError as error:
        if any(error.message.startswith(override.partition("=")[0]) for override in overrides):
            raise UsageError(error.message, error.hint) from None
        raise ConfigError(f"{path.name}: {error.message}", error.hint) from None


def check_config(tree: object, environment: Mapping[str, str] = os.environ) -> RunConfig:
    """Turn parsed YAML into a RunConfig. Raises ConfigError with the dotted key in its message."""
    _check_keys(RunConfig, tree, "")
    try:
        config = msgspec.convert(_expand(tree, environment, ""), RunConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(
            _validation_message(error, tree), "Mend the value, or leave the key out for its default."
        ) from None
    _check_sense(config)
    return config


def _check_sense(config: RunConfig) -> None:
    """What no single key can say. Raises ConfigError."""
    bits, model, languages = config.model.bit_list, config.model, config.data.languages
    if not bits or any(length % 8 or length > 128 for length in bits) or list(bits) != sorted(set(bits)):
        raise ConfigError(
            f"model.bit_list: expected rising multiples of 8 up to 128, got {list(bits)}",
            "For example [8, 16, 32, 48, 64, 128]: each length is whole bytes of one 16-byte code.",
        )
    if not languages or len(set(languages)) != len(languages):
        raise ConfigError(
            f"data.languages: expected each language once, got {list(languages)}", "For example [en, ko]."
        )
    if config.data.mix and config.data.dataset not in config.data.mix:
        raise ConfigError(
            f"data.mix: {config.data.dataset} is not in it, and data.dataset names it",
            f"For example data.mix={{{config.data.dataset}: 3, other: 1}}.",
        )
    if model.backbone == "tiny" and (model.pretrained or model.freeze_backbone):
        key = "pretrained" if model.pretrained else "freeze_backbone"
        raise ConfigError(
            f"model.{key}: tiny learns from scratch", f"Leave model.{key} out, or name an open_clip model."
        )
    if not (config.loss.contrastive or config.loss.anchor or config.loss.label):
        raise ConfigError(
            "loss.contrastive: nothing tells items apart: contrastive, anchor and label are all 0",
            "Give one of them a weight.",
        )


def recorded_config(tree: object) -> RunConfig:
    """A configuration that another version of mlhub recorded: keys this one doesn't know are left out.

    Raises ConfigError if what is left is not one.
    """
    return check_config(_known(RunConfig, tree), {})


def _known(struct: type[msgspec.Struct], tree: object) -> object:
    if not isinstance(tree, dict):
        return tree
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    return {
        key: _known(fields[key], value) if isinstance(fields[key], type(RunConfig)) else value
        for key, value in tree.items()
        if key in fields
    }


def _apply(tree: dict[str, Any], override: str) -> None:
    """Set one dotted key of a preset's tree, in place. Raises UsageError."""
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"{override!r}: expected KEY=VALUE", "For example training.max_epochs=5.")
    section, dot, name = key.partition(".")
    if not dot:
        raise UsageError(f"{key}: expected SECTION.KEY{_nearest(key, _leaves())}", "For example training.max_epochs=5.")
    if key not in _leaves():
        raise UsageError(
            f"{key}: unknown key{_nearest(key, _leaves())}", "`mlhub run PRESET --dry-run` shows every key."
        )
    tree[section] = tree.get(section, {}) | {name: parse(text, key)}


def _leaves() -> list[str]:
    sections = msgspec.structs.fields(RunConfig)
    return [f"{section.name}.{field.name}" for section in sections for field in msgspec.structs.fields(section.type)]


def choices(key: str) -> list[str]:
    """The words that a dotted key may be, where they can be counted: of `Literal` types and switches."""
    section, _, name = key.partition(".")
    kinds = {field.name: field.type for field in msgspec.structs.fields(RunConfig)}
    of = {field.name: field.type for field in msgspec.structs.fields(kinds[section])} if section in kinds else {}
    return list(dict.fromkeys(_words_of(of.get(name))))


def _words_of(kind: object) -> list[str]:
    if kind is bool:
        return ["true", "false"]
    if kind is type(None):
        return ["null"]
    parts = typing.get_args(kind)
    if typing.get_origin(kind) is Literal:
        return [str(part) for part in parts]
    union = typing.get_origin(kind) in (typing.Union, types.UnionType)
    return [word for part in parts for word in _words_of(part)] if union else []


def _nearest(key: str, known: list[str]) -> str:
    """'; did you mean …?' for the nearest known dotted key, or nothing if none is near."""
    last = key.rpartition(".")[2]
    found = [leaf for leaf in known if leaf.rpartition(".")[2] == last]  # the right name in the wrong section
    found = found or difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    found = found or [leaf for leaf in known if difflib.get_close_matches(last, [leaf.rpartition(".")[2]], cutoff=0.8)]
    return f"; did you mean {found[0]}?" if found else ""


def _check_keys(struct: type[msgspec.Struct], tree: object, prefix: str) -> None:
    """Unknown keys first: msgspec names one, but not the nearest known one."""
    if not isinstance(tree, dict):
        where = prefix.rstrip(".") or "the preset"
        raise ConfigError(
            f"{where}: expected keys and values, got {_shown(tree)}", "See configs/quickstart.yaml for the form."
        )
    fields = {field.name: field.type for field in msgspec.structs.fields(struct)}
    for key, value in tree.items():
        if key not in fields:
            known = _leaves() if prefix else list(fields)
            raise ConfigError(
                f"{prefix}{key}: unknown key{_nearest(f'{prefix}{key}', known)}",
                f"Keys of {prefix.rstrip('.') or 'a preset'}: {', '.join(fields)}.",
            )
        if isinstance(fields[key], type) and issubclass(fields[key], msgspec.Struct):
            _check_keys(fields[key], value, f"{prefix}{key}.")


def _validation_message(error: msgspec.ValidationError, tree: object) -> str:
    """`Expected `int`, got `str` - at `$.training.seed`` -> `training.seed: expected int, got 'x'`."""
    text, _, where = str(error).partition(" - at `$.")
    path = where.rstrip("`")
    value = tree
    for part in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() else value
        elif isinstance(value, dict):
            value = value.get(part)
    expected = text.partition(", got ")[0].replace("`", "")
    return f"{path}: {expected[:1].lower()}{expected[1:]}, got {_shown(value)}"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _expand(value: object, environment: Mapping[str, str], path: str) -> object:
    """`${VAR}` in every string. Raises ConfigError for a variable that is not set."""
    if isinstance(value, dict):
        return {key: _expand(item, environment, f"{path}.{key}" if path else str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(item, environment, path) for item in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in environment:
            raise ConfigError(f"{path}: ${{{name}}} is not set in the environment", f"export {name}=… and try again.")
        return environment[name]

    return re.sub(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", replace, value)


class AutoBatch(msgspec.Struct, frozen=True):
    """What batch_size "auto" would choose here, and by which rule."""

    batch_size: int
    reason: str


def auto_batch(gpu_memory: Sequence[int | None]) -> AutoBatch:
    """A first guess from the smallest GPU's memory in bytes, one entry a GPU: 4 images a GB, a power of two.

    It doesn't measure. Without a GPU, or where its memory is unknown, 64.
    """
    sizes = [size for size in gpu_memory if size]
    if not sizes:
        return AutoBatch(64, "no GPU" if not gpu_memory else "the GPU doesn't tell its memory")
    gigabytes = min(sizes) / 1e9
    batch = max(8, min(1024, 1 << int(4 * gigabytes).bit_length() - 1))
    return AutoBatch(batch, f"{gigabytes:.0f} GB, by rule of thumb, not measured")
