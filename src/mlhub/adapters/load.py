"""Finding an adapter by name: built in, a YAML file in the home, or an entry point of an installed package.

A file is data: it is checked, and nothing in it is ever run but the command that it spells, as a list of words.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec

from mlhub.adapters import Adapter, Direction, Form, Metric, Program
from mlhub.adapters.builtin import BUILT_IN
from mlhub.adapters.template import unknown_blank
from mlhub.errors import ConfigError, MlhubError, NotFoundError
from mlhub.files import read_regular
from mlhub.text import closest, one_line
from mlhub.yaml12 import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.paths import Home

GROUP = "mlhub.adapters"
_LIMIT = 1 << 18


class _Program(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    command: list[str]
    config: Form = "none"
    when: list[str] = []


class _Metric(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    better: Direction | None = None
    group: str = ""


class _Adapter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's form: `Adapter`, its name being the file's."""

    programs: dict[str, list[_Program]]
    about: str = ""
    metrics: list[_Metric] = []
    shows: list[str] = []
    needs: list[str] = []
    extra: str = ""
    grace: float = 60.0


def find(name: str, home: Home) -> Adapter:
    """The adapter of that name. Raises NotFoundError, or ConfigError with file and key for a file that is wrong."""
    if found := BUILT_IN.get(name):
        return found
    file = home.adapters / f"{name}.yaml"
    if "/" not in name and os.path.isfile(file):  # which is false for whatever can be no name
        return read(file)
    if found := _of_entry_point(name):
        return found
    names = known(home)
    raise NotFoundError(
        f"no adapter {one_line(name)!r:.80}{closest(name, names)}",
        f"There are {', '.join(names)}; one of your own is a file in {home.adapters}: docs/projects.md.",
    )


def find_or_none(name: str | None, home: Home) -> Adapter | None:
    """For lists and comparisons, which go on without: an adapter may be gone or broken since its runs were made."""
    if not name:
        return None
    try:
        return BUILT_IN.get(name) or find(name, home)
    except MlhubError:
        return None


def known(home: Home) -> list[str]:
    """The names of all adapters there are, the built-in ones first."""
    from importlib.metadata import entry_points

    names = dict.fromkeys(BUILT_IN)
    if home.adapters.is_dir():
        names |= dict.fromkeys(sorted(file.stem for file in home.adapters.glob("*.yaml")))
    return [*names, *sorted({point.name for point in entry_points(group=GROUP)} - names.keys())]


def source(name: str, home: Home) -> str:
    """Where an adapter comes from, in words."""
    if name in BUILT_IN:
        return "built in"
    file = home.adapters / f"{name}.yaml"
    return str(file) if file.exists() else "an installed package"


def read(file: Path) -> Adapter:
    """The adapter in a YAML file. Raises ConfigError, naming the file and the key."""
    try:
        raw = read_regular(file)
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: can't be read ({error})", "Make it a readable UTF-8 text file.") from error
    if len(raw) > _LIMIT:
        raise ConfigError(f"{file}: too large for an adapter", f"{_LIMIT} bytes are the most.")
    return _checked(file.stem, parse(text, str(file)), str(file))


def _checked(name: str, tree: object, where: str) -> Adapter:
    """Parsed YAML, or what an entry point gave, as an Adapter. Raises ConfigError."""
    try:
        told = msgspec.convert(_listed(tree), _Adapter)
    except msgspec.ValidationError as error:
        what, _, path = str(error).partition(" - at `$")
        key = path.strip("`.") or "the file"
        raise ConfigError(
            f"{where}: {key}: {what[:1].lower()}{what[1:]}", "docs/projects.md has an example of an adapter."
        ) from None
    programs = {
        kind: tuple(_program(one, f"{where}: programs.{kind}") for one in of) for kind, of in told.programs.items()
    }
    if not programs.get("train"):
        raise ConfigError(f"{where}: programs.train: missing", "It is what `mlhub run PROJECT:…` starts.")
    if not 0 <= told.grace <= 7 * 86_400:
        raise ConfigError(f"{where}: grace: expected seconds, at most a week, got {told.grace}", "For example 60.")
    metrics = tuple(Metric(one.name, one.better, one.group) for one in told.metrics)
    return Adapter(
        name, programs, told.about, metrics, tuple(told.shows), tuple(told.needs), told.extra, grace=told.grace
    )


def _listed(tree: object) -> object:
    """One program may stand without a list around it, and be no more than its command."""
    if not isinstance(tree, dict) or not isinstance(tree.get("programs"), dict):
        return tree

    def program(one: Any) -> Any:  # noqa: ANN401 - not checked yet
        return {"command": one} if isinstance(one, list) else one

    def programs(of: Any) -> Any:  # noqa: ANN401
        if isinstance(of, dict) or (isinstance(of, list) and all(isinstance(word, str) for word in of)):
            return [program(of)]
        return [program(one) for one in of] if isinstance(of, list) else of

    return tree | {"programs": {kind: programs(of) for kind, of in tree["programs"].items()}}


def _program(told: _Program, where: str) -> Program:
    if not told.command or not told.command[0]:
        raise ConfigError(f"{where}: command: empty", 'For example ["{python}", "{script}", "{arguments}"].')
    if word := unknown_blank(told.command):
        raise ConfigError(
            f"{where}: command: {word!r} has no meaning here", "The blanks are listed in docs/projects.md."
        )
    if any("\0" in word for word in told.command):
        raise ConfigError(f"{where}: command: a NUL in a word", "No argument can hold one.")
    return Program(tuple(told.command), told.config, tuple(told.when))


def _of_entry_point(name: str) -> Adapter | None:
    """What an installed package offers: an Adapter, or the same as the tree of a YAML file. Raises ConfigError."""
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP, name=name):
        try:
            found = point.load()
        except Exception as error:  # somebody else's code
            raise ConfigError(
                f"adapter {name}: {point.value} can't be loaded ({type(error).__name__}: {one_line(str(error))})",
                "Mend or uninstall the package.",
            ) from error
        return found if isinstance(found, Adapter) else _checked(name, found, f"adapter {name} of {point.value}")
    return None


def as_tree(adapter: Adapter) -> dict[str, Any]:
    """An adapter as YAML and JSON show it."""
    tree: dict[str, Any] = msgspec.to_builtins(adapter)
    return tree
