"""Aliases: words of the user's own for longer ones, from the table `[aliases]` of config.toml. Never a shell."""

from __future__ import annotations

from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(
    rich_markup_mode=None,
    help="""List your aliases: short words for long commands, from config.toml in the home.

Further words of the command line stand behind those of the alias. They are split as a shell would split them, but no
shell sees them. An alias may stand for another one. One that has the name of a command is left out, with a warning.
Exit 1 if something is wrong with one.

\b
[aliases]
best = "ls --filter 'tag:paper status:completed'"
l = "ls -n 5"

\b
mlhub l --json         as mlhub ls -n 5 --json
mlhub alias            which there are, and what is wrong with any
mlhub alias --json
""",
)


@app.callback(invoke_without_command=True)
def aliases(
    context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print them as a JSON object.")] = False
) -> int:
    return 0 if context.invoked_subcommand else _list(json)


@app.command("ls")
def ls(json: Annotated[bool, typer.Option("--json", help="Print them as a JSON object.")] = False) -> int:
    """The same: list your aliases and say what is wrong with any of them.

    \b
    mlhub alias ls
    mlhub alias ls --json
    """
    return _list(json)


def _list(json: bool) -> int:
    from mlhub.cli.out import Column, emit_json, say, table
    from mlhub.settings import Settings

    settings = Settings.load()
    aliases = settings.aliases
    wrong = {name: words for name in aliases if (words := _fault(name, aliases))}
    if json:
        emit_json({name: {"words": words, "error": wrong.get(name)} for name, words in aliases.items()})
    elif not aliases:
        say(f"no aliases; they stand in {settings.to_home().config}:")
        say('[aliases]\nl = "ls -n 5"')
    else:
        heads = [
            Column("alias"),
            Column("stands for", flex=True, least=20),
            *([Column("error", flex=True)] * bool(wrong)),
        ]
        rows = [[name, words, *([wrong.get(name, "")] * bool(wrong))] for name, words in aliases.items()]
        for line in table(heads, rows):
            say(line)
    return int(bool(wrong))


def expand(words: list[str]) -> list[str]:
    """The command line that one whose first word is no command stands for. Raises UsageError, ConfigError."""
    from mlhub.errors import UsageError
    from mlhub.settings import Settings
    from mlhub.text import closest, one_line

    aliases = Settings.load().aliases
    name = words[0]
    if name not in aliases:
        near = closest(name, [*_commands(), *aliases])
        raise UsageError(f"no command {one_line(name)!r}{near}", "`mlhub --help` shows the commands there are.")
    return [*resolve(name, aliases), *words[1:]]


def resolve(name: str, aliases: Mapping[str, str]) -> list[str]:
    """The words an alias stands for, the first of them a command. Raises ConfigError for one that leads to none."""
    from mlhub.errors import ConfigError
    from mlhub.text import one_line

    if fault := _fault(name, aliases):
        raise ConfigError(f"alias {one_line(name)!r}: {fault}", "Mend it in the table [aliases] of config.toml.")
    words = [name]
    while words[0] not in _commands():
        words = [*_split(aliases[words[0]]), *words[1:]]
    return words


def _fault(name: str, aliases: Mapping[str, str]) -> str | None:
    """What is wrong with an alias; None if it leads to a command."""
    from mlhub.text import closest, one_line

    if name in _commands():
        return "a command has that name"
    if not name or one_line(name) != name or name[0] in "-@" or " " in name:
        return "not a word that can be typed as a command"
    seen = [name]
    while True:
        words = _split(aliases[seen[-1]])
        if not words:
            return f"{seen[-1]!r} is empty, or has a quote without its end"
        first = words[0]
        if first in _commands():
            return None
        if first in seen:
            return f"goes round in a circle: {' → '.join((*seen, first))}"
        if first not in aliases:
            return f"{one_line(first)!r} is no command{closest(first, list(_commands()))}"
        seen.append(first)


def _split(text: str) -> list[str]:
    import shlex

    try:
        return shlex.split(text)
    except ValueError:
        return []


def warn_of_hidden(name: str) -> None:
    """Say it if an alias has the name of this command, which wins: a line in a file must not stop the command.

    Reads TOML only where the file has aliases at all: `mlhub ls` needs none of this.
    """
    from mlhub.errors import ConfigError
    from mlhub.settings import Settings, mentions_aliases

    if not mentions_aliases():
        return
    try:
        settings = Settings.load()
    except ConfigError:  # whoever reads the settings says it; help and its like need none
        return
    if name in settings.aliases:
        from mlhub.cli.out import tell
        from mlhub.text import one_line

        file = one_line(str(settings.to_home().config))
        tell(f"warning: the alias {name!r} in {file} is left out: a command has that name")


def shown(columns: int) -> list[tuple[str, str]]:
    """Aliases for the list of commands, each cut to so many columns; none where config.toml can't be read."""
    from mlhub.errors import ConfigError
    from mlhub.settings import Settings, mentions_aliases
    from mlhub.text import fit, one_line

    try:
        aliases = Settings.load().aliases if mentions_aliases() else {}
    except ConfigError:  # help must come whatever is wrong; `mlhub alias` says it
        return []
    return [(one_line(name), fit(one_line(words), columns)) for name, words in aliases.items()]


def _commands() -> Mapping[str, str]:
    from mlhub.cli.app import COMMANDS

    return COMMANDS
