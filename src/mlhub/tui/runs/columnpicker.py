"""The dialog in which the columns of the table of runs are chosen and put in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from mlhub.text import one_line
from mlhub.tui import theme
from mlhub.tui.view import plain
from mlhub.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual.app import ComposeResult

    from mlhub.tui.runs.columns import Field
    from mlhub.tui.widgets.cells import Cell

_COLUMNS = (Column("on", "", 3), Column("title", "column", 16), Column("about", "what it shows", 10, flex=True))
_KEYS = "space on/off  K J move  / find  0 usual  enter done  esc cancel"


class ColumnPicker(ModalScreen[list[str] | None]):
    """The chosen ones first, in order, then the others. Gives the ids; [] for the usual ones, None: as it was."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(keys, action, show=False)
        for keys, action in (
            ("escape", "leave"), ("enter", "done"), ("space", "switch"), ("K", "shift(-1)"), ("J", "shift(1)"),
            ("slash", "find"), ("0", "usual"),
        )
    ]  # fmt: skip
    DEFAULT_CSS = """
    ColumnPicker Vertical { width: 76; max-width: 96%; height: 80%; border: round $primary; background: $background; }
    ColumnPicker Input { background: $background; border: none; height: 1; padding: 0 1; }
    ColumnPicker Static { height: 1; padding: 0 1; color: $foreground; }
    """

    def __init__(self, fields: Sequence[Field], chosen: Sequence[str]) -> None:
        super().__init__()
        self._fields = {field.id: field for field in fields if field.id != "name"}
        self._chosen = [name for name in chosen if name in self._fields]
        self._wanted = ""
        self._table = Table(frozen=2)
        self._input = Input(placeholder="find a column", compact=True, select_on_focus=False)
        self._input.cursor_blink = False

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self._input
            yield self._table
            yield Static(plain(_KEYS))

    def on_mount(self) -> None:
        self._table.focus()
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        names = [*self._chosen, *(name for name in self._fields if name not in self._chosen)]
        words = self._wanted.lower().split()
        shown = [
            name for name in names if all(word in self._fields[name].about.lower() + name.lower() for word in words)
        ]
        self._table.show(_COLUMNS, shown, self._cells)

    def _cells(self, name: object) -> Sequence[Cell]:
        look = self.app.look  # type: ignore[attr-defined]
        field, on = self._fields[str(name)], name in self._chosen
        mark = theme.glyph(("✔", "x")) if on else " "
        style = look.plain if on else look.quiet
        return [(f" {mark}", look.style("good", bold=True)), (one_line(field.title), style), (field.about, style)]

    def on_input_changed(self, event: Input.Changed) -> None:
        self._wanted = one_line(event.value)
        self._show()

    def on_input_submitted(self) -> None:
        self._table.focus()

    def on_table_opened(self) -> None:
        self.action_switch()

    def action_find(self) -> None:
        self._input.focus()

    def action_switch(self) -> None:
        """The column under the cursor, which goes on to the next."""
        name, keys = self._table.cursor_key, self._table.keys
        if not isinstance(name, str):
            return
        if name in self._chosen:
            self._chosen.remove(name)
        else:
            self._chosen.append(name)
        after = keys[min(keys.index(name) + 1, len(keys) - 1)]
        self._show()
        self._table.move_to_key(after)

    def action_shift(self, by: int) -> None:
        """Further to the left, or to the right."""
        name = self._table.cursor_key
        if not isinstance(name, str) or name not in self._chosen:
            return
        at = self._chosen.index(name)
        self._chosen.insert(max(0, at + by), self._chosen.pop(at))
        self._show()

    def action_usual(self) -> None:
        self.dismiss([])

    def action_done(self) -> None:
        self.dismiss(self._chosen)

    def action_leave(self) -> None:
        """Out of the search first, then out of the dialog."""
        if self._input.has_focus or self._wanted:
            self._input.value = ""
            self._table.focus()
        else:
            self.dismiss(None)
