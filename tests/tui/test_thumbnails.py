"""Pictures for the screen: decoded in a thread, kept within bounds, drawn in what colours there are."""

from __future__ import annotations

import pytest
from PIL import Image

from mlhub.tui import theme
from mlhub.tui.search import thumbnails
from mlhub.tui.search.thumbnails import Thumbnails, Wanted, draw, mode_of
from tests.conftest import wait_until


@pytest.fixture
def picture(tmp_path):
    image = Image.new("RGB", (2, 2), (255, 0, 0))
    image.putpixel((0, 1), (0, 0, 255))
    image.save(tmp_path / "a.png")
    return tmp_path / "a.png"


@pytest.fixture
def pictures():
    pictures = Thumbnails()
    yield pictures
    pictures.close()


def colours(strip):
    return [(s.text, s.style.color and s.style.color.name, s.style.bgcolor and s.style.bgcolor.name) for s in strip]


def test_a_cell_is_two_pixels_and_cells_alike_share_a_segment(picture):
    drawn = draw(Wanted(picture, 2, 1, "24bit"))
    assert colours(drawn.lines[0]) == [("▀", "#ff0000", "#0000ff"), (" ", None, "#ff0000")]


def test_256_colours_are_those_of_the_cube(picture):
    drawn = draw(Wanted(picture, 2, 1, "256"))
    assert [segment.style.bgcolor.number for segment in drawn.lines[0]] == [21, 196]


@pytest.mark.parametrize(("mode", "text"), [("ascii", "@ "), ("shade", "█ ")])
def test_without_blocks_or_colours_dark_is_ink(tmp_path, mode, text):
    image = Image.new("RGB", (2, 2), "white")
    image.paste("black", (0, 0, 1, 2))
    image.save(tmp_path / "a.png")
    assert draw(Wanted(tmp_path / "a.png", 2, 1, mode)).lines[0].text == text


def test_how_pictures_are_drawn_follows_the_terminal(monkeypatch):
    for name in ("LC_ALL", "LC_CTYPE", "NO_COLOR", "COLORTERM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    assert mode_of(theme.BY_NAME["night"]) == "256"
    monkeypatch.setenv("COLORTERM", "truecolor")
    assert (mode_of(theme.BY_NAME["night"]), mode_of(theme.BY_NAME["ssh"])) == ("24bit", "256")
    monkeypatch.setenv("NO_COLOR", "1")
    assert mode_of(theme.BY_NAME["night"]) == "shade"
    monkeypatch.setenv("LANG", "C")
    assert mode_of(theme.BY_NAME["night"]) == "ascii"


def test_a_wish_is_fulfilled_in_a_thread(pictures, picture):
    wanted = Wanted(picture, 2, 1, "24bit")
    assert pictures.get(wanted) is None
    pictures.want([wanted])
    assert wait_until(lambda: pictures.get(wanted)).width == 2


def test_one_that_can_not_be_shown_has_its_reason_until_it_is_tried_again(pictures, tmp_path, picture):
    wanted = Wanted(tmp_path / "b.png", 2, 1, "24bit")
    pictures.want([wanted])
    assert wait_until(lambda: pictures.get(wanted)).reason == "missing"
    picture.rename(tmp_path / "b.png")
    pictures.forget_reasons()
    wait_until(lambda: (found := pictures.get(wanted)) and found.lines)


def test_no_more_is_kept_than_there_is_room_for(pictures, picture, monkeypatch):
    monkeypatch.setattr(thumbnails, "_CELLS", 100)
    wishes = [Wanted(picture, 10, height, "24bit") for height in range(1, 9)]
    for wish in wishes:
        pictures.want([wish])
        wait_until(lambda wish=wish: pictures.get(wish))
    kept = [wish.height for wish in wishes if pictures.get(wish)]
    assert kept == [8]
    assert pictures._cells <= 100
