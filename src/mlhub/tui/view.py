"""What the seven views share: a title line where several stand beside each other, and how the app talks to them.

A view reads `self.model` when the app's timer calls `pull`, and repaints what has changed since, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.text import Text
from textual.strip import Strip
from textual.widget import Widget

from mlhub.text import fit, pad, width

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from mlhub.tui.app import Top
    from mlhub.tui.model import Model
    from mlhub.tui.theme import Look


class Title(Widget):
    """One line above a view: its name, and what it shows, in the view's words."""

    DEFAULT_CSS = "Title { height: 1; dock: top; }"

    def __init__(self, name: str) -> None:
        super().__init__()
        self._head = name
        self.words = ""

    def say(self, words: str) -> None:
        """`words` are clean: they come from us or have passed `mlhub.text.one_line`."""
        if words != self.words:
            self.words = words
            self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one
        look: Look = self.app.look  # type: ignore[attr-defined]
        focused = isinstance(self.parent, Widget) and self.parent.has_focus_within
        head = look.style("accent", bold=True, on="panel") if focused else look.style("dim", on="panel")
        room = self.size.width - width(self._head) - 3
        words = fit(self.words, max(0, room))
        line = [Segment(f" {self._head} ", head), Segment(pad(words, max(0, room + 1)), look.style("dim", on="panel"))]
        return Strip(line).crop(0, self.size.width)


class View(Widget, can_focus=True):
    """One of the seven. Subclasses give NAME, TITLE, `content`, `pull`, and actions for their keys."""

    NAME: ClassVar[str] = ""
    TITLE: ClassVar[str] = ""
    DEFAULT_CSS = "View { layout: vertical; }"

    def __init__(self) -> None:
        super().__init__(id=self.NAME)
        self.title = Title(self.TITLE)
        #: whether it stands beside others, with a part of the screen only
        self.beside = False

    def compose(self) -> ComposeResult:
        yield self.title
        yield from self.content()

    def on_mount(self) -> None:
        """It has widgets now, one of which may be given the focus."""
        self.call_after_refresh(self.top.settle_focus)

    def content(self) -> ComposeResult:
        """Its widgets."""
        return iter(())

    @property
    def top(self) -> Top:
        """The app, by its own type."""
        return self.app  # type: ignore[return-value]

    @property
    def model(self) -> Model:
        return self.top.model

    @property
    def look(self) -> Look:
        return self.top.look

    def main(self) -> Widget:
        """What gets the focus when the view does."""
        return next((child for child in self.query("*") if child.focusable), self)

    def on_focus(self) -> None:
        """A click on its edge, or its first moments: what it is about gets the focus.

        At once, and only if it still is the view's: a key typed since may have gone to another view, which
        `Widget.focus`, as it waits its turn, would take the focus from.
        """
        main = self.main()
        if self.screen.focused is not self:
            return
        if main is not self and main.focusable:
            self.screen.set_focus(main, scroll_visible=False)
        else:
            self.title.refresh()
            self.top.entered(self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A key typed before it is composed does nothing."""
        return self.is_mounted and super().check_action(action, parameters)

    def on_descendant_focus(self) -> None:
        self.title.refresh()
        self.top.entered(self)

    def on_descendant_blur(self) -> None:
        self.title.refresh()

    def pull(self) -> None:
        """Take what is new from the model; called some times a second while the view is to be seen, never while not.

        The usual case, that nothing is new, must cost microseconds: compare versions first.
        """

    def placed(self, *, beside: bool) -> None:
        """It is to be seen from now on, alone or beside others."""
        self.beside = beside
        self.title.display = beside

    def restyle(self) -> None:
        """The theme is another one."""
        for widget in (self, *self.query("*")):
            widget.refresh()

    @property
    def idle_keys(self) -> frozenset[str]:
        """Ids of its keys that have nothing to do now: the row of keys leaves them out. Asked at each look."""
        return frozenset()

    def leave(self) -> bool:
        """Escape: whether there was something to leave within the view (a filter, a full screen)."""
        return False


def plain(text: str) -> Text:
    """Text for Textual's own widgets, which take a `str` for markup. `text` must have passed `mlhub.text.clean`."""
    return Text(text, no_wrap=True, end="")
