"""Filling in a command's blanks. Words stay words: nothing is split, joined or read by a shell.

What the blanks are called stands at `mlhub.adapters.Program`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlhub.adapters import Form

#: stands for the run's folder in a command whose run has no number yet; no argument can hold a NUL
RUN_DIR = "\0run\0"

_BLANK = re.compile(r"\{([a-z_]+)\}")
#: blanks that become any number of words, and so must stand alone
MANY = ("arguments", "settings", "overrides")
ONE = ("python", "script", "config", "config_file", "config_folder", "config_name", "project", "run_dir")


@dataclass(frozen=True, slots=True)
class Blanks:
    """What fills the blanks; what isn't given is empty."""

    python: str = ""
    script: str = ""
    config: str = ""
    config_file: str = ""
    project: str = ""
    arguments: Sequence[str] = ()
    settings: Sequence[str] = ()
    overrides: Sequence[str] = ()
    run_dir: str = RUN_DIR

    def one(self, name: str) -> str:
        if name == "config_folder":
            return self.config_file.rpartition("/")[0] or "."
        if name == "config_name":
            return re.sub(r"\.[^.]*$", "", self.config_file.rpartition("/")[2])
        return str(getattr(self, name))


def fill(template: Sequence[str], blanks: Blanks) -> tuple[str, ...]:
    """The argument list. A word that names no blank stays as it is, braces included."""
    words: list[str] = []
    for word in template:
        name = word[1:-1] if _BLANK.fullmatch(word) else ""
        if name in MANY:
            words += getattr(blanks, name)
        else:
            words.append(_BLANK.sub(lambda m: blanks.one(m[1]) if m[1] in ONE else m[0], word))
    return tuple(words)


def unknown_blank(template: Sequence[str]) -> str | None:
    """The first word with a blank that nothing fills, or one of several words that doesn't stand alone."""
    for word in template:
        for name in _BLANK.findall(word):
            if name not in (*ONE, *MANY) or (name in MANY and word != f"{{{name}}}"):
                return word
    return None


def place(command: Sequence[str], run_dir: Path) -> tuple[str, ...]:
    """`command` with the run's folder where it was left open."""
    return tuple(word.replace(RUN_DIR, str(run_dir)) for word in command)


@dataclass(frozen=True, slots=True)
class Declared:
    """What a script's argparse says: its options, and which of them take no value."""

    options: frozenset[str] = field(default_factory=frozenset)
    flags: frozenset[str] = field(default_factory=frozenset)

    def spelled(self, key: str) -> str:
        """The option of a key: as it is declared, `batch_size` also where the script says `--batch-size`."""
        dashed = f"--{key.replace('_', '-')}"
        return dashed if dashed in self.options and f"--{key}" not in self.options else f"--{key}"


def words_of(tree: Mapping[str, Any], form: Form, declared: Declared | None = None) -> list[str]:
    """All keys of a config as words of the command line, in the form a program reads; null is left out."""
    declared = declared or Declared()
    words: list[str] = []
    for key, value in leaves(tree):
        if value is None:
            continue
        if form == "options":
            words += _option(declared.spelled(key), value, declared.flags)
        elif form == "dotted":
            words.append(f"--{key}={_scalar(value, truths=('true', 'false'))}")
    return words


def leaves(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted keys and their values; a list is a value."""
    found: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found += leaves(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found


def _option(name: str, value: object, flags: frozenset[str]) -> list[str]:
    if name in flags:
        negated = "--no-" + name.removeprefix("--")
        return [name] if value else [negated] if negated in flags else []
    if isinstance(value, list) and not any(isinstance(one, (dict, list)) for one in value):
        return [name, *(_scalar(one) for one in value)] if value else []
    word = _scalar(value)
    # argparse takes a word that begins with a dash for another option, unless it is a number
    return [f"{name}={word}"] if word.startswith("-") else [name, word]


def _scalar(value: object, truths: tuple[str, str] = ("True", "False")) -> str:
    if isinstance(value, bool):
        return truths[0] if value else truths[1]
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
