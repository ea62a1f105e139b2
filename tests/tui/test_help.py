"""The keys as a dialog."""

from __future__ import annotations

import pytest
from textual.containers import VerticalScroll

from mlhub.tui.keys import KEYS, VIEWS
from tests.tui.conftest import open_top, screen_text, until


@pytest.fixture
def cli(cli):
    """The command, in a home that is there: with or without runs."""
    cli("ls")
    return cli


async def _open(pilot, view="1"):
    await pilot.press(view, "question_mark")
    await until(pilot, lambda: "╭" in screen_text(pilot.app) and any(_lines(pilot.app)))


def _lines(app):
    """What stands within the frame."""
    frame = app.screen.query_one(VerticalScroll).content_region
    lines = screen_text(app).splitlines()[frame.y : frame.bottom]
    return [line[frame.x : frame.right].strip() for line in lines]


def _first(app):
    return _lines(app)[0]


@pytest.mark.parametrize(("key", "view"), list(enumerate(VIEWS[:6], 1)))
async def test_the_view_one_looks_at_stands_first(cli, key, view):
    async with open_top(cli.home, (80, 24)) as pilot:
        await _open(pilot, str(key))
        assert _first(pilot.app) == view


async def test_every_key_is_in_it(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        await _open(pilot)
        words = pilot.app.screen.words().plain
        assert [key.full_id for key in KEYS if key.text not in words] == []


@pytest.mark.parametrize(
    ("there", "back"), [("j", "k"), ("down", "up"), ("pagedown", "pageup"), ("G", "g"), ("end", "home")]
)
async def test_it_scrolls(cli, there, back):
    async with open_top(cli.home, (80, 24)) as pilot:
        await _open(pilot)
        before = _first(pilot.app)
        await pilot.press(there)
        await until(pilot, lambda: _first(pilot.app) != before)
        await pilot.press(back)
        await until(pilot, lambda: _first(pilot.app) == before)


@pytest.mark.parametrize("key", ["escape", "question_mark", "q", "enter"])
async def test_it_is_left_and_the_screen_goes_on(cli, key):
    async with open_top(cli.home, (80, 24)) as pilot:
        await _open(pilot)
        await pilot.press(key)
        await until(pilot, lambda: "╭" not in screen_text(pilot.app))
        assert pilot.app.is_running


async def test_its_frame_is_of_letters_where_there_is_nothing_else(cli, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    async with open_top(cli.home, (80, 24)) as pilot:
        await pilot.press("question_mark")
        await until(pilot, lambda: "+----" in screen_text(pilot.app) and any(_lines(pilot.app)))
        assert "".join(_lines(pilot.app)).isascii()


async def test_keys_that_a_view_has_for_something_else_are_not_said_to_work_there(cli):
    async with open_top(cli.home, (80, 24)) as pilot:
        await _open(pilot, "3")
        everywhere = pilot.app.screen.words().plain.split("everywhere\n")[1].split("\n\n")[0].splitlines()
        assert [line.strip() for line in everywhere if "note on the run" in line] == [
            "write a note on the run: here by ^p"
        ]
        assert not any(line.split()[0] in ("N", "/") for line in everywhere)
