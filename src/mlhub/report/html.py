"""Elements of HTML and SVG as text. The one place where text from outside becomes markup: it is cleaned and escaped."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import NamedTuple

from mlhub.text import clean

_NAME = re.compile(r"[a-z][a-zA-Z0-9:-]*")
_EMPTY = frozenset(("meta", "img", "br", "input", "line", "path", "circle", "rect", "col", "use"))


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is already safe; whatever else is put into an element is text and becomes escaped."""

    text: str


#: what may stand in an element
Child = Html | str


def esc(text: object) -> str:
    """Text as it may stand between tags and in attributes: without control characters, `<>&"'` as entities."""
    return html.escape(clean(str(text)), quote=True)


def el(name: str, /, *children: Child, **attributes: object) -> Html:
    """An element. `class_`, `for_` and `data_x` are attributes' names in Python; None and False leave one out."""
    words = [name]
    for given, value in attributes.items():
        key = given.rstrip("_").replace("_", "-")
        if not _NAME.fullmatch(key) or key.startswith("on"):
            raise ValueError(f"no attribute of ours: {key}")
        if value is None or value is False:
            continue
        words.append(key if value is True else f'{key}="{esc(value)}"')
    if name in _EMPTY:
        return Html(
            f"<{' '.join(words)}>" if name in ("meta", "img", "br", "input", "col") else f"<{' '.join(words)}/>"
        )
    return Html(f"<{' '.join(words)}>{join(children).text}</{name}>")


def join(children: object) -> Html:
    """Children one after the other."""
    parts = children if isinstance(children, list | tuple) else [children]
    return Html("".join(child.text if isinstance(child, Html) else esc(child) for child in parts))


class Cell(NamedTuple):
    """A cell of a table. `mark`: the run whose colour stands before it; `note` stands small below it."""

    text: str
    best: bool = False
    note: str = ""
    mark: int | None = None
    tone: str = ""
    number: bool = False
    code: bool = False


class Table(NamedTuple):
    """A table in words: HTML and Markdown are made of the same one. The first cell of a row is its head."""

    caption: str
    heads: list[Cell]
    rows: list[list[Cell]]
    wide: bool = False


def table(found: Table) -> Html:
    """A table that readers of a screen understand: caption, heads with their scope; it scrolls by itself if wide."""
    heads = [el("th", *_inside(cell), scope="col", class_="n" if cell.number else None) for cell in found.heads]
    rows = []
    for first, *rest in found.rows:
        cells = [el("th", *_inside(first), scope="row", class_="k" if first.code else None)]
        cells += [el("td", *_inside(cell), class_=_classes(cell)) for cell in rest]
        rows.append(el("tr", *cells))
    caption = el("caption", found.caption, class_="quiet")
    inner = el("table", caption, el("thead", el("tr", *heads)), el("tbody", *rows))
    return el("div", inner, class_="scroll", tabindex="0", role="region", aria_label=found.caption)


def _classes(cell: Cell) -> str | None:
    words = [("n", cell.number), ("k", cell.code), ("best", cell.best), (cell.tone, bool(cell.tone))]
    return " ".join(word for word, wanted in words if wanted) or None


def _inside(cell: Cell) -> list[Child]:
    inside: list[Child] = [swatch(cell.mark)] if cell.mark is not None else []
    inside.append(el("b", f"★ {cell.text}") if cell.best else cell.text)
    if cell.note:
        inside.append(el("small", cell.note))
    return inside


def swatch(mark: int) -> Html:
    """A short piece of a run's line, as a key to the curves."""
    line = el("line", x1=1, y1=5, x2=21, y2=5, class_=line_class(mark))
    return el("svg", line, viewBox="0 0 22 10", class_="swatch", aria_hidden="true")


def line_class(mark: int) -> str:
    """The classes of a run's line: one of eight colours and, of the runs beyond, another dash."""
    return f"line c{mark % 8} d{mark // 8 % 4}"


def fold(summary: Child, *children: Child, open_: bool = False) -> Html:
    """Something that is folded away until it is asked for, without a script."""
    return el("details", el("summary", summary), *children, open=open_)


def section(name: str, title: str, *children: Child) -> Html:
    """A part of the page that the list at its top leads to."""
    return el("section", el("h2", title), *children, id=name)
