"""The keys, as a dialog: made of the same table as the bindings."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from mlhub.text import pad
from mlhub.tui.keys import VIEWS, keys_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult


#: keys of the table widget itself (`mlhub.tui.widgets.table`), which are everybody's habit and can't be changed
MOVING = (
    ("↑ ↓ k j", "a row up, a row down"),
    ("← → h l", "columns to the left, to the right"),
    ("pgup pgdn", "a page up, a page down; also ^u ^d"),
    ("g G", "the first row, the last; also home and end"),
)


class Help(ModalScreen[None]):
    """The keys of a view, of everywhere, then of the other views."""

    BINDINGS: ClassVar = [("escape,question_mark,f1,q,enter", "dismiss", "close")]
    DEFAULT_CSS = """
    Help VerticalScroll {
        width: 72; max-width: 96%; height: 86%; border: round $primary; padding: 0 1; background: $background;
    }
    """

    def __init__(self, view: str, own: Mapping[str, str]) -> None:
        super().__init__()
        self._view, self._own = view, own

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(self.words())

    def words(self) -> Text:
        """All of it."""
        found = Text()
        others = [name for name in VIEWS if name != self._view]
        for where in (self._view, "app", *others):
            found.append(f"{'everywhere' if where == 'app' else where}\n", "bold")
            for key in keys_of(where, self._own):
                shown = " ".join(replace(key, keys=one).shown for one in key.keys.split(","))
                found.append(f"  {pad(shown, 12)} {key.text}\n")
            found.append("\n")
        found.append("moving in lists\n", "bold")
        for keys, text in MOVING:
            found.append(f"  {pad(keys, 12)} {text}\n")
        found.append("\n")
        found.append('A column of your own keys: keys.toml in the home, e.g.  stop = "ctrl+k"\n', "dim")
        return found
