"""Aliases of config.toml: what they stand for, and what is said of those that stand for nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli


def write(cli: Cli, text: str) -> None:
    cli.home.mkdir(mode=0o700, exist_ok=True)
    (cli.home / "config.toml").write_text(text)


def test_an_alias_stands_for_its_words_and_further_ones_follow(cli: Cli) -> None:
    write(cli, "[aliases]\nyes = \"run --wait --name 'my run' -- echo\"\n")
    cli("yes", "--json", "$HOME;")
    assert cli("logs").stdout == "--json $HOME;\n"
    assert cli.json("show")["name"] == "my run"


def test_an_alias_may_stand_for_another_and_for_a_sub_command(cli: Cli) -> None:
    write(cli, '[aliases]\nq = "queue"\nhold = "q pause"\n')
    assert "queue paused" in cli("hold", "for now").stdout
    assert "PAUSED: for now" in cli("q").stdout


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('a = "b"\nb = "c"\nc = "a"', "goes round in a circle: a → b → c → a"),
        ('a = "a -n 5"', "goes round in a circle: a → a"),
        ('a = "lss"', "'lss' is no command; did you mean ls?"),
        ('a = ""', "is empty"),
        ('a = "ls \'x"', "a quote without its end"),
        ('a = "rm; ls"', "'rm;' is no command"),
    ],
)
def test_an_alias_that_leads_to_no_command_is_refused(cli: Cli, table: str, said: str) -> None:
    write(cli, f"[aliases]\n{table}\n")
    assert said in cli("a", code=1).stderr


def test_a_command_wins_over_an_alias_of_its_name_with_one_line_of_warning(cli: Cli) -> None:
    cli("run", "--name", "one", "--wait", "--", "true")
    write(cli, '[aliases]\nls = "rm one"\n')
    done = cli("ls", "--json")
    assert len(json.loads(done.stdout)) == 1
    assert re.fullmatch(r"warning: the alias 'ls' in .* is left out: a command has that name\n", done.stderr)
    assert cli("show", "one").stderr == ""  # the others say nothing


def test_bare_alias_lists_them_too(cli: Cli) -> None:
    write(cli, """[aliases]\ngood = "ls -n 5"\nquoted = "run --name 'a b' -- echo x"\n""")
    assert cli.json("alias") == cli.json("alias", "ls")
    assert "run --name 'a b' -- echo x" in cli("alias").stdout
    write(cli, '[aliases]\nround = "round"\n')
    assert "goes round in a circle" in cli("alias", code=1).stdout


@pytest.mark.parametrize("text", ["aliases = 3", "[aliases]\na = 3", "[aliases]\na = ['ls']"])
def test_a_table_that_is_none_is_refused_with_an_example(cli: Cli, text: str) -> None:
    write(cli, text)
    error = cli("ls", code=1).stderr
    assert "aliases" in error
    assert 'l = "ls -n 5"' in error


def test_aliases_are_listed_with_what_is_wrong(cli: Cli) -> None:
    write(cli, '[aliases]\ngood = "ls -n 5"\nstop = "ls"\n')
    found = cli.json("alias", "ls", code=1)
    assert found["good"] == {"words": "ls -n 5", "error": None}
    assert found["stop"]["error"] == "a command has that name"
    assert "a command has that name" in cli("alias", "ls", code=1).stdout


def test_help_has_the_aliases_and_never_fails_for_them(cli: Cli) -> None:
    write(cli, '[aliases]\nbest = "ls --filter tag:paper"\n')
    assert "best" in cli("--help").stdout.partition("Your aliases:")[2]
    write(cli, "[aliases\n")
    assert "Start and stop:" in cli("--help").stdout


def test_an_unknown_word_names_the_nearest_command_or_alias(cli: Cli) -> None:
    write(cli, '[aliases]\nbest = "ls"\n')
    assert "no command 'shwo'; did you mean show?" in cli("shwo", code=2).stderr
    assert "did you mean best?" in cli("bset", code=2).stderr
    assert "\x1b" not in cli("\x1b[31mred", code=2).stderr


def test_a_command_reads_no_toml_where_there_are_no_aliases(cli: Cli) -> None:
    cli("ls")  # which makes the database
    script = (
        "import sys; sys.argv = ['mlhub', 'ls']\nfrom mlhub.cli import main\n"
        "try: main()\nexcept SystemExit: print('tomllib' in sys.modules, 'mlhub.cli.run' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=cli.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("False False\n")  # nor is another command built than the one that is asked for
