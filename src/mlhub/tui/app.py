"""The screen as a whole: which view stands where, its rows of status and keys, the timer by which views pull.

What a view shows is the view's; what is done to a run is `acting.actions`'s; readers are threads behind the model.
"""

from __future__ import annotations

import asyncio
import importlib
import signal
import time
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.geometry import NULL_OFFSET, Region, Spacing
from textual.layout import Layout, WidgetPlacement
from textual.screen import Screen
from textual.widget import Widget

from mlhub.tui import layout, prefs, theme
from mlhub.tui.acting.actions import Acting
from mlhub.tui.glass import Glass, Written
from mlhub.tui.keys import VIEWS, bindings, shown_key
from mlhub.tui.widgets.bars import Bar, KeyBar, StatusBar, TabBar

if TYPE_CHECKING:
    from pathlib import Path

    from textual.app import ComposeResult
    from textual.geometry import Size
    from textual.layout import ArrangeResult

    from mlhub.tui.model import Model
    from mlhub.tui.view import View

#: looks a second, at home and over SSH
_RATE, _SLOW_RATE = 4.0, 2.0
#: of so many looks one is taken while no run is active and no key was pressed for so many seconds
_QUIET, _TOUCHED = 4, 3.0
#: seconds that a message stands in the row of keys
_MESSAGE = 5.0
_LIVE_VIEWS = {"runs": "RunsView", "charts": "ChartsView", "log": "LogView", "compare": "CompareView",
               "queue": "QueueView", "system": "SystemView", "search": "SearchView"}  # fmt: skip


class Panes(Layout):
    """Puts each view where `mlhub.tui.layout` says."""

    name = "panes"

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:  # noqa: ARG002
        places = parent.app.places  # type: ignore[attr-defined]
        return [
            WidgetPlacement(Region(*places[child.id]), NULL_OFFSET, Spacing(), child)
            for child in children
            if child.id in places
        ]


class Workspace(Widget):
    """The area of the views."""

    DEFAULT_CSS = "Workspace { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self._panes = Panes()

    @property
    def layout(self) -> Layout:
        return self._panes

    def render(self) -> str:
        return ""  # Textual's own word would be the name of the class, for the moment before the views stand there

    def on_resize(self) -> None:
        self.app.arrange()  # type: ignore[attr-defined]


class TooSmall(Widget):
    """Said in place of everything in a terminal that is too small."""

    DEFAULT_CSS = "TooSmall { layer: above; width: 100%; height: 100%; content-align: center middle; }"

    def render(self) -> str:
        return "needs {}x{}, this is {}x{}".format(*layout.LEAST, *self.app.size)


class Main(Screen[None], inherit_bindings=False):
    """The one screen; dialogs stand above it. Without Textual's own keys: Tab goes to panes, not to widgets."""

    DEFAULT_CSS = "Main { layers: base above; }"
    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        #: asked at each look: a query by their names costs more than all else of a look without news
        self.bars: tuple[Bar, ...] = (StatusBar("status"), TabBar("tabs"), KeyBar("keys"))

    def compose(self) -> ComposeResult:
        status, tabs, keys = self.bars
        yield status
        yield tabs
        yield Workspace()
        yield keys
        small = TooSmall()
        small.display = False
        yield small


class Top(Acting, App[None], inherit_bindings=False):
    """`mlhub top`. Without Textual's own keys, of which one leaves whatever the user's table says."""

    BINDINGS: ClassVar = bindings("app")
    CSS_PATH = "top.tcss"
    TITLE = "mlhub"
    ENABLE_COMMAND_PALETTE = False  # ours is mlhub.tui.palette

    def __init__(self, model: Model, own_keys: dict[str, str] | None = None, focus: int | None = None) -> None:
        super().__init__()
        self.model = model
        self.own_keys = own_keys or {}
        self.look = theme.BY_NAME.get(model.prefs.theme) or theme.BY_NAME["ssh" if prefs.slow_line() else "night"]
        if self.no_color and self.look.ansi:  # the terminal's own colours have no shade of grey: all would be black
            self.look = theme.BY_NAME["night"]
        self.active = "charts" if focus is not None else model.prefs.view if model.prefs.view in VIEWS else "runs"
        self.held = False
        self.zoomed = False
        self.places: dict[str, layout.Place] = {}
        self.message: tuple[str, str] | None = None
        self.report: Path | None = None
        self._message_until = self._touched = 0.0
        self._beats = 0
        self._right = self.active if self.active in ("compare", "queue", "search") else "charts"
        self._views: dict[str, View] = {}
        self._history: list[str] = []
        self._painted = False
        #: what stands on the terminal
        self._glass = Glass()
        model.selection.focus = focus
        self.animation_level = "none"  # nothing here moves for its own sake

    # what stands where

    @property
    def seen(self) -> set[str]:
        """The views that are to be seen now."""
        return set(self.places)

    @property
    def active_view(self) -> View:
        return self._views[self.active]

    def get_default_screen(self) -> Screen[None]:
        return Main()

    def on_mount(self) -> None:
        for look in theme.LOOKS:
            self.register_theme(look.to_theme())
        self.theme = self.look.name
        self.set_keymap(self.own_keys)
        self.app_resume_signal.subscribe(self, lambda _: self._glass.forget())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with suppress(NotImplementedError, RuntimeError):  # under a test's loop in another thread
                loop.add_signal_handler(number, self.exit)
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """After the first paint: what takes time to load, and the timer."""
        self.model.machine.start()
        self.set_interval(1 / (_SLOW_RATE if prefs.slow_line() else _RATE), self._beat)
        self.pull()

    def _beat(self) -> None:
        """The timer: a look, but where nothing goes on, as no run does and nobody is there."""
        self._beats += 1
        runs = self.model.runs
        busy = runs.active or not runs.settled or time.monotonic() - self._touched < _TOUCHED
        if busy or self._beats % _QUIET == 0:
            self.pull()

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.InputEvent):
            self._touched = time.monotonic()
        await super().on_event(event)

    def on_resize(self) -> None:
        self._glass.forget()

    def _display(self, screen: Screen[Any], renderable: Any) -> None:  # noqa: ANN401 - what Rich renders
        """Write only what differs from what stands there; with nothing new, nothing."""
        written = self._running and not self._closed and not self.is_headless and not self._batch_count
        if written and self._driver is not None and isinstance(renderable, CompositorUpdate):
            text = self._glass.difference(renderable, (self.size.width, self.size.height), self.console)
            renderable = Written(text) if text else None
        super()._display(screen, renderable)

    def arrange(self) -> None:
        """Give each view its place, for the terminal's size and for what the user looks at."""
        screen = self.screen_stack[0]
        if not screen.query(TooSmall) or not screen.is_attached:  # not composed yet, or gone already
            return
        width, height = self.size
        small = layout.is_small(width, height)
        screen.query_one(TooSmall).display = small
        wide = layout.is_wide(width, height)
        area = screen.query_one(Workspace)
        self.places = layout.place(width, max(1, height - 3), self.active, self._right, zoomed=self.zoomed, wide=wide)
        for name in self.places:
            if name not in self._views and (self._painted or name == self.active):
                self._views[name] = view = _make_view(name)
                area.mount(view)
        for name, view in self._views.items():
            view.display = name in self.places and not small
            if view.display:
                view.placed(beside=len(self.places) > 1)
        area._clear_arrangement_cache()  # noqa: SLF001 - by size; ours depends on more
        area.refresh(layout=True)
        self.call_after_refresh(self.settle_focus)

    def settle_focus(self) -> None:
        """Give the focus to what the active view is about; to the view itself until that is composed.

        So a key typed right after the one that goes to a view is that view's.
        """
        self._give_focus()
        view = self._views.get(self.active)
        if view is not None and view.is_mounted and len(self.screen_stack) == 1:
            self.pull()
            if not self._painted:  # the one that is looked at stands there; now those that take longer to load
                self._painted = True
                self.call_after_refresh(self.arrange)

    def _give_focus(self) -> None:
        """Also if what had it is to be seen no more: a list that became empty, for example."""
        view = self._views.get(self.active)
        if view is None or not view.display or len(self.screen_stack) > 1:
            return
        if not view.has_focus_within or self.focused is view:
            main = view.main() if view.is_mounted else view
            self.screen.set_focus(main if main.focusable else view, scroll_visible=False)

    def entered(self, view: View) -> None:
        """The focus went into a view, by a click for example: that is the active one now."""
        name = view.NAME
        if name != self.active and name in self.places and view.has_focus_within:
            self._history = [*self._history[-20:], self.active]
            self.active = self.model.prefs.view = name
            self.pull()

    def pull(self) -> None:
        """One look: everything that is to be seen takes what is new."""
        if self.message and time.monotonic() > self._message_until:
            self.message = None
        main = self.screen_stack[0]  # under a dialog too: what it says must not be of the past
        if isinstance(main, Main):
            for bar in main.bars:
                if bar.is_mounted:
                    bar.pull()
        if self.held:
            return
        self._give_focus()
        for name in self.places:
            view = self._views.get(name)
            if view is not None and view.is_mounted and view.display:
                view.pull()

    def say(self, text: str, colour: str = "text") -> None:
        """A line in the row of keys, for a moment. `text` is clean."""
        self.message = (text, colour)
        self._message_until = time.monotonic() + _MESSAGE
        self.pull()

    # keys

    def action_view(self, name: str) -> None:
        """Go to a view: where it stands, or put it on the right-hand side."""
        if name != self.active:
            self._history = [*self._history[-20:], self.active]
        self._go(name)

    def _go(self, name: str) -> None:
        self.active = self.model.prefs.view = name
        if name not in ("runs", "system"):
            self._right = name if name != "log" else ("log" if self._right not in ("charts", "log") else self._right)
        self.arrange()
        self.settle_focus()

    def action_next_pane(self, by: int) -> None:
        order = [name for name in VIEWS if name in self.places] if len(self.places) > 1 else list(VIEWS)
        self.action_view(order[(order.index(self.active) + by) % len(order)])

    async def action_back(self) -> None:
        if self.active_view.leave():
            return
        if self.zoomed:
            self.action_zoom()
        elif self._history:
            self._go(self._history.pop())

    def action_zoom(self) -> None:
        self.zoomed = not self.zoomed
        self.arrange()

    def action_pause(self) -> None:
        self.held = not self.held
        self.pull()

    def action_next_theme(self) -> None:
        names = [look.name for look in theme.LOOKS if not (self.no_color and look.ansi)]
        self.use_theme(names[(names.index(self.look.name) + 1) % len(names)])

    def use_theme(self, name: str) -> None:
        """Draw in another theme from now on, and the next time."""
        self.model.prefs.theme = name
        self.draw_in(theme.BY_NAME[name])
        self.say(f"theme {name}: {self.look.title}")

    def draw_in(self, look: theme.Look) -> None:
        """Draw in a theme, which is not kept."""
        self.look = look = theme.BY_NAME["night"] if self.no_color and look.ansi else look
        self.theme = look.name
        for view in self._views.values():
            view.restyle()
        for bar in self.screen_stack[0].query("StatusBar, TabBar, KeyBar"):
            bar.pull()  # type: ignore[attr-defined]

    def action_open(self) -> None:
        """Open the row under the cursor of the table that has the focus."""
        if open_row := getattr(self.focused, "open_row", None):
            open_row()

    def action_mark(self) -> None:
        """The run under the cursor, or all runs of the group there, unless they are marked already."""
        selection = self.model.selection
        group: tuple[int, ...] = getattr(self.active_view, "group_under_cursor", ())
        if group:
            marked = all(run_id in selection.marks for run_id in group)
            for run_id in group:
                if marked or run_id not in selection.marks:
                    selection.toggle(run_id)
        elif selection.focus is not None:
            selection.toggle(selection.focus)
        self.pull()

    def action_unmark(self) -> None:
        self.model.selection.clear_marks()
        self.pull()

    def action_compare(self) -> None:
        self.action_view("compare")

    def action_find(self) -> None:
        """Views that have something to find in bind it themselves; elsewhere the list of runs is filtered."""
        self.action_view("runs")
        self.call_after_refresh(self.active_view.run_find)  # type: ignore[attr-defined]

    def action_redraw(self) -> None:
        """All of it anew: something else has written over it."""
        self._glass.forget()
        self.refresh(layout=True)

    def action_help(self) -> None:
        from mlhub.tui.help import Help

        self.push_screen(Help(self.active, self.own_keys))

    def action_command_palette(self) -> None:
        """All commands, by what they do."""
        from mlhub.tui.palette import Entry, Palette, entries

        async def take(entry: Entry | None) -> None:
            if entry is not None and (doing := entry.do()) is not None:
                await doing

        self.push_screen(Palette(entries(self)), take)

    # the end

    def action_say_quit(self) -> None:
        self.say(f"{shown_key('quit', self.own_keys)} leaves; runs go on")

    async def action_quit(self) -> None:
        self.exit()

    def on_unmount(self) -> None:
        prefs.save(self.model.home, self.model.prefs)

    def _handle_exception(self, error: Exception) -> None:
        """Leave at once; the terminal gets one line (`mlhub.tui.start`), the rest goes into a report in the home."""
        if self.report is None:
            self.report = write_report(self.model, error)
        self.model.prefs.view = "runs"  # the next start must not begin with the view that failed
        self._return_code = 1
        if self._exception is None:  # what tests wait for
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()


def write_report(model: Model, error: BaseException) -> Path | None:
    """Where the traceback was put; None if it could not be."""
    folder = model.home.root / "reports"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / f"top-{time.strftime('%Y%m%d-%H%M%S')}.txt"
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="replace")
    except OSError:
        return None
    return path


def _make_view(name: str) -> View:
    """A view is loaded when it is first to be seen."""
    module = importlib.import_module(f"mlhub.tui.{name}.view")
    view: View = getattr(module, _LIVE_VIEWS[name])()
    return view
