"""What stands on the terminal: only what differs is written, and the picture is the same as if all were."""

from __future__ import annotations

import random

import pyte
import pytest
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, InlineUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from mlhub.tui.glass import Glass

SIZE = (24, 5)
LETTERS = ["a", "b", " ", " ", "─", "⠋", "한", "🎉", "e\u0301", "…", "✔"]
STYLES = [Style.parse(text) for text in ("", "red", "bold red on blue", "#112233 on #445566", "on blue", "reverse")]


def console() -> Console:
    return Console(force_terminal=True, color_system="truecolor", width=SIZE[0], height=SIZE[1])


def line(chance: random.Random, width: int) -> Strip:
    """A random piece of a line, `width` cells wide."""
    segments, left = [], width
    while left:
        letter = chance.choice(LETTERS)
        cells = 2 if letter in ("한", "🎉") else 1
        if cells <= left:
            segments.append(Segment(letter, chance.choice(STYLES)))
            left -= cells
    return Strip(segments)


def layout(strips: list[Strip], x: int = 0, y: int = 0) -> LayoutUpdate:
    region = Region(x, y, strips[0].cell_length, len(strips))
    return LayoutUpdate([[strip] for strip in strips], region)


def text_of(text: str) -> LayoutUpdate:
    return layout([Strip([Segment(text, Style.parse("red"))])])


class Seen:
    """A terminal that is fed with what is written."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(*SIZE)
        self._stream = pyte.Stream(self.screen)
        self._stream.feed("\x1b[?7l")

    def feed(self, text: str) -> None:
        self._stream.feed(text.replace("\n", "\r\n") if "\r" not in text else text)

    def cells(self) -> list[list[tuple[str, str, str, bool, bool]]]:
        return [
            [(cell.data, cell.fg, cell.bg, cell.bold, cell.reverse) for cell in map(row.__getitem__, range(SIZE[0]))]
            for row in map(self.screen.buffer.__getitem__, range(SIZE[1]))
        ]


@pytest.mark.parametrize("seed", range(12))
def test_the_picture_is_the_same_as_if_all_had_been_written(seed):
    chance, glass = random.Random(seed), Glass()
    by_parts, whole = Seen(), Seen()
    rows = [line(chance, SIZE[0]) for _ in range(SIZE[1])]
    for _ in range(30):
        for y in range(SIZE[1]):
            if chance.random() < 0.4:
                rows[y] = line(chance, SIZE[0])
        by_parts.feed(glass.difference(layout(rows), SIZE, console()))
        whole = Seen()  # every cell once more, on a terminal where nothing stood
        for y, row in enumerate(rows):
            whole.feed(f"\x1b[{y + 1};1H" + row.render(console()))
        assert by_parts.cells() == whole.cells()


def test_a_part_of_a_line_is_written_where_it_stands():
    glass, seen = Glass(), Seen()
    seen.feed(glass.difference(text_of("0123456789"), SIZE, console()))
    chops = ChopsUpdate([{0: Strip([Segment("01234x6789")])}], [(0, 5, 7)], [[10]])
    written = glass.difference(chops, SIZE, console())
    seen.feed(written)
    assert seen.screen.display[0].rstrip() == "01234x6789"
    assert "01234" not in written


def test_what_stands_there_already_is_not_written_again():
    glass = Glass()
    assert "abc" in glass.difference(text_of("abc"), SIZE, console())
    assert glass.difference(text_of("abc"), SIZE, console()) == ""


def test_a_change_of_one_letter_takes_a_few_bytes():
    glass = Glass()
    glass.difference(text_of("step 1234 loss 0.5"), SIZE, console())
    assert len(glass.difference(text_of("step 1235 loss 0.5"), SIZE, console())) < 20


@pytest.mark.parametrize("how", ["forget", "size", "inline"])
def test_all_is_written_where_something_else_may_stand(how):
    glass = Glass()
    glass.difference(text_of("abc"), SIZE, console())
    if how == "forget":
        glass.forget()
    elif how == "inline":
        glass.difference(InlineUpdate([Strip.blank(1, Style.null())]), SIZE, console())
    size = (SIZE[0] + 1, SIZE[1]) if how == "size" else SIZE
    assert "abc" in glass.difference(text_of("abc"), size, console())


def test_no_link_is_ever_written():
    link = layout([Strip([Segment("here", Style(link="http://x"))])])
    assert "\x1b]" not in Glass().difference(link, SIZE, console())


def test_a_picture_by_the_terminals_own_protocol_is_passed_on_as_it_is():
    picture = layout([Strip([Segment("\x1bPq#0\x1b\\")], 4)])
    assert "\x1bPq#0\x1b\\" in Glass().difference(picture, SIZE, console())


@pytest.mark.parametrize(
    ("lang", "stands"), [("C", "7 - 3 x 2 ~ o 한é"), ("C.UTF-8", "7 – 3 × 2 … ° 한é")], ids=["letters", "utf-8"]
)
def test_signs_become_letters_where_the_terminal_has_no_utf_8_and_letters_stay(monkeypatch, lang, stands):
    monkeypatch.delenv("LC_ALL", raising=False)
    monkeypatch.setenv("LANG", lang)
    seen = Seen()
    seen.feed(Glass().difference(text_of("7 – 3 × 2 … ° 한é"), SIZE, console()))
    assert seen.screen.display[0].rstrip() == stands
