"""The rows around the views: status and tabs above, keys below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mlhub.text import fit, width
from mlhub.tui import theme
from mlhub.tui.keys import VIEWS, keys_of
from mlhub.tui.widgets.cells import changed

if TYPE_CHECKING:
    from rich.style import Style
    from textual import events

    from mlhub.tui.app import Top
    from mlhub.tui.keys import Key

Part = tuple[str, "Style"]


class Bar(Widget):
    """A row of parts, repainted only when they have changed."""

    DEFAULT_CSS = "Bar { height: 1; }"
    can_focus = False

    def __init__(self, name: str) -> None:
        super().__init__(id=name)
        self._parts: list[Part] = []
        self._made_of: object = None

    @property
    def top(self) -> Top:
        return self.app  # type: ignore[return-value]

    def made_of(self) -> object:
        """A value that differs whenever the parts may; to be had at no cost."""
        raise NotImplementedError

    def parts(self) -> list[Part]:
        """What it says now."""
        raise NotImplementedError

    def pull(self) -> None:
        made_of = (self.made_of(), self.top.look.name)
        if made_of == self._made_of:
            return
        self._made_of = made_of
        parts = self.parts()
        if parts != self._parts:
            before, self._parts = self._line(), parts
            for start, end in changed(before, self._line()):
                self.refresh(Region(start, 0, end - start, 1))

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one
        return Strip([Segment(text, style) for text, style in self._line()])

    def _line(self) -> tuple[Part, ...]:
        """The parts, cut or filled to the whole row."""
        line, left = [], self.size.width
        for text, style in self._parts:
            text = fit(text, left)  # noqa: PLW2901 - what fits of it
            left -= width(text)
            line.append((text, style))
        return (*line, (" " * left, self.top.look.style("text", on="panel")))

    def _part_at(self, x: int) -> int | None:
        for index, (text, _) in enumerate(self._parts):
            x -= width(text)
            if x < 0:
                return index
        return None


class StatusBar(Bar):
    """How many runs have which status, the machine's meters, and whether the screen is live."""

    def made_of(self) -> object:
        model = self.top.model
        return model.runs.version, model.machine.version, self.top.held, self.size

    def parts(self) -> list[Part]:
        look, model = self.top.look, self.top.model
        runs = model.runs
        counts = runs.counts
        found: list[Part] = [(" mlhub ", look.style("accent", bold=True, on="panel"))]
        for status, word in (("running", "run"), ("queued", "que"), ("failed", "fail")):
            if counts.get(status):
                style = look.status[status]
                found.append(
                    (f" {counts[status]} {word}", look.style(_colour(status), on="panel", bold=style.bold or False))
                )
        if not runs.runs and runs.version:
            found.append((" no runs", look.style("dim", on="panel")))
        alerts = [alert for run in runs.runs if run.active for alert in run.alerts]
        word, colour = ("HELD", "warn") if self.top.held else ("LIVE", "good")
        if runs.error:
            word, colour = f"STALE {runs.error}", "bad"
        elif not runs.settled:
            word, colour = "reading", "dim"
        edge = (theme.glyph((" │ ", " | ")), look.style("faint", on="panel"))
        end = [edge, (word, look.style(colour, on="panel"))]
        if alerts:
            worst = "bad" if any(alert.get("severity") == "fail" for alert in alerts) else "warn"
            end.append((f" {theme.glyph(theme.ALERT)}{len(alerts)}", look.style(worst, on="panel", bold=True)))
        room = self.size.width - sum(width(text) for text, _ in (*found, *end))
        for text, colour in model.machine.words(room):
            found += [edge, (text, look.style(colour, on="panel"))]
        return found + end


def _colour(status: str) -> str:
    return {"running": "good", "failed": "bad"}.get(status, "dim")


class TabBar(Bar):
    """The views; a click goes there."""

    def made_of(self) -> object:
        return self.top.active, frozenset(self.top.places)

    def parts(self) -> list[Part]:
        look = self.top.look
        here, seen = self.top.active, self.top.seen
        found: list[Part] = [(" ", look.style("text", on="panel"))]
        for number, name in enumerate(VIEWS, 1):
            style = (
                look.style("accent", bold=True, reverse=True, on="panel")
                if name == here
                else look.style("text" if name in seen else "dim", on="panel")
            )
            found += [(f" {number} {name.capitalize()} ", style)]
        return found

    def on_click(self, event: events.Click) -> None:
        index = self._part_at(event.x)
        if index:
            self.top.action_view(VIEWS[index - 1])


class KeyBar(Bar):
    """The keys that matter here; a click presses one. What the app has to say stands here for a moment."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._spots: list[tuple[range, Key]] = []

    def made_of(self) -> object:
        return self.top.active, self.top.message, self.size.width, self._idle

    @property
    def _idle(self) -> frozenset[str]:
        """The keys of the view that have nothing to do now."""
        return self.top.active_view.idle_keys if self.top.active in self.top.places else frozenset()

    def parts(self) -> list[Part]:
        look = self.top.look
        if self.top.message:
            text, colour = self.top.message
            return [(f" {text}", look.style(colour, on="panel"))]
        self._spots, found, x = [], [], 0
        shown = self._shown()
        for key in shown:
            if key.id == _LAST[0]:  # from here on at the right-hand end
                gap = max(0, self.size.width - x - sum(map(_room, shown[shown.index(key) :])))
                found.append((" " * gap, look.style("dim", on="panel")))
                x += gap
            found += [
                (f" {key.shown}", look.style("accent", on="panel", bold=True)),
                (f" {key.short} ", look.style("dim", on="panel")),
            ]
            self._spots.append((range(x, x + _room(key)), key))
            x += _room(key)
        return found

    def _shown(self) -> list[Key]:
        """The view's own keys first, as many as there is room for; how to learn the rest and the way out always."""
        own = self.top.own_keys
        here = [key for key in keys_of(self.top.active, own) if key.short and key.id not in self._idle]
        taken = {one for key in keys_of(self.top.active, own) for one in key.keys.split(",")}
        everywhere = [key for key in keys_of("app", own) if key.short and key.keys.split(",")[0] not in taken]
        last = [key for key in everywhere if key.id in _LAST]
        keys = [*here, *(key for key in everywhere if key not in last and key.action != self.top.active)]
        while keys and sum(map(_room, (*keys, *last))) > self.size.width:
            keys.pop()
        return [*keys, *last]

    async def on_click(self, event: events.Click) -> None:
        """Press the key that was clicked on."""
        key = next((key for columns, key in self._spots if event.x in columns), None)
        if key is not None and not self.top.message:
            await self.top.run_action(key.action, self.top if key.where == "app" else self.top.active_view)


#: these keys stand at the right-hand end whatever there is room for
_LAST = ("help", "quit")


def _room(key: Key) -> int:
    return width(key.shown) + width(key.short) + 3
