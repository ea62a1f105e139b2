"""Colours of a log's lines: SGR codes as pens, and nothing else of what a terminal would obey. Where lines come from
and how they are drawn is others' business.

A code that hides text or lets it blink is passed over: a log is there to be read. Each line begins with the plain pen,
so that a line looks the same from wherever one comes to it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.color import Color, ColorSystem
from rich.style import Style

from mlhub.text import clean, width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.tui.theme import Look

_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_TAB = 8
#: numbers looked at in one code
_MOST = 32
#: white and black letters on no ground of their own are the theme's own letters: on the other ground nobody could read
_PLAIN = frozenset((0, 7, 15))


class Pen(NamedTuple):
    """How letters are drawn. Colours: 0 to 255 of the palette, or a hexadecimal `#rrggbb`; None is the theme's."""

    colour: int | str | None = None
    ground: int | str | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    reverse: bool = False


PLAIN = Pen()


class Span(NamedTuple):
    """Characters `start` to `end` of a line, and their pen."""

    start: int
    end: int
    pen: Pen


def read(text: str, *, colours: bool = True) -> tuple[str, tuple[Span, ...]]:
    """One line of outside text as clean text, tabs expanded, and where its pens are not plain."""
    if text.isascii() and text.isprintable():
        return text, ()
    text = clean(text, colours=colours).replace("\n", " ").replace("\ufe0f", "")
    if "\x1b" not in text:
        return _expand(text, 0), ()
    parts: list[str] = []
    spans: list[Span] = []
    pen, length, column = PLAIN, 0, 0
    for index, part in enumerate(_SGR.split(text)):
        if index % 2:
            pen = _change(pen, part)
        elif part:
            part = _expand(part, column)  # noqa: PLW2901 - the same, on the screen
            parts.append(part)
            if pen != PLAIN:
                spans.append(Span(length, length + len(part), pen))
            length += len(part)
            column += width(part)
    return "".join(parts), tuple(spans)


def _expand(text: str, column: int) -> str:
    """`text`, which begins at `column`, with its tabs as spaces."""
    if "\t" not in text:
        return text
    parts: list[str] = []
    for word in text.split("\t"):
        if parts:
            space = _TAB - column % _TAB
            parts.append(" " * space)
            column += space
        parts.append(word)
        column += width(word)
    return "".join(parts)


@lru_cache(2048)
def _change(pen: Pen, codes: str) -> Pen:
    """`pen` after the numbers of an SGR code."""
    words = iter(codes[:200].split(";")[:_MOST])
    for word in words:
        if word.startswith(("38:", "48:")):
            kind, *values = [part for part in word.split(":")[1:] if part] or [""]
            pen = _coloured(pen, word[:2], iter([kind, *values[-3:]]))
        elif word in ("38", "48"):
            pen = _coloured(pen, word, words)
        else:
            pen = _attribute(pen, _number(word.partition(":")[0] or "0"))
    return pen


def _number(word: str) -> int:
    return int(word) if word.isdigit() and len(word) < 4 else -1


def _coloured(pen: Pen, code: str, words: Iterator[str]) -> Pen:
    """With the colour that `5;n` or `2;r;g;b` names."""
    kind = next(words, "")
    values = [_number(next(words, "none") or "0") for _ in range({"5": 1, "2": 3}.get(kind, 0))]
    if not values or not all(0 <= value <= 255 for value in values):
        return pen
    colour = values[0] if kind == "5" else "#{:02x}{:02x}{:02x}".format(*values)
    return pen._replace(colour=colour) if code == "38" else pen._replace(ground=colour)


_SET = {
    1: ("bold", True), 2: ("dim", True), 3: ("italic", True), 4: ("underline", True), 7: ("reverse", True),
    9: ("strike", True), 21: ("underline", True), 23: ("italic", False), 24: ("underline", False),
    27: ("reverse", False), 29: ("strike", False), 39: ("colour", None), 49: ("ground", None),
}  # fmt: skip


def _attribute(pen: Pen, code: int) -> Pen:
    if code == 0:
        return PLAIN
    if code == 22:
        return pen._replace(bold=False, dim=False)
    if code in _SET:
        name, value = _SET[code]
        return _with(pen, name, value)
    for first, base, name in ((30, 0, "colour"), (40, 0, "ground"), (90, 8, "colour"), (100, 8, "ground")):
        if first <= code < first + 8:
            return _with(pen, name, base + code - first)
    return pen


def _with(pen: Pen, name: str, value: int | None) -> Pen:
    return pen._replace(**{name: value})  # type: ignore[arg-type]  # the names of the table above


_STYLES: dict[tuple[Pen, str, bool], Style] = {}


def style_of(pen: Pen, look: Look) -> Style:
    """A pen's style in a theme; in one of sixteen colours, the nearest of these. Always with both colours."""
    key = pen, look.name, look.ansi
    found = _STYLES.get(key)
    if found is None:
        if len(_STYLES) > 4096:  # a log that paints in all colours there are
            _STYLES.clear()
        found = _STYLES[key] = _make_style(pen, look)
    return found


def _make_style(pen: Pen, look: Look) -> Style:
    colour, ground = _colour(pen.colour, look), _colour(pen.ground, look)
    if colour is None or (pen.colour in _PLAIN and ground is None):
        colour = Color.parse(look.dim if pen.dim else look.text)
    return Style.from_color(colour, ground or Color.parse(look.back)) + Style(
        bold=pen.bold or None, italic=pen.italic or None, underline=pen.underline or None,
        strike=pen.strike or None, reverse=pen.reverse or None,
    )  # fmt: skip


def _colour(value: int | str | None, look: Look) -> Color | None:
    if value is None:
        return None
    colour = Color.from_ansi(value) if isinstance(value, int) else Color.parse(value)
    return colour.downgrade(ColorSystem.STANDARD) if look.ansi else colour
