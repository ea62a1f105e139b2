"""Help: every command that is registered has one with examples that work, at 80 columns, and a manual page."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pytest

from mlhub.cli import app
from mlhub.cli.complete.place import find_option, find_place
from mlhub.cli.help import RELATED, TOPICS, blocks, parts
from mlhub.cli.man import pages

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Cli

ALL = [path for path, _ in app.walk()]


@lru_cache
def command(path: tuple[str, ...]) -> Any:
    return dict(app.walk())[path]


@lru_cache
def written() -> dict[str, str]:
    return pages()


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_command_says_what_it_does_and_shows_how(path: tuple[str, ...]) -> None:
    said = parts(command(path).help or "")
    assert said.paragraphs, "a sentence that says what it does"
    assert said.paragraphs[0].endswith((".", "`", ")")) or ": " in said.paragraphs[0]
    assert any(line.startswith(f"mlhub {' '.join(path)}") or "mlhub" in line for line, _ in said.examples)


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_examples_are_of_words_that_exist(path: tuple[str, ...]) -> None:
    for line, _ in parts(command(path).help or "").examples:
        for words in calls(line):
            place = find_place(words if path != ("alias",) or words[0] != "l" else ["ls", *words[1:]])
            assert place is not None, line
            assert place.command is not None, line
            for word in options(words):
                assert word in ("--help", "--version") or find_option(place.command, word), (line, word)


def calls(line: str) -> list[list[str]]:
    """The words of each call of mlhub in an example, up to `--`, a pipe or what else a shell takes for itself."""
    lexer = shlex.shlex(line.replace("…", ""), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    inside = False
    for word in lexer:
        if word == "mlhub" and not inside:
            found.append([])
            inside = True
        elif not set(word) - set("();<>|&") or word == "--":
            inside = False
        elif inside:
            found[-1].append(word)
    assert found, line
    return found


def options(words: list[str]) -> list[str]:
    return [
        word.partition("=")[0] for word in words if word.startswith("-") and len(word) > 1 and not word[1].isdigit()
    ]


@pytest.mark.parametrize("path", [(), *ALL], ids=" ".join)
def test_help_is_readable_at_80_columns(path: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    from typer.main import get_command

    root = get_command(app.app)
    with root.make_context("mlhub", [], resilient_parsing=True) as context:
        here = context
        for word in path:
            below = here.command.get_command(here, word)
            here = below.context_class(below, info_name=word, parent=here)
        text = here.command.get_help(here)
    assert [line for line in text.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("words", [("wait",), ("queue", "move")])
def test_help_of_a_command_is_what_its_own_option_prints(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli("help", *words).stdout == cli(*words, "--help").stdout


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_fits_80_columns(cli: Cli, topic: str) -> None:
    lines = cli("help", topic).stdout.splitlines()
    assert lines[0] == TOPICS[topic].title
    assert max(map(len, lines)) <= 80


def test_every_setting_stands_in_the_help(cli: Cli) -> None:
    from dataclasses import fields

    from mlhub.settings import Settings

    text = cli("help", "settings").stdout
    assert [field.name for field in fields(Settings) if f"MLHUB_{field.name.upper()}" not in text] == ["aliases"]


def test_no_help_on_something_unknown_names_the_nearest(cli: Cli) -> None:
    assert "no help on 'quary'; did you mean query?" in cli("help", "quary", code=1).stderr


def test_the_list_of_commands_has_each_of_them_whole(cli: Cli) -> None:
    lines = cli("--help").stdout.splitlines()
    assert {line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in app.COMMANDS} == set(
        app.COMMANDS
    )
    assert not [line for line in lines if line.endswith(("…", "...")) and "ARGS" not in line]


def test_what_to_read_beside_is_there() -> None:
    words = [word.split()[0] for others in RELATED.values() for word in others]
    assert [word for word in {*RELATED, *words} if word not in app.COMMANDS] == []
    assert [name for name in app.COMMANDS if name not in RELATED] == []


def test_a_topic_is_made_of_paragraphs_and_tables() -> None:
    assert blocks("One\ntwo.\n\n    a  b\n    c  d") == [(False, ["One", "two."]), (True, ["    a  b", "    c  d"])]


@pytest.mark.parametrize("name", ["mlhub.1", *(f"mlhub-{name}.1" for name in app.COMMANDS)])
def test_manual_pages_have_no_fault_that_a_checker_finds(name: str, tmp_path: Path) -> None:
    text = written()[name]
    assert text.isascii()
    file = tmp_path / name
    file.write_text(text + "\n")
    found = []
    if shutil.which("mandoc"):
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", file], capture_output=True, text=True, check=False)
        found += done.stdout.splitlines()
    if shutil.which("groff"):
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", file], capture_output=True, text=True, check=False)
        found += done.stderr.splitlines()
    assert not found


def test_a_manual_page_has_the_options_and_examples_of_its_command() -> None:
    text = written()["mlhub-wait.1"]
    for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"):
        assert f".SH {heading}\n" in text
    assert r"\fB\-\-timeout\fR \fISECONDS\fR" in text
    assert r"mlhub wait base wide && mlhub ls" in text


def test_pages_are_written_for_man(cli: Cli) -> None:
    folder = cli.home.parent / "man1"
    assert f"{len(app.COMMANDS) + 1} pages" in cli("man", "-o", str(folder)).stdout
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    done = subprocess.run(["man", "-l", folder / "mlhub-run.1"], capture_output=True, text=True, check=True)
    assert "mlhub-run - " in " ".join(done.stdout.split())
