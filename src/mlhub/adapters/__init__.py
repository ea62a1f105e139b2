"""Adapters: how a config and a script become a command line, and which metrics matter. Data, not a class hierarchy.

Here is what one is made of; those that ship are in `builtin`, others are found by `load`, and `template` fills them in.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: how the resolved config reaches a program: not at all; by MLHUB_CONFIG alone; as a file, in YAML, in JSON or as the
#: user's file has it; as `--key value`, `--key.sub=value` (LightningCLI) or `key.sub=value` (Hydra; what was changed)
Form = Literal["none", "environment", "yaml", "json", "file", "options", "dotted", "hydra"]
Direction = Literal["max", "min"]


@dataclass(frozen=True, slots=True)
class Program:
    """A command line with blanks: `{python} {script} --config {config}`. Never a shell's line: a list of words.

    Blanks: python, script, config (the file in the run's folder), config_file (the user's own), config_folder and
    config_name of that one, project (folder), run_dir; and words that become several: arguments, settings (all keys of
    the config in its form), overrides (those that were changed).
    """

    command: tuple[str, ...]
    config: Form = "none"
    #: what the script's text must use for this program to be meant: names (`LightningCLI`) and options (`--config`)
    when: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """What is known of the metrics whose names match a pattern as a shell has them: `val/*loss`."""

    name: str
    better: Direction | None = None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Adapter:
    """The programs of one kind of training code, and its metrics; of `shows` the first that a run has is in lists."""

    name: str
    programs: dict[str, tuple[Program, ...]]  # kind of run -> the first that fits is taken
    about: str = ""
    metrics: tuple[Metric, ...] = ()
    shows: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # modules that must be importable
    extra: str = ""  # the extra of mlhub that brings them
    grace: float = 60.0  # seconds between TERM and KILL: a training saves first

    @property
    def metric(self) -> str:
        """What a list shows of its runs, if they have it."""
        return self.shows[0] if self.shows else ""

    def command(self, kind: str, *arguments: str) -> tuple[str, ...]:
        """The argument list that runs `kind` with this very Python, for programs that need no script."""
        from mlhub.adapters.template import Blanks, fill

        return fill(self.programs[kind][0].command, Blanks(python=sys.executable, arguments=arguments))

    def missing(self) -> list[str]:
        """Modules it needs that are not installed; nothing is imported to find out."""
        from importlib.util import find_spec

        return [module for module in self.needs if find_spec(module) is None]

    def rule(self, metric: str) -> Metric | None:
        """What it says of a metric: the first pattern that matches."""
        return next((rule for rule in self.metrics if fnmatchcase(metric, rule.name)), None)

    def shown(self, metrics: Iterable[str]) -> str | None:
        """Which of a run's metrics a list shows; None if it has none that the adapter knows."""
        names = list(metrics)
        return next((name for wanted in self.shows for name in names if fnmatchcase(name, wanted)), None)

    def program(self, uses: Iterable[str], *, with_config: bool, kind: str = "train") -> Program | None:
        """The program for a script that uses these names and options, with or without a config; None if none fits."""
        known = frozenset(uses)
        for program in self.programs.get(kind, ()):
            if (program.config != "none") == with_config and known.issuperset(program.when):
                return program
        return None


def checkpoint_file(checkpoints: Path, which: str) -> Path:
    """`best` or `last` of a run's checkpoints folder."""
    return checkpoints / f"{which}.safetensors"


from mlhub.adapters.builtin import HASHING  # noqa: E402 - it is made of what stands above

__all__ = ["HASHING", "Adapter", "Direction", "Form", "Metric", "Program", "checkpoint_file"]
