"""What a command line sets, read from its words. Not what the program made of them: only it knows."""

from __future__ import annotations

import re
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence


def of_command(argv: Sequence[str], flags: Container[str] = ()) -> dict[str, Any]:
    """What a command line sets: `--lr 1e-3`, `--lr=1e-3`, `lr=1e-3`, `--flag`; the other words as `argument 1`, ….

    For runs that have no configuration of ours. Values stay text, but for numbers; of what is set several times all
    are there, in a list. `flags`: options of which it is known that they take no value, `_` for `-`.
    """
    found: dict[str, Any] = {}

    def add(name: str, value: Any) -> None:  # noqa: ANN401 - a number, a text, true
        many.setdefault(name, []).append(value)
        found[name] = value if len(many[name]) == 1 else many[name]

    many: dict[str, list[Any]] = {}
    count, index = 0, 1
    while index < len(argv):
        word = argv[index]
        index += 1
        key, equals, value = word.partition("=")
        if word.startswith("-") and key.strip("-") and not _is_number(word):
            takes = not equals and key.lstrip("-").replace("-", "_") not in flags
            if takes and index < len(argv) and (not argv[index].startswith("-") or _is_number(argv[index])):
                equals, value = "=", argv[index]
                index += 1
            add(key.lstrip("-"), _value(value) if equals else True)
        elif equals and re.fullmatch(r"[+~]*[\w./@-]+", key):
            add(key.lstrip("+~"), _value(value))
        else:
            count += 1
            add(f"argument {count}", word)
    return found


def _is_number(word: str) -> bool:
    return not isinstance(_value(word), str)


def _value(word: str) -> int | float | str:
    if re.fullmatch(r"[+-]?\d{1,18}", word):
        return int(word)
    return float(word) if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", word) else word


def with_arguments(parameters: Mapping[str, Any], argv: Sequence[str]) -> dict[str, Any]:
    """Hyperparameters, and the options of the command line that are none of them (`--seed 3`), dotted ones nested.

    Where both say something, the program's own word counts: `lr`, `model.lr` and `--lr` are taken for the same. Words
    without a name are no hyperparameters; see `words_of`.
    """
    found = dict(parameters)
    known, flags = _names(parameters)
    for name, value in of_command(argv, flags).items():
        parts = name.replace("-", "_").split(".")
        if name.startswith("argument ") or not all(parts) or parts[-1] in known:
            continue
        node = found
        for part in parts[:-1]:
            below = node.get(part)
            node[part] = node = dict(below) if isinstance(below, dict) else {}
        node[parts[-1]] = value
    return found


def words_of(parameters: Mapping[str, Any], argv: Sequence[str]) -> dict[str, str]:
    """The words of a command line that `with_arguments` has no name for: the script, a data set, a fold.

    Two runs of the same hyperparameters differ all the same, if these do.
    """
    _, flags = _names(parameters)
    return {name: word for name, word in of_command(argv, flags).items() if name.startswith("argument ")}


def _names(tree: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Keys at every depth; and the flags: those whose value is true or false, and `no_amp` for `amp`."""
    found: set[str] = set()
    flags: set[str] = set()
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            named = {str(key).replace("-", "_"): value for key, value in node.items()}
            found.update(named)
            flags.update(name for name, value in named.items() if isinstance(value, bool))
            waiting += node.values()
    return found, flags | {f"no_{name}" for name in flags}
