"""The end of the screen, whatever brings it: the terminal is as it was, and what went wrong is said in one line."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.conftest import make_cli, wait_until
from tests.tui.terminal import Terminal, mlhub_command

#: ways in which a view may fail: in a key, as it takes what is new, as it draws, as it is made
_FAILURES = {
    "key": "CompareView.action_use = fail",
    "pull": "CompareView.pull = fail",
    "draw": "Table.render_line = fail",
    "compose": "CompareView.content = fail",
    "init": "CompareView.__init__ = fail",
}
_BROKEN = """
import sys
from mlhub.cli import main
from mlhub.tui.compare.view import CompareView
from mlhub.tui.widgets.table import Table
def fail(*_, **__): raise ZeroDivisionError("on [/purpose] \\x1b]0;title\\x07")
{}
sys.argv = ["mlhub", "top"]
main()
"""


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """A home with two ended runs."""
    cli = make_cli(tmp_path_factory.mktemp("end") / "home")
    for name in ("one", "two"):
        cli("run", "--wait", "--name", name, "--", "true")
    return cli


def _top(cli, failure="", **changes):
    (cli.home / "top.json").unlink(missing_ok=True)
    command = [sys.executable, "-c", _BROKEN.format(_FAILURES[failure])] if failure else mlhub_command("top")
    return Terminal(command, cli.environment | changes, (100, 30))


def _fail(terminal, failure):
    """Bring it about; the exit status."""
    if failure != "draw":
        terminal.until_shown("LIVE", 60)
        terminal.send("4")
    if failure == "key":
        terminal.until_shown("are marked")
        terminal.send("m")
    return terminal.wait(60)


def _after(raw):
    """What was written once the second screen was left: what the user sees then."""
    return raw.rpartition(b"\x1b[?1049l")[2].decode()


@pytest.mark.parametrize("failure", _FAILURES)
def test_a_view_that_fails_costs_one_line_and_exit_status_1(ended, failure):
    with _top(ended, failure) as terminal:
        before = terminal.modes()
        assert _fail(terminal, failure) == 1
        assert terminal.modes() == before
        words = re.sub(r"\x1b\[[<>?0-9;]*[a-zA-Z]", "", _after(terminal.raw)).split("\r\n")
        assert [word for word in (b"\x1b[?1049l", b"\x1b[?1000l", b"\x1b[?25h") if word not in terminal.raw] == []
    said = [line for line in words if line.strip()]
    assert len(said) == 2, said
    assert said[0].startswith("error: the screen failed: ZeroDivisionError: on [/purpose]")
    report = Path(said[1].removeprefix("hint:  The report is in "))
    assert "ZeroDivisionError" in report.read_text()


def test_the_report_is_for_its_owner_alone(ended):
    with _top(ended, "pull") as terminal:
        _fail(terminal, "pull")
    reports = ended.home / "reports"
    assert reports.stat().st_mode & 0o077 == 0


def test_no_byte_of_a_failure_reaches_the_terminal_as_a_command(ended):
    with _top(ended, "pull") as terminal:
        _fail(terminal, "pull")
        assert b"\x1b]0;title" not in terminal.raw


def test_debug_shows_the_traceback(ended):
    with _top(ended, "key", MLHUB_DEBUG="1") as terminal:
        assert _fail(terminal, "key") == 1
        after = _after(terminal.raw)
    assert "Traceback (most recent call last)" in after
    assert "in fail" in after


def test_a_home_without_room_for_the_report_still_gets_its_line(ended):
    reports = ended.home / "reports"
    if reports.is_dir():
        for path in reports.iterdir():
            path.unlink()
        reports.rmdir()
    reports.touch()
    try:
        with _top(ended, "pull") as terminal:
            assert _fail(terminal, "pull") == 1
            assert "error: the screen failed: ZeroDivisionError" in _after(terminal.raw)
    finally:
        reports.unlink()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_after_a_signal_the_line_is_read_as_before_and_the_settings_are_kept(ended, number):
    with _top(ended) as terminal:
        before = terminal.modes()
        terminal.until_shown("LIVE", 60)
        terminal.send("t")
        terminal.until_shown("theme day")
        terminal.signal(number)
        terminal.wait()
        assert terminal.modes() == before
        assert b"\x1b[?1049l" in terminal.raw
    assert json.loads((ended.home / "top.json").read_bytes())["theme"] == "day"


def test_settings_are_kept_when_a_view_fails(ended):
    with _top(ended, "key") as terminal:
        terminal.until_shown("LIVE", 60)
        terminal.send("t")
        terminal.until_shown("theme day")
        _fail(terminal, "key")
    assert json.loads((ended.home / "top.json").read_bytes())["theme"] == "day"


def test_the_next_start_does_not_begin_with_the_view_that_failed(ended):
    with _top(ended, "pull") as terminal:
        _fail(terminal, "pull")
    assert json.loads((ended.home / "top.json").read_bytes())["view"] == "runs"


def test_a_terminal_that_is_closed_ends_it(ended):
    master, slave = os.openpty()
    name = os.ttyname(slave)
    actions = [(os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0), *((os.POSIX_SPAWN_DUP2, 0, end) for end in (1, 2))]
    command = mlhub_command("top")
    pid = os.posix_spawnp(command[0], command, ended.environment | {"TERM": "xterm"}, file_actions=actions, setsid=True)
    os.close(slave)
    seen = b""
    while b"LIVE" not in seen:
        seen += os.read(master, 1 << 16)
    os.close(master)
    try:
        wait_until(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


@pytest.mark.parametrize("term", ["xterm", "linux", "screen", "vt100", "xterm-256color", "tmux-256color"])
def test_terminals_of_all_kinds_show_every_view_and_end_well(ended, term):
    with _top(ended, TERM=term, COLORTERM="") as terminal:
        terminal.until_shown("LIVE", 60)
        for key in ("2", "3", "4", "5", "6", "7", "escape", "1", "question_mark"):
            terminal.send("?" if key == "question_mark" else key)
            terminal.pause(0.2)
        terminal.send("q")
        terminal.pause(0.5)
        terminal.send("q")
        assert terminal.wait() == 0, terminal.text
