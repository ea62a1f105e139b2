"""The words of completion: what is offered, and the place in a command line that it is offered for."""

from __future__ import annotations

from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


class Word(NamedTuple):
    """One answer: the whole word, and what it is."""

    text: str
    help: str = ""
    #: not ended yet, though its last letter doesn't say so
    open: bool = False


class Answer(NamedTuple):
    """What is offered, and how the shell is to go on."""

    words: Sequence[Word] = ()
    how: str = "words"


class Place(NamedTuple):
    """Where the cursor is: in which command, and what was said to it already."""

    path: tuple[str, ...]
    command: Any
    #: the words that are its arguments, and those of its options by their name
    arguments: list[str]
    options: dict[str, list[str]]
    #: the option whose value is typed
    option: Any = None
    #: no word from here on is an option
    plain: bool = False
    #: how many words, mlhub one of them, stand before a command of its own (behind `mlhub run --`)
    command_at: int | None = None


def only(words: Iterable[str], help: str = "") -> list[Word]:  # noqa: A002 - as shells and Typer call it
    """Words that all have the same to be said of them."""
    return [Word(word, help) for word in words]


if TYPE_CHECKING:
    #: what answers for a kind of place; the second is the word as far as it was typed
    Source = Callable[[Place, str], Iterable[Word]]
