"""What goes to the terminal, to the byte, and the terminal after the end: through a pty."""

from __future__ import annotations

import json
import os
import re
import signal
import termios

import pytest

from tests.conftest import make_cli
from tests.tui.escapes import foreign
from tests.tui.terminal import Terminal, mlhub_command

#: what must be taken back at the end: the second screen, the mouse, focus, pasting, the cursor
_TAKEN_BACK = (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?1003l", b"\x1b[?1004l", b"\x1b[?2004l", b"\x1b[?25h", b"\x1b[<u")


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A home with a few ended runs."""
    cli = make_cli(tmp_path_factory.mktemp("bytes") / "home")
    line = """echo "{\\"step\\":$i,\\"train/loss\\":0.$i}" >> $MLHUB_RUN_DIR/metrics.jsonl"""
    words = f"for i in $(seq 50); do {line}; done; echo hello"
    for name in ("one", "two"):
        cli("run", "--wait", "--name", name, "--", "sh", "-c", words)
    return cli


def top(cli, *words, size=(160, 45), **changes):
    return Terminal(mlhub_command("top", *words), cli.environment | changes, size)


def settled(terminal, quiet=2.0):
    """Once it shows all it has, and has written nothing for so many seconds."""
    terminal.until_shown("LIVE", 60)
    terminal.until_shown("quit", 60)
    terminal.until_quiet(quiet, 60)


@pytest.mark.parametrize("size", [(160, 45), (80, 24)])
def test_at_rest_with_meters_off_not_a_byte_is_written(ended, size):
    (ended.home / "top.json").write_text(json.dumps({"meters": False}))
    with top(ended, size=size) as terminal:
        settled(terminal)
        count = terminal.count
        terminal.pause(6)
        assert terminal.raw[count:] == b""


def test_at_rest_every_view_falls_silent(ended):
    (ended.home / "top.json").write_text(json.dumps({"meters": False}))
    with top(ended) as terminal:
        settled(terminal)
        for view in "1234567":
            terminal.send(view)
            terminal.until_quiet(1.5, 30)


def test_a_key_that_moves_the_cursor_repaints_a_few_cells_only(ended):
    (ended.home / "top.json").write_text(json.dumps({"meters": False}))
    with top(ended, size=(80, 24)) as terminal:
        settled(terminal)
        count = terminal.count
        terminal.send("down")
        terminal.until(lambda: terminal.count > count)
        terminal.until_quiet(1.0)
        assert terminal.count - count < 80 * 24  # a picture of 80x24 takes several times that


def test_quitting_gives_the_terminal_back_as_it_was(ended):
    with top(ended) as terminal:
        settled(terminal, 0.3)
        terminal.send("q")
        assert terminal.wait() == 0
        assert [word for word in _TAKEN_BACK if word not in terminal.raw[-2000:]] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back_too(ended, number):
    with top(ended) as terminal:
        settled(terminal, 0.3)
        terminal.signal(number)
        terminal.wait()
        assert [word for word in _TAKEN_BACK if word not in terminal.raw[-2000:]] == []


def test_the_line_is_read_as_before_after_the_end(ended):
    with top(ended) as terminal:
        before = terminal.modes()
        settled(terminal, 0.3)
        assert not terminal.modes() & termios.ECHO
        terminal.send("q")
        terminal.wait()
        assert terminal.modes() == before


def test_a_resize_is_followed_down_to_too_small_and_back(ended):
    with top(ended) as terminal:
        settled(terminal, 0.3)
        for size, words in (((50, 10), "needs 60x15, this is 50x10"), ((80, 24), "quit"), ((220, 60), "Log")):
            terminal.resize(*size)
            terminal.until_shown(words)
        assert foreign(terminal.raw) == []


@pytest.mark.parametrize("changes", [{"NO_COLOR": "1"}, {"LC_ALL": "C"}, {"LANG": "C"}], ids=str)
def test_every_view_works_without_colours_and_without_utf8(ended, changes):
    with top(ended, **changes) as terminal:
        settled(terminal, 0.3)
        for view in "1234567":
            terminal.send(view)
            terminal.pause(0.5)
        terminal.send("q")
        assert terminal.wait() == 0, terminal.text
        plain = terminal.raw.decode()
        if "NO_COLOR" in changes:  # shades of grey are left, as Textual has it
            assert all(red == green == blue for red, green, blue in re.findall(r"[34]8;2;(\d+);(\d+);(\d+)", plain))
        else:
            assert {letter for letter in plain if not letter.isascii()} == set()


def test_a_run_goes_on_when_the_screen_is_killed(cli):
    cli("run", "--name", "goes-on", "--", "sleep", "60")
    with top(cli) as terminal:
        settled(terminal, 0.3)
        terminal.signal(signal.SIGKILL)
        terminal.wait()
    run = cli.json("show", "goes-on")
    assert run["status"] == "running"
    os.kill(run["pid"], 0)
