"""The table of commands: what each is called, where it is, and in which part of `mlhub --help` it stands.

A command's module is imported, and the command built, only when it is asked for: to build all of them takes longer than
`mlhub ls`. Only typer and the standard library are imported at the top of any of these modules.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from mlhub import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typer.core import TyperCommand

#: what users do, and with which commands: `name: "module:function"` of `mlhub.cli`, a function or a Typer; behind a
#: second colon the class of the command, where it is one of its own
SECTIONS: dict[str, dict[str, str]] = {
    "Start and stop": {
        "run": "run:run:RunCommand",
        "wait": "wait:wait",
        "stop": "runs:stop",
        "resume": "resume:resume",
        "rerun": "resume:rerun",
        "queue": "queue:app",
        "project": "project:app",
    },
    "Watch": {
        "top": "top:top",
        "ls": "runs:ls",
        "show": "show:show",
        "logs": "logs:logs",
        "notify": "notify:app",
    },
    "Compare": {
        "compare": "compare:compare",
        "diff": "diff:diff",
        "report": "report:report",
        "metrics": "metrics:metrics",
        "tag": "labels:tag",
        "note": "labels:note",
        "import": "imports:imports",
    },
    "Data and search": {
        "data": "data:app",
        "eval": "jobs:evaluate",
        "index": "jobs:index",
        "search": "search:search",
    },
    "House": {
        "rm": "house:rm",
        "gc": "house:gc",
        "gpu": "machine:gpu",
        "doctor": "machine:doctor",
        "alias": "alias:app",
        "completion": "completion:completion",
        "help": "help:help_",
        "man": "man:man",
    },
}
COMMANDS = {name: place for section in SECTIONS.values() for name, place in section.items()}

Built = Any  # a command or a group as Typer builds it: the base of both is in no public module


#: of `mlhub` itself, for completion
ROOT_OPTIONS = (
    ("--version", "Print the version."),
    ("--install-completion", "Install completion for this shell."),
    ("--show-completion", "Print the script of completion."),
    ("--help", "Show help and examples."),
)


@lru_cache
def build(name: str) -> Built:
    """The command of that name. Raises KeyError if there is none."""
    module, function, *cls = COMMANDS[name].split(":")
    room = import_module(f"mlhub.cli.{module}")
    found = getattr(room, function)
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)
    if isinstance(found, typer.Typer):
        alone.add_typer(found, name=name, epilog=_see_also(name, found.info.epilog))
        return _named(typer.main.get_group(alone).commands[name])
    command_class: type[TyperCommand] | None = getattr(room, cls[0]) if cls else None
    alone.command(name, cls=command_class, epilog=_see_also(name))(found)
    return _named(typer.main.get_command(alone))


def _named(command: Built) -> Built:
    """The same, its values called by what they are: `--name NAME`, `--gpus N`, where Typer says TEXT and INTEGER."""
    from mlhub.cli.help import ARGUMENTS

    for param in command.params:
        if param.param_type_name == "argument":
            param.help = param.help or ARGUMENTS.get((param.metavar or "").strip("[]{}. "))
        elif not param.is_flag and param.metavar is None:
            number = param.type.name.partition(" ")[0] in ("integer", "float", "int")
            param.metavar = "N" if number else (param.name or "").strip("_").upper().replace("_", "-")
    for below in getattr(command, "commands", {}).values():
        _named(below)
    return command


def _see_also(name: str, before: object = None) -> str:
    from mlhub.cli.help import related

    others = ", ".join(f"mlhub {other}" for other in related(name))
    return " ".join((*([before] if isinstance(before, str) else []), *([f"See also: {others}"] if others else [])))


class Commands(TyperGroup):
    """All of mlhub, its commands built when they are asked for; a word that is none of them may be an alias."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002 - Typer does not export its type
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Built:  # noqa: ANN401, ARG002
        return build(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Built, list[str]]:  # noqa: ANN401
        from mlhub.cli.alias import expand, warn_of_hidden

        if args[0] in COMMANDS:
            warn_of_hidden(args[0])
        else:
            args = expand(args)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002
        longest = max(map(len, COMMANDS))
        for title, names in SECTIONS.items():
            rows = [(name.ljust(longest), about(name, formatter.width - longest - 4)) for name in names]
            with formatter.section(title):
                formatter.write_dl(rows)
        from mlhub.cli.alias import shown

        if rows := [(name.ljust(longest), words) for name, words in shown(formatter.width - longest - 4)]:
            with formatter.section("Your aliases"):
                formatter.write_dl(rows)


def summary(command: Built, columns: int = 1000) -> str:
    """What a command does, in at most so many columns: its first sentence, or as many whole clauses of it as fit."""
    return _first_sentence(command.help or "", columns)


def about(name: str, columns: int = 1000) -> str:
    """The same of a command that is not built for it, which takes longer than a shell's TAB should."""
    module, function, *_ = COMMANDS[name].split(":")
    found = getattr(import_module(f"mlhub.cli.{module}"), function)
    return _first_sentence((found.info.help if isinstance(found, typer.Typer) else found.__doc__) or "", columns)


def _first_sentence(text: str, columns: int = 1000) -> str:
    text = " ".join(text.partition("\b")[0].partition("\n\n")[0].split())
    sentence = text.split(". ")[0].removesuffix(".")
    while len(sentence) > columns and (cut := max(sentence.rfind(sign) for sign in (": ", "; ", ", ", " ("))) > 0:
        sentence = sentence[:cut]
    if sentence.count("(") > sentence.count(")"):
        sentence = sentence[: sentence.rfind(" (")]
    return sentence if len(sentence) <= columns else sentence[: columns - 1].rstrip() + "…"


def walk() -> Iterator[tuple[tuple[str, ...], Built]]:
    """Every command and every sub-command, by the words that call it."""
    for name in COMMANDS:
        command = build(name)
        yield (name,), command
        for sub, below in getattr(command, "commands", {}).items():
            yield (name, sub), below


app = typer.Typer(
    name="mlhub",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,  # `mlhub completion`: Typer's own scripts hand names to the shell's eval
    rich_markup_mode=None,  # Typer's rich help alone costs 16 times an empty Python
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="RUN is an id, a name or @last. Every command that reads has --json. `mlhub COMMAND --help` has examples.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mlhub {__version__}")  # noqa: T201
        raise typer.Exit


def _install_completion(wanted: bool) -> None:
    if wanted:
        from mlhub.cli.completion import completion

        completion(None, install=True)
        raise typer.Exit


def _show_completion(wanted: bool) -> None:
    if wanted:
        from mlhub.cli.completion import completion

        completion(None, install=False)
        raise typer.Exit


@app.callback()
def mlhub(
    version: bool = typer.Option(False, "--version", callback=_print_version, is_eager=True, help="Print the version."),
    install_completion: bool = typer.Option(
        False,
        "--install-completion",
        callback=_install_completion,
        is_eager=True,
        help="Install completion: see mlhub completion.",
    ),
    show_completion: bool = typer.Option(
        False, "--show-completion", callback=_show_completion, is_eager=True, help="Print the script of completion."
    ),
) -> None:
    """Start, watch, compare and search training runs from the terminal."""
