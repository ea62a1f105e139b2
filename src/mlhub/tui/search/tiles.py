"""Results of a search as tiles, a picture over two lines of words, or as rows with a small picture at their left.

Draws and moves; what is drawn comes from `mlhub.tui.search.client`, the pictures from `mlhub.tui.search.thumbnails`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mlhub.picture import GAP, HEIGHT, WIDTH
from mlhub.text import fit, pad, width
from mlhub.tui import theme
from mlhub.tui.search.thumbnails import Wanted, mode_of

if TYPE_CHECKING:
    from textual import events

    from mlhub.tui.app import Top
    from mlhub.tui.search.client import Hit
    from mlhub.tui.search.thumbnails import Thumbnail, Thumbnails
    from mlhub.tui.theme import Look


@dataclass(frozen=True, slots=True)
class Shape:
    """How results stand: `columns` beside each other, each `across` x `down` cells with what is between them."""

    columns: int
    across: int
    down: int
    #: of the picture
    width: int
    height: int
    rows: int

    @property
    def seen(self) -> int:
        return self.columns * self.rows


def shape_of(columns: int, lines: int, *, as_list: bool) -> Shape:
    """For an area of `columns` x `lines`; at least one result is to be seen."""
    if as_list:
        return Shape(1, columns, 4, 6, 3, max(1, (lines + 1) // 4))
    beside = max(1, (columns - 1 + GAP) // (WIDTH + GAP))
    rows = max(1, lines // (HEIGHT + 2))
    loose = rows * (HEIGHT + 3) - 1 <= lines  # a free line between rows, if it costs none of them
    return Shape(beside, WIDTH + GAP, HEIGHT + (3 if loose else 2), WIDTH, HEIGHT, rows)


class Tiles(Widget):
    """The results, one of them chosen; or lines of words where there are none."""

    can_focus = True
    DEFAULT_CSS = "Tiles { height: 1fr; }"

    class Opened(Message):
        """A double click."""

    class Moved(Message):
        """Another one is chosen, or others are to be seen."""

    def __init__(self, pictures: Thumbnails) -> None:
        super().__init__()
        self._pictures = pictures
        self.hits: tuple[Hit, ...] = ()
        self.as_list = False
        self.cursor = 0
        self._first = 0  # row of tiles
        self._words: list[tuple[str, str]] = []
        self._drawn: dict[int, Thumbnail | None] = {}
        self._seen = -1  # version of the pictures

    @property
    def top(self) -> Top:
        return self.app  # type: ignore[return-value]

    @property
    def shape(self) -> Shape:
        return shape_of(self.size.width, self.size.height, as_list=self.as_list)

    @property
    def chosen(self) -> Hit | None:
        return self.hits[self.cursor] if self.cursor < len(self.hits) else None

    @property
    def seen(self) -> range:
        """Places of the results that are to be seen."""
        shape = self.shape
        start = self._first * shape.columns
        return range(start, min(len(self.hits), start + shape.seen))

    def show(self, hits: tuple[Hit, ...], *, as_list: bool) -> None:
        """Other results, the first chosen."""
        self.hits, self.as_list, self.cursor, self._first = hits, as_list, 0, 0
        self._want()
        self.refresh()

    def say(self, words: list[tuple[str, str]]) -> None:
        """Lines, each with a colour's name, for as long as there are no results. They are clean."""
        if words != self._words:
            self._words = words
            if not self.hits:
                self.refresh()

    def pull(self) -> None:
        """Draw the pictures that have come. What is drawn changes here alone, never between two lines of a picture."""
        if self._seen == self._pictures.version:
            return
        self._seen = self._pictures.version
        for place in self.seen:
            if self._drawn.get(place) is None and (picture := self._pictures.get(self._wanted(place))) is not None:
                self._drawn[place] = picture
                self.refresh(self._region(place))

    def move(self, across: int, down: int) -> None:
        """Choose another."""
        shape = self.shape
        place = self.cursor + across + down * shape.columns
        if down and not 0 <= place < len(self.hits):
            last_row = (len(self.hits) - 1) // shape.columns
            if down > 0 and self.cursor // shape.columns < last_row:
                place = len(self.hits) - 1  # the last row is shorter
            elif abs(down) == 1:
                return
        self.choose(place)

    def page(self, by: int) -> None:
        self.move(0, by * self.shape.rows)

    def choose(self, place: int) -> None:
        """Choose the result at a place, the nearest if there is none, and bring it into sight."""
        place = max(0, min(place, len(self.hits) - 1))
        if not self.hits or place == self.cursor:
            return
        old, self.cursor = self.cursor, place
        if self._scroll_to_cursor():
            self._want()
            self.refresh()
        else:
            for changed in (old, place):
                self.refresh(self._region(changed))
        self.post_message(self.Moved())

    def _scroll_to_cursor(self) -> bool:
        shape = self.shape
        row = self.cursor // shape.columns
        first = max(min(self._first, row), row - shape.rows + 1)
        changed, self._first = first != self._first, first
        return changed

    def _want(self) -> None:
        self._seen = self._pictures.version
        self._drawn = {place: self._pictures.get(self._wanted(place)) for place in self.seen}
        self._pictures.want(self.wishes())

    def wishes(self) -> list[Wanted]:
        """The pictures to be seen, and those a page further."""
        seen = self.seen
        ahead = range(seen.stop, min(len(self.hits), seen.stop + len(seen)))
        return [self._wanted(place) for place in (*seen, *ahead)]

    def _wanted(self, place: int) -> Wanted:
        shape = self.shape
        return Wanted(self.hits[place].image, shape.width, shape.height, mode_of(self.top.look), whole=True)

    def _region(self, place: int) -> Region:
        shape = self.shape
        row, column = divmod(place, shape.columns)
        return Region(column * shape.across, (row - self._first) * shape.down, shape.across, shape.down)

    def restyle(self) -> None:
        """The theme is another one, and with it perhaps the way pictures are drawn."""
        self._want()
        self.refresh()

    def on_resize(self) -> None:
        if self.size:
            self._scroll_to_cursor()
            self._want()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    # drawing

    def render_line(self, y: int) -> Strip:
        look = self.top.look
        if not self.hits:
            text, colour = self._words[y - 1] if 0 < y <= len(self._words) else ("", "text")
            return Strip([Segment(pad(fit(f" {text}", self.size.width), self.size.width), look.style(colour))])
        shape = self.shape
        row, line = divmod(y, shape.down)
        start = (self._first + row) * shape.columns
        parts: list[Segment] = [] if self.as_list else [Segment(" ", look.plain)]
        for place in range(start, min(start + shape.columns, len(self.hits))) if row < shape.rows else ():
            parts += self._row_line(place, line) if self.as_list else self._tile_line(place, line)
        return _filled(parts, self.size.width, look)

    def _tile_line(self, place: int, line: int) -> list[Segment]:
        look, hit, shape = self.top.look, self.hits[place], self.shape
        gap = Segment(" " * GAP, look.plain)
        if line < shape.height:
            return [*self._picture_line(place, line), gap]
        if line == shape.height:
            return [self._words_of(place, hit.caption, shape.width, "text"), gap]
        if line == shape.height + 1:
            words = f"{hit.rank:<3} d{hit.distance:<3} {hit.score:.3f}"
            return [self._words_of(place, words, shape.width, "dim", mark=False), gap]
        return [Segment(" " * shape.across, look.plain)]

    def _row_line(self, place: int, line: int) -> list[Segment]:
        look, hit, shape = self.top.look, self.hits[place], self.shape
        if line >= shape.height:
            return [Segment(" " * self.size.width, look.plain)]
        room = max(1, self.size.width - shape.width - 3)
        others = " · ".join(text for text in hit.captions if text != hit.caption)
        words = (hit.caption, f"{hit.rank:<3} d{hit.distance:<3} {hit.score:.3f}  {' '.join(hit.labels)}", others)[line]
        edge = Segment(" ", look.plain)
        written = self._words_of(place, words, room, "text" if line == 0 else "dim", mark=line == 0)
        return [edge, *self._picture_line(place, line), edge, written]

    def _words_of(self, place: int, words: str, room: int, colour: str, *, mark: bool = True) -> Segment:
        look = self.top.look
        chosen = place == self.cursor
        if chosen and mark:
            words = f"{theme.glyph(('▸', '>'))}{words}"
        style = look.cursor_style if chosen and self.has_focus else look.style(colour, bold=chosen and mark)
        return Segment(pad(fit(words, room), room), style)

    def _picture_line(self, place: int, line: int) -> list[Segment]:
        """A line of a picture in the middle of its place, or of what stands there in its stead."""
        look, shape = self.top.look, self.shape
        picture = self._drawn.get(place)
        if picture is None or picture.reason:
            words = self._wrapped(picture.reason if picture else "", shape.width)
            at = line - (shape.height - len(words)) // 2
            text = words[at] if 0 <= at < len(words) else ""
            space = (shape.width - width(text)) // 2
            return [Segment(pad(" " * space + text, shape.width), look.style("dim", on="panel"))]
        at = line - (shape.height - len(picture.lines)) // 2
        if not 0 <= at < len(picture.lines):
            return [Segment(" " * shape.width, look.plain)]
        left = (shape.width - picture.width) // 2
        right = shape.width - picture.width - left
        strip = picture.lines[at].apply_style(look.plain)
        return [Segment(" " * left, look.plain), *strip, Segment(" " * right, look.plain)]

    def _wrapped(self, text: str, room: int) -> list[str]:
        """Words in lines of at most `room`, no more than the picture has."""
        lines = [""]
        for word in text.split():
            if lines[-1] and width(lines[-1]) + 1 + width(word) > room:
                lines.append("")
            lines[-1] = fit(f"{lines[-1]} {word}".strip(), room)
        return lines[: self.shape.height]

    # the mouse

    def _place_at(self, x: int, y: int) -> int | None:
        shape = self.shape
        column, row = (0 if self.as_list else x // shape.across), y // shape.down
        place = (self._first + row) * shape.columns + column
        return place if column < shape.columns and row < shape.rows and place < len(self.hits) else None

    def on_click(self, event: events.Click) -> None:
        place = self._place_at(event.x, event.y)
        if place is not None:
            self.choose(place)
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_mouse_scroll_down(self) -> None:
        self.move(0, 1)

    def on_mouse_scroll_up(self) -> None:
        self.move(0, -1)


def _filled(parts: list[Segment], columns: int, look: Look) -> Strip:
    """The line cut, or filled up, to the width."""
    strip = Strip(parts)
    left = columns - strip.cell_length
    return Strip([*parts, Segment(" " * left, look.plain)], columns) if left >= 0 else strip.crop(0, columns)
