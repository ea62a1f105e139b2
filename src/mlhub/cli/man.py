"""`mlhub man`: manual pages, made of the commands themselves, so that they can't say anything else than `--help`."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated, Any

import typer

from mlhub.cli.help import TOPICS, blocks, parts, related

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def man(
    command: Annotated[str | None, typer.Argument(metavar="[COMMAND]", show_default=False)] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="DIR", help="Write all pages into this folder.")
    ] = None,
) -> int:
    """Print a manual page of mlhub as a whole, or of one command, as man reads it.

    An installed mlhub has them beside it, under share/man: man mlhub, man mlhub-run.

    \b
    mlhub man run | man -l -
    mlhub man -o ~/.local/share/man/man1     all of them; man mlhub-run then
    """
    from mlhub.cli.app import COMMANDS
    from mlhub.cli.out import say
    from mlhub.errors import MlhubError, NotFoundError
    from mlhub.text import closest, one_line

    if command is not None and command not in COMMANDS:
        near = closest(command, list(COMMANDS))
        raise NotFoundError(f"no command {one_line(command)!r}{near}", "`mlhub --help` shows the commands there are.")
    if output is None:
        say(page(command))
        return 0
    made = pages()
    try:
        output.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            (output / name).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise MlhubError(f"{output}: {error.strerror or error}", "Name a folder that can be written.") from error
    say(f"{len(made)} pages in {output}")
    return 0


def pages() -> dict[str, str]:
    """All pages by file name: `mlhub.1`, and `mlhub-run.1` and its like for the commands."""
    from mlhub.cli.app import COMMANDS

    return {"mlhub.1": page(None)} | {f"mlhub-{name}.1": page(name) for name in COMMANDS}


def page(command: str | None) -> str:
    """One page in man(7)'s macros."""
    return "\n".join(_whole() if command is None else _one(command))


def _whole() -> Iterator[str]:
    from mlhub.cli.app import SECTIONS, about, app

    yield from _head("mlhub", "start, watch, compare and search training runs from the terminal")
    yield from (".SH SYNOPSIS", ".B mlhub", r"\fICOMMAND\fR [\fIARGUMENT\fR]...", ".SH DESCRIPTION")
    yield _text(app.registered_callback.callback.__doc__ or "" if app.registered_callback else "")
    yield from (".PP", _filled("Every command has a page of its own, mlhub-COMMAND(1), and --help with examples."))
    for title, names in SECTIONS.items():
        yield f".SH {_text(title.upper())}"
        for name in names:
            yield from (".TP", f".BR mlhub\\-{_text(name)} (1)", _filled(about(name)))
    for topic in TOPICS.values():
        yield f".SH {_text(topic.title.upper())}"
        yield from _topic(topic.text())
    yield from _files()


def _one(name: str) -> Iterator[str]:
    from mlhub.cli.app import about, build

    command = build(name)
    yield from _head(f"mlhub-{name}", about(name)[:1].lower() + about(name)[1:])
    yield ".SH SYNOPSIS"
    yield from _synopsis(("mlhub", name), command)
    for sub, below in getattr(command, "commands", {}).items():
        yield ".br"
        yield from _synopsis(("mlhub", name, sub), below)
    said = parts(command.help or "")
    yield ".SH DESCRIPTION"
    yield from _paragraphs(said.paragraphs)
    yield from _options(command, ".SH OPTIONS")
    for sub, below in getattr(command, "commands", {}).items():
        yield f".SS mlhub {_text(name)} {_text(sub)}"
        told = parts(below.help or "")
        yield from _paragraphs(told.paragraphs)
        yield from _options(below, "")
        said.blocks.extend(told.blocks)
    if said.blocks:
        yield ".SH EXAMPLES"
        for index, block in enumerate(said.blocks):
            yield from ([".PP"] if index else [])
            yield from _literal(block)
    yield from (".SH EXIT STATUS", *_topic(TOPICS["exit"].text()))
    yield ".SH SEE ALSO"
    others = [f"mlhub-{other.split()[0]}" for other in related(name)]
    yield ",\n".join(f".BR {_text(other)} (1)" for other in ["mlhub", *dict.fromkeys(others)])


def _topic(text: str) -> Iterator[str]:
    for index, (fixed, lines) in enumerate(blocks(text)):
        yield from ([".PP"] if index else [])
        yield from _literal(textwrap.dedent("\n".join(lines)).splitlines()) if fixed else [_filled(" ".join(lines))]


def _head(name: str, words: str) -> Iterator[str]:
    from mlhub import __version__

    yield r".\" made by mlhub man, of the commands themselves"
    yield f'.TH {_text(name.upper())} 1 "{_date()}" "mlhub {__version__}" "mlhub"'
    yield from (".SH NAME", _filled(f"{name} \0 {words}").replace("\0", "\\-"))


def _date() -> str:
    """Of the making, or as who builds packages says it (reproducible-builds.org)."""
    import time

    told = os.environ.get("SOURCE_DATE_EPOCH", "")
    return time.strftime("%Y-%m-%d", time.gmtime(int(told) if told.isdigit() else None))


def _synopsis(words: tuple[str, ...], command: Any) -> Iterator[str]:  # noqa: ANN401 - as Typer builds it
    pieces = [r"[\fIOPTION\fR]..."]
    for param in command.params:
        if param.param_type_name == "argument":
            name = param.metavar or param.name.upper()
            pieces.append(_text(name if param.required or name.startswith("[") else f"[{name}]"))
    if hasattr(command, "commands"):
        pieces.append(r"[\fICOMMAND\fR]")
    if words[-1] == "run":
        pieces.append(r"[\-\- \fICMD\fR \fIARG\fR...]")
    yield from (f".B {_text(' '.join(words))}", *pieces)


def _paragraphs(texts: list[str]) -> Iterator[str]:
    for index, text in enumerate(texts):
        if index:
            yield ".PP"
        yield _filled(text)


def _options(command: Any, heading: str) -> Iterator[str]:  # noqa: ANN401
    found = [param for param in command.params if param.param_type_name == "option" and not param.hidden]
    if found and heading:
        yield heading
    for param in found:
        names = ", ".join(rf"\fB{_text(name)}\fR" for name in (*param.opts, *param.secondary_opts))
        value = "" if param.is_flag else rf" \fI{_text(param.metavar or '')}\fR"
        default = "" if param.is_flag or param.default in (None, "", ()) else f" Default: {param.default}."
        yield from (".TP", names + value, _filled((param.help or "") + default))


def _literal(lines: list[str]) -> Iterator[str]:
    yield from (".nf", *(_text(line) for line in lines), ".fi")


def _files() -> Iterator[str]:
    yield ".SH FILES"
    for name, words in (
        ("$MLHUB_HOME", "Everything that mlhub writes; else the folder of this user's data."),
        ("$MLHUB_HOME/config.toml", "Settings and aliases."),
        ("$MLHUB_HOME/runs/ID/", "A run: config.yaml, spec.json, metrics.jsonl, output.log, checkpoints."),
        ("$MLHUB_HOME/mlhub.db", "The index over the runs; made anew from their folders by mlhub doctor --rebuild."),
    ):
        yield from (".TP", f".I {_text(name)}", _filled(words))


def _text(text: str) -> str:
    """Text as roff takes it: what would be a command or another dash is escaped."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    text = "".join(letter if letter.isascii() else f"\\[u{ord(letter):04X}]" for letter in text)
    return f"\\&{text}" if text.startswith(".") else text


def _filled(text: str) -> str:
    """Text that roff fills anew, in short lines."""
    return "\n".join(map(_text, textwrap.wrap(text, 66, break_long_words=False, break_on_hyphens=False)))
