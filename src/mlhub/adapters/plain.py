"""A project's own config: read as plain data, `KEY=VALUE` applied, kept so that the script reads what was meant.

Not a preset: what its keys mean only the project knows, so a value may have any type, and `${…}` is left as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from mlhub.adapters.template import leaves
from mlhub.errors import ConfigError, UsageError
from mlhub.files import read_regular
from mlhub.text import one_line
from mlhub.yaml12 import dump, parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

#: a config that is larger is data
_LIMIT = 1 << 20
#: of the keys in a hint
_SHOWN = 12


@dataclass(frozen=True, slots=True)
class PlainConfig:
    """Keys and values, and the YAML that stands for them in a run's folder."""

    values: dict[str, Any]
    text: str

    def tree(self) -> dict[str, Any]:
        """Plain keys and values, for the row."""
        return self.values

    def to_yaml(self) -> str:
        return self.text


def load_plain(path: Path, overrides: Sequence[str] = (), *, free: bool = False) -> PlainConfig:
    """Read a YAML or JSON config and set dotted keys. `free`: keys that it hasn't may be set (Hydra composes them).

    Raises ConfigError (file) or UsageError (override). Unchanged YAML keeps its text, comments and all.
    """
    text = _read(path)
    tree = _parse_json(text, path) if path.suffix == ".json" else parse(text, str(path), quotes=True)
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected keys and values, got {_kind(tree)}", "See docs/projects.md.")
    if odd := next((key for key in tree if not isinstance(key, str)), None):
        raise ConfigError(f"{path}: {odd!r} is no name of a key", "Put it in quotes.")
    tree = _copied(tree)
    for override in overrides:
        if free:
            _compose(tree, override)
        else:
            set_key(tree, override)
    same = not overrides and path.suffix != ".json"
    return PlainConfig(_plain(tree), text if same else dump(tree))


def _compose(tree: dict[str, Any], override: str) -> None:
    """What can be said here of a change that the program makes itself: `model=big` may choose a file of many keys."""
    try:
        set_key(tree, override.removeprefix("+"), free=True)
    except UsageError:
        key, equals, text = override.partition("=")
        if equals and key.lstrip("+"):
            tree[key.lstrip("+")] = text


def set_key(tree: dict[str, Any], override: str, *, free: bool = False) -> None:
    """`a.b.c=VALUE` in place, VALUE as a YAML scalar; `+a.b.c=VALUE` for a key that isn't there. Raises UsageError."""
    key, equals, text = override.partition("=")
    adds, name = key.startswith("+"), key.lstrip("+")
    if not equals or not name or "" in name.split("."):
        raise UsageError(f"{one_line(override)!r}: expected KEY=VALUE", "For example optimizer.lr=1e-3.")
    try:
        value = parse(text, name, quotes=True)
    except ConfigError as error:
        raise UsageError(error.message, error.hint) from None
    node, last = _walk(tree, name, adds=adds or free)
    if not free:
        _keep_section(name, node, last, value)
    if isinstance(node, list):
        node[int(last)] = value
    else:
        node[last] = value


def _keep_section(name: str, node: Any, last: str, value: object) -> None:  # noqa: ANN401 - a dict or a list
    """Raises UsageError for a number or text in the place of keys: a dot too few. null and false are meant so."""
    old = node[int(last)] if isinstance(node, list) else node.get(last)
    if isinstance(old, dict) and old and isinstance(value, int | float | str) and not isinstance(value, bool):
        inner = [one_line(f"{name}.{key}") for key, _ in leaves(old)]
        there = ", ".join(inner[:_SHOWN]) + (" …" if len(inner) > _SHOWN else "")
        raise UsageError(
            f"{one_line(name)}: a section, which one value would replace",
            f"Its keys: {there}. {one_line(name)}=null takes it out, and so does false.",
        )


def _walk(tree: dict[str, Any], name: str, *, adds: bool) -> tuple[Any, str]:
    """The dict or list that holds the key, and its name there. Raises UsageError for one that isn't there."""
    node: Any = tree
    rest = name
    while True:
        if isinstance(node, dict) and rest in node:  # `model.lr` may be one key, dot and all
            return node, rest
        part, dot, rest_after = rest.partition(".")
        if isinstance(node, list) and part.isascii() and part.isdecimal() and int(part) < len(node):
            if not dot:
                return node, part
            node = node[int(part)]
        elif isinstance(node, dict) and isinstance(node.get(part), (dict, list)) and dot:
            node = node[part]
        elif adds and isinstance(node, dict) and (part not in node or node[part] is None):
            if not dot:
                return node, part
            node = node.setdefault(part, {}) if node.get(part) is not None else _put(node, part)
        else:
            raise _unknown(tree, name)
        rest = rest_after


def _put(node: dict[str, Any], part: str) -> dict[str, Any]:
    node[part] = {}
    return node[part]  # type: ignore[no-any-return]  # as the line above says


def _unknown(tree: dict[str, Any], name: str) -> UsageError:
    known = [one_line(key) for key, _ in leaves(tree)]
    near = _nearest(one_line(name), known)
    there = ", ".join(known[:_SHOWN]) + (" …" if len(known) > _SHOWN else "")
    return UsageError(
        f"{one_line(name)}: the config has no such key" + (f"; did you mean {' or '.join(near)}?" if near else ""),
        (f"It has {there}; " if known and not near else "") + f"+{one_line(name)}=… adds one.",
    )


def _nearest(name: str, known: list[str]) -> list[str]:
    """Keys that may be meant: those spelt like it, and those whose last part is (`lr` for `optimizer.lr`)."""
    from difflib import get_close_matches

    lasts = get_close_matches(name.rpartition(".")[2], {key.rpartition(".")[2] for key in known}, n=3)
    found = [key for last in lasts for key in known if key.rpartition(".")[2] == last]
    return list(dict.fromkeys([*get_close_matches(name, known, n=3), *found]))[:3]


def _read(path: Path) -> str:
    try:
        raw = read_regular(path)
        if len(raw) > _LIMIT:
            raise ConfigError(f"{path}: {len(raw)} bytes are no config", f"{_LIMIT} are the most.")
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can't be read ({error})", "Name a readable UTF-8 file.") from error


def _parse_json(text: str, path: Path) -> Any:  # noqa: ANN401 - JSON can be anything
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: not valid JSON: {error}", "Mend the line it names.") from None


def _kind(tree: object) -> str:
    return "a list" if isinstance(tree, list) else "a text" if isinstance(tree, str) else one_line(repr(tree))


def _copied(value: Any) -> Any:  # noqa: ANN401 - YAML can be anything
    """Every alias a copy of its own: setting a key of one leaves the others."""
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:  # noqa: ANN401 - YAML can be anything
    """What JSON can say: without the marks of quoted text, every key a text, and so is what has a tag of its own."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, bool | float | None) or (isinstance(value, int) and abs(value) < 1 << 63):
        return value
    return str(value)
