"""`mlhub top` without a screen: plain lines, one picture, JSON, the table of keys; and how the screen is started."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from tests.cli.queueing import gate, let_go
from tests.cli.test_light import loaded
from tests.conftest import wait_until

STEPS = "import mlhub, time\nfor step in range(1000): mlhub.log({'train/loss': 1.0}, step=step); time.sleep(0.1)"


@contextmanager
def watching(cli, *arguments, stdout=subprocess.PIPE, **changes):
    """`mlhub top` as it goes on, its output in a file that `said` reads."""
    path = cli.home.parent / "said"
    with path.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlhub", "top", *arguments],
            env=cli.environment | changes, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE,
        )  # fmt: skip
    process.said = path.read_text
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_pipe_gets_a_picture_and_then_what_changes_line_by_line(cli):
    cli("run", "--name", "live", "--", sys.executable, "-c", STEPS)
    with watching(cli, "--every", "0") as top:
        wait_until(lambda: re.search(r"^[\d:]{8}  run 1 live: step \d+, train/loss 1, ", top.said(), re.MULTILINE))
        cli("run", "--name", "bad", "--wait", "--", "false", code=1)
        wait_until(lambda: re.search(r"^\d\d:\d\d:\d\d  run 2 bad failed.*exit code 1$", top.said(), re.MULTILINE))
        assert top.said().startswith("runs ")
        assert "\x1b" not in top.said()
        top.send_signal(signal.SIGINT)
        assert top.wait(30) == 0
        assert b"Traceback" not in top.stderr.read()


def test_watching_one_run_ends_with_it(cli):
    cli("run", "--name", "short", "--", "sh", "-c", gate(cli, "short"))
    with watching(cli, "short") as top:
        wait_until(lambda: "short" in top.said())
        let_go(cli, "short")
        assert top.wait(30) == 0
        assert re.search(r"run 1 short completed after", top.said())


def test_a_reader_that_leaves_ends_it_quietly(cli):
    cli("run", "--name", "live", "--", "sleep", "60")
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m mlhub top --plain | head -1"], env=cli.environment, capture_output=True,
        text=True, timeout=30, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("runs ")
    assert "Error" not in done.stderr


def test_once_is_one_picture_and_loads_no_screen(cli):
    cli("run", "--name", "done", "--wait", "--", "true")
    assert loaded(cli, "top", "--once", heavy=("textual", "PIL", "torch")) == []
    assert "done" in cli("top", "--once").stdout
    assert all(len(line) <= 80 for line in cli("top", "--once").stdout.splitlines())


def test_json_is_one_document_and_loads_no_screen(cli):
    cli("run", "--name", "done", "--wait", "--", "true")
    document = cli.json("top")
    assert {"at", "host", "counts", "runs", "queue", "gpus", "machine", "alerts", "error"} <= document.keys()
    assert document["runs"][0]["name"] == "done"
    assert cli.json("top", "done")["runs"][0]["id"] == 1
    assert loaded(cli, "top", "--json", heavy=("textual", "PIL", "torch")) == []


def test_names_and_metrics_of_others_control_nothing(cli):
    script = "import mlhub; mlhub.log({'\\x1b]0;x\\x07loss': 1.0, '\\u202ev': float('nan')}, step=1)"
    cli("run", "--name", "done", "--wait", "--", sys.executable, "-c", script)
    for arguments in (["--once"], ["done", "--once"], ["done", "--plain"]):
        out = cli("top", *arguments).stdout
        assert not set(out) & set("\x1b\x07\u202e\x9b")


def test_the_keys_are_told_with_their_ids_in_80_columns(cli):
    cli("ls")
    (cli.home / "keys.toml").write_text('stop = "ctrl+k"\n')
    lines = cli("top", "--keys").stdout.splitlines()
    assert any(re.match(r"  stop +ctrl\+k +stop the chosen runs", line) for line in lines)
    assert any(line.startswith("  log.follow ") for line in lines)
    assert all(len(line) <= 80 for line in lines[:-1])
    assert {"id", "keys", "text", "where"} <= cli.json("top", "--keys")[0].keys()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["nobody", "--once"], 1, "nobody"),
        (["--every", "nan"], 2, "not a time to wait"),
        (["--every", "-1"], 2, "--every"),
    ],
)
def test_mistakes_are_told(cli, arguments, code, words):
    done = cli("top", *arguments, code=code)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def terminal():
    """Both ends of a terminal; the outer one is read so that nobody waits for it."""
    outer, inner = pty.openpty()
    yield outer, inner
    os.close(outer)
    os.close(inner)


def test_the_screen_wants_a_terminal_to_read_keys_from(cli, terminal):
    done = subprocess.run(
        [sys.executable, "-m", "mlhub", "top"], env=cli.environment | {"TERM": "xterm"}, stdin=subprocess.DEVNULL,
        stdout=terminal[1], stderr=subprocess.PIPE, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "mlhub top --plain" in done.stderr


def test_a_dumb_terminal_gets_plain_lines(cli, terminal):
    cli("run", "--name", "done", "--wait", "--", "true")
    with subprocess.Popen(
        [sys.executable, "-m", "mlhub", "top", "done"], env=cli.environment | {"TERM": "dumb"}, stdin=terminal[1],
        stdout=terminal[1], stderr=subprocess.DEVNULL,
    ) as top:  # fmt: skip
        assert top.wait(30) == 0
    said = os.read(terminal[0], 1 << 16)
    assert said.startswith(b"runs ")
    assert b"\x1b" not in said


def test_rows_are_being_read_before_textual_is_loaded(cli):
    cli("ls")
    script = """
import sys
from mlhub.tui import feed, start
from mlhub.settings import Settings
class Seen(Exception): pass
def begin(self, home, settings):
    raise Seen("textual" in sys.modules)
feed.Feed.__init__ = begin
settings = Settings.load()
try:
    start.start(settings.to_home(), settings)
except Seen as seen:
    print(seen)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env=cli.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
