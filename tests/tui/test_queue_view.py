"""The queue on the screen: real runs that wait, driven by keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mlhub.tui.acting.dialogs import Confirm, Notice, Prompt
from mlhub.tui.widgets.table import Table
from tests.cli.queueing import gate, let_go
from tests.cli.queueing import until as until_runs
from tests.tui.conftest import open_top, screen_text, until

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from tests.conftest import Cli


def fill(cli: Cli, *names: str) -> None:
    """One run that goes on, and these which wait for it."""
    cli("run", "--name", "first", "--", "sh", "-c", gate(cli, "go"))
    for name in names:
        cli("run", "--queue", "--name", name, "--", "true")


async def queue(pilot: Pilot[None]) -> Table:
    await pilot.press("5")
    await until(pilot, lambda: pilot.app.query("QueueView Table"))
    table = pilot.app.query_one("QueueView Table", Table)
    await until(pilot, lambda: table.has_focus)
    return table


def rows(pilot: Pilot[None]) -> list[str]:
    """Names of what is listed, in order, and the parts' headings."""
    names = [run.name for run in pilot.app.model.runs.runs]  # type: ignore[attr-defined]
    found = []
    for line in screen_text(pilot.app).splitlines():
        word = re.search(rf"(?:[●○✖] )({'|'.join(map(re.escape, names))})(?= )", line) or re.search(
            r"^ ?(running|waiting|to be retried|waiting on other hosts) \d", line
        )
        found += [word[1]] if word else []
    return found


async def test_an_empty_queue_names_the_next_command(cli: Cli) -> None:
    cli("ls")
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("5")
        await until(pilot, lambda: "mlhub run CONFIG --queue" in screen_text(pilot.app))


async def test_what_waits_says_for_what_in_80_columns(cli: Cli) -> None:
    fill(cli, "second", "third")
    cli("run", "--after", "first", "--priority", "5", "--name", "fourth", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        await queue(pilot)
        await until(pilot, lambda: "waits for run 1 (first)" in screen_text(pilot.app))
        assert rows(pilot) == ["running", "first", "waiting", "fourth", "second", "third"]
        assert "waits for a slot (1 of 1 taken)" in screen_text(pilot.app)


async def test_keys_move_a_run_and_the_cursor_goes_with_it(cli: Cli) -> None:
    fill(cli, "second", "third", "fourth")
    async with open_top(cli.home, (80, 24)) as pilot:
        table = await queue(pilot)
        table.move_to_key(4)
        for key, order in (
            ("K", ["second", "fourth", "third"]),
            ("K", ["fourth", "second", "third"]),
            ("J", ["second", "fourth", "third"]),
            ("T", ["fourth", "second", "third"]),
        ):
            await pilot.press(key)
            await until(pilot, lambda order=order: rows(pilot)[3:] == order)
        assert table.cursor_key == 4
    assert [run["name"] for run in cli.json("queue")["waiting"]] == ["fourth", "second", "third"]


async def test_two_quick_presses_are_two_moves(cli: Cli) -> None:
    fill(cli, "second", "third", "fourth")
    async with open_top(cli.home, (80, 24)) as pilot:
        table = await queue(pilot)
        table.move_to_key(2)
        await pilot.press("J", "J", "J")
        await until(pilot, lambda: rows(pilot)[3:] == ["third", "fourth", "second"])


async def test_what_does_not_wait_is_not_moved(cli: Cli) -> None:
    fill(cli, "second")
    async with open_top(cli.home, (80, 24)) as pilot:
        table = await queue(pilot)
        table.move_to_key(1)
        await pilot.press("K")
        await until(pilot, lambda: "only what waits here" in screen_text(pilot.app))


async def test_the_queue_is_held_for_a_reason_and_goes_on(cli: Cli) -> None:
    fill(cli, "second")
    async with open_top(cli.home, (80, 24)) as pilot:
        await queue(pilot)
        await pilot.press("P")
        await until(pilot, lambda: isinstance(pilot.app.screen, Prompt))
        await pilot.press(*"driver update", "enter")
        await until(pilot, lambda: "HELD: driver update" in screen_text(pilot.app))
        let_go(cli, "go")
        until_runs(cli, first="completed", second="queued")
        await pilot.press("P")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        await pilot.press("y")
        await until(pilot, lambda: "the queue goes on: 1 started" in screen_text(pilot.app))
    until_runs(cli, second="completed")


async def test_stop_cancels_the_run_under_the_cursor(cli: Cli) -> None:
    fill(cli, "second", "third")
    async with open_top(cli.home, (80, 24)) as pilot:
        table = await queue(pilot)
        table.move_to_key(3)
        await pilot.press("S")
        await until(pilot, lambda: isinstance(pilot.app.screen, Confirm))
        assert "Stop third?" in screen_text(pilot.app)
        await pilot.press("y")
        await until(pilot, lambda: rows(pilot)[-4:] == ["running", "first", "waiting", "second"])


async def test_enter_on_a_waiting_run_says_all_of_it(cli: Cli) -> None:
    fill(cli, "second", "third")
    async with open_top(cli.home, (80, 24)) as pilot:
        table = await queue(pilot)
        table.move_to_key(3)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, Notice))
        shown = screen_text(pilot.app)
        assert "2 of 2" in shown
        assert "starts while fewer than 1 are active" in shown


async def test_what_waits_on_another_host_is_listed_apart(cli: Cli) -> None:
    import sqlite3

    fill(cli, "second", "third")
    with sqlite3.connect(cli.home / "mlhub.db") as connection:
        connection.execute("UPDATE runs SET host = 'old\x1b]0;name' WHERE name = 'third'")
    connection.close()
    async with open_top(cli.home, (80, 24)) as pilot:
        await queue(pilot)
        await until(pilot, lambda: "mlhub queue adopt HOST" in screen_text(pilot.app))
        assert rows(pilot) == ["running", "first", "waiting", "second", "waiting on other hosts", "third"]
