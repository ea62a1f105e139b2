"""Panes: which one is active, by keys and by the mouse, zoomed, and through changes of the terminal's size."""

from __future__ import annotations

import pytest

from mlhub.tui.keys import VIEWS
from tests.tui.conftest import open_top, screen_text, until


@pytest.fixture
def ran(cli):
    for name in ("first", "second"):
        cli("run", "--name", name, "--wait", "--", "true")
    return cli


def _has_focus(app):
    return app.active_view.has_focus_within


@pytest.mark.parametrize("view", VIEWS)
async def test_a_click_on_a_tab_goes_to_its_view(ran, view):
    async with open_top(ran.home, (80, 24)) as pilot:
        await until(pilot, lambda: "7 Search" in screen_text(pilot.app))
        x = screen_text(pilot.app).splitlines()[1].index(view.capitalize())
        await pilot.click("#tabs", offset=(x + 1, 0))
        await until(pilot, lambda: pilot.app.active == view and _has_focus(pilot.app))


async def test_tab_goes_round_the_panes_and_back(ran):
    async with open_top(ran.home, (160, 45)) as pilot:
        await until(pilot, lambda: _has_focus(pilot.app))
        seen = []
        for _ in range(4):
            seen.append(pilot.app.active)
            await pilot.press("tab")
            await until(pilot, lambda: _has_focus(pilot.app))
        assert sorted(seen) == ["charts", "log", "runs", "system"]
        assert pilot.app.active == seen[0]
        await pilot.press("shift+tab")
        assert pilot.app.active == seen[-1]


async def test_tab_goes_through_all_views_where_one_is_seen_at_a_time(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        for view in VIEWS:
            await until(pilot, lambda view=view: pilot.app.active == view and _has_focus(pilot.app))
            await pilot.press("tab")


@pytest.mark.parametrize("view", ["system", "charts", "log", "runs"])
async def test_a_click_into_a_pane_makes_it_the_active_one(ran, view):
    async with open_top(ran.home, (160, 45)) as pilot:
        await pilot.press("1" if view != "runs" else "3")
        await until(pilot, lambda: _has_focus(pilot.app) and len(pilot.app._views) == 4)
        await pilot.click(f"#{view}", offset=(5, 4))
        await until(pilot, lambda: pilot.app.active == view and _has_focus(pilot.app))


async def test_a_pane_fills_the_screen_and_goes_back_to_its_place(ran):
    async with open_top(ran.home, (160, 45)) as pilot:
        before = dict(pilot.app.places)
        await pilot.press("z")
        await until(pilot, lambda: pilot.app.seen == {"runs"})
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.places == before)


async def test_another_view_is_zoomed_in_its_turn(ran):
    async with open_top(ran.home, (160, 45)) as pilot:
        await pilot.press("z", "6")
        await until(pilot, lambda: pilot.app.seen == {"system"} and _has_focus(pilot.app))


async def test_escape_goes_back_the_way_one_came(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("5", "6", "escape")
        await until(pilot, lambda: pilot.app.active == "queue")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.active == "runs")


async def test_a_key_typed_right_after_the_one_that_goes_to_a_view_is_that_views(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        pilot.app.action_view("compare")
        assert pilot.app.focused is pilot.app.active_view


async def test_a_storm_of_sizes_leaves_every_view_in_its_place(ran):
    async with open_top(ran.home, (160, 45)) as pilot:
        for width, height in (
            (40, 10),
            (220, 60),
            (60, 15),
            (61, 16),
            (130, 34),
            (129, 33),
            (1, 1),
            (300, 90),
            (160, 45),
        ):
            await pilot.resize_terminal(width, height)
        await until(pilot, lambda: pilot.app.seen == {"runs", "system", "charts", "log"})
        views = pilot.app._views
        await until(
            pilot,
            lambda: {name: view.region.translate((0, -2)) for name, view in views.items()} == pilot.app.places,
        )
        assert _has_focus(pilot.app)


async def test_the_picture_is_held_still_and_let_go(ran):
    async with open_top(ran.home, (80, 24)) as pilot:
        await pilot.press("p")
        await until(pilot, lambda: "HELD" in screen_text(pilot.app))
        await pilot.press("p")
        await until(pilot, lambda: "LIVE" in screen_text(pilot.app))


async def test_the_pane_with_the_focus_can_be_told(ran):
    async with open_top(ran.home, (160, 45)) as pilot:
        await until(pilot, lambda: _has_focus(pilot.app))

        def _lit():
            return {
                name
                for name, view in pilot.app._views.items()
                if view.title.size.width and view.title.render_line(0)._segments[0].style.bold
            }

        await until(pilot, lambda: _lit() == {"runs"})
        await pilot.press("6")
        await until(pilot, lambda: _lit() == {"system"})
