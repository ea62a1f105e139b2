"""Real shells type what is offered so that mlhub gets the very same word; names are never evaluated."""

from __future__ import annotations

import os
import pty
import select
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mlhub.cli.completion import SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Iterator


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
