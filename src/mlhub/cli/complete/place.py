"""Where the cursor is: the words of a command line followed down to the command that the next one is for."""

from __future__ import annotations

from typing import Any

from mlhub.cli.complete.words import Place


def find_place(words: list[str]) -> Place | None:
    """Follow the words down to the command that the next one is for; None if they lead nowhere."""
    from mlhub.cli.app import COMMANDS, build

    words = list(words)
    path: tuple[str, ...] = ()
    command: Any = None
    index = 0
    expanded = 0
    while index < len(words):
        word = words[index]
        if word.startswith("-"):
            index += 1
            continue
        if not path and word not in COMMANDS:
            from mlhub.cli.alias import resolve
            from mlhub.settings import Settings

            aliases = Settings.load().aliases
            if word not in aliases:
                return None
            longer = resolve(word, aliases)
            words[index : index + 1], expanded = longer, len(longer) - 1
            continue
        command = build(word) if not path else command.commands.get(word)
        if command is None:
            return None
        path, index = (*path, word), index + 1
        if not hasattr(command, "commands"):
            break
    if command is None or hasattr(command, "commands"):
        return Place(path, command, [], {})
    place = _read(Place(path, command, [], {}), words[index:])
    if place.command_at is None:
        return place
    return place._replace(command_at=place.command_at + index + 1 - expanded)


def _read(place: Place, words: list[str]) -> Place:
    """Which of the words are arguments, which options with their values."""
    from mlhub.cli.run import RunCommand

    waiting = None
    plain_from_here = False
    for index, word in enumerate(words):
        if waiting is not None:
            place.options.setdefault(waiting.name, []).append(word)
            waiting = None
        elif word == "--" and not plain_from_here:
            if isinstance(place.command, RunCommand):
                return place._replace(command_at=index + 1)
            plain_from_here = True
        elif not word.startswith("-") or word == "-" or plain_from_here:
            place.arguments.append(word)
        else:
            waiting = _take(place, word)
    return place._replace(option=waiting, plain=plain_from_here)


def _take(place: Place, word: str) -> Any:  # noqa: ANN401 - a parameter as Typer builds it
    """Note an option; the option itself if the next word is its value."""
    names = [word.partition("=")[0]] if word.startswith("--") else [f"-{letter}" for letter in word[1:]]
    for index, name in enumerate(names):
        option = find_option(place.command, name)
        if option is None:
            return None
        place.options.setdefault(option.name, [])
        if not option.is_flag:
            rest = word.partition("=")[2] if word.startswith("--") else word[index + 2 :]
            if rest or "=" in word:
                place.options[option.name].append(rest)
                return None
            return option
    return None


def find_option(command: Any, name: str) -> Any:  # noqa: ANN401
    for param in getattr(command, "params", ()):
        if param.param_type_name == "option" and name in (*param.opts, *param.secondary_opts):
            return param
    return None


def next_argument(place: Place) -> Any:  # noqa: ANN401
    """The argument that the next word is."""
    left = len(place.arguments)
    for param in place.command.params:
        if param.param_type_name == "argument":
            if param.nargs == -1 or left == 0:
                return param
            left -= param.nargs
    return None
