"""A table of thousands of rows, of which those in sight are made, drawn and, where a character changed, repainted.

    table = Table()
    table.show(columns, keys, cells)    # cells(key): a list of cells, one a column, asked of rows in sight only
    table.touch()                       # what `cells` gives may be something else now

A tuple of cells that is the very one it was is not looked into again.

Rows have keys, and the cursor stays with its key wherever that goes. What a cell says is the caller's: text that came
from outside has passed `mlhub.text.one_line`. Not for text that is longer than a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mlhub.text import width
from mlhub.tui import theme
from mlhub.tui.widgets.cells import Banner, changed, fitted, joined, parts_of
from mlhub.tui.widgets.grid import Column, Grid, lay_out

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from textual import events

    from mlhub.tui.theme import Look
    from mlhub.tui.widgets.cells import Cell, Part

    Key = Hashable
    Row = Banner | list[list[Part]]

__all__ = ["Banner", "Column", "Table"]

#: an automatic column is not wider than this
_WIDEST = 40
_WHEEL = 3
#: for what `mlhub.text` says of missing and of cut values, where only letters work
_LETTERS = str.maketrans("–…", "-~")
#: of the cell under the cursor, beside the row's own style
_HERE = Style(bold=True, underline=True)


class Made(NamedTuple):
    """A line, and what it was made of."""

    raw: object
    row: Row
    wanted: tuple[object, ...]
    line: tuple[Part, ...]


class Table(Widget, can_focus=True):
    """`frozen`: how many columns stay when the others scroll. `by_column`: the cursor stands on a column too."""

    DEFAULT_CSS = "Table { height: 1fr; width: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(keys, action, text, show=False)
        for keys, action, text in (
            ("up,k", "move(-1)", "up"),
            ("down,j", "move(1)", "down"),
            ("left,h", "move_column(-1)", "left"),
            ("right,l", "move_column(1)", "right"),
            ("g,home", "move_to(0)", "first"),
            ("G,end", "move_to(-1)", "last"),
            ("pageup,ctrl+u", "page(-1)", "page up"),
            ("pagedown,ctrl+d", "page(1)", "page down"),
        )
    ]

    class Moved(Message):
        """The cursor stands on another row (None: there is none), or on another column."""

        def __init__(self, table: Table, key: Key | None, column: str) -> None:
            super().__init__()
            self.table, self.key, self.column = table, key, column

    class Opened(Message):
        """Enter or a double click on a row."""

        def __init__(self, table: Table, key: Key) -> None:
            super().__init__()
            self.table, self.key = table, key

    class HeadClicked(Message):
        """A click on a column's title."""

        def __init__(self, table: Table, column: str) -> None:
            super().__init__()
            self.table, self.column = table, column

    def __init__(self, *, frozen: int = 1, by_column: bool = False, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self.frozen: Final = frozen
        self.by_column: Final = by_column
        self.columns: tuple[Column, ...] = ()
        self.keys: Sequence[Key] = ()
        self._cells: Callable[[Key], Sequence[Cell] | Banner] = lambda _: ()
        self._index: dict[Key, int] = {}
        self._cursor = 0
        self._column = 0
        self._first = 0
        self._left = 0
        self._seen_widths: dict[str, int] = {}
        self._grid = Grid()
        self._image: list[tuple[Part, ...]] = []
        self._made: dict[Key, Made] = {}

    # what it shows

    def show(
        self, columns: Sequence[Column], keys: Sequence[Key], cells: Callable[[Key], Sequence[Cell] | Banner]
    ) -> None:
        """Show these rows in this order. The cursor stays with its key, or where it was if that is gone."""
        if tuple(columns) != self.columns:
            self.columns = tuple(columns)
            self._seen_widths = {column.key: width(column.title) for column in columns}
            self._column = max(0, min(self._column, len(columns) - 1))
        before, had = self.cursor_key, len(self.keys)
        self._cells = cells
        if keys is not self.keys and keys != self.keys:
            offset = self._cursor - self._first
            self.keys = keys
            self._index = {key: index for index, key in enumerate(keys)}
            self._cursor = self._index.get(before, min(self._cursor, max(0, len(keys) - 1)))
            if self._first:  # scrolled: the row under the cursor stays on its line
                self._first = self._cursor - offset
        self.touch()
        if self.cursor_key != before or (not had and len(keys)):
            self._say_moved()

    def touch(self) -> None:
        """Make the rows in sight anew, and repaint the characters that are others."""
        if not self.size.height:
            return
        self._scroll_to_cursor()
        image = self._make_image()
        if len(image) != len(self._image):
            self._image = image
            self.refresh()
            return
        old, self._image = self._image, image
        regions = [
            Region(start, y, end - start, 1)
            for y, (was, now) in enumerate(zip(old, image, strict=True))
            if was != now
            for start, end in changed(was, now)
        ]
        if regions:
            self.refresh(*regions)

    # the cursor

    @property
    def cursor_key(self) -> Key | None:
        """The key of the row under the cursor; None without rows."""
        return self.keys[self._cursor] if self._cursor < len(self.keys) else None

    @property
    def cursor_column(self) -> str:
        """The key of the column under the cursor; empty without columns."""
        return self.columns[self._column].key if self._column < len(self.columns) else ""

    @property
    def rows_in_sight(self) -> Sequence[Key]:
        """Keys of the rows that are drawn now."""
        return self.keys[self._first : self._first + self._room]

    def move_to_key(self, key: Key, *, say: bool = True) -> bool:
        """Put the cursor on a row; False if there is no such row. `say`: with a message, as if the user had done it."""
        if key not in self._index:
            return False
        self._go(self._index[key], say=say)
        return True

    def move_to_column(self, column: str) -> bool:
        """Put the cursor on a column; False if there is none of that key."""
        found = next((index for index, one in enumerate(self.columns) if one.key == column), None)
        if found is not None:
            self._go_column(found)
        return found is not None

    def action_move(self, by: int) -> None:
        self._go(self._cursor + by)

    def action_move_to(self, index: int) -> None:
        self._go(index if index >= 0 else len(self.keys) - 1)

    def action_page(self, by: int) -> None:
        self._go(self._cursor + by * max(1, self._room - 1))

    def action_move_column(self, by: int) -> None:
        if self.by_column:
            self._go_column(self._column + by)
        else:
            self._shift(by)

    def open_row(self) -> None:
        """What Enter does (`mlhub.tui.app` binds it)."""
        if self.cursor_key is not None:
            self.post_message(self.Opened(self, self.cursor_key))

    def _go(self, index: int, *, say: bool = True) -> None:
        before = self.cursor_key
        self._cursor = max(0, min(index, len(self.keys) - 1))
        if self.cursor_key != before:
            self.touch()
            if say:
                self._say_moved()

    def _go_column(self, index: int) -> None:
        index = max(0, min(index, len(self.columns) - 1))
        if index != self._column:
            self._column = index
            self._left = self._grid.showing(self._left, index)
            self.touch()
            self._say_moved()

    def _say_moved(self) -> None:
        if self.is_attached:
            self.post_message(self.Moved(self, self.cursor_key, self.cursor_column))

    # scrolling

    @property
    def _room(self) -> int:
        """Rows that fit below the titles."""
        return max(0, self.size.height - 1)

    def _scroll_to_cursor(self) -> None:
        room = max(1, self._room)
        self._first = max(self._cursor - room + 1, min(self._first, self._cursor))
        self._first = max(0, min(self._first, len(self.keys) - room))

    def _shift(self, by: int) -> None:
        """Scroll sideways by a column, those that are frozen excepted."""
        self._left = self._grid.shift(self._left, by)
        self.touch()

    def _lay_out(self) -> None:
        """Places of the columns for the width there is, less that of the scroll mark."""
        inner = max(1, self.size.width - (len(self.keys) > self._room))
        wides = [column.width or min(self._seen_widths[column.key], _WIDEST) for column in self.columns]
        self._grid = lay_out(self.columns, wides, inner, self.frozen)
        self._left = self._grid.clamp(self._left)

    # the picture, as lines of parts

    def _make_image(self) -> list[tuple[Part, ...]]:
        keys = self.rows_in_sight
        rows = [self._row_of(key) for key in keys]
        self._see_widths([row for _, row in rows])
        self._lay_out()
        look: Look = self.app.look  # type: ignore[attr-defined]
        mark = self._scroll_marks()
        frame = (self.size.width, self._left, self._grid, look.name)
        made: dict[Key, Made] = {}
        for nth, (key, (raw, row)) in enumerate(zip(keys, rows, strict=True)):
            style = self._row_style(look) if self._first + nth == self._cursor else None
            column = self._column if style is not None and self.has_focus else -1
            wanted = (row, style, column, mark(nth), frame)
            old = self._made.get(key)
            same = old is not None and old.wanted == wanted
            line = old.line if old is not None and same else self._line(row, look, style, column, wanted[3])
            made[key] = Made(raw, row, wanted, line)
        self._made = made
        blank = ((" " * self.size.width, look.plain),)
        lines = [self._head(look), *(made[key].line for key in keys)]
        return lines + [blank] * (self.size.height - len(lines))

    def _row_of(self, key: Key) -> tuple[object, Row]:
        """What the caller gave, and its cells as parts; the same list again is not looked into again."""
        raw = self._cells(key)
        old = self._made.get(key)
        if old is not None and old.raw is raw and not isinstance(raw, list):
            return raw, old.row
        return raw, raw if isinstance(raw, Banner) else [parts_of(cell) for cell in raw]

    def _see_widths(self, rows: Sequence[Row]) -> None:
        """Automatic columns grow with what is seen in them, and never shrink: nothing must jump."""
        for index, column in enumerate(self.columns):
            if column.width:
                continue
            wides = [
                sum(width(text) for text, _ in row[index]) for row in rows if isinstance(row, list) and index < len(row)
            ]
            self._seen_widths[column.key] = max(self._seen_widths[column.key], *wides, 0)

    def _row_style(self, look: Look) -> Style:
        """Of the row under the cursor."""
        if self.app.no_color:
            return Style(reverse=True) if self.has_focus else Style(underline=True)
        if self.has_focus:
            return look.cursor_style
        return Style(bgcolor=look.panel, underline=look.ansi or None)

    def _head(self, look: Look) -> tuple[Part, ...]:
        style, chosen = (Style(color=colour, bgcolor=look.back, bold=True) for colour in (look.dim, look.accent))
        titles: list[list[Part]] = [
            [(column.title, chosen if self.by_column and nth == self._column else style)]
            for nth, column in enumerate(self.columns)
        ]
        before = theme.glyph(("‹", "<")) if self._left else ""
        line = self._put_cells(titles, look, before)
        room = self.size.width - self._grid.inner
        if self._grid.whole > self._left + self._grid.room:
            line = fitted(line, self.size.width - 1, look.plain)
            return joined([*line, (theme.glyph(("›", ">")), look.style("accent"))])
        return joined([*line, (" " * room, look.plain)] if room else line)

    def _line(self, row: Row, look: Look, cursor: Style | None, column: int, mark: str) -> tuple[Part, ...]:
        """A row, in the cursor's colours if it stands there, and its piece of the scroll mark."""
        if isinstance(row, Banner):
            line = fitted(row.parts, self._grid.inner, look.plain)
        else:
            if self.by_column and 0 <= column < len(row):
                row = [*row[:column], [(text, style + _HERE) for text, style in row[column]], *row[column + 1 :]]
            line = self._put_cells(row, look)
        shown = joined(line, cursor)
        return (*shown, (mark, look.style("faint"))) if mark else shown

    def _put_cells(self, row: Sequence[Sequence[Part]], look: Look, before: str = "") -> list[Part]:
        """Cells in their places. `before`: what stands in the gap before those that scroll."""
        found: list[Part] = []
        at, inner = 0, self._grid.inner
        for place, x, end in self._grid.spans(self._left):
            if x > at:
                mark = before if not place.frozen and at < self._grid.edge else ""
                found += [(" " * (x - at - len(mark)), look.plain), *([(mark, look.style("accent"))] if mark else [])]
            cell = row[place.nth] if place.nth < len(row) else ()
            found += fitted(cell, end - x, look.plain, right=place.column.right)
            at = end
        return [*found, (" " * (inner - at), look.plain)] if at < inner else found

    def _scroll_marks(self) -> Callable[[int], str]:
        """What stands at the right end of each row in sight: nothing, where all rows are."""
        room, count = self._room, len(self.keys)
        if count <= room or not room:
            return lambda _: ""
        tall = max(1, room * room // count)
        start = (room - tall) * self._first // max(1, count - room)
        thumb, track = theme.glyph(("┃", "#")), theme.glyph(("│", "|"))
        return lambda nth: thumb if start <= nth < start + tall else track

    # Textual's

    def render_line(self, y: int) -> Strip:
        if len(self._image) != self.size.height or sum(width(text) for text, _ in self._image[0]) != self.size.width:
            self._scroll_to_cursor()
            self._image = self._make_image()
        line = self._image[y]
        if not theme.unicode_works():
            line = tuple((text.translate(_LETTERS), style) for text, style in line)
        return Strip([Segment(text, style) for text, style in line], self.size.width)

    def on_resize(self) -> None:
        self._image = []
        self._lay_out()
        if self.by_column:
            self._left = self._grid.showing(self._left, self._column)
        self.touch()

    def restyle(self) -> None:
        """The theme is another one."""
        self.touch()

    def watch_has_focus(self, _has_focus: bool) -> None:
        super().watch_has_focus(_has_focus)
        self.touch()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self._go(self._cursor + _WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self._go(self._cursor - _WHEEL)

    def on_click(self, event: events.Click) -> None:
        found = next(
            (place for place, x, end in self._grid.spans(self._left) if x <= event.x < end + self._grid.gap), None
        )
        if event.y == 0:
            if found is not None:
                self.post_message(self.HeadClicked(self, found.column.key))
            return
        index = self._first + event.y - 1
        if index >= len(self.keys):
            return
        if self.by_column and found is not None:
            self._go_column(found.nth)
        self._go(index)
        if event.chain == 2:
            self.open_row()
