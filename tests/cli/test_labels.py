"""Tags and notes as a user writes them: each a process of its own, over a real home."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Cli

HOSTILE = "\x1b]0;owned\x07 red \x1b[31m[bold]x[/] \u202egnp\u2069 가 \x9b2J"


def make(cli: Cli, *names: str) -> None:
    for name in names:
        cli("run", "--wait", "--name", name, "--tag", "old", "--", "true")


def tags(cli: Cli, name: str) -> list[str]:
    return cli.json("show", name)["tags"]


def test_tags_are_added_and_taken_away(cli: Cli) -> None:
    make(cli, "one", "two")
    cli("tag", "one,two", "paper", "fast", "--remove", "old", "-r", "never-there")
    assert tags(cli, "one") == tags(cli, "two") == ["paper", "fast"]
    assert "one  paper, fast" in cli("tag", "one").stdout
    assert [run["tags"] for run in cli.json("ls")] == [["paper", "fast"]] * 2


@pytest.mark.parametrize("word", ["", "-x", "a,b", "a/b", "\x1b[31m", "two\nlines", "x" * 101])
def test_what_can_not_be_a_tag_changes_nothing(cli: Cli, word: str) -> None:
    make(cli, "one")
    assert "not usable" in cli("tag", "one", "good", "--", word, code=2).stderr
    assert tags(cli, "one") == ["old"]


def test_one_run_that_is_not_there_leaves_the_others_as_they_are(cli: Cli) -> None:
    make(cli, "one")
    assert "no run 'nobody'" in cli("tag", "one,nobody", "paper", code=1).stderr
    assert tags(cli, "one") == ["old"]


def test_a_note_is_written_shown_and_taken_away(cli: Cli) -> None:
    make(cli, "one")
    assert "no note" in cli("note", "one").stdout
    cli("note", "one", "diverges after epoch 3\n  see #12")
    assert cli("note", "one").stdout == "diverges after epoch 3\n  see #12\n"
    shown = cli("show", "one").stdout
    assert "  note     diverges after epoch 3\n             see #12\n" in shown
    assert cli.json("ls")[0]["note"] == "diverges after epoch 3\n  see #12"
    cli("note", "one", "")
    assert cli.json("show", "one")["note"] is None


def test_a_note_comes_from_the_editor_or_from_stdin(cli: Cli) -> None:
    make(cli, "one")
    cli("note", "one", "first")
    cli("note", "one", "-e", EDITOR="sed -i s/first/second/", VISUAL="")
    assert cli.json("show", "one")["note"] == "second"
    assert "exit code 1" in cli("note", "one", "-e", code=1, EDITOR="false", VISUAL="").stderr
    assert "can't be started" in cli("note", "one", "-e", code=1, EDITOR="/no/such editor", VISUAL="").stderr
    assert cli.json("show", "one")["note"] == "second"
    command = [sys.executable, "-m", "mlhub", "note", "one", "-"]
    subprocess.run(command, input=b"third\n", env=cli.environment, check=True, capture_output=True)
    assert cli.json("show", "one")["note"] == "third"


def test_hostile_text_in_a_note_reaches_no_terminal(cli: Cli) -> None:
    make(cli, "one")
    cli("note", "one", HOSTILE)
    for said in (cli("note", "one").stdout, cli("show", "one").stdout):
        assert not any(sign in said for sign in "\x1b\x07\x9b\u202e\u2069")
        assert "[bold]x[/]" in said


def test_what_is_too_long_is_refused(cli: Cli) -> None:
    make(cli, "one")
    assert "10001 characters" in cli("note", "one", "x" * 10_001, code=2).stderr
    assert "101 tags" in cli("tag", "one", *(f"t{n}" for n in range(100)), code=2).stderr


def test_labels_come_back_when_the_database_is_made_anew(cli: Cli) -> None:
    make(cli, "one", "two")
    cli("tag", "one", "paper", "--remove", "old")
    cli("note", "one", "a note")
    (cli.home / "mlhub.db").write_bytes(b"none any more" * 1000)
    cli("doctor", "--rebuild", code=None)
    run = cli.json("show", "one")
    assert (run["tags"], run["note"]) == (["paper"], "a note")
    assert tags(cli, "two") == ["old"]


def test_labels_come_back_from_the_trash(cli: Cli) -> None:
    make(cli, "one")
    cli("tag", "one", "paper")
    cli("note", "one", "a note")
    cli("rm", "one")
    cli("rm", "--restore", "one")
    run = cli.json("show", "one")
    assert (run["tags"], run["note"]) == (["old", "paper"], "a note")
    file = cli.home / "runs" / "1" / "labels.json"
    assert json.loads(file.read_text()) == {"version": 1, "tags": ["old", "paper"], "note": "a note"}


def test_a_rerun_keeps_the_tags_and_not_the_note(cli: Cli) -> None:
    make(cli, "one")
    cli("tag", "one", "paper", "--remove", "old")
    cli("note", "one", "a note")
    run = cli.json("rerun", "one", "--wait")
    assert (run["tags"], run["note"]) == (["paper"], None)


def test_sixteen_at_once_lose_no_tag(cli: Cli) -> None:
    make(cli, "one")
    processes = [
        subprocess.Popen([sys.executable, "-m", "mlhub", "tag", "one", f"t{n}"], env=cli.environment, stdout=-3)
        for n in range(16)
    ]
    assert [process.wait(100) for process in processes] == [0] * 16
    assert sorted(tags(cli, "one")) == sorted(["old", *(f"t{n}" for n in range(16))])


def test_a_run_whose_folder_is_gone_can_not_be_labelled(cli: Cli) -> None:
    import shutil

    make(cli, "one")
    shutil.rmtree(cli.home / "runs" / "1")
    assert "its folder is gone" in cli("note", "one", "x", code=1).stderr
    assert cli.json("show", "one")["note"] is None
