"""The search view: typing, results, keys, mouse; what it says where there is nothing to search."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from contextlib import asynccontextmanager

import pytest
from textual import events

from mlhub.adapters import HASHING
from mlhub.store.store import Store
from mlhub.tui.search import thumbnails
from mlhub.tui.search.fullpicture import FullPicture
from tests.tui.conftest import open_top, screen_text, until
from tests.tui.searching import fake, index_run


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    fake(monkeypatch)
    monkeypatch.setenv("LANG", "C.UTF-8")
    for name in ("LC_ALL", "LC_CTYPE", "NO_COLOR", "SSH_CONNECTION", "SSH_TTY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def indexed(home):
    Store.open(home).close()
    index_run(home)
    return home


@asynccontextmanager
async def searching(home, size=(80, 24)):
    """The view, its indexes read."""
    async with open_top(home.root, size) as pilot:
        await pilot.press("7")
        view = await until(pilot, lambda: pilot.app.active == "search" and pilot.app.active_view)
        await until(pilot, lambda: pilot.app.model.search.shelf.version and view.has_focus_within)
        view.pull()
        await pilot.pause()
        yield pilot, view


async def query(pilot, view, words):
    await pilot.press("slash")
    view.line.value = words
    await pilot.press("enter")
    await until(pilot, lambda: view._shown and view._shown.query.words == words)
    await pilot.pause()


async def test_results_are_tiles_with_caption_distance_and_score(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "강아지")
        shown = screen_text(pilot.app)
        assert "강아지 1" in shown
        assert "1   d1   0.990" in shown
        assert "an-index · images · 64 bits · 1–10 of the nearest 24 · 1.5 ms" in shown.replace(" of 99", "")


async def test_their_pictures_are_drawn_in_colours(indexed, monkeypatch):
    monkeypatch.setenv("COLORTERM", "truecolor")
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await until(pilot, lambda: all(view.tiles._drawn.values()))
        line = [segment.style.bgcolor.name for segment in view.tiles.render_line(3) if segment.text == " " * 14]
        assert line == ["#ff0000", "#008000", "#0000ff", "#000000", "#ffffff"]


async def test_ten_tiles_at_80x24_and_fewer_beside_others(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        assert (view.tiles.shape.columns, view.tiles.shape.rows) == (5, 2)
        await pilot.resize_terminal(160, 45)
        await until(pilot, lambda: (view.tiles.shape.columns, view.tiles.shape.rows) == (6, 4))


async def test_arrows_and_letters_choose_and_it_scrolls(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await pilot.press("right", "l", "down", "j")
        assert (view.tiles.chosen.rank, view.tiles.seen) == (13, range(5, 15))
        await pilot.press("left", "h", "k", "k", "up")
        assert (view.tiles.chosen.rank, view.tiles.seen) == (1, range(10))
        await pilot.press("G")
        assert (view.tiles.chosen.rank, view.tiles.seen) == (24, range(15, 24))
        await pilot.press("pageup", "g")
        assert view.tiles.chosen.rank == 1


async def test_the_last_row_is_reached_though_it_is_shorter(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await pilot.press(*["right"] * 4, *["down"] * 7)
        assert view.tiles.chosen.rank == 24


async def test_enter_shows_the_picture_alone_and_escape_returns(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await pilot.press("right", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, FullPicture))
        shown = await until(pilot, lambda: (text := screen_text(pilot.app)) and "웃는 얼굴 · 😀 grin" in text and text)
        assert "2  a dog 2" in shown
        assert "/index/images/01.png" in shown
        await pilot.press("right")
        await until(pilot, lambda: "3  a dog 3" in screen_text(pilot.app))
        await pilot.press("escape")
        assert (view.tiles.chosen.rank, len(pilot.app.screen_stack)) == (3, 1)


async def test_a_click_chooses_and_a_double_click_opens(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await pilot.click(view.tiles, offset=(20, 12))
        assert view.tiles.chosen.rank == 7
        await pilot.click(view.tiles, offset=(4, 3), times=2)
        await until(pilot, lambda: isinstance(pilot.app.screen, FullPicture))
        assert view.tiles.chosen.rank == 1


async def test_bits_and_direction_ask_again(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await pilot.press("b")
        await until(pilot, lambda: view._shown.bits == 16)
        await pilot.press("d")
        await until(pilot, lambda: view.tiles.as_list)
        assert "an-index · texts · 16 bits" in screen_text(pilot.app)
        assert "웃는 얼굴 · 😀 grin" in screen_text(pilot.app)


async def test_i_chooses_another_index_and_says_what_is_wrong_with_one(indexed):
    broken = index_run(indexed, "broken-one")
    (broken / "codes.npy").unlink()
    async with searching(indexed) as (pilot, view):
        assert view.index.name == "an-index"
        await query(pilot, view, "a dog")
        await pilot.press("i")
        await until(pilot, lambda: "damaged: codes.npy is missing" in screen_text(pilot.app))
        await pilot.press("i")
        assert view.index.name == "an-index"


async def test_the_newest_whole_index_is_searched(indexed):
    index_run(indexed, "newer")
    async with searching(indexed) as (_, view):
        assert [index.name for index in view.client.shelf.indexes] == ["newer", "an-index"]
        assert view.index.name == "newer"


async def test_y_copies_the_path(indexed, monkeypatch):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await pilot.press("y")
        assert pilot.app.clipboard == str(view.tiles.hits[0].image)


async def test_queries_are_kept_and_come_back_with_the_arrows(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await query(pilot, view, "강아지")
        await pilot.press("slash")
        view.line.value = "not yet asked"
        await pilot.press("up", "up")
        assert view.line.value == "a dog"
        await pilot.press("down", "down")
        assert view.line.value == "not yet asked"
    assert json.loads((indexed.root / "top.json").read_text())["queries"] == ["a dog", "강아지"]


async def test_tab_completes_a_path_and_elsewhere_goes_on(indexed, tmp_path):
    (tmp_path / "cat.png").touch()
    async with searching(indexed) as (pilot, view):
        await pilot.press("slash")
        view.line.value = f"{tmp_path}/ca"
        await until(pilot, lambda: view.line._suggestion == f"{tmp_path}/cat.png")
        await pilot.press("tab")
        assert view.line.value == f"{tmp_path}/cat.png"
        await pilot.press("escape")
        view.tiles.focus()
        await pilot.press("tab")
        assert pilot.app.active != "search"


async def test_what_is_pasted_can_not_write_to_the_terminal(indexed):
    async with searching(indexed) as (pilot, view):
        await pilot.press("slash")
        view.line.insert_text_at_cursor("a\x1b]0;x\x07 \u202edog\x9b")
        assert view.line.value.strip() == "a dog"


async def test_captions_are_no_markup_and_write_nothing(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "hostile")
        shown = screen_text(pilot.app)
        assert "[red]x[/] 1" in shown
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


async def test_pictures_that_are_gone_or_torn_say_so_in_their_place(indexed):
    folder = indexed.run(1).index / "images"
    (folder / "00.png").write_bytes(b"\x89PNG")
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await until(pilot, lambda: "damaged" in screen_text(pilot.app))


async def test_a_warning_stands_below_the_state(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "warn")
        await until(pilot, lambda: "data set shapes has changed" in screen_text(pilot.app))


async def test_its_death_is_said_and_survived(indexed):
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        os.kill(view.client.pid, signal.SIGKILL)
        await until(pilot, lambda: "died: killed by SIGKILL" in screen_text(pilot.app))
        await query(pilot, view, "a cat")
        assert "a cat 1" in screen_text(pilot.app)


async def test_no_index_names_the_commands_that_make_one(home):
    Store.open(home).close()
    async with searching(home) as (pilot, _):
        await until(pilot, lambda: "mlhub run quickstart --wait" in screen_text(pilot.app))
        assert "mlhub index" in screen_text(pilot.app)


async def test_an_index_whose_folder_is_gone_is_named(indexed):
    shutil.rmtree(indexed.run(1).index)
    async with searching(indexed) as (pilot, _):
        await until(pilot, lambda: "an-index: its folder is gone" in screen_text(pilot.app))


async def test_missing_packages_are_named_with_how_to_install_them(indexed, monkeypatch):
    monkeypatch.setattr(type(HASHING), "missing", lambda _: ["torch"])
    async with searching(indexed) as (pilot, _):
        await until(pilot, lambda: "pip install 'mlhub[hashing]'" in screen_text(pilot.app))


@pytest.mark.parametrize("setting", [("LANG", "C"), ("NO_COLOR", "1")])
async def test_without_unicode_or_colours_pictures_are_characters(indexed, monkeypatch, setting):
    monkeypatch.setenv(*setting)
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await until(pilot, lambda: ("@@@@" if setting[0] == "LANG" else "████") in screen_text(pilot.app))
        assert "▀" not in screen_text(pilot.app)


async def test_a_picture_that_takes_its_time_is_drawn_when_it_has_come(indexed, monkeypatch):
    begin, draw = threading.Event(), thumbnails.draw
    monkeypatch.setattr(thumbnails, "draw", lambda wanted: (wanted.width < 20 or begin.wait(20)) and draw(wanted))
    monkeypatch.setenv("COLORTERM", "truecolor")
    async with searching(indexed) as (pilot, view):
        await query(pilot, view, "a dog")
        await pilot.press("enter")
        await until(pilot, lambda: "reading the picture" in screen_text(pilot.app))
        begin.set()
        await until(pilot, lambda: "reading the picture" not in screen_text(pilot.app))
        line = pilot.app.screen.query_one("Canvas").render_line(8)
        assert "#ff0000" in [segment.style.bgcolor.name for segment in line]


async def test_a_query_typed_in_one_go_with_its_slash_is_a_query(indexed):
    async with searching(indexed) as (pilot, view):
        for character in "/dc pq1\r":
            key = events.Key({"/": "slash", "\r": "enter", " ": "space"}.get(character, character), character)
            key.set_sender(pilot.app)
            pilot.app._driver.send_message(key)
        await until(pilot, lambda: view._shown)
        assert (view._shown.query.words, pilot.app.active) == ("dc pq1", "search")
