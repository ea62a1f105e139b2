"""Pictures that the terminal draws itself: found before the screen starts, shown in place of half blocks."""

from __future__ import annotations

import os
import pty
import sys
import termios
import threading
from types import ModuleType

import pytest
from textual.widget import Widget

from mlhub.store.store import Store
from mlhub.tui.search import graphics
from mlhub.tui.search.fullpicture import Canvas
from tests.tui.conftest import until
from tests.tui.searching import fake, index_run
from tests.tui.test_search_view import query, searching


class Drawn(Widget):
    """In place of textual-image's."""

    def __init__(self, image):
        super().__init__()
        self.image = image


@pytest.fixture(autouse=True)
def nothing_found(monkeypatch):
    monkeypatch.setattr(graphics, "_found", {})


@pytest.fixture
def installed(monkeypatch):
    """A `textual_image` that says that the terminal draws sixels."""
    package, widget, renderable, terminal = (
        ModuleType(f"textual_image{name}") for name in ("", ".widget", ".renderable", "._terminal")
    )
    widget.Image = Drawn
    renderable.SixelImage, renderable.TGPImage, renderable.HalfcellImage = object(), object(), object()
    renderable.Image = renderable.SixelImage
    terminal.get_cell_size = lambda: (10, 20)
    for module in (package, widget, renderable, terminal):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(graphics, "find_spec", lambda _: object())
    monkeypatch.setattr(graphics, "draws", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    return renderable


def test_what_the_terminal_says_is_believed(installed):
    graphics.load()
    assert graphics.cell() == (10, 20)


def test_a_terminal_that_draws_none_gets_half_blocks(installed):
    installed.Image = installed.HalfcellImage
    graphics.load()
    assert graphics.cell() is None


def test_without_a_terminal_or_colours_nobody_is_asked(installed, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    graphics.load()
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    graphics.load()
    assert graphics.cell() is None


def test_a_package_that_fails_costs_nothing_else(installed):
    del installed.TGPImage
    graphics.load()
    assert graphics.cell() is None


@pytest.mark.parametrize(
    ("answer", "drawn"),
    [(b"\x1b[?62;22c", False), (b"\x1b[?62;4;22c", True), (b"\x1b_Gi=31;OK\x1b\\\x1b[?62;c", True),
     (b"q\x1b[?64;14;22c", False), (b"", False)],
)  # fmt: skip
def test_the_terminal_is_asked_and_left_as_it_was(monkeypatch, answer, drawn):
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with open(theirs, "rb", buffering=0, closefd=False) as keyboard, open(theirs, "wb", closefd=False) as screen:
        monkeypatch.setattr(sys, "stdin", keyboard)
        monkeypatch.setattr(sys, "stdout", screen)
        monkeypatch.setattr(graphics, "_PATIENCE", 5.0 if answer else 0.05)
        terminal = threading.Thread(target=lambda: os.read(ours, 100) and os.write(ours, answer))
        terminal.start()
        assert graphics.draws() is drawn
        terminal.join()
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)


async def test_the_full_picture_is_the_terminal_s(home, monkeypatch):
    fake(monkeypatch)
    Store.open(home).close()
    index_run(home)
    monkeypatch.setattr(graphics, "_found", {"widget": Drawn, "cell": (10, 20)})
    async with searching(home) as (pilot, view):
        await query(pilot, view, "a dog")
        await pilot.press("enter")
        canvas = await until(pilot, lambda: next(iter(pilot.app.screen.query(Canvas)), None))
        drawn = await until(pilot, lambda: next(iter(canvas.query(Drawn)), None))
        await until(pilot, lambda: drawn.region.height)
        assert drawn.image.size == (drawn.region.width * 10, drawn.region.height * 20)
        await pilot.press("right")
        await until(pilot, lambda: (new := list(canvas.query(Drawn))) and new != [drawn] and len(new) == 1)
