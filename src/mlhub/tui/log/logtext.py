"""A log as text: follows its end, is moved through by rows, and shows where a pattern matches. Read by threads.

What is read comes from `mlhub.tui.log.watch`, where one stands is `mlhub.tui.log.place`'s; here it is drawn, and drawn
again where a row has changed, at most once a pull however fast the log grows.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mlhub.text import width
from mlhub.tui.log.pens import PLAIN, style_of
from mlhub.tui.log.place import LogPlace, Row
from mlhub.tui.log.watch import LogWatch, Page, Want

if TYPE_CHECKING:
    from rich.style import Style
    from textual import events
    from textual.timer import Timer

    from mlhub.paths import RunPaths
    from mlhub.tui.log.hunt import Pattern
    from mlhub.tui.theme import Look

#: rows a turn of the wheel
_WHEEL = 3
#: columns to the side
_ASIDE = 16
#: seconds between two looks for what a key has asked for, and for how many
_SOON, _LOOKS = 0.015, 200


class LogText(Widget):
    """The lines of one run's log."""

    DEFAULT_CSS = "LogText { height: 1fr; }"
    can_focus = True
    FOCUS_ON_CLICK: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.place = LogPlace()
        self.reader = LogWatch()
        self.page = Page()
        #: columns scrolled to the side
        self.aside = 0
        self.pattern: Pattern | None = None
        #: where the line of the match begins that one stands at
        self.match: int | None = None
        self._want: Want | None = None
        self._version = 0
        #: a line to go to as soon as it is read, and how far below the upper edge
        self._goal: tuple[int, int] | None = None
        #: rows to scroll from there, of keys that did not wait for it
        self._owed = 0
        self._rows: list[Row] = []
        self._drawn: list[tuple[object, ...]] = []
        self._made_with: tuple[object, ...] = ()
        self._soon: Timer | None = None
        self._looks = 0

    @property
    def look(self) -> Look:
        return self.app.look  # type: ignore[attr-defined, no-any-return]

    def on_unmount(self) -> None:
        self.reader.close()

    # what is read

    def open(self, run: int, paths: RunPaths, place: tuple[int, int] | None) -> None:
        """Show this run's log: at its end, or where one stood (a line's byte, and a row within it)."""
        self.page, self.place.lines = Page(run), ()
        self.place.following = place is None
        self.place.top, self.place.row = place or (0, 0)
        self.match, self._goal, self.aside = None, None, 0
        self._ask(Want(run, paths, place[0] if place else None, self.place.height, 0, not self.app.no_color))
        self.draw()

    def pull(self, *, grows: bool) -> bool:
        """Take the latest page; `grows`: look for new lines, too. Whether something is new."""
        if grows:
            self.reader.poke()
        if self._version == self.reader.version:
            return False
        self._version = self.reader.version
        page = self.reader.page
        if self._want is None or page.run != self._want.run:
            return False
        self.page = page
        self.place.lines = page.lines
        if self._goal is not None and page.serial == self._want.serial:
            (offset, above), owed = self._goal, self._owed
            self._goal, self._owed = None, 0
            self.place.go(offset, above)
            if owed:
                self.scroll_rows(owed)
        elif page.ends and not self.place.following:
            self.place.fill()
        self.draw()
        return True

    def _ask(self, want: Want) -> None:
        """Have this read, and look often until it is."""
        self._want = replace(want, serial=(self._want.serial if self._want else 0) + 1)
        self.reader.want(self._want)
        self._looks = _LOOKS
        if self._soon is None:
            self._soon = self.set_interval(_SOON, self._look_soon)

    def _look_soon(self) -> None:
        self._looks -= 1
        self.pull(grows=False)
        if self._soon is not None and (self.page.serial == getattr(self._want, "serial", 0) or self._looks < 0):
            self._soon.stop()
            self._soon = None

    def _read_around(self) -> None:
        """Have more lines read, if one has come near the end of those that are at hand."""
        if self._want is None:
            return
        anchor = None if self.place.following else self.place.top
        index, count, rows = self.place.index, len(self.place.lines), self.place.height
        near = index < rows and not self.page.begins
        near = near or (count - index < 2 * rows and not self.page.ends)
        if near or (anchor is None) != (self._want.anchor is None):
            self._ask(replace(self._want, anchor=anchor))

    # where one stands

    @property
    def following(self) -> bool:
        return self.place.following

    def go(self, offset: int, *, above: int | None = None) -> None:
        """The line that begins at byte `offset`, a third down the screen."""
        above = self.place.height // 3 if above is None else above
        self.place.following = False
        lines = self.place.lines
        if lines and lines[0].start <= offset < lines[-1].end:
            self._goal = None
            self.place.go(offset, above)
            self._read_around()
        elif self._want is not None:
            self._goal, self._owed = (offset, above), 0
            self._ask(replace(self._want, anchor=offset))
        self.draw()

    def go_to_end(self, *, follow: bool) -> None:
        """The newest lines, there to stay or not."""
        self.place.following, self._goal = True, None
        self._read_around()
        if not follow and self._want is not None:
            self.place.rows()
            self.place.following = False
            self._ask(replace(self._want, anchor=self.place.top))
        self.draw()

    def scroll_rows(self, by: int) -> None:
        """By rows; upwards leaves following, beyond the end takes it up again."""
        if self._goal is not None:
            self._owed += by
            return
        if not self.place.lines:
            return
        if self.place.following:
            if by > 0:
                return
            self.place.rows()
            self.place.following = False
        if not self.place.scroll(by) and by > 0 and self.page.ends:
            self.place.following = True
        self._read_around()
        self.draw()

    def sideways(self, by: int) -> None:
        """By columns, where lines are not wrapped."""
        longest = max((width(row.line.text) for row in self.place.rows()), default=0)
        most = 0 if self.place.wrap else max(0, longest - self.place.width)
        self.aside = max(0, min(self.aside + by * _ASIDE, (most + _ASIDE - 1) // _ASIDE * _ASIDE))
        self.draw()

    def set_wrap(self, wrap: bool) -> None:
        self.place.wrap, self.aside = wrap, 0
        self.draw()

    @property
    def seen(self) -> list[str]:
        """The lines that are to be seen, whole, as text; of a match the one it is in."""
        lines: list[str] = []
        before = -1
        for row in self.place.rows():
            if row.line.start != before:
                before = row.line.start
                if row.line.start == self.match:
                    return [row.line.text]
                lines.append(row.line.text)
        return lines

    # how it is drawn

    def on_resize(self, event: events.Resize) -> None:
        self.place.width, self.place.height = event.size.width, max(1, event.size.height)
        if self._want is not None and self._want.rows < self.place.height:
            self._ask(replace(self._want, rows=self.place.height))
        self._drawn = []
        self.draw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.scroll_rows(-_WHEEL)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.scroll_rows(_WHEEL)

    def draw(self) -> None:
        """Repaint the rows that say something else than they did."""
        self._rows = self.place.rows()
        rows: list[tuple[object, ...]] = [
            (row.line.text, row.start, row.end, row.line.spans, row.line.start == self.match) for row in self._rows
        ]
        with_ = (self.aside, self.pattern, self.size)
        if with_ != self._made_with:
            self._made_with = with_
            self.refresh()
        else:
            for y in range(max(len(rows), len(self._drawn))):
                if rows[y : y + 1] != self._drawn[y : y + 1]:
                    self.refresh(Region(0, y, self.size.width, 1))
        self._drawn = rows

    def render_line(self, y: int) -> Strip:
        look, wide = self.look, self.size.width
        if y >= len(self._rows):
            return Strip([Segment(" " * wide, look.plain)], wide)
        row = self._rows[y]
        start, space = _skip(row.line.text, row.start, row.end, self.aside)
        start, end, used = _take(row.line.text, start, row.end, wide - space)
        segments = [Segment(" " * space, look.plain)] if space else []
        segments += self._segments(row, start, end)
        segments.append(Segment(" " * (wide - space - used), look.plain))
        return Strip(segments, wide)

    def _segments(self, row: Row, start: int, end: int) -> list[Segment]:
        """Characters `start` to `end` of a row, in their pens; where the pattern matches, marked."""
        look, text = self.look, row.line.text
        here = row.line.start == self.match
        edges = {start, end}
        ranges = [(span.start, span.end) for span in row.line.spans]
        marks = self.pattern.marks(text) if self.pattern is not None and (here or self.pattern.text) else []
        for first, last in (*ranges, *marks):
            edges |= {min(max(first, start), end), min(max(last, start), end)}
        mark = look.style("back", on="accent" if here else "warn") if look.name != "ssh" else _reversed(look)
        found = []
        order = sorted(edges)
        for first, last in pairwise(order):
            if any(one <= first < two for one, two in marks):
                style = mark
            else:
                pen = next((span.pen for span in row.line.spans if span.start <= first < span.end), PLAIN)
                style = look.plain if pen is PLAIN else style_of(pen, look)
            found.append(Segment(text[first:last], style))
        return found


def _reversed(look: Look) -> Style:
    return look.style("text", reverse=True)


def _skip(text: str, start: int, end: int, columns: int) -> tuple[int, int]:
    """The first character at or behind `columns`, and the cells left free where a wide one stood across the edge."""
    if not columns:
        return start, 0
    if text.isascii():
        return min(start + columns, end), 0
    used = 0
    while start < end and used < columns:
        used += width(text[start])
        start += 1
    return start, max(0, used - columns)


def _take(text: str, start: int, end: int, columns: int) -> tuple[int, int, int]:
    """From `start`, the end of what fits into `columns`, and the cells it takes."""
    if text.isascii():
        end = max(start, min(end, start + columns))
        return start, end, end - start
    used, at = 0, start
    while at < end:
        cells = width(text[at])
        if used + cells > columns:
            break
        used += cells
        at += 1
    return start, at, used
