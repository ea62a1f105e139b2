"""The palette: the commands of the table of keys, the themes, seen as one moves over them, and the runs by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from mlhub.text import fit, one_line
from mlhub.tui import theme
from mlhub.tui.keys import keys_beside, keys_of
from mlhub.tui.widgets.table import Column, Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from mlhub.tui.app import Top
    from mlhub.tui.keys import Key
    from mlhub.tui.theme import Look
    from mlhub.tui.widgets.cells import Cell

_WIDE = 76


class Entry(NamedTuple):
    """One thing that can be chosen. `theme`: the one it stands for, seen at once; `late`: only where asked for."""

    text: str
    hint: str
    do: Callable[[], Awaitable[object] | None]
    theme: str = ""
    late: bool = False


def entries(top: Top) -> list[Entry]:
    """What there is to choose now: the active view's commands first."""
    here = keys_of(top.active, top.own_keys)
    same = {key.id for key in here}  # what the view does in its own way
    others = [key for key in keys_beside(top.active, top.own_keys) if key.id not in same]
    commands = [Entry(key.text, key.shown, _press(top, key)) for key in (*here, *others) if key.palette]
    themes = [Entry(f"theme {one.name}: {one.title}", "", _paint(top, one.name), one.name) for one in theme.LOOKS]
    runs = [
        Entry(f"run {run.id} {one_line(run.name)}", run.status, _visit(top, run.id), late=True)
        for run in top.model.runs.runs
    ]
    return [*commands, *themes, *runs]


def _press(top: Top, key: Key) -> Callable[[], Awaitable[object]]:
    return lambda: top.run_action(key.action, top if key.where == "app" else top.active_view)


def _paint(top: Top, name: str) -> Callable[[], None]:
    return lambda: top.use_theme(name)


def _visit(top: Top, run_id: int) -> Callable[[], None]:
    def visit() -> None:
        top.model.selection.choose(run_id)
        top.action_view("charts")

    return visit


def matching(found: Sequence[Entry], asked: str) -> list[Entry]:
    """Those that hold all the words, those that begin with them first; else those with the letters in that order."""
    words = asked.casefold().split()
    if not words:
        return [entry for entry in found if not entry.late]
    texts = [(entry, entry.text.casefold()) for entry in found]
    kept = [
        (not text.startswith(words[0]), nth, entry) for nth, (entry, text) in enumerate(texts) if _holds(text, words)
    ]
    if kept:
        return [entry for _, _, entry in sorted(kept, key=lambda one: one[:2])]
    letters = "".join(words)
    return [entry for entry, text in texts if _in_order(letters, text)]


def _holds(text: str, words: list[str]) -> bool:
    return all(word in text for word in words)


def _in_order(letters: str, text: str) -> bool:
    rest = iter(text)
    return all(letter in rest for letter in letters)


class Palette(ModalScreen[Entry | None]):
    """A line to type in, and what matches below it. Enter takes the one under the cursor, escape none."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape", "leave", "leave it"),
        ("down,ctrl+n", "move(1)", "the next"),
        ("up", "move(-1)", "the one before"),
        ("pagedown", "page(1)", "a page on"),
        ("pageup", "page(-1)", "a page back"),
        ("ctrl+p", "leave", "leave it"),
    ]
    AUTO_FOCUS = "Input"
    DEFAULT_CSS = """
    Palette { align-horizontal: center; align-vertical: top; }
    Palette > Vertical {
        width: 80; max-width: 96%; height: 80%; margin-top: 2; border: round $primary; background: $background;
    }
    Palette Input, Palette Input:focus { border: none; height: 1; padding: 0 1; background: $panel; }
    Palette Table { margin: 0 1; }
    """

    def __init__(self, found: Sequence[Entry]) -> None:
        super().__init__()
        self._entries = found
        self._shown: list[Entry] = []
        self._table = Table(frozen=0)
        self._table.can_focus = False

    @property
    def top(self) -> Top:
        return self.app  # type: ignore[return-value]

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Input(placeholder="a command, a theme, a run")
            yield self._table

    def on_mount(self) -> None:
        self._look = self.top.look
        frame = self.query_one(Vertical).styles
        if not theme.unicode_works():
            frame.border = ("ascii", frame.border_top[1])
        self._show("")

    def _show(self, asked: str) -> None:
        self._shown = matching(self._entries, asked)
        columns = [Column("text", "", flex=True), Column("hint", "", right=True)]
        self._table.show(columns, range(len(self._shown)), self._cells)
        self._table.action_move_to(0)
        self._preview()

    def _cells(self, index: Any) -> Sequence[Cell]:  # noqa: ANN401 - a place in the list
        look: Look = self.top.look
        entry = self._shown[index]
        here = look.cursor_style if index == self._table.cursor_key else None
        return [
            (fit(entry.text, _WIDE - 12), here or look.plain),
            (entry.hint, here or look.quiet),
        ]

    @property
    def _here(self) -> Entry | None:
        index = self._table.cursor_key
        return self._shown[index] if isinstance(index, int) and index < len(self._shown) else None

    def _preview(self) -> None:
        """Draw in the theme under the cursor, else in the one there was."""
        wanted = theme.BY_NAME[self._here.theme] if self._here and self._here.theme else self._look
        if wanted is not self.top.look:
            self.top.draw_in(wanted)
            self._table.restyle()

    # events and keys

    def on_input_changed(self, event: Input.Changed) -> None:
        self._show(event.value)

    def on_input_submitted(self) -> None:
        self._take(self._here)

    def on_table_moved(self) -> None:
        self._preview()

    def on_table_opened(self) -> None:
        self._take(self._here)

    def action_move(self, by: int) -> None:
        self._table.action_move(by)

    def action_page(self, by: int) -> None:
        self._table.action_page(by)

    def action_leave(self) -> None:
        self._take(None)

    def _take(self, entry: Entry | None) -> None:
        if self.top.look is not self._look:
            self.top.draw_in(self._look)
        self.dismiss(entry)
