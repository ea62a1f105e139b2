"""The keys, as a dialog: made of the same table as the bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from mlhub.text import pad, width
from mlhub.tui import theme
from mlhub.tui.keys import VIEWS, keys_beside, keys_of, shown_key, shown_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.app import ComposeResult
    from textual.binding import BindingType

    from mlhub.tui.theme import Look


#: keys of the table widget itself (`mlhub.tui.widgets.table`), which are everybody's habit and can't be changed
MOVING = (
    ("up,down,k,j", "a row up, a row down"),
    ("left,right,h,l", "columns to the left, to the right"),
    ("pageup,pagedown,ctrl+u,ctrl+d", "a page up, a page down"),
    ("g,G,home,end", "the first row, the last"),
)


class Help(ModalScreen[None]):
    """The keys of a view, of everywhere, then of the other views."""

    BINDINGS: ClassVar[list[BindingType]] = [
        ("escape,question_mark,f1,q,enter", "dismiss", "close"),
        ("j,down", "scroll('down')", "down"),
        ("k,up", "scroll('up')", "up"),
        ("pagedown,space,ctrl+d", "scroll('page_down')", "a page down"),
        ("pageup,ctrl+u", "scroll('page_up')", "a page up"),
        ("g,home", "scroll('home')", "the beginning"),
        ("G,end", "scroll('end')", "the end"),
    ]
    DEFAULT_CSS = """
    Help VerticalScroll {
        width: 78; max-width: 96%; height: 92%; border: round $primary; padding: 0 1; background: $background;
        scrollbar-size-vertical: 1;
    }
    """

    def __init__(self, view: str, own: Mapping[str, str]) -> None:
        super().__init__()
        self._view, self._own = view, own

    def compose(self) -> ComposeResult:
        with VerticalScroll(can_focus=False):
            yield Static(self.words())

    def on_mount(self) -> None:
        frame = self.query_one(VerticalScroll).styles
        if not theme.unicode_works():
            frame.border = ("ascii", frame.border_top[1])
            frame.scrollbar_size_vertical = 0

    def action_scroll(self, where: str) -> None:
        getattr(self.query_one(VerticalScroll), f"scroll_{where}")(animate=False)

    def _everywhere(self) -> list[tuple[str, str]]:
        """The app's keys as they are beside the view's; what has none left there is in the palette."""
        same = {key.id for key in keys_of(self._view, self._own)}
        found = [key for key in keys_beside(self._view, self._own) if key.keys or (key.palette and key.id not in same)]
        palette = shown_key("palette", self._own)
        return [(key.keys, key.text if key.keys else f"{key.text}: here by {palette}") for key in found]

    def words(self) -> Text:
        """All of it: the keys of the view first that the user looks at."""
        look: Look = self.app.look  # type: ignore[attr-defined]
        others = [name for name in VIEWS if name != self._view]
        parts = [
            (where, [(key.keys, key.text) for key in keys_of(where, self._own)]) for where in (self._view, *others)
        ]
        parts.insert(1, ("everywhere", self._everywhere()))
        parts.insert(2, ("moving in lists", list(MOVING)))
        wide = max(width(shown_keys(keys)) for _, lines in parts for keys, _ in lines)
        found = Text()
        for name, lines in parts:
            found.append(f"{name}\n", look.style("accent", bold=True))
            for keys, text in lines:
                found.append(f"  {pad(shown_keys(keys), wide)}  ", look.style("text", bold=True))
                found.append(f"{text}\n", look.plain)
            found.append("\n")
        found.append('Keys of your own: keys.toml in the home, such as  stop = "ctrl+k"\n', look.quiet)
        found.append("mlhub top --keys lists the ids\n", look.quiet)
        return found
