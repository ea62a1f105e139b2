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


async def test_ctrl_c_says_which_key_leaves_and_textuals_own_keys_do_nothing(ran):
    async with open_top(ran.home, (80, 24), own_keys={"quit": "f10"}) as pilot:
        await pilot.press("ctrl+q")
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "f10 leaves; runs go on" in screen_text(pilot.app).splitlines()[-1])
        assert not pilot.app._notifications
        assert pilot.app.is_running
        assert "ctrl+q" not in pilot.app.active_bindings


async def test_the_rows_around_go_on_under_a_dialog(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: len(pilot.app.screen_stack) == 2)
        pilot.app.say("something happened")
        keys = pilot.app.screen_stack[0].bars[2]
        assert "something happened" in "".join(text for text, _ in keys._parts)


async def test_a_view_that_lost_the_focus_before_it_heard_of_having_it_does_not_take_it_back(ran):
    async with open_top(ran.home, (160, 45)) as pilot:
        await pilot.press("c", "1")  # both are composed
        view = pilot.app.active_view
        await until(pilot, lambda: view.has_focus_within and pilot.app.focused is not view)
        pilot.app.screen.set_focus(view)  # a click on its edge, and before that was looked at:
        pilot.app.action_view("compare")
        for _ in range(3):
            await pilot.pause()
        assert pilot.app.active == "compare"
