"""`mlhub help`: what a command's own `--help` says, and what belongs to none of them; the parts of a help text.

The man pages (`mlhub.cli.man`) and the shells' descriptions are made of the same texts.
"""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Annotated, NamedTuple

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Topic(NamedTuple):
    """What can be asked for beside commands; `text` is made when it is."""

    title: str
    text: Callable[[], str]


def _query() -> str:
    import mlhub.query

    rest = (mlhub.query.__doc__ or "").partition("\n\n")[2]
    return f"A query says which runs are meant. Each of its words asks something of a run:\n\n{rest}"


def _runs() -> str:
    return """A RUN on the command line is

    12            an id, which no other run ever gets
    calm-otter    a name: given with --name, else made of two words
    @last         the newest run; where a training is meant, the newest training

Of an argument [RUN] that is left out, @last is meant. A run is queued, running, completed, failed or cancelled; what
else is known of it (stalled, unsupervised, on another host) stands behind that.
"""


def _exit() -> str:
    return """    0      done; of run --wait, logs -f and wait: the run completed
    1      it failed: stderr says what happened, and what to do about it
    2      the command line is wrong
    130    Ctrl-C; runs go on

MLHUB_DEBUG=1 shows where in the program a failure came about.
"""


def _settings() -> str:
    from dataclasses import fields

    from mlhub.settings import Settings

    rows = [field for field in fields(Settings) if field.name not in ("home", "aliases")]
    lines = [f"    MLHUB_{field.name.upper():<19} {field.name:<18} {_default(field.default)}" for field in rows]
    head = "    MLHUB_HOME                                   the folder of everything that mlhub writes"
    return "\n".join((
        "The environment goes over config.toml in the home; an empty variable counts as none.",
        "", f"    {'variable':<25} {'in config.toml':<18} else", head, *lines, "",
        "The table [aliases] of config.toml has words of your own: mlhub alias --help.",
        "NO_COLOR and TERM=dumb are heeded, and COLUMNS where stdout is no terminal.",
    ))  # fmt: skip


def _default(value: object) -> str:
    return (
        {"": "–", True: "true", False: "false"}.get(value, str(value)) if isinstance(value, (str, bool)) else str(value)
    )


TOPICS = {
    "query": Topic("The language of --filter", _query),
    "names": Topic("How runs are named", _runs),
    "exit": Topic("What the exit status means", _exit),
    "settings": Topic("Environment and config.toml", _settings),
}


def help_(
    topic: Annotated[list[str] | None, typer.Argument(metavar="[TOPIC]...", show_default=False)] = None,
) -> int:
    """Show the help of a command, or of a topic: query, names, exit, settings.

    \b
    mlhub help run
    mlhub help queue move
    mlhub help query         the language of --filter
    mlhub help settings      environment and config.toml
    """
    from mlhub.cli.app import COMMANDS, app
    from mlhub.cli.out import columns, say
    from mlhub.errors import NotFoundError
    from mlhub.text import closest, one_line

    words = topic or []
    if words and words[0] in TOPICS:
        found = TOPICS[words[0]]
        say(found.title)
        for fixed, text in blocks(found.text()):
            lines = [part for line in text for part in _fitting(line, columns())] if fixed else []
            say("\n" + "\n".join(lines or textwrap.wrap(" ".join(text), min(columns(), 100))))
        return 0
    if words and words[0] not in COMMANDS:
        near = closest(words[0], [*COMMANDS, *TOPICS])
        raise NotFoundError(f"no help on {one_line(words[0])!r}{near}", f"Topics: {', '.join(TOPICS)}; or a command.")
    app([*words, "--help"], prog_name="mlhub", standalone_mode=False)
    return 0


def blocks(text: str) -> list[tuple[bool, list[str]]]:
    """The paragraphs of a topic, as lines; those that are indented are tables, and stay as they are."""
    found = textwrap.dedent(text).strip("\n").split("\n\n")
    return [(paragraph.startswith("    "), paragraph.splitlines()) for paragraph in found if paragraph.strip()]


def _fitting(line: str, columns: int) -> list[str]:
    """A line of a table, what is said of its first column below it where both are wider than the terminal."""
    first, gap, rest = line.strip().partition("   ")
    if len(line) <= columns or not gap:
        return [line]
    while "   " in rest and not re.match(r"\S+( \S+)*$", rest.strip()):
        more, _, rest = rest.strip().partition("   ")
        first = f"{first}   {more}"
    return [f"    {first}", *textwrap.wrap(rest.strip(), columns, initial_indent=" " * 8, subsequent_indent=" " * 8)]


class Parts(NamedTuple):
    """A help text: paragraphs to be filled, and blocks of lines that stay as they are (examples, tables)."""

    paragraphs: list[str]
    blocks: list[list[str]]

    @property
    def examples(self) -> list[tuple[str, str]]:
        """Command lines and what is said of them."""
        lines = [line for block in self.blocks for line in block]
        return [(found[1], found[2] or "") for line in lines if (found := _EXAMPLE.fullmatch(line))]


#: `mlhub run mine.yaml   what that does`; a variable or another command may stand before
_EXAMPLE = re.compile(r"((?:\S+=\S+ |\S+ <\()?mlhub\b.*?)(?: {2,}(\S.*))?")


def parts(text: str) -> Parts:
    """The parts of a command's help."""
    found = Parts([], [])
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b\n"):
            found.blocks.append(paragraph[2:].splitlines())
        elif paragraph.strip():
            found.paragraphs.append(" ".join(paragraph.split()))
    return found


#: what an argument is, by its metavar, where its command says no more
ARGUMENTS = {
    "RUN": "An id, a name or @last.",
    "RUN[,RUN": "Ids, names or @last, with commas between them.",
    "KEY=VALUE": "Keys to change, dotted; values as in YAML.",
    "TAG": "A word to find runs by.",
    "DATASET": "A data set: see mlhub data ls.",
    "PROJECT": "A project: see mlhub project ls.",
    "HOST": "A host's name.",
    "TOPIC": "A command, or a topic.",
    "COMMAND": "A command of mlhub.",
    "TEXT": "What is to be said, or looked for.",
}

#: what else to read, by command
RELATED = {
    "run": ("wait", "logs", "queue", "project"),
    "wait": ("run", "logs", "stop"),
    "stop": ("resume", "queue"),
    "resume": ("rerun", "stop"),
    "rerun": ("run", "resume", "diff"),
    "queue": ("run", "top"),
    "project": ("run", "import"),
    "top": ("ls", "logs", "gpu"),
    "ls": ("show", "top", "compare", "help query"),
    "show": ("logs", "metrics", "diff"),
    "logs": ("show", "wait"),
    "notify": ("doctor", "help settings"),
    "compare": ("diff", "report", "metrics"),
    "diff": ("compare", "rerun"),
    "report": ("compare", "diff"),
    "metrics": ("compare", "import"),
    "tag": ("note", "ls"),
    "note": ("tag", "show"),
    "import": ("ls", "compare"),
    "data": ("run", "eval"),
    "eval": ("index", "data"),
    "index": ("search", "eval"),
    "search": ("index",),
    "rm": ("gc",),
    "gc": ("rm", "doctor"),
    "gpu": ("top", "doctor"),
    "doctor": ("gc", "notify"),
    "alias": ("completion", "help settings"),
    "completion": ("alias",),
    "help": ("man",),
    "man": ("help", "completion"),
}


def related(name: str) -> list[str]:
    """Commands and topics beside this one, of those that there are."""
    from mlhub.cli.app import COMMANDS

    return [word for word in RELATED.get(name, ()) if word.split()[0] in COMMANDS]
