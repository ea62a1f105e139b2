"""What completion offers where, and what it does where the home is not as it should be."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlhub.cli import app
from mlhub.cli.complete import bash, candidates, respond
from mlhub.settings import Settings
from mlhub.store.store import Store
from tests.cli.complete.conftest import HOSTILE, add

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., list[str]]


@pytest.fixture
def ask(filled: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Ask:
    """What zsh would be offered for the last of some words; the first line, how to go on, kept in `ask.how`."""
    monkeypatch.setenv("MLHUB_HOME", str(filled))
    monkeypatch.chdir(tmp_path)

    def answer(*words: str, described: bool = False) -> list[str]:
        how, *lines = respond("zsh", list(words)).splitlines()
        answer.how = how  # type: ignore[attr-defined]
        return lines if described else [line.partition("\t")[0] for line in lines]

    return answer


def test_commands_are_offered_with_what_they_do(ask: Ask) -> None:
    assert ask("sh") == ["show"]
    assert any(line.startswith("ls\tList runs") for line in ask("l", described=True))
    assert {"run", "best", *app.COMMANDS} <= set(ask(""))
    assert ask("queue", "m") == ["move"]


def test_runs_are_offered_newest_first_with_their_status(ask: Ask) -> None:
    found = ask("show", "", described=True)
    assert found[0] == "@last\tthe newest"
    assert "broken\t2 failed" in found
    assert ask("show", "b") == ["back\\slash", "broken", "base"]
    assert ask("show", "2", described=True) == ["2\tfailed broken"]
    assert ask("show", "@") == ["@last"]


def test_only_runs_that_a_command_can_do_something_with(ask: Ask) -> None:
    assert ask("stop", "") == ["still"]
    assert ask("resume", "b") == ["broken"]
    assert ask("search", "--index", "") == ["@last", "codes"]
    assert "still" not in ask("rm", "s")
    assert ask("run", "--after", "") == ["still"]
    assert ask("wait", "") == ["@last", "still"]


def test_a_run_named_already_is_not_offered_again(ask: Ask) -> None:
    assert "base" not in ask("rm", "base", "ba")
    assert ask("tag", "base,bro") == ["base,broken"]


def test_hostile_names_come_whole_and_control_characters_never(ask: Ask) -> None:
    assert set(HOSTILE) <= set(ask("show", ""))
    assert ask("metrics", "base", "--only", "") == ["val/loss", "val/map_64"]  # not the one that holds an escape


def test_of_five_thousand_runs_with_control_characters_in_their_names_each_line_is_one_whole_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLHUB_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir(mode=0o700)
    store = Store.open(Settings.load().to_home())
    add(store, "plain")
    store.close()
    with sqlite3.connect(tmp_path / "home" / "mlhub.db") as connection:
        every = [column[1] for column in connection.execute("PRAGMA table_info(runs)")]
        columns = ", ".join(name for name in every if name not in ("id", "name"))
        for number in range(5000):
            odd = (f"new\nline{number}", f"\x1b]0;x\x07esc{number}", f"r{number}")[number % 3]
            connection.execute(f"INSERT INTO runs (name, {columns}) SELECT ?, {columns} FROM runs WHERE id = 1", (odd,))  # noqa: S608
    connection.close()
    for shell in ("bash", "zsh", "fish"):
        line = ["mlhub show r", "r"] if shell == "bash" else ["show", ""]
        text = respond(shell, line)
        assert not set(text) & {"\x1b", "\x07", "\r"}
        assert not [found for found in text.splitlines() if found.startswith(("line", "new"))]
        assert any(found.startswith("r49") for found in text.splitlines())


def test_options_are_offered_with_their_help_and_not_twice(ask: Ask) -> None:
    assert "--json\tPrint the run as JSON." in ask("show", "-", described=True)
    assert "--json" not in ask("show", "--json", "-")
    assert "--tag" in ask("run", "--tag", "x", "--t")  # may be given again
    assert ask("logs", "--", "-") == []


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["metrics", "--format", ""], ["jsonl", "csv", "parquet"]),
        (["tag", "base", "p"], ["paper"]),
        (["tag", "base", "--remove", ""], ["paper", "two words"]),
        (["run", "--group", "w"], ["wide nets"]),
        (["run", "--group=w"], ["--group=wide nets"]),
        (["data", "show", "e"], ["emoji"]),
        (["run", "qu"], ["quickstart"]),
        (["gc", "--only", "trash,ch"], ["trash,checkpoints"]),
        (["help", "ex"], ["exit"]),
        (["help", "queue", "dr"], ["drain"]),
        (["completion", "z"], ["zsh"]),
        (["qm", "st"], ["still"]),
        (["eval", "--checkpoint", "la"], ["last"]),
        (["diff", "base", "bro"], ["broken"]),
        (["diff", "base", "broken", "--only", "config,lo"], ["config,logs"]),
        (["compare", "--at", "best:val/m"], ["best:val/map_64"]),
        (["compare", "base", "--sort", "val/m"], ["val/map_64"]),
    ],
)
def test_a_place_is_completed_by_what_it_is_called(ask: Ask, words: list[str], wanted: list[str]) -> None:
    assert ask(*words) == wanted


def test_keys_of_a_preset_and_the_values_they_may_have(ask: Ask) -> None:
    assert "training.seed=\t1" in ask("run", "quickstart", "training.", described=True)
    assert ask.how == "nospace"  # type: ignore[attr-defined]
    assert ask("run", "quickstart", "training.sched") == ["training.scheduler=cosine", "training.scheduler=constant"]
    assert ask("run", "quickstart", "model.freeze_backbone=t") == ["model.freeze_backbone=true"]
    assert "data.dataset=emoji" in ask("run", "quickstart", "data.dataset=")
    assert ask("rerun", "base", "model.d") == ["model.deep=true"]


def test_presets_are_offered_by_path_too(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "mine.yaml").write_text("training: {seed: 3}\n")
    (tmp_path / "conf" / "notes.txt").touch()
    assert ask("run", "co") == ["conf/"]
    assert ask("run", "conf/") == ["conf/mine.yaml"]
    assert ask("run", "conf/mine.yaml", "training.see") == ["training.seed=3"]


def test_a_query_is_completed_word_by_word(ask: Ask) -> None:
    assert ask("ls", "--filter", "st")[:3] == ["status:", "step", "started"]
    assert ask("ls", "--filter", "tag:paper -status:f") == ["tag:paper -status:failed"]
    assert set(ask("ls", "--filter", "kind:train tag:")) == {
        "kind:train tag:old", "kind:train tag:paper", 'kind:train tag:"two words"',
    }  # fmt: skip
    assert ask("ls", "--filter", "val/m") == ["val/map_64"]
    assert ask("ls", "--filter", "cfg.model.w") == ["cfg.model.width"]


def test_behind_two_dashes_stands_a_command_of_its_own(ask: Ask) -> None:
    assert (ask("run", "--name", "x", "--", "py"), ask.how) == ([], "command 5")  # type: ignore[attr-defined]


def test_a_word_that_leads_nowhere_has_no_answer(ask: Ask) -> None:
    assert ask("nonsense", "") == []
    assert ask("queue", "nonsense", "") == []


@pytest.mark.parametrize(
    "trouble",
    ["missing", "garbage", "torn", "locked", "unreadable", "torn config", "other schema"],
)
def test_whatever_is_wrong_with_the_home_the_answer_is_silent(
    filled: Path, tmp_path: Path, trouble: str, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    if trouble != "missing":
        shutil.copytree(filled, home)
    database = home / "mlhub.db"
    held = None
    if trouble == "garbage":
        database.write_bytes(b"\0garbage" * 999)
    elif trouble == "torn":
        os.truncate(database, database.stat().st_size // 3)
    elif trouble == "locked":
        held = sqlite3.connect(database)
        held.executescript("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE runs SET note='x';")
    elif trouble == "unreadable":
        database.unlink()
        database.mkdir()
    elif trouble == "torn config":
        (home / "config.toml").write_text("[aliases\n")
    elif trouble == "other schema":
        with sqlite3.connect(database) as connection:
            connection.execute("ALTER TABLE runs RENAME TO walks")
        connection.close()
    for words in (["show", ""], ["tag", "base", ""], ["ls", "--filter", "tag:"], ["nosuch", ""], ["data", "show", ""]):
        done = subprocess.run(
            [sys.executable, "-m", "mlhub", *words],
            env=os.environ | {"MLHUB_HOME": str(home), "_MLHUB_COMPLETE": "zsh"},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), words
    if held:
        held.close()


def test_nothing_is_written_and_no_file_made_beside_the_database(filled: Path, tmp_path: Path, ask: Ask) -> None:
    before = {path: path.stat().st_mtime_ns for path in filled.rglob("*")}
    for words in (
        ["show", ""],
        ["metrics", "--only", ""],
        ["run", "quickstart", "t"],
        ["best", ""],
        ["data", "show", ""],
    ):
        ask(*words)
    assert {path: path.stat().st_mtime_ns for path in filled.rglob("*")} == before


def test_nothing_heavy_is_loaded_for_an_answer(filled: Path) -> None:
    heavy = ("torch", "numpy", "sqlalchemy", "textual", "psutil", "rich", "pydantic", "matplotlib")
    script = (
        "import sys; sys.argv = ['mlhub', 'show', '']; import os; leave = os._exit\n"
        f"os._exit = lambda code: (print([n for n in {heavy} if n in sys.modules]), sys.stdout.flush(), leave(code))\n"
        "from mlhub.cli import main; main()"
    )
    environment = os.environ | {"MLHUB_HOME": str(filled), "_MLHUB_COMPLETE": "zsh"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n")


#: words that are the user's own: nobody can know them
FREE = frozenset((
    "NAME", "N", "SECONDS", "DAYS", "TEXT", "REASON", "BRANCH", "LANGUAGE", "LABEL", "SEED", "SHARES", "VALUES",
))  # fmt: skip


def test_every_argument_and_option_is_one_that_completion_knows_or_the_users_own() -> None:
    unknown = []
    for path, command in app.walk():
        for param in command.params:
            free = (param.metavar or "").strip("[]{}. ") in FREE
            if getattr(param, "is_flag", False) or free or getattr(param.type, "choices", None):
                continue
            if candidates.kind_of(param) is None:
                unknown.append((*path, param.name, param.metavar))
    assert not unknown


# --- bash's words ---


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("mlhub show a", ["mlhub", "show", "a"]),
        ("mlhub  show ", ["mlhub", "show", ""]),
        ("mlhub x 'a b", ["mlhub", "x", "'a b"]),
        ('mlhub "a \\" b" c', ["mlhub", '"a \\" b"', "c"]),
        ("mlhub a\\ b", ["mlhub", "a\\ b"]),
    ],
)
def test_a_line_is_split_as_bash_splits_it(line: str, words: list[str]) -> None:
    assert bash.split(line) == words


@pytest.mark.parametrize(
    ("word", "meant"), [("'a b", "a b"), ('"x \\" \\y"', 'x " \\y'), ("a\\ b", "a b"), ("a'b'\"c\"", "abc"), ("\\", "")]
)
def test_a_word_without_its_quotes(word: str, meant: str) -> None:
    assert bash.plain(word) == meant
