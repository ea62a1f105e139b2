"""The line a filter is typed into, with what came of it beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Static

from mlhub.text import one_line
from mlhub.tui.widgets.line import Line

if TYPE_CHECKING:
    from textual.app import ComposeResult

_LONGEST = 2000


class FilterLine(Widget):
    """`/` opens it, Enter keeps what was typed, Escape (the view's) clears it. Hidden while there is no filter."""

    DEFAULT_CSS = """
    FilterLine { height: 1; layout: horizontal; background: $panel; }
    FilterLine Static { width: auto; height: 1; background: $panel; }
    FilterLine Input, FilterLine Input:focus { width: 1fr; background: $panel; color: $foreground;
        background-tint: $panel 0%; padding: 0 !important; }
    """

    class Changed(Message):
        """Another text was typed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Kept(Message):
        """Enter: the filter is as it shall be."""

    def __init__(self, text: str, advice: str) -> None:
        super().__init__()
        self._input = Line(one_line(text), placeholder=advice, max_length=_LONGEST, select_on_focus=False)
        self._words = Static()
        self._said = ("", "")
        self.display = bool(text)

    def compose(self) -> ComposeResult:
        yield Static(Text(" / ", "bold", end=""))
        yield self._input
        yield self._words

    def open(self) -> None:
        """Type on."""
        self.display = True
        self._input.focus()

    def clear(self) -> None:
        """Without a filter again, and out of sight."""
        self._input.value = ""
        self.display = False

    def say(self, words: str, colour: str) -> None:
        """How many are meant, or what is wrong. `words` are clean."""
        if (words, colour) != self._said:
            self._said = (words, colour)
            self._words.update(Text(f" {words} ", self.app.look.style(colour, on="panel"), no_wrap=True, end=""))  # type: ignore[attr-defined]

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.display = bool(event.value)
        self.post_message(self.Kept())
