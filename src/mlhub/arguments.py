"""What a command line sets, read from its words. Not what the program made of them: only it knows."""

from __future__ import annotations

import re
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def of_command(argv: Sequence[str]) -> dict[str, Any]:
    """What a command line sets: `--lr 1e-3`, `--lr=1e-3`, `lr=1e-3`, `--flag`; the other words as `argument 1`, ….

    For runs that have no configuration of ours. Values stay text, but for numbers.
    """
    found: dict[str, Any] = {}
    count, index = 0, 1
    while index < len(argv):
        word = argv[index]
        index += 1
        key, equals, value = word.partition("=")
        if word.startswith("-") and key.strip("-") and not _is_number(word):
            if not equals and index < len(argv) and (not argv[index].startswith("-") or _is_number(argv[index])):
                equals, value = "=", argv[index]
                index += 1
            found[key.lstrip("-")] = _value(value) if equals else True
        elif equals and re.fullmatch(r"[+~]*[\w./@-]+", key):
            found[key.lstrip("+~")] = _value(value)
        else:
            count += 1
            found[f"argument {count}"] = word
    return found


def _is_number(word: str) -> bool:
    return not isinstance(_value(word), str)


def _value(word: str) -> int | float | str:
    if re.fullmatch(r"[+-]?\d{1,18}", word):
        return int(word)
    return float(word) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", word) else word


def with_arguments(parameters: Mapping[str, Any], argv: Sequence[str]) -> dict[str, Any]:
    """Hyperparameters, and the options of the command line that are none of them (`--seed 3`), dotted ones nested.

    Where both say something, the program's own word counts: `lr`, `model.lr` and `--lr` are taken for the same.
    """
    found = dict(parameters)
    known = _names(parameters)
    for name, value in of_command(argv).items():
        parts = name.replace("-", "_").split(".")
        if name.startswith("argument ") or not all(parts) or parts[-1] in known:
            continue
        node = found
        for part in parts[:-1]:
            below = node.get(part)
            node[part] = node = dict(below) if isinstance(below, dict) else {}
        node[parts[-1]] = value
    return found


def _names(tree: Mapping[str, Any]) -> set[str]:
    """Keys at every depth."""
    found: set[str] = set()
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            found.update(str(key).replace("-", "_") for key in node)
            waiting += node.values()
    return found
