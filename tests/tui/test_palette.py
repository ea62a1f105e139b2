"""The palette: commands by what they do, themes, runs."""

from __future__ import annotations

import pytest

from mlhub.tui.keys import VIEWS
from mlhub.tui.palette import Entry, entries, matching
from tests.tui.conftest import open_top, screen_text, until


@pytest.fixture
def cli(cli):
    """The command, in a home that is there: with or without runs."""
    cli("ls")
    return cli


def _entries(*texts):
    return [Entry(text, "", lambda: None, late=text.startswith("run")) for text in texts]


def _texts(found):
    return [entry.text for entry in found]


def test_nothing_typed_shows_all_but_the_runs():
    assert _texts(matching(_entries("stop", "run 1 x"), " ")) == ["stop"]


def test_all_words_have_to_be_there_in_any_order():
    assert _texts(matching(_entries("copy as CSV", "copy as Markdown"), "csv copy")) == ["copy as CSV"]


def test_what_begins_with_it_stands_first():
    assert _texts(matching(_entries("the next theme", "theme day"), "theme")) == ["theme day", "the next theme"]


def test_letters_in_that_order_will_do_if_nothing_else_does():
    assert _texts(matching(_entries("copy as Markdown", "quit"), "cmd")) == ["copy as Markdown"]


async def _type(pilot, text):
    await pilot.press("ctrl+p")
    await until(pilot, lambda: "a command, a theme, a run" in screen_text(pilot.app))
    await pilot.press(*text)


@pytest.mark.parametrize("view", VIEWS)
async def test_it_offers_the_commands_of_the_view_that_one_looks_at(cli, view):
    async with open_top(cli.home, (80, 24)) as pilot:
        pilot.app.action_view(view)
        await pilot.pause()
        offered = _texts(entries(pilot.app))
        assert ("copy as Markdown" in offered) is (view == "compare")
        assert "the next theme" in offered


async def test_a_command_of_the_app_is_done(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        await _type(pilot, "pane")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.zoomed)


async def test_a_command_of_the_view_is_done(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("4")
        await _type(pilot, "best")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.model.prefs.compare_use == "best")


async def test_a_theme_is_seen_before_it_is_taken(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        before = pilot.app.look.name
        await _type(pilot, "okabe")
        await until(pilot, lambda: pilot.app.look.name == "okabe")
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.look.name == before)
        assert pilot.app.model.prefs.theme != "okabe"


async def test_a_theme_that_is_taken_stays(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        await _type(pilot, "okabe")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.model.prefs.theme == "okabe")
        assert pilot.app.look.name == "okabe"


async def test_a_run_is_found_by_its_name(cli):
    cli("run", "--name", "calm-otter", "--wait", "--", "true")
    cli("run", "--name", "wild-boar", "--wait", "--", "true")
    async with open_top(cli.home, (80, 24)) as pilot:
        await _type(pilot, "otter")
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.active == "charts")
        assert pilot.app.model.selection.focus == 1


async def test_what_the_view_has_another_thing_on_the_key_of_is_offered_without_a_key(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        pilot.app.action_view("log")
        await pilot.pause()
        hints = {entry.text: entry.hint for entry in entries(pilot.app)}
        assert (hints["write a note on the run"], hints["the match before"]) == ("", "N")
        assert (hints["filter the runs"], hints["search in the log"]) == ("", "/")


async def test_what_the_view_does_in_its_own_way_is_offered_once(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        for view in ("charts", "compare", "runs"):
            pilot.app.action_view(view)
            await pilot.pause()
            offered = _texts(entries(pilot.app))
            assert ("filter the runs" in offered) is (view == "compare")
            assert ("mark the run, to see it beside others" in offered) is (view != "compare")
