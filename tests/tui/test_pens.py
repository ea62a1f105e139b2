"""What of a log's line reaches the screen: clean text, and pens for its colours."""

from __future__ import annotations

import pytest
from rich.color import ColorType

from mlhub.text import _CONTROL
from mlhub.tui import theme
from mlhub.tui.log import pens
from mlhub.tui.log.pens import PLAIN, Pen, Span

NIGHT, SSH = theme.BY_NAME["night"], theme.BY_NAME["ssh"]


@pytest.mark.parametrize(
    ("code", "pen"),
    [
        ("31", Pen(colour=1)),
        ("1;92", Pen(colour=10, bold=True)),
        ("38;5;208", Pen(colour=208)),
        ("38;2;1;2;255", Pen(colour="#0102ff")),
        ("38:2::1:2:255", Pen(colour="#0102ff")),
        ("48:5:17", Pen(ground=17)),
        ("4:3", Pen(underline=True)),
        ("31;0", PLAIN),
        ("31;39;7;27", PLAIN),
    ],
)
def test_sgr_codes_become_pens(code, pen):
    assert pens._change(PLAIN, code) == pen


@pytest.mark.parametrize("code", ["8", "5", "38;5;999", "38;2;1", "9" * 5000, ";;;", ":::", "38", "48:", "38:2:1"])
def test_a_code_that_hides_blinks_or_is_none_changes_nothing(code):
    assert pens._change(PLAIN, code) == PLAIN


def test_a_colour_holds_to_the_end_of_its_line():
    assert pens.read("a\x1b[32mbc\x1b[0md") == ("abcd", (Span(1, 3, Pen(colour=2)),))
    assert pens.read("a\x1b[32mbc") == ("abc", (Span(1, 3, Pen(colour=2)),))


def test_without_colours_there_are_none():
    assert pens.read("a\x1b[32mbc\x1b[0md", colours=False) == ("abcd", ())


@pytest.mark.parametrize(
    "hostile",
    [
        "\x1b]0;title\x07x", "\x1b]52;c;aGk=\x07x", "\x9b31mx", "\x1bPq#0\x1b\\x", "\x1b[2J\x1b[Hx", "\u202ex\u202c",
        "\x1b]8;;http://a\x1b\\x\x1b]8;;\x1b\\", "\x00x\x08\x7f", "x\x1b[", "\x1b", "👩\u200d💻\ufe0f", "\x1b[?1049hx",
        "a\nb\x0bc\x0cd\x85e\u2028f", "\x1b]0;\x1b[31mx\x07",
    ],
)  # fmt: skip
def test_no_control_is_left(hostile):
    text, _ = pens.read(hostile)
    assert not _CONTROL.search(text)
    assert "\n" not in text
    assert "\t" not in text


def test_tabs_are_expanded_by_columns_across_colours_and_wide_letters():
    assert pens.read("a\tb")[0] == "a       b"
    assert pens.read("\x1b[31m한\x1b[0m\tb")[0] == "한      b"


def test_styles_have_both_colours_and_in_sixteen_colours_only_these():
    for look in theme.LOOKS:
        style = pens.style_of(Pen(colour="#0102ff"), look)
        assert style.color
        assert style.bgcolor
    assert pens.style_of(Pen(colour="#0102ff", ground=208), SSH).color.type is ColorType.STANDARD


def test_white_letters_on_no_ground_are_the_themes_own():
    assert pens.style_of(Pen(colour=15), NIGHT).color == NIGHT.plain.color
