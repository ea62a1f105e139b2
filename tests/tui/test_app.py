"""The screen as a whole: layouts, keys, themes, its end."""

from __future__ import annotations

import pytest

from tests.tui.conftest import open_top, screen_text, until


@pytest.fixture
def ran(cli):
    cli("run", "--name", "first", "--wait", "--", "true")
    return cli


async def test_a_terminal_that_is_too_small_is_told_what_is_needed(ran):
    async with open_top(ran.home, (50, 10)) as pilot:
        await until(pilot, lambda: "needs 60x15, this is 50x10" in screen_text(pilot.app))


async def test_wide_terminals_show_four_views_and_narrow_ones_one(ran):
    async with open_top(ran.home, (160, 45)) as pilot:
        assert pilot.app.seen == {"runs", "system", "charts", "log"}
        await pilot.resize_terminal(80, 24)
        await until(pilot, lambda: pilot.app.seen == {"runs"})
        await pilot.press("6")
        assert pilot.app.seen == {"system"}


async def test_quitting_leaves_the_run_running(cli):
    cli("run", "--name", "goes-on", "--", "sleep", "60")
    async with open_top(cli.home) as pilot:
        await pilot.press("q")
    assert cli.json("show", "goes-on")["status"] == "running"
