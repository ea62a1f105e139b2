"""What files tell for completion: presets and their keys, projects, data sets, adapters, checkpoints."""

from __future__ import annotations

import os

from mlhub.cli.complete.runs import keys, leaves, metrics
from mlhub.cli.complete.words import Word, only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlhub.cli.complete.words import Place


def presets(place: Place, current: str) -> Iterator[Word]:
    """Presets by bare name, YAML files, `PROJECT:` and its configs; behind one the keys that may be changed."""
    if place.arguments:
        yield from overrides(place, current)
        return
    name, colon, rest = current.partition(":")
    if colon:
        yield from _configs(name, rest)
        return
    from mlhub.config import preset_names

    if "/" not in current:
        yield from only(preset_names(), "preset")
        yield from (Word(f"{word.text}:", "project", open=True) for word in projects(place, current))
    yield from files(current, (".yaml", ".yml"))


def _configs(project: str, current: str) -> Iterator[Word]:
    from pathlib import Path

    from mlhub.projects import detect, registry
    from mlhub.settings import Settings

    folder = Path(registry.find(Settings.load().to_home(), project).folder)
    for name in detect.configs(folder):
        if name.startswith(current):
            yield Word(f"{project}:{name}", "config")


def files(current: str, suffixes: tuple[str, ...]) -> list[Word]:
    """Folders, and files with these endings, as the word begins."""
    head, _, last = current.rpartition("/")
    folder = os.path.expanduser(f"{head}/" if "/" in current else ".")
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") and not last.startswith("."):
                continue
            text = current[: len(current) - len(last)] + entry.name
            if entry.is_dir():
                found.append(Word(f"{text}/"))
            elif entry.name.endswith(suffixes):
                found.append(Word(text))
    return sorted(found)


def overrides(place: Place, current: str) -> list[Word]:
    """`KEY=` of the preset or run at hand, with the value it has; behind it the values the key may have."""
    known = dict(_known_keys(place))
    key, equals, _ = current.partition("=")
    if equals:
        return _values_of_key(place, key, known.get(key, ""))
    fitting = [name for name in known if name.startswith(current)]
    if len(fitting) == 1:  # nothing else can be meant
        return _values_of_key(place, fitting[0], known[fitting[0]])
    return [Word(f"{name}=", value, open=True) for name, value in known.items()]


def _known_keys(place: Place) -> Iterator[tuple[str, str]]:
    if place.path == ("rerun",):
        place = place._replace(arguments=place.arguments[:1])
        yield from ((word.text, word.help) for word in keys(place, ""))
        return
    from mlhub.config import find_preset
    from mlhub.yaml12 import parse

    name, colon, rest = place.arguments[0].partition(":")
    if colon:
        from pathlib import Path

        from mlhub.projects import registry
        from mlhub.settings import Settings

        path = Path(registry.find(Settings.load().to_home(), name).folder) / rest
    else:
        path = find_preset(place.arguments[0])
    if path.stat().st_size > 1 << 18:
        return
    tree = parse(path.read_text(encoding="utf-8"), str(path))
    own = dict(leaves(tree)) if isinstance(tree, dict) else {}
    ours = _our_keys() if not colon else {}
    yield from ((ours | own).items() if own.keys() <= ours.keys() else own.items())


def _our_keys() -> dict[str, str]:
    """The keys of a preset of ours, with their defaults."""
    import msgspec

    from mlhub.config import RunConfig

    return dict(leaves(msgspec.to_builtins(RunConfig())))


def _values_of_key(place: Place, key: str, now: str) -> list[Word]:
    """`KEY=VALUE` for each value that is known of a key; the one it has first."""
    found = {now: "as it is"} if now else {}
    for value in _enumerated(place, key):
        found.setdefault(value, "")
    if not found:
        return [Word(f"{key}=", open=True)]
    return [Word(f"{key}={value}", help_) for value, help_ in found.items()]


def _enumerated(place: Place, key: str) -> Iterable[str]:
    if key == "data.dataset":
        return [word.text for word in datasets(place, "")]
    if key == "checkpoint.monitor":
        return [word.text for word in metrics(place._replace(arguments=[]), "")]
    from mlhub.config import choices

    return choices(key)


def datasets(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    """Those in the home, and those that can be made."""
    from mlhub.data.place import names
    from mlhub.data.registry import BUILT_IN
    from mlhub.settings import Settings

    there = names(Settings.load().to_home())
    made = [name for name in BUILT_IN if name not in there]
    return [*only(there, "in the home"), *only(made, "to be made: mlhub data prepare")]


def data_kinds(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    """Forms of data sets."""
    from mlhub.data.formats import KINDS, load

    return [Word(kind, load(kind).title) for kind in KINDS]


def data_options(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    """What `-o` may say of the forms of data sets, one of them or all."""
    from mlhub.data.formats import KINDS, load

    said = {f"{name}=": about for kind in KINDS for name, about in load(kind).options.items()}
    return [Word(name, about) for name, about in said.items()]


def projects(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    from mlhub.projects.registry import names
    from mlhub.settings import Settings

    return only(names(Settings.load().to_home()), "project")


def adapters(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    from mlhub.adapters.load import known
    from mlhub.settings import Settings

    return only(known(Settings.load().to_home()))


def checkpoints(place: Place, current: str) -> list[Word]:  # noqa: ARG001
    return [Word("best"), Word("last"), *files(current, (".safetensors", ".ckpt"))]
