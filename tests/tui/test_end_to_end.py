"""The whole way in a real terminal, as a user goes it: start a run, see its curve grow, stop it, leave."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Cli, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

_TRAINER = """
import time, mlhub
for step in range(100_000):
    mlhub.log({"train/loss": 1 / (1 + step / 50)}, step=step)
    time.sleep(0.02)
"""


class Tmux:
    """A server of its own with one window of 160x45 and a shell in it."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._socket = folder / "tmux"
        own = {key: value for key, value in environment.items() if key not in ("TMUX", "COLUMNS", "LINES")}
        self._environment = own | {"LANG": "C.UTF-8", "TERM": "xterm-256color"}
        self("new-session", "-d", "-x", "160", "-y", "45", "sh")
        self.type("PS1='re''ady> '", "Enter")

    def __call__(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", *words]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=True).stdout

    def picture(self) -> str:
        return self("capture-pane", "-p")

    def type(self, *keys: str) -> None:
        self("send-keys", *keys)

    def until(self, words: str, seconds: float = 60) -> str:
        """The picture once the words are on it."""
        wait_until(lambda: words in self.picture(), seconds)
        return self.picture()


@pytest.fixture
def tmux(tmp_path: Path, cli: Cli) -> Iterator[Tmux]:
    terminal = Tmux(tmp_path, cli.environment)
    try:
        terminal.until("ready>")
        yield terminal
    finally:
        terminal("kill-server")


def curve(picture: str) -> str:
    """What is drawn in dots within the pane of the charts; the machine's histories grow by themselves."""
    head, *lines = picture.splitlines()[2:]
    left = head.find(" Charts ")
    pane = [line[left:] for line in lines] if left >= 0 else []
    below = next((at for at, line in enumerate(pane) if line.startswith(" Log ")), len(pane))
    return "".join(letter for line in pane[:below] for letter in line if "\u2801" <= letter <= "\u28ff")


def step(picture: str) -> int:
    """The step in the run's row; 0: none yet."""
    found = re.search(r" grows +(\d+) ", picture)
    return int(found[1]) if found else 0


def test_what_the_machine_does_is_no_curve() -> None:
    tops = ["LIVE", " 1 Runs  2 Charts", " Runs 1          Charts grows", " grows  12       train/loss"]
    system = [" System          Log out", " CPU ⣿⣿⣿         ⣿"]
    assert curve("\n".join((*tops, *system))) == ""
    assert curve("\n".join((*tops, "                 0.5⠤⣀", *system))) == "⠤⣀"
    assert step("\n".join(tops)) == 12


def test_a_run_is_started_seen_growing_stopped_and_left(tmux: Tmux, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "trainer.py").write_text(_TRAINER)
    mlhub = f"{sys.executable} -m mlhub"
    tmux.type(f"{mlhub} run --name grows -- {sys.executable} {tmp_path}/trainer.py", "Enter")
    tmux.until("running")
    tmux.type(f"clear; {mlhub} top", "Enter")
    tmux.until("1 run")
    tmux.until("train/loss")
    tmux.type("2", "Enter")  # that chart alone: those of the machine's share of it grow by themselves too
    tmux.until(" epoch")  # the values of a chart alone have headings
    before = wait_until(lambda: step(picture := tmux.picture()) and picture)
    wait_until(lambda: len(curve(tmux.picture())) > 10 and curve(tmux.picture()) != curve(before))
    wait_until(lambda: step(tmux.picture()) > step(before))

    tmux.type("S")
    tmux.until("let run")
    tmux.type("y")
    wait_until(lambda: cli.json("show", "grows")["status"] == "cancelled", 40)
    wait_until(lambda: "1 run" not in tmux.picture())

    tmux.type("q")
    assert "LIVE" not in tmux.until("ready>")
    tmux.type("echo still $((40+2))", "Enter")
    tmux.until("still 42")
