"""What is done to runs from the screen: real runs, the real store, the app driven by keys."""

from __future__ import annotations

import base64
import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlhub.store.runs import Run
from mlhub.tui.acting.actions import dependents
from mlhub.tui.acting.dialogs import Ask, Confirm, Editor, Notice, Prompt
from tests.conftest import wait_until
from tests.tui.conftest import open_top, screen_text, until
from tests.tui.terminal import Terminal, mlhub_command

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from mlhub.tui.app import Top
    from tests.conftest import Cli

#: saves for a moment when it is told to stop
SAVES = (sys.executable, "-c", """
import signal, sys, time
def save(*_):
    print("saving", flush=True); time.sleep(1); sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(300)
""")  # fmt: skip


def begin(cli: Cli, name: str, *command: str, **options: str) -> dict[str, Any]:
    more = [word for key, value in options.items() for word in (f"--{key}", value)]
    return cli.json("run", "--name", name, *more, "--", *(command or SAVES))


def ready(cli: Cli, *names: str) -> None:
    for name in names:
        wait_until(lambda name=name: "ready" in cli("logs", name).stdout)


def app(pilot: Pilot[None]) -> Top:
    return pilot.app  # type: ignore[return-value]


def choose(pilot: Pilot[None], *names: str) -> None:
    """Mark these runs, the first under the cursor."""
    model = app(pilot).model
    ids = [next(run.id for run in model.runs.runs if run.name == name) for name in names]
    model.selection.choose(ids[0])
    model.selection.clear_marks()
    for run_id in ids[1:] and ids:
        model.selection.toggle(run_id)


def status(pilot: Pilot[None], name: str) -> str | None:
    return next((run.status for run in app(pilot).model.runs.runs if run.name == name), None)


def shown(pilot: Pilot[None]) -> str:
    """The words on the screen, frames and line breaks aside."""
    return " ".join(re.sub("[│╭╮╰╯─]", " ", screen_text(pilot.app)).split())


async def dialog(pilot: Pilot[None], kind: type) -> Any:
    await until(pilot, lambda: isinstance(pilot.app.screen, kind))
    await pilot.pause()
    return pilot.app.screen


async def told(pilot: Pilot[None], words: str) -> None:
    await until(pilot, lambda: (message := app(pilot).message) and words in message[0])


# stop


async def test_a_stop_asks_names_the_run_and_does_nothing_on_enter(cli: Cli) -> None:
    begin(cli, "calm-otter")
    async with open_top(cli.home) as pilot:
        choose(pilot, "calm-otter")
        await pilot.press("S")
        await dialog(pilot, Confirm)
        text = shown(pilot)
        assert "Stop calm-otter?" in text
        assert "KILL to what is left after 10s" in text
        await pilot.press("enter")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
    assert cli.json("show", "calm-otter")["status"] == "running"


async def test_two_runs_stop_at_once_and_their_rows_say_so_meanwhile(cli: Cli) -> None:
    begin(cli, "one")
    begin(cli, "two")
    ready(cli, "one", "two")
    async with open_top(cli.home) as pilot:
        choose(pilot, "one", "two")
        await pilot.press("S")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        runs = app(pilot).model
        await until(pilot, lambda: {run.condition for run in runs.runs.runs} == {"stopping"})
        await told(pilot, "stopped 2 runs")
        await until(pilot, lambda: status(pilot, "one") == status(pilot, "two") == "cancelled")
        assert app(pilot).model.feed.doing == {}
    assert "saving" in cli("logs", "one").stdout


async def test_a_second_press_while_it_stops_does_nothing(cli: Cli) -> None:
    begin(cli, "one")
    ready(cli, "one")
    async with open_top(cli.home) as pilot:
        choose(pilot, "one")
        await pilot.press("S", "S", "S")
        await dialog(pilot, Confirm)
        assert len(pilot.app.screen_stack) == 2
        await pilot.press("y")
        await until(pilot, lambda: app(pilot).model.feed.doing)
        await pilot.press("S")
        await told(pilot, "one is stopping just now")
        assert len(pilot.app.screen_stack) == 1
        await told(pilot, "one: cancelled")


async def test_what_waits_is_cancelled(cli: Cli) -> None:
    begin(cli, "first")
    begin(cli, "second", "true", after="first")
    async with open_top(cli.home) as pilot:
        choose(pilot, "second")
        await pilot.press("S")
        await dialog(pilot, Confirm)
        assert "It is cancelled." in shown(pilot)
        await pilot.press("y")
        await until(pilot, lambda: status(pilot, "second") == "cancelled")
        assert status(pilot, "first") == "running"


async def test_what_has_ended_is_not_asked_about(cli: Cli) -> None:
    cli("run", "--wait", "--name", "done", "--", "true")
    async with open_top(cli.home) as pilot:
        choose(pilot, "done")
        await pilot.press("S")
        await told(pilot, "nothing to stop; done is completed")


async def test_the_screen_may_be_left_while_a_run_stops(cli: Cli) -> None:
    begin(cli, "one")
    ready(cli, "one")
    async with open_top(cli.home) as pilot:
        choose(pilot, "one")
        await pilot.press("S")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await until(pilot, lambda: app(pilot).model.feed.doing)
    wait_until(lambda: cli.json("show", "one")["status"] == "cancelled")


async def test_an_error_is_said_with_its_hint_and_the_others_are_stopped(cli: Cli) -> None:
    import shutil

    begin(cli, "gone", "sleep", "60")
    begin(cli, "good", "sleep", "60")
    shutil.rmtree(cli.home / "runs" / "1")
    async with open_top(cli.home, (60, 24)) as pilot:
        await until(pilot, lambda: any(run.condition for run in app(pilot).model.runs.runs))
        choose(pilot, "gone", "good")
        supervisor = app(pilot).model.run(1).supervisor_pid
        await pilot.press("S")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await dialog(pilot, Notice)
        assert f"kill {supervisor}" in shown(pilot)
        assert "good: cancelled" in shown(pilot)
    os.kill(supervisor, signal.SIGTERM)


def waits(run_id: int, *after: int, waiting: bool = True) -> Run:
    return Run(
        id=run_id, name=f"run-{run_id}", kind="command", status="queued", created_at="", host="h", waiting=waiting,
        after=list(after),
    )  # fmt: skip


def test_what_depends_on_a_run_is_found_through_what_depends_on_it() -> None:
    first = waits(1, waiting=False)
    rows = [waits(5, 4), waits(4, 2), waits(2, 1), waits(3), waits(6, 1, waiting=False), waits(7, 6), first]
    assert [run.id for run in dependents([first], rows)] == [2, 4, 5]
    assert [run.id for run in dependents([first, rows[2]], rows)] == [4, 5]


async def test_a_stop_says_what_else_it_cancels(cli: Cli) -> None:
    begin(cli, "base")
    begin(cli, "next", "true", after="base")
    begin(cli, "last", "true", after="next")
    begin(cli, "other")
    async with open_top(cli.home) as pilot:
        choose(pilot, "base")
        await pilot.press("S")
        await dialog(pilot, Confirm)
        assert "2 waiting runs depend on it and are cancelled: next, last." in shown(pilot)
        await pilot.press("n")
        choose(pilot, "other")
        await pilot.press("S")
        await until(pilot, lambda: "Stop other?" in shown(pilot))
        assert "cancelled" not in shown(pilot).partition("Stop other?")[2].partition("n let run")[0]


# start again


async def test_a_run_is_resumed_as_its_next_attempt(cli: Cli) -> None:
    begin(cli, "one", "sh", "-c", '[ "$MLHUB_ATTEMPT" = 2 ]')
    wait_until(lambda: cli.json("show", "one")["status"] == "failed")
    async with open_top(cli.home) as pilot:
        choose(pilot, "one")
        await pilot.press("R")
        await until(pilot, lambda: "attempt 2 next" in shown(pilot))
        assert "It goes on from its checkpoint if it has one; else it begins anew." in shown(pilot)
        await pilot.press("y")
        await until(pilot, lambda: status(pilot, "one") == "completed")
    assert cli.json("show", "one")["attempt"] == 2


async def test_several_runs_are_resumed_at_once_and_one_that_can_not_be_is_said(cli: Cli) -> None:
    for name in ("one", "two", "bad"):
        begin(cli, name, "sh", "-c", '[ "$MLHUB_ATTEMPT" = 2 ]')
    wait_until(lambda: [run["status"] for run in cli.json("ls")] == ["failed"] * 3)
    for file in ("queue.json", "attempts/1/launch.json"):
        (cli.home / "runs" / "3" / file).unlink()
    async with open_top(cli.home) as pilot:
        choose(pilot, "one", "two", "bad")
        await pilot.press("R")
        await dialog(pilot, Ask)
        await pilot.press("y")
        await told(pilot, "resumed 2 runs; run 3 (bad): its folder does not say what was started")
        await until(pilot, lambda: status(pilot, "one") == status(pilot, "two") == "completed")


async def test_a_completed_run_is_not_resumed(cli: Cli) -> None:
    cli("run", "--wait", "--name", "done", "--", "true")
    async with open_top(cli.home) as pilot:
        choose(pilot, "done")
        await pilot.press("R")
        await told(pilot, "nothing to resume; done is completed; C starts")


async def test_a_command_is_edited_and_started_anew(cli: Cli) -> None:
    cli("run", "--wait", "--name", "one", "--tag", "paper", "--", "sh", "-c", "echo first")
    async with open_top(cli.home) as pilot:
        choose(pilot, "one")
        await pilot.press("C")
        editor = await dialog(pilot, Editor)
        page = editor._page
        assert "sh -c 'echo first'" in page.text
        page.text = page.text.replace("echo first", "echo second").replace("name:", "name: two")
        await until(pilot, lambda: "another command, name two" in shown(pilot))
        await pilot.press("f2")
        await told(pilot, "two, like one")
    done = wait_until(lambda: (run := cli.json("show", "two"))["status"] == "completed" and run)
    assert (done["tags"], done["id"]) == (["paper"], 2)
    assert cli("logs", "two").stdout == "second\n"


async def test_a_program_that_is_not_there_is_said_in_the_editor_and_leaves_no_run(cli: Cli) -> None:
    cli("run", "--wait", "--name", "one", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        choose(pilot, "one")
        await pilot.press("C")
        editor = await dialog(pilot, Editor)
        editor._page.text = editor._page.text.replace("  true", "  no-such-program --x")
        await pilot.press("f2")
        await until(pilot, lambda: "there is no program no-such-program in any folder of PATH" in shown(pilot))
        assert pilot.app.screen is editor
    assert len(cli.json("ls")) == 1


async def test_an_error_in_the_editor_loses_nothing(cli: Cli) -> None:
    cli("run", "--wait", "--name", "one", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        choose(pilot, "one")
        await pilot.press("C")
        editor = await dialog(pilot, Editor)
        editor._page.text = text = editor._page.text.replace("name:", "name: one")
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "a run named 'one' exists already" in shown(pilot))
        assert editor._page.text == text
        await pilot.press("escape")
        assert "Escape once more" in shown(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 1)
    assert len(cli.json("ls")) == 1


def test_a_rerun_gets_no_terminal_and_outlives_a_killed_screen(cli: Cli) -> None:
    script = "import os, sys, time; print([os.isatty(n) for n in range(3)], sorted(os.listdir('/proc/self/fd')))\n"
    begin(cli, "one", sys.executable, "-uc", script + "time.sleep(300)")
    cli("stop", "one")
    with Terminal(mlhub_command("top", "one"), cli.environment) as terminal:
        terminal.until_shown("LIVE")
        terminal.send("C")
        terminal.until_shown("like one")
        terminal.send("ctrl+o")
        run = wait_until(lambda: (found := cli.json("ls")[0])["id"] == 2 and found["pid"] and found)
        assert os.getsid(run["pid"]) != terminal.pid
        os.kill(terminal.pid, signal.SIGKILL)
        terminal.wait()
    state = Path(f"/proc/{run['pid']}/status").read_text().splitlines()
    pending = [int(line.split()[1], 16) for line in state if line.startswith(("SigPnd", "ShdPnd"))]
    assert pending == [0, 0]  # no hangup is on its way to it, and none has ended it
    assert cli.json("show", "2")["status"] == "running"
    assert "[False, False, False] ['0', '1', '2', '3']" in cli("logs", "2").stdout
    assert "TEXTUAL" not in Path(f"/proc/{run['pid']}/environ").read_text()


# labels, trash, clipboard


async def test_tags_are_typed_with_completion_and_a_wrong_one_is_said(cli: Cli) -> None:
    cli("run", "--wait", "--name", "one", "--tag", "old", "--", "true")
    cli("run", "--wait", "--name", "two", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        choose(pilot, "one", "two")
        await pilot.press("number_sign")
        await dialog(pilot, Prompt)
        await pilot.press(*'"x', "enter")
        await until(pilot, lambda: "quotation mark" in shown(pilot))
        await pilot.press("backspace", "backspace", *"paper -o")
        await until(pilot, lambda: "paper -old" in shown(pilot))
        await pilot.press("right", "enter")
        await told(pilot, "tagged 2 runs")
    assert [run["tags"] for run in cli.json("ls")] == [["paper"], ["paper"]]


async def test_a_note_is_written_in_several_lines(cli: Cli) -> None:
    cli("run", "--wait", "--name", "one", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        choose(pilot, "one")
        await pilot.press("N")
        await dialog(pilot, Editor)
        await pilot.press(*"a", "enter", *"b", "f2")
        await told(pilot, "one: noted")
        await until(pilot, lambda: app(pilot).model.runs.runs[0].note == "a\nb")


async def test_a_run_goes_to_the_trash_and_it_is_said_how_it_comes_back(cli: Cli) -> None:
    cli("run", "--wait", "--name", "one", "--", "true")
    begin(cli, "two", "sleep", "60")
    async with open_top(cli.home) as pilot:
        choose(pilot, "one", "two")
        await pilot.press("D")
        await dialog(pilot, Confirm)
        assert "Active, so not these: two." in shown(pilot)
        await pilot.press("y")
        await told(pilot, "back: mlhub rm --restore 1")
        await until(pilot, lambda: status(pilot, "one") is None)
    cli("rm", "--restore", "one")
    assert cli.json("show", "one")["status"] == "completed"


async def test_an_active_run_is_not_deleted(cli: Cli) -> None:
    begin(cli, "one", "sleep", "60")
    async with open_top(cli.home) as pilot:
        choose(pilot, "one")
        await pilot.press("D")
        await told(pilot, "nothing to delete; one is running; S stops it first")


async def test_the_folder_goes_to_the_clipboard_and_is_said(cli: Cli, monkeypatch: Any) -> None:
    cli("run", "--wait", "--name", "one", "--", "true")
    async with open_top(cli.home) as pilot:
        written: list[str] = []
        monkeypatch.setattr(pilot.app._driver, "write", written.append)
        choose(pilot, "one")
        await pilot.press("Y")
        folder = str(cli.home / "runs" / "1")
        await told(pilot, folder)
        sent = "".join(written)
        assert f"\x1b]52;c;{base64.b64encode(folder.encode()).decode()}\a" in sent


async def test_a_fault_of_ours_is_said_and_reported_and_the_screen_goes_on(cli: Cli, monkeypatch: Any) -> None:
    from mlhub.tui.acting import deeds

    cli("run", "--wait", "--name", "one", "--", "true")
    monkeypatch.setattr(deeds, "delete", lambda *_, **__: 1 / 0)
    async with open_top(cli.home) as pilot:
        choose(pilot, "one")
        await pilot.press("D")
        await dialog(pilot, Confirm)
        await pilot.press("y")
        await told(pilot, "ZeroDivisionError")
        assert list((cli.home / "reports").iterdir())


async def test_hostile_text_of_a_run_reaches_no_dialog(cli: Cli) -> None:
    cli("run", "--wait", "--", "sh", "-c", "exit 3", "[/]", "\x1b[2J\u202e", code=1)
    hostile = "\x1b]0;owned\x07[bold]x[/] \u202e\x9b2J강아지"
    with sqlite3.connect(cli.home / "mlhub.db") as connection:
        connection.execute(
            "UPDATE runs SET name = :text, group_name = :text, note = :text, reason = :text, tags = json_array(:text)",
            {"text": hostile},
        )
    connection.close()
    async with open_top(cli.home, (80, 24)) as pilot:
        app(pilot).model.selection.choose(1)
        for key, kind in (("R", Ask), ("C", Editor), ("number_sign", Prompt), ("N", Editor), ("D", Confirm)):
            await pilot.press(key)
            await dialog(pilot, kind)
            text = screen_text(pilot.app)
            assert "[bold]x[/]" in text
            assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
            await pilot.press("escape")
            await until(pilot, lambda: len(pilot.app.screen_stack) == 1)


def test_without_runs_each_key_says_what_is_missing(home: Any) -> None:
    import asyncio

    async def press() -> None:
        async with open_top(home.root) as pilot:
            for key in ("S", "R", "C", "number_sign", "N", "D", "Y"):
                app(pilot).message = None
                await pilot.press(key)
                await told(pilot, "choose one in the runs view")

    asyncio.run(press())


def test_acting_touches_no_store_when_it_is_loaded() -> None:
    script = "import sys, mlhub.tui.acting.actions; print('sqlite3' in sys.modules, 'yaml' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
