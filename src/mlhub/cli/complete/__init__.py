"""What a shell asks when TAB is pressed: which word stands where, and in what form each shell wants the answers.

The answers themselves are `candidates`', the shells' scripts `mlhub.cli.completion`'s. Nothing is written, no
run is looked after, and nothing is said: whatever goes wrong, the answer is that there is none.

A script calls `_MLHUB_COMPLETE=zsh mlhub WORD… CURRENT`, bash's `mlhub LINE REPLACED` (the line as it was typed, and
the end of it that will be replaced). The first line of the answer says how to go on:

    words           each further line is a word, behind a tab what it is
    nospace         the same, and no space is to follow
    files, folders  the shell itself completes these
    command N       behind the first N words, mlhub one of them, is a command line of its own
"""

from __future__ import annotations

import os
import sys

from mlhub.cli.complete import bash, candidates
from mlhub.cli.complete.place import find_option, find_place, next_argument
from mlhub.cli.complete.words import Answer, Place, Word

VARIABLE = "_MLHUB_COMPLETE"
#: more answers than anybody reads, and a word longer than anybody wants to be typed for them
_MOST, _LONGEST, _HELP = 1000, 200, 64
#: a word that ends so is to be continued
_OPEN = ("=", ":", "/")


def main() -> None:
    """Answer a shell and leave: the one thing that is done when `_MLHUB_COMPLETE` is set."""
    shell = os.environ.get(VARIABLE, "")
    try:
        text = respond(shell, sys.argv[1:])
    except (Exception, SystemExit):  # the outermost step: a shell's line is no place for errors
        text = ""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except (OSError, UnicodeError):
        pass
    os._exit(0)  # nothing is open that needs closing, and the interpreter's end would take its time


def respond(shell: str, given: list[str]) -> str:
    """The answer to one press of TAB, as that shell's script reads it."""
    if shell == "bash":
        line, replaced = given
        raw = bash.split(line)
        words, current = [bash.plain(word) for word in raw[1:-1]], bash.plain(raw[-1])
        return bash.answer_lines(fitting(complete(words, current), current), raw[-1], replaced)
    if shell not in ("zsh", "fish"):
        return ""
    words, current = given[:-1], bash.plain(given[-1]) if shell == "fish" else given[-1]
    answer = fitting(complete(words, current), current)
    return "".join(f"{line}\n" for line in (answer.how, *(_with_help(word) for word in answer.words)))


def complete(words: list[str], current: str) -> Answer:
    """What may stand in the place of `current`, behind `words` (without `mlhub` itself)."""
    place = find_place(words)
    if place is None:
        return Answer()
    if place.command_at is not None:
        return Answer(how=f"command {place.command_at}")
    if place.option is not None:
        return candidates.values(place, place.option, current)
    if current.startswith("-") and not place.plain:
        return _complete_option(place, current)
    if not place.path or hasattr(place.command, "commands"):
        return Answer(candidates.commands(place, current))
    argument = next_argument(place)
    return Answer(candidates.options(place)) if argument is None else candidates.values(place, argument, current)


def _complete_option(place: Place, current: str) -> Answer:
    """An option, or behind `--option=` its value."""
    name, equals, value = current.partition("=")
    option = find_option(place.command, name) if equals and name.startswith("--") else None
    if option is None:
        return Answer(candidates.options(place))
    answer = candidates.values(place._replace(option=option), option, value)
    return answer._replace(words=[word._replace(text=f"{name}={word.text}") for word in answer.words])


def fitting(answer: Answer, current: str, most: int = _MOST) -> Answer:
    """Of an answer what continues `current` and can be typed; each word once; the only one that is open continued."""
    from mlhub.text import fit, one_line

    found: dict[str, Word] = {}
    for word in answer.words:
        text = word.text
        if text.startswith(current) and text not in found and len(text) <= _LONGEST and one_line(text) == text:
            found[text] = word._replace(help=fit(one_line(word.help), _HELP))
            if len(found) >= most:
                break
    kept = list(found.values())
    is_open = bool(kept) and all(word.open or word.text.endswith(_OPEN) for word in kept)
    return Answer(kept, "nospace" if answer.how == "words" and is_open else answer.how)


def _with_help(word: Word) -> str:
    return f"{word.text}\t{word.help}" if word.help else word.text
