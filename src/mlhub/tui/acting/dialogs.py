"""Dialogs over the screen: `Ask` and `Confirm` before something is done, `Prompt` for a line, `Editor` for a text.

All text given to them is clean, and none of it is markup. What is done afterwards is `mlhub.tui.acting.actions`'s.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from rich.segment import Segment
from rich.text import Text
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static, TextArea

from mlhub.errors import MlhubError
from mlhub.text import clean, fit, one_line, width
from mlhub.tui import theme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.timer import Timer

    from mlhub.tui.theme import Look

#: seconds after the last key until an edited text is looked at
_QUIET = 0.3


class Choice(NamedTuple):
    """One answer: its key, what stands beside it, and what it comes to."""

    key: str
    label: str
    value: str | None


class Choices(Widget, can_focus=True):
    """The answers in a row; arrows go through them, Enter takes one, so does a click or its key."""

    DEFAULT_CSS = "Choices { height: 1; margin-top: 1; }"

    class Chosen(Message):
        """One was taken."""

        def __init__(self, choice: Choice) -> None:
            super().__init__()
            self.choice = choice

    def __init__(self, choices: Sequence[Choice], at: int) -> None:
        super().__init__()
        self.choices = list(choices)
        self._at = at

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one
        look: Look = self.app.look  # type: ignore[attr-defined]
        line: list[Segment] = []
        for index, (key, label, _) in enumerate(self.choices):
            here = index == self._at and self.has_focus
            line += [
                Segment(f" {key} ", look.style("accent", bold=True, reverse=here)),
                Segment(f"{label} ", look.style("text", bold=here, reverse=here)),
                Segment("  ", look.plain),
            ]
        return Strip(line).adjust_cell_length(self.size.width, look.plain)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_key(self, event: events.Key) -> None:
        if event.key in ("left", "up", "right", "down"):
            self._at = (self._at + (1 if event.key in ("right", "down") else -1)) % len(self.choices)
            self.refresh()
        elif event.key == "enter":
            self.post_message(self.Chosen(self.choices[self._at]))
        else:
            return
        event.stop()

    def on_click(self, event: events.Click) -> None:
        x = event.x
        for choice in self.choices:
            x -= 4 + width(choice.key) + width(choice.label)
            if x < -1:
                self.post_message(self.Chosen(choice))
            if x < 1:  # between two
                return


class Dialog(ModalScreen[str | None]):
    """What they share: a frame, a title, and that escape leaves with nothing done."""

    BINDINGS: ClassVar = [("escape", "leave", "leave it")]
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    Dialog > Vertical { width: 78; max-width: 96%; height: auto; max-height: 92%; border: round $primary; padding: 0 1;
                        background: $background; }
    Dialog Static { height: auto; background: $background; }
    Dialog VerticalScroll { height: auto; max-height: 55vh; background: $background; scrollbar-size-vertical: 1; }
    Dialog Input, Dialog Input:focus { margin-top: 1; background: $panel; }
    Dialog .told { margin-top: 1; }
    """

    def __init__(self, title: str) -> None:
        super().__init__()
        self._title = title
        self._told = Static("", classes="told")

    @property
    def look(self) -> Look:
        return self.app.look  # type: ignore[attr-defined,no-any-return]

    def head(self) -> Static:
        """The title line."""
        return Static(Text(self._title, self.look.style("accent", bold=True)))

    def on_mount(self) -> None:
        if not theme.unicode_works():
            frame = self.query_one(Vertical).styles
            frame.border = ("ascii", frame.border_top[1])

    def tell(self, text: str, colour: str = "bad") -> None:
        """Say something within the dialog."""
        self._told.update(Text(text, self.look.style(colour)))
        self._told.display = bool(text)

    def action_leave(self) -> None:
        self.dismiss(None)


class Ask(Dialog):
    """A question: what would happen, to what, and the answers, of which the last one is safe and Enter's."""

    def __init__(self, title: str, lines: Sequence[str], choices: Sequence[Choice]) -> None:
        super().__init__(title)
        self._lines = lines
        self._choices = Choices(choices, len(choices) - 1)

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self.head()
            with VerticalScroll(can_focus=False):
                yield Static(Text("\n".join(self._lines), self.look.plain))
            yield self._choices

    def on_mount(self) -> None:
        self._choices.focus()

    def on_key(self, event: events.Key) -> None:
        for choice in self._choices.choices:
            if choice.key in (event.key, event.character):
                event.stop()
                self.dismiss(choice.value)
                return

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        self.dismiss(event.choice.value)


class Confirm(Ask):
    """Yes (`y`) or no (`n`, Enter, Escape); gives "yes" or None."""

    def __init__(self, title: str, lines: Sequence[str], yes: str, no: str = "leave it") -> None:
        super().__init__(title, lines, [Choice("y", yes, "yes"), Choice("n", no, None)])


class Notice(Ask):
    """Something that is too long for the row of keys."""

    def __init__(self, title: str, lines: Sequence[str]) -> None:
        super().__init__(title, lines, [Choice("enter", "close", None)])


class _LastWord(Suggester):
    """Completes the last word from words that are known."""

    def __init__(self, known: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._known = known

    async def get_suggestion(self, value: str) -> str | None:
        word = value.rpartition(" ")[2].lstrip("+-")
        found = next((known for known in self._known if known.startswith(word) and known != word), None)
        return value + found[len(word) :] if word and found else None


class Line(Input):
    """A line to type into. What is pasted is cleaned; Up and Down go through what was typed before."""

    def __init__(self, value: str, known: Sequence[str], history: Sequence[str]) -> None:
        super().__init__(value=value, compact=True, suggester=_LastWord(known) if known else None)
        self.cursor_blink = False  # at rest nothing is sent
        self._history = [*history, value]
        self._nth = len(history)

    def _on_paste(self, event: events.Paste) -> None:
        event.text = one_line(event.text)
        super()._on_paste(event)
        event.prevent_default()

    def on_key(self, event: events.Key) -> None:
        if event.key in ("up", "down") and len(self._history) > 1:
            event.stop()
            self._nth = max(0, min(len(self._history) - 1, self._nth + (-1 if event.key == "up" else 1)))
            self.value = self._history[self._nth]
            self.cursor_position = len(self.value)


class Prompt(Dialog):
    """One line of text. `check` raises MlhubError for one that can't be taken: that is said, and nothing is lost."""

    def __init__(
        self,
        title: str,
        lines: Sequence[str] = (),
        value: str = "",
        *,
        check: Callable[[str], object] | None = None,
        known: Sequence[str] = (),
        history: Sequence[str] = (),
    ) -> None:
        super().__init__(title)
        self._lines = lines
        self._line = Line(value, known, history)
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self.head()
            yield Static(Text("\n".join(self._lines), self.look.quiet))
            yield self._line
            yield self._told
            yield Choices([Choice(theme.glyph(("⏎", "enter")), "take it", "yes"), Choice("esc", "leave it", None)], 0)

    def on_mount(self) -> None:
        self._told.display = False
        self._line.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._take()

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        if event.choice.value:
            self._take()
        else:
            self.dismiss(None)

    def _take(self) -> None:
        try:
            if self._check is not None:
                self._check(self._line.value)
        except MlhubError as error:
            self.tell(one_line(f"{error.message}. {error.hint}"))
        else:
            self.dismiss(self._line.value)


class Page(TextArea):
    """The text in an editor; what is pasted is cleaned."""

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.text = clean(event.text).expandtabs(2)
        await super()._on_paste(event)
        event.prevent_default()


class Editor(Dialog):
    """A text of several lines. `submit` works on it in a thread; the dialog stays until that has gone well.

    `submit` and `watch` raise MlhubError, which is said below the text, and nothing of the text is lost. `watch` says
    what the text comes to, some time after each change. What `submit` gives is what the dialog gives.
    """

    BINDINGS: ClassVar = [("f2,ctrl+o", "submit", "take it")]
    DEFAULT_CSS = """
    Editor > Vertical { width: 110; }
    Page, Page:focus { height: auto; min-height: 5; max-height: 60vh; padding: 0; margin-top: 1;
                       background: $background; }
    """

    def __init__(
        self,
        title: str,
        text: str,
        *,
        submit: Callable[[str], str],
        watch: Callable[[str], str] | None = None,
        verb: str = "take it",
        at: int = 0,
    ) -> None:
        super().__init__(title)
        self._page = Page(text, compact=True, show_line_numbers=False, highlight_cursor_line=False)
        self._page.cursor_blink = False
        self._page.move_cursor((at, len(text.split("\n")[at])))
        self._before = text
        self._submit, self._watch, self._verb = submit, watch, verb
        self._timer: Timer | None = None
        self._busy = self._warned = False

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self.head()
            yield self._page
            yield self._told
            yield Choices([Choice("F2", self._verb, "yes"), Choice("esc", "leave it", None)], 0)

    def on_mount(self) -> None:
        self._told.display = False
        self._page.focus()

    def on_text_area_changed(self) -> None:
        self._warned = False
        if self._timer is not None:
            self._timer.stop()
        if self._watch is not None and self._page.text != self._before:
            self._timer = self.set_timer(_QUIET, lambda: self.run_worker(self._look_at(), exclusive=True))

    async def _look_at(self) -> None:
        """Say what the text comes to now."""
        if self._watch is None or self._busy:
            return
        try:
            said, colour = await asyncio.to_thread(self._watch, self._page.text), "info"
        except MlhubError as error:
            said, colour = one_line(f"{error.message}. {error.hint}"), "warn"
        if not self._busy and self.is_attached:
            self.tell(said, colour)

    def on_choices_chosen(self, event: Choices.Chosen) -> None:
        if event.choice.value:
            self.action_submit()
        else:
            self.action_leave()

    def action_submit(self) -> None:
        if not self._busy:
            self._busy = True
            self._page.read_only = True
            self.tell("working", "dim")
            self.run_worker(self._work(), exclusive=True)

    async def _work(self) -> None:
        try:
            found = await asyncio.to_thread(self._submit, self._page.text)
        except MlhubError as error:
            self.tell(one_line(f"{error.message}. {error.hint}"))
            self._busy = self._page.read_only = False
        else:
            self.dismiss(found)

    def action_leave(self) -> None:
        """Once more if something was changed: it would be lost."""
        if self._busy:
            return
        if self._page.text != self._before and not self._warned:
            self._warned = True
            self.tell("what you changed would be lost: Escape once more leaves it", "warn")
        else:
            self.dismiss(None)


def names_of(names: Sequence[str], most: int = 8) -> list[str]:
    """Names of runs as lines of a question: all, or the first and how many more. Cut to what a dialog is wide."""
    lines = [f"  {fit(name, 70)}" for name in names[:most]]
    return lines if len(names) <= most else [*lines[: most - 1], f"  and {len(names) - most + 1} more"]
