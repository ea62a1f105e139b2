"""What may stand in a place of the command line, found by what the place is called there: a metavar is a promise.

`[RUN]...` takes runs wherever it stands, so a command whose arguments have the house's metavars completes by itself.
"""

from __future__ import annotations

from typing import Any

from mlhub.cli.complete.configs import (
    adapters,
    checkpoints,
    data_kinds,
    data_options,
    datasets,
    files,
    overrides,
    presets,
    projects,
)
from mlhub.cli.complete.queries import queries
from mlhub.cli.complete.runs import groups, hosts, keys, listed, metrics, runs, tags
from mlhub.cli.complete.words import Answer, Word, only

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlhub.cli.complete.words import Place, Source


def values(place: Place, param: Any, current: str) -> Answer:  # noqa: ANN401 - as Typer builds it
    """What an argument, or the value of an option, may be."""
    kind = kind_of(param)
    if kind in _BY_SHELL:
        return Answer(how=_BY_SHELL[kind])
    if kind == "RUN,":
        return Answer(list(listed(place, current, runs)))
    if kind in SOURCES:
        return Answer(list(SOURCES[kind](place, current)))
    if kind and "|" in kind:
        return Answer(list(_choices(kind, place, current)))
    return Answer(only(map(str, getattr(param.type, "choices", ()))))


def kind_of(param: Any) -> str | None:  # noqa: ANN401
    """What a parameter takes: its metavar without brackets, or its name in capitals; None for what is the user's own.

    `RUN,` is a list of runs with commas between them, `A|b` words to choose from of which those in capitals are kinds.
    """
    name = (param.name or "").strip("_").upper()
    metavar = (param.metavar or name).strip("[]{}").replace("...", "").strip("[]{} ")
    if metavar in ("RUN[,RUN", "RUN,RUN"):
        return "RUN,"
    if metavar.startswith("PRESET"):
        return "PRESET"
    if metavar.startswith("FILE."):
        return "FILE"
    known = metavar in SOURCES or metavar in _BY_SHELL or "|" in metavar
    if not known and name in SOURCES and metavar != "TEXT" and param.param_type_name == "option":
        return name
    return metavar if known else None


def commands(place: Place, current: str) -> list[Word]:
    """Commands, and sub-commands behind one that has some."""
    from mlhub.cli import app

    if place.path:
        below = place.command.commands.items()
        return [Word(name, app.summary(command)) for name, command in below if not command.hidden]
    from mlhub.cli.alias import shown

    # the one that asks is answered without building all of them: what they do stands in their functions
    own = [Word(name, words) for name, words in shown(1000)]
    return [*(Word(name, app.about(name)) for name in app.COMMANDS if name.startswith(current)), *own]


def options(place: Place) -> list[Word]:
    """The options of a command that may still be given."""
    found = []
    from mlhub.cli.app import ROOT_OPTIONS

    if place.command is None:
        return [Word(name, words) for name, words in ROOT_OPTIONS]
    for param in place.command.params:
        if param.param_type_name != "option" or param.hidden or (param.name in place.options and not param.multiple):
            continue
        names = sorted((*param.opts, *param.secondary_opts), key=len, reverse=True)
        found += [Word(name, param.help or "") for name in names if name.startswith("--") or len(names) == 1]
    return [*found, Word("--help", "Show help and examples.")]


def _at(place: Place, current: str) -> list[Word]:
    """Where a comparison looks: `step=`, `epoch=`, `best:METRIC`."""
    if current.startswith("best:"):
        return [Word(f"best:{word.text}", word.help) for word in metrics(place, "")]
    return [Word("step=", open=True), Word("epoch=", open=True), Word("best:", "where a metric was best", open=True)]


def _metrics_and_keys(place: Place, current: str) -> list[Word]:
    return [*metrics(place, current), *keys(place, current)]


def _topics(place: Place, current: str) -> list[Word]:
    if place.arguments:
        from mlhub.cli.app import COMMANDS, build

        command = build(place.arguments[0]) if place.arguments[0] in COMMANDS else None
        return only(getattr(command, "commands", {}))
    from mlhub.cli.help import TOPICS

    root = place._replace(path=(), command=None)
    return (
        [*commands(root, current), *(Word(name, text.title) for name, text in TOPICS.items())]
        if not current.startswith("-")
        else []
    )


def _commands_of_man(place: Place, current: str) -> list[Word]:
    return [] if place.arguments else commands(place._replace(path=(), command=None), current)


def _gc_kinds(place: Place, current: str) -> Iterable[Word]:
    from mlhub.runner.house import KINDS

    return listed(place, current, lambda *_: only(KINDS))


def _sections(place: Place, current: str) -> Iterable[Word]:
    from mlhub.cli.diff import SECTIONS

    return listed(place, current, lambda *_: only(SECTIONS))


def _parts(place: Place, current: str) -> Iterable[Word]:
    return listed(place, current, lambda *_: only(("images", "duplicates", "leaks", "captions")))


def _choices(kind: str, place: Place, current: str) -> Iterator[Word]:
    """`best|last|FILE`: words as they are, and what the ones in capitals stand for."""
    for part in kind.split("|"):
        if not part.isupper():
            yield Word(part)
        elif part in SOURCES:
            yield from SOURCES[part](place, current)
        elif part in _BY_SHELL:
            yield from files(current, ("",))


_BY_SHELL = {"FILE": "files", "PATH": "files", "DIR": "folders", "FOLDER": "folders"}

#: by metavar; of an option without one by its name
SOURCES: dict[str, Source] = {
    "RUN": runs,
    "METRIC": metrics,
    "PATTERN": metrics,
    "KEY": keys,
    "METRIC|KEY": _metrics_and_keys,
    "TAG": tags,
    "GROUP": groups,
    "HOST": hosts,
    "QUERY": queries,
    "PRESET": presets,
    "KEY=VALUE": overrides,
    "DATASET": datasets,
    "KIND": data_kinds,
    "SPLIT": lambda *_: only(("train", "val", "test")),
    "PARTS": _parts,
    "FIELD": lambda *_: only(("image", "concept", "category", "style", "label")),
    "OPTION=VALUE": data_options,
    "PROJECT": projects,
    "ADAPTER": adapters,
    "CHECKPOINT": checkpoints,
    "AT": _at,
    "TOPIC": _topics,
    "COMMAND": _commands_of_man,
    "WORDS": _gc_kinds,
    "SECTION,…": _sections,
    "A": runs,
    "B": runs,
}
