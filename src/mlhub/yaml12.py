"""YAML as presets are written: the scalars of YAML 1.2, read safely, and written so that they read back the same.

PyYAML knows YAML 1.1, where `no` is false, `1e-3` a word, 010 eight and 1:30 ninety. Not what a preset's keys mean:
that is `mlhub.config`.
"""

from __future__ import annotations

import re
from typing import Any

from mlhub.errors import ConfigError

#: a preset has some 50; one that has more is a bomb
_MOST_VALUES = 10_000

_TAG = "tag:yaml.org,2002:"
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")
_INT = re.compile(r"^[-+]?[0-9]+$")
_FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)


class Quoted(str):
    """Text that stood in quotes: written without them, another reader might take it for a truth or a date."""

    __slots__ = ()


def parse(text: str, source: str, *, quotes: bool = False, any_tag: bool = False) -> Any:  # noqa: ANN401 - it can be anything
    """YAML 1.2's idea of scalars (`1e-3` is a number, `no` a word), safely, twice-used keys refused.

    `quotes`: text in quotes comes as `Quoted`, which `dump` puts in quotes again. `any_tag`: of Python's tags and any
    others, as in `!!python/object:x.Y {a: 1}`, take what stands under them; nothing of that is made.
    """
    import yaml

    try:
        tree = yaml.load(text, Loader=_loader(quotes=quotes, any_tag=any_tag))  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "can't be parsed"
        raise ConfigError(f"{where}: not valid YAML: {problem}", "Mend the line it names.") from None
    except Exception as error:  # PyYAML's constructors raise anything for `!!int x`, 5,000 digits, 1,000 brackets
        raise ConfigError(f"{source}: not valid YAML: {error}", "Write plain values.") from None
    _check_size(tree, source)
    return tree


def _check_size(tree: object, source: str) -> None:
    """Raises ConfigError for aliases that make a small file endless, and for text that isn't Unicode."""
    waiting, count = [tree], 0
    while waiting:
        value = waiting.pop()
        count += 1
        if count > _MOST_VALUES:
            raise ConfigError(f"{source}: more than {_MOST_VALUES} values", "Aliases within aliases? Write them out.")
        if isinstance(value, dict):
            waiting += (*value, *value.values())
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and value != value.encode(errors="replace").decode():
            raise ConfigError(f"{source}: not Unicode text: {value!r:.60}", "Mend the value.")


def dump(tree: object, *, escaped: bool = False) -> str:
    """`tree` as YAML that `parse` reads back the same, keys in their order; pure ASCII if `escaped`."""
    import yaml

    class Dumper(yaml.SafeDumper):
        yaml_implicit_resolvers = _resolvers()

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ANN401, ARG002 - a list used twice is written twice
            return True

    Dumper.add_representer(Quoted, lambda dumper, text: dumper.represent_scalar(f"{_TAG}str", str(text), style='"'))
    return yaml.dump(tree, Dumper=Dumper, sort_keys=False, allow_unicode=not escaped)


def _marked(_: Any, node: Any) -> str:  # noqa: ANN401 - PyYAML's own
    text: str = node.value
    return Quoted(text) if node.style in ("'", '"') else text


def _resolvers() -> dict[str | None, list[tuple[str, re.Pattern[str]]]]:
    """PyYAML's table, first character -> (tag, pattern), with 1.2's numbers and truths in place of 1.1's."""
    import yaml

    ours = {
        f"{_TAG}bool": (_BOOL, "tTfF"),
        f"{_TAG}int": (_INT, "-+0123456789"),
        f"{_TAG}float": (_FLOAT, "-+.0123456789"),
    }
    table = {
        first: [(tag, pattern) for tag, pattern in pairs if tag not in ours and tag != f"{_TAG}timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, (pattern, firsts) in ours.items():
        for first in firsts:
            table.setdefault(first, []).append((tag, pattern))
    return table


def _loader(*, quotes: bool, any_tag: bool) -> type[Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = _resolvers()

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: ANN401
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise yaml.constructor.ConstructorError(None, None, "a key must be a word", key.start_mark)
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"key {key.value!r} twice", key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    Loader.add_constructor(f"{_TAG}int", lambda _, node: int(node.value))
    if quotes:
        Loader.add_constructor(f"{_TAG}str", _marked)
    if any_tag:
        for prefix in ("!", f"{_TAG}python/"):
            Loader.add_multi_constructor(prefix, _construct_plain)
    return Loader


def _construct_plain(loader: Any, tag: str, node: Any) -> Any:  # noqa: ANN401 - PyYAML's own
    """What stands under a tag, as if there were none; `!!python/name:torch.relu ''` is all tag."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node) or tag
