"""A home full of hostile text, every view and dialog opened over it: no byte of theirs reaches the terminal as control.

What is looked at are the raw bytes that went to a pty. The text is in files of runs and, where a name was written by
somebody else's hub, straight in the database.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mlhub.settings import Settings
from tests.conftest import make_cli, wait_until
from tests.nvml import FakeNvml, h100
from tests.tui.escapes import foreign
from tests.tui.terminal import Terminal, mlhub_command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import Cli

#: each would do something if a terminal, or a reader of markup, saw it as it is
CORPUS = {
    "markup": "[/] [/bold] [@click=app.quit]go[/] [bold red on $error] [link=http://x]",
    "clear": "a\x1b[2J\x1b[31;5mred\x1b[8mgone",
    "title": "b\x1b]0;eviltitle\x07\x1b]8;;http://evil\x1b\\link\x1b]52;c;ZXZpbA==\x07",
    "strings": "c\x1bPqevil\x1b\\\x1b_evil\x1b\\\x1b^evil\x1b\\\x1bXevil\x1b\\",
    "unended": "d\x1b]0;evil",
    "half": "e\x1b[",
    "c1": "f\x9b2J\x9d0;evil\x9c\x85\x8d\x90evil\x9c",
    "bidi": "g\u202eright\u202c\u2066iso\u2069\u200f\u061c אבג العربية",
    "joined": "h👩‍👩‍👧‍👦 ❤️ 🏳️‍🌈 \ufeffx\u200bz",
    "wide": "한국어 캡션 日本語 全角 🎉🎉",
    "controls": "i\x00\x07\x08\x0b\x0c\x7f\x1c\x1f",
    "lines": "j\nnext\ttab\r\nback\rover\u2028sep\u2029par",
    "combining": "z" + "\u0301\u0489\u20dd" * 200,
    "long": "L" * 10_000,
    "surrogate": "k\ud800\udfff",
}
_VIEWS = "1234567"
#: what leaves a dialog or a prompt, twice since one may stand above another
_OUT = ("escape", "escape")


def everything() -> str:
    return " ".join(text for name, text in CORPUS.items() if name not in ("long", "combining"))


def _write(folder: Path, **files: object) -> None:
    for name, tree in files.items():
        (folder / f"{name}.json").write_text(json.dumps(tree))


def _hostile_run(first: Path, number: int, text: str) -> None:
    """An ended run whose every word is `text`."""
    folder = first.with_name(str(number))
    shutil.copytree(first, folder)
    (folder / "attempts" / "1" / "exit.slot").unlink(missing_ok=True)
    spec, end = (json.loads((folder / f"{name}.json").read_text()) for name in ("spec", "exit"))
    config = {"training": {"lr": number, text: text, "seed": number}, text: [text, {text: text}]}
    _write(
        folder,
        spec=spec
        | {"id": number, "name": f"{number}{text}", "group": text, "tags": [text, "t"], "note": text, "kind": "train",
           "config": config, "preset": text, "command": [text, text], "cwd": text},
        exit=end | {"status": "failed", "exit_code": 1, "reason": text, "host": text},
    )  # fmt: skip
    _write(folder / "attempts" / "1", exit=end | {"status": "failed", "exit_code": 1, "reason": text, "host": text})
    records = ({"step": step, "epoch": step // 5, "time": 1.76e9 + step, text: step / 7, "train/loss": 1 / (step + 1),
                f"{text}/x": "NaN" if step == 7 else step, f"{text}s": text} for step in range(20))  # fmt: skip
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    alert = {"name": text, "severity": "fail", "text": text, "state": "raised", "time": 1.76e9}
    (folder / "alerts.jsonl").write_text(json.dumps(alert) + "\n")
    (folder / "output.log").write_bytes(f"{text}\nError: {text}\n".encode(errors="surrogatepass") + b"\xff\xfe\x80\n")


#: a trainer that goes on saying such things
_TRAINER = """
import json, os, sys, time
text = json.loads(sys.argv[1])
out = open(os.environ["MLHUB_RUN_DIR"] + "/metrics.jsonl", "a", buffering=1)
for step in range(100_000):
    print(json.dumps({"step": step, "time": time.time(), text: step / 3, "loss": 1 / (step + 1)}), file=out)
    sys.stdout.buffer.write((text + "\\n").encode(errors="replace"))
    sys.stdout.flush()
    time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cli]:
    """A home with a run for each of the corpus, a live one, an index, settings and processes of the same words."""
    folder = tmp_path_factory.mktemp("hostile")
    cli = make_cli(Settings.load({"MLHUB_HOME": str(folder / "home")}).to_home().root)
    cli("run", "--wait", "--name", "first", "--", "true")
    for number, text in enumerate(CORPUS.values(), 2):
        _hostile_run(cli.home / "runs" / "1", number, text)
    for file in cli.home.glob("mlhub.db*"):
        file.unlink()
    cli("doctor", "--rebuild", code=None)
    cli("ls")
    _rows_of_somebody_else(cli.home / "mlhub.db", len(CORPUS))
    cli("run", "--name", "live[b]", "--tag", "[@click=app.quit]", "--group", "[red]", "--",
        sys.executable, "-c", _TRAINER, json.dumps(everything()))  # fmt: skip
    words = everything().replace("\0", "").encode(errors="replace")
    process = subprocess.Popen([words, "600"], executable="/bin/sleep")
    try:
        card = h100(name=everything(), utilization=93, processes=[{"pid": process.pid, "memory": 4 << 30}])
        cli.environment.update(FakeNvml(folder, card, card).environment)
        wait_until((cli.home / "runs" / str(len(CORPUS) + 2) / "metrics.jsonl").exists)
        yield cli
    finally:
        process.kill()
        process.wait()
        cli("stop", "live[b]", "--grace", "0", code=None)


def _rows_of_somebody_else(database: Path, count: int) -> None:
    """The same words once more, in the rows themselves."""
    words = [text.encode(errors="replace").decode() for text in CORPUS.values()]
    with sqlite3.connect(database) as connection:
        for number, text in enumerate(words[: count // 2], 2):
            columns = {row[1] for row in connection.execute("PRAGMA table_info(runs)")}
            plain = {"name": f"{number}{text}", "group_name": text, "reason": text, "condition": text, "host": text,
                     "note": text, "kind": text, "preset": text}  # fmt: skip
            alerts = [{"name": text, "severity": "fail", "text": text, "at": "2026-01-01T00:00:00.000Z"}]
            coded = {"tags": [text], "config": {text: {text: text}}, "alerts": alerts}
            values = plain | {key: json.dumps(value) for key, value in coded.items()}
            for name in values.keys() & columns:
                connection.execute(f"UPDATE runs SET {name} = ? WHERE id = ?", (values[name], number))  # noqa: S608
    connection.close()


def _tour(terminal: Terminal) -> None:
    """Open every view, walk through it, open every dialog, and leave it all."""

    def press(*keys: str) -> None:
        for key in keys:
            terminal.send(key)
            terminal.pause(0.15 if key == "escape" else 0.05)  # else it is taken for alt and the next key

    for view in _VIEWS:
        press(view, "down", "down", "space", "enter", "escape", "right", "G", "up", "g", "z", "z")
        for key in "[]onybdx":
            press(key, "escape")
    press("1", "g", *(["down", "space"] * 6), "2", "4", "b", "3", "e", "e", "w", "2", "s", "x", "x", "x", "y", "o")
    for dialog in ("?", "ctrl+p", "S", "R", "C", "#", "N", "D", "o", "/"):
        press("1", dialog, "down", *_OUT)
    press("1", "/", "[", "/", "]", "enter", *_OUT, "1", "/", *(["backspace"] * 4), "enter", *_OUT)


WAYS = {
    "wide": ((160, 45), {}),
    "three columns": ((220, 60), {}),
    "small": ((80, 24), {}),
    "no colour": ((160, 45), {"NO_COLOR": "1"}),
    "no UTF-8": ((160, 45), {"LC_ALL": "C", "LANG": "C"}),
    "sixteen colours": ((80, 24), {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "TERM": "xterm", "COLORTERM": ""}),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_control_of_theirs_reaches_the_terminal_and_nothing_crashes(hostile: Cli, way: str) -> None:
    size, changes = WAYS[way]
    settings = {"columns": [everything(), "name"], "sort": everything(), "theme": "[/]", "queries": [everything()]}
    (hostile.home / "top.json").write_text(json.dumps(settings))
    shutil.rmtree(hostile.home / "reports", ignore_errors=True)
    with Terminal(mlhub_command("top"), hostile.environment | changes, size) as terminal:
        terminal.until_shown("LIVE", 60)
        _tour(terminal)
        terminal.send("1")
        terminal.until_shown("quit")
        assert terminal.rows[0].startswith(" mlhub"), terminal.text
        terminal.send("q")
        assert terminal.wait(30) == 0, terminal.text
        assert foreign(terminal.raw) == []
    assert [file.read_text() for file in (hostile.home / "reports").glob("*")] == []


@pytest.mark.parametrize("words", [("--plain",), ("--once",), ("--plain", "live[b]")])
@pytest.mark.parametrize("changes", [{}, {"LC_ALL": "C"}, {"TERM": "dumb"}], ids=["", "no UTF-8", "dumb"])
def test_the_text_form_is_as_clean(hostile: Cli, words: tuple[str, ...], changes: dict[str, str]) -> None:
    with Terminal(mlhub_command("top", *words), hostile.environment | changes) as terminal:
        if "--once" in words:
            assert terminal.wait(60) == 0
        else:
            terminal.until_shown("live[b]", 60)
            terminal.pause(2)
            terminal.send("ctrl+c")
            terminal.wait(30)
        assert foreign(terminal.raw) == []


def test_one_document_of_all_that_is_hostile_is_json(hostile: Cli) -> None:
    document = json.loads(hostile("top", "--once", "--json").stdout)
    assert "live[b]" in json.dumps(document)


def test_the_screen_says_which_line_of_a_hostile_key_map_is_wrong(hostile: Cli) -> None:
    keys = hostile.home / "keys.toml"
    keys.write_text('"\\u001b[2J[/]" = "x"\n')
    try:
        with Terminal(mlhub_command("top"), hostile.environment) as terminal:
            assert terminal.wait(30) == 1
            assert "keys.toml" in terminal.text
            assert foreign(terminal.raw) == []
    finally:
        os.unlink(keys)
