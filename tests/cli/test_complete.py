"""Completion: what is offered where, and that real shells type it so that mlhub gets the very same word."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlhub.cli import app
from mlhub.cli.complete import bash, candidates, respond
from mlhub.cli.completion import SCRIPTS, put
from mlhub.settings import Settings
from mlhub.store.store import Store
from mlhub.text import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Cli

    Ask = Callable[..., list[str]]

#: each may be a name: what shells, completion scripts and SQL could stumble over
HOSTILE = [
    "with blanks in",
    "a:b:c",
    "it's",
    'say "hi"',
    "$HOME-`id`-$(id)",
    "x;touch pwned",
    "star*?[a]{b}",
    "back\\slash",
    "개-é",
    "100%",
    "k=v",
    "#tag & more",
    "!bang",
    "~tilde",
]


def add(store: Store, name: str, status: str = "completed", **more: object) -> None:
    store.add(name=name, created_at=now(), host="here", **({"kind": "train"} | more))  # type: ignore[arg-type]
    run = store.find("@last")
    if status not in ("queued", "running"):
        store.finish(run, status=status, ended_at=now(), exit_code=0, signal=None, reason=None)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a few runs of every kind."""
    root = tmp_path_factory.mktemp("complete") / "home"
    root.mkdir(mode=0o700)
    store = Store.open(Settings.load({"MLHUB_HOME": str(root)}).to_home())
    add(store, "base", group="wide nets", tags=("paper", "two words"), config={"model": {"width": 64, "deep": True}})
    run = store.find("base")
    summary = {"val/map_64": {"last": 0.5, "step": 9}, "loss\x1b[31m": {"last": 1}, "val/loss": {"last": 0.25}}
    store.set_summary(run, summary, 1, done=True)
    add(store, "broken", "failed", tags=("old",))
    add(store, "codes", kind="index")
    add(store, "still", "queued")
    for name in HOSTILE:
        add(store, name)
    store.close()
    (root / "config.toml").write_text('[aliases]\nbest = "ls --filter \'tag:paper\'"\nqm = "queue move"\n')
    return root


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


@pytest.mark.parametrize("trouble", ["missing", "garbage", "locked", "unreadable", "torn config", "other schema"])
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
    "NAME", "N", "SECONDS", "DAYS", "TEXT", "REASON", "BRANCH",
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


# --- real shells ---


class Shell:
    """An interactive shell in a pty, completion loaded, `mlhub` on its path."""

    def __init__(self, name: str, home: Path, work: Path, startup: str) -> None:
        work.mkdir(exist_ok=True)
        binaries = work / "bin"
        binaries.mkdir(exist_ok=True)
        (binaries / "mlhub").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mlhub "$@"\n')
        (binaries / "mlhub").chmod(0o755)
        # what it was given, for the test to read: the shell has taken the quotes away
        (binaries / "given").write_text(
            '#!/bin/sh\nfor word; do printf "<%s>" "$word"; done > "$GIVEN"\nmv "$GIVEN" "$GIVEN.whole"\n'
        )
        (binaries / "given").chmod(0o755)
        self.given = work / "given.txt"
        (work / "rc").write_text(startup)
        (work / ".zshrc").write_text(startup)
        (work / ".config").mkdir(exist_ok=True)
        environment = {
            "HOME": str(work), "ZDOTDIR": str(work), "MLHUB_HOME": str(home), "TERM": "xterm", "LANG": "C.UTF-8",
            "PATH": f"{binaries}:{os.environ['PATH']}", "GIVEN": str(self.given), "LC_ALL": "C.UTF-8",
            "XDG_CONFIG_HOME": str(work / ".config"),
        }  # fmt: skip
        command = {
            "bash": ["bash", "--noprofile", "--rcfile", str(work / "rc"), "-i"],
            "zsh": ["zsh", "-i"],
            "fish": ["fish", "--no-config", "-i", "-C", f"source {work}/rc"],
        }[name]
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            os.chdir(work)
            os.execvpe(command[0], command, environment)  # noqa: S606
        self.read_until("READY")

    def read_until(self, sign: str, seconds: float = 30) -> str:
        seen = b""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if select.select([self._terminal], [], [], 0.05)[0]:
                seen += os.read(self._terminal, 65536)
                if b"\x1b[c" in seen[-40:]:  # fish asks what terminal this is
                    os.write(self._terminal, b"\x1b[?6c")
            if sign.encode() in seen:
                return seen.decode(errors="replace")
        pytest.fail(f"no {sign!r} in {seconds} s: {seen[-800:]!r}")

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def completed(self, typed: str) -> str:
        """The words that a command gets of a line that was completed and then sent."""
        whole = self.given.with_name(self.given.name + ".whole")
        whole.unlink(missing_ok=True)
        self.type(typed + "\t")
        self.settle()
        self.type("\r")
        deadline = time.monotonic() + 20
        while not whole.exists():
            self.settle(0.02)
            assert time.monotonic() < deadline, typed
        return whole.read_text()

    def settle(self, quiet: float = 0.35) -> None:
        """Until the shell has said nothing for a while: an answer was typed, or there is none."""
        while select.select([self._terminal], [], [], quiet)[0]:
            if b"\x1b[c" in os.read(self._terminal, 65536):
                os.write(self._terminal, b"\x1b[?6c")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._terminal)


#: the same completion for a command that writes down what it was given
PROMPTS = {
    "bash": "PS1='READY '\nbind 'set bell-style none'\nbind 'set enable-bracketed-paste off'\nset +H\n",
    "zsh": "autoload -Uz compinit && compinit -u -D\nPS1='READY '\nunsetopt beep\n",
    "fish": "function fish_prompt; echo -n 'READY '; end\nset -g fish_greeting\n",
}
BEHIND = {
    "bash": '\ngiven() { command given "$@"; }\ncomplete -o nosort -F _as_mlhub given\n'
    '_as_mlhub() { COMP_LINE=mlhub${COMP_LINE#given}; COMP_POINT=${#COMP_LINE}; _mlhub mlhub "$2" "$3"; }\n',
    "zsh": "\n_as_mlhub() { words[1]=mlhub; _mlhub }\ncompdef _as_mlhub given\n",
    "fish": "\ncomplete -c given -f -k -a '(__given)'\n"
    "function __given; set -l words (commandline -opc); set -l current (commandline -ct);"
    ' _MLHUB_COMPLETE=fish mlhub $words[2..-1] "$current" | tail -n +2; end\n',
}
PACKAGE = Path("/usr/share/bash-completion/bash_completion")


def start(name: str, home: Path, work: Path, before: str = "") -> Shell:
    program = name.partition(" ")[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    if "package" in name:
        if not PACKAGE.exists():
            pytest.skip("bash-completion is not installed")
        before = f"source {PACKAGE}\n"
    return Shell(program, home, work, before + PROMPTS[program] + SCRIPTS[program] + BEHIND[program])


@pytest.fixture(scope="module", params=["bash", "bash with its package", "zsh", "fish"])
def shell(request: pytest.FixtureRequest, filled: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    opened = start(request.param, filled, tmp_path_factory.mktemp("shell"))
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("given show with", "<show><with blanks in>"),
        ("given show a:b", "<show><a:b:c>"),
        ("given show it", "<show><it's>"),
        ("given show say", '<show><say "hi">'),
        ("given show 'with bl", "<show><with blanks in>"),
        ('given show "with bl', "<show><with blanks in>"),
        ("given show x", "<show><x;touch pwned>"),
        ("given show star", "<show><star*?[a]{b}>"),
        ("given show back", "<show><back\\slash>"),
        ("given show 개", "<show><개-é>"),
        ("given show k=", "<show><k=v>"),
        ("given show @l", "<show><@last>"),
        ("given run quickstart model.freeze_backbone=t", "<run><quickstart><model.freeze_backbone=true>"),
        ("given ls --filter 'tag:paper status:fa", "<ls><--filter><tag:paper status:failed>"),
        ("given run --group=wi", "<run><--group=wide nets>"),
    ],
)
def test_a_shell_types_what_mlhub_then_gets(shell: Shell, typed: str, given: str) -> None:
    assert shell.completed(typed) == given


@pytest.mark.parametrize("start_of", ["\\$HOME", "'$HOME"])
def test_no_name_is_ever_evaluated(shell: Shell, start_of: str) -> None:
    assert shell.completed(f"given show {start_of}") == "<show><$HOME-`id`-$(id)>"
    assert not list(shell.given.parent.glob("pwned"))


def test_installing_twice_adds_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".bashrc").write_text("alias ll='ls -l'")
    for shell_name in ("bash", "zsh", "fish", "bash", "zsh"):
        put(shell_name)
    lines = (tmp_path / ".bashrc").read_text().splitlines()
    assert lines[0] == "alias ll='ls -l'"
    assert len(lines) == 2
    assert "mlhub" in lines[1]
    assert len((tmp_path / ".zshrc").read_text().splitlines()) == 1
    assert (tmp_path / ".config/fish/completions/mlhub.fish").read_text() == SCRIPTS["fish"]


def test_an_installed_script_is_loaded_by_a_new_bash(cli: Cli, tmp_path: Path) -> None:
    environment = cli.environment | {"HOME": str(tmp_path), "SHELL": "/bin/bash"}
    environment.pop("XDG_DATA_HOME", None)
    cli("--install-completion", HOME=str(tmp_path), SHELL="/bin/bash", XDG_DATA_HOME=str(tmp_path / "data"))
    done = subprocess.run(
        ["bash", "--rcfile", str(tmp_path / ".bashrc"), "-i", "-c", "complete -p mlhub"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "complete -o nosort -F _mlhub mlhub\n"


def test_a_shell_that_has_none_is_told_which_have(cli: Cli) -> None:
    assert "There is one for: bash, zsh, fish." in cli("completion", "tcsh", code=2).stderr
