"""The adapters that ship: hashing, lightning, huggingface, hydra, command. A table; what its parts mean: `adapters`."""

from __future__ import annotations

from mlhub.adapters import Adapter, Metric, Program

_SCRIPT = ("{python}", "{script}")


def _module(name: str) -> tuple[Program, ...]:
    # -P keeps a torch.py in the user's folder from being taken for torch
    return (Program(("{python}", "-P", "-m", name, "{arguments}"), config="environment"),)


#: of any script: by what its text uses, the config is a file it asks for, options it declares, or MLHUB_CONFIG
_ANY_SCRIPT = (
    Program((*_SCRIPT, "--config", "{config}", "{arguments}"), "file", ("--config",)),
    Program((*_SCRIPT, "--config_file", "{config}", "{arguments}"), "file", ("--config_file",)),
    Program((*_SCRIPT, "--config-file", "{config}", "{arguments}"), "file", ("--config-file",)),
    Program((*_SCRIPT, "--cfg", "{config}", "{arguments}"), "file", ("--cfg",)),
    Program((*_SCRIPT, "{settings}", "{arguments}"), "options", ("add_argument",)),
    Program((*_SCRIPT, "{arguments}"), "environment"),
    Program((*_SCRIPT, "{arguments}")),
)
#: directions only where a name leaves no doubt; of others `mlhub.compare` reads the words of the name
_COMMON = (
    *(Metric(name, "min", "validation") for name in ("val_loss", "val/loss", "valid_loss", "valid/loss")),
    *(Metric(name, "max", "validation") for name in ("val_acc", "val/acc", "valid_acc", "valid/acc")),
    *(Metric(name, "min", "training") for name in ("loss", "train_loss", "train/loss")),
    *(Metric(name, "max", "training") for name in ("train_acc", "train/acc")),
    Metric("val*", None, "validation"),
    Metric("test*", None, "test"),
    Metric("train*", None, "training"),
    Metric("lr-*", None, "schedule"),
)

HASHING = Adapter(
    name="hashing",
    about="cross-modal hashing, mlhub's own programs, from a preset",
    programs={
        "train": _module("mlhub.hashing.train"),
        "eval": _module("mlhub.hashing.evaluate"),
        "index": _module("mlhub.hashing.index"),
        "search": _module("mlhub.hashing.search"),
    },
    needs=("torch", "lightning", "open_clip", "faiss", "safetensors"),
    extra="hashing",
    metrics=(
        Metric("val/map_*", "max", "retrieval"),
        Metric("eval/[it]2[it]/*", "max", "retrieval"),
        Metric("train/loss*", "min", "training"),
    ),
    shows=("val/map_64",),
)

LIGHTNING = Adapter(
    name="lightning",
    about="PyTorch Lightning: a script with a Trainer, or LightningCLI",
    programs={
        "train": (
            Program((*_SCRIPT, "fit", "--config", "{config}", "{arguments}"), "file", ("LightningCLI",)),
            *_ANY_SCRIPT,
        ),
    },
    metrics=_COMMON,
    shows=("val/loss", "val_loss", "val/acc", "val_acc", "valid_loss", "val*loss*", "val*", "train/loss", "train_loss"),
)

HUGGINGFACE = Adapter(
    name="huggingface",
    about="Hugging Face Transformers: a script with TrainingArguments",
    programs={
        "train": (
            Program((*_SCRIPT, "{config}"), "json", ("HfArgumentParser", "parse_json_file")),
            Program((*_SCRIPT, "{config}"), "yaml", ("HfArgumentParser", "parse_yaml_file")),
            Program((*_SCRIPT, "{settings}", "{arguments}"), "options", ("HfArgumentParser",)),
            *_ANY_SCRIPT,
        ),
    },
    metrics=(
        *(Metric(f"eval{mark}loss", "min", "validation") for mark in "_/"),
        *(Metric(f"eval{mark}{name}", "max", "validation") for mark in "_/" for name in ("accuracy", "f1")),
        Metric("*[_/]runtime", "min", "speed"),
        Metric("*_per_second", "max", "speed"),
        Metric("eval*", None, "validation"),
        *(Metric(name, "min", "training") for name in ("loss", "train_loss", "train/loss")),
        Metric("*grad_norm", None, "training"),
        Metric("*learning_rate", None, "schedule"),
    ),
    shows=("eval_loss", "eval/loss", "loss", "train/loss", "train_loss"),
)

HYDRA = Adapter(
    name="hydra",
    about="a script under hydra.main: the config by name, changes as key=value",
    programs={
        "train": (
            Program(
                (
                    *_SCRIPT,
                    "--config-path",
                    "{config_folder}",
                    "--config-name",
                    "{config_name}",
                    "{overrides}",
                    "{arguments}",
                ),
                "hydra",
            ),
            Program((*_SCRIPT, "{arguments}")),
        ),
    },
    metrics=_COMMON,
    shows=LIGHTNING.shows,
)

COMMAND = Adapter(
    name="command",
    about="any Python script: its config by --config, by its options or by MLHUB_CONFIG",
    programs={"train": _ANY_SCRIPT},
    metrics=_COMMON,
    shows=LIGHTNING.shows,
    grace=10.0,
)

BUILT_IN = {adapter.name: adapter for adapter in (HASHING, LIGHTNING, HUGGINGFACE, HYDRA, COMMAND)}
