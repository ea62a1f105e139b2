"""The system view: GPUs with their history and whose they are, the machine, alerts. The drawing is `system.sheet`'s.

It asks for a repaint of the spans that have changed since the last reading, and of nothing while there is no new one:
that saves work here. Which cells are sent is decided later, by `mlhub.tui.glass`.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from mlhub.text import duration, one_line, width
from mlhub.tui.keys import bindings, keys_of
from mlhub.tui.prefs import slow_line
from mlhub.tui.system.gauges import Scene, fill
from mlhub.tui.system.machine import Reading
from mlhub.tui.system.sheet import Drawn, alert_lines, draw, merge
from mlhub.tui.theme import unicode_works
from mlhub.tui.view import View

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from textual import events
    from textual.app import ComposeResult
    from textual.binding import BindingType

    from mlhub.tui.system.gauges import Alert, Line

#: seconds of history that are drawn; 0: all there is
_SPANS = (300, 3600, 0)
#: seconds between two readings while it is alone on the screen; over SSH
_OFTEN, _SLOW = 1.0, 2.0


class Sheet(Widget):
    """Lines of cells; of those, spans that have changed are rendered anew."""

    DEFAULT_CSS = "Sheet { height: 1fr; }"
    can_focus = True

    def __init__(self) -> None:
        super().__init__()
        self.drawn = Drawn()
        #: raised when what was drawn is of another size
        self.resized = 0

    def show(self, drawn: Drawn, *, anew: bool) -> None:
        """Draw this from now on; `anew`: all of it, whatever was there."""
        before, self.drawn = self.drawn.lines, drawn
        if anew or len(before) != len(drawn.lines):
            self.refresh()
            return
        for y, (old, new) in enumerate(zip(before, drawn.lines, strict=True)):
            if old != new:
                for x, columns in changes(old, new):
                    self.refresh(Region(x, y, columns, 1))

    def render_line(self, y: int) -> Strip:
        view: SystemView = self.parent  # type: ignore[assignment]
        plain = view.look.plain
        if y >= len(self.drawn.lines):
            return Strip([Segment(" " * self.size.width, plain)])
        strip = Strip([Segment(text, style) for text, style in self.drawn.lines[y]])
        return strip.adjust_cell_length(self.size.width, plain)

    def on_resize(self) -> None:
        self.resized += 1
        self.parent.pull()  # type: ignore[union-attr]


def changes(old: Line, new: Line) -> Iterator[tuple[int, int]]:
    """Where two lines of equal width differ: column and number of columns of spans to be rendered anew.

    One span for each part that differs, from its first character that does to its last, where the parts of both lines
    are equally wide; else the whole line.
    """
    if [width(text) for text, _ in old] != [width(text) for text, _ in new]:
        yield 0, sum(width(text) for text, _ in new)
        return
    x = 0
    for (before, was), (after, now) in zip(old, new, strict=True):
        wide = width(after)
        if was != now:
            yield x, wide
        elif before != after:
            same = _alike(before, after)
            rest = _alike(before[same:][::-1], after[same:][::-1])
            left, right = width(after[:same]), width(after[len(after) - rest :])
            yield x + left, wide - left - right
        x += wide


def _alike(one: str, other: str) -> int:
    """How many characters they begin with are the same."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


class SystemView(View):
    """The machine and its GPUs."""

    NAME = "system"
    TITLE = "System"
    BINDINGS: ClassVar[list[BindingType]] = bindings("system")

    def __init__(self) -> None:
        super().__init__()
        self._sheet = Sheet()
        self._chosen = 0
        self._slow = slow_line()
        self._made_of: object = None
        self._anew: object = None
        self._alerts: tuple[Alert, ...] = ()
        self._alerts_of: object = None

    def content(self) -> ComposeResult:
        yield self._sheet

    def pull(self) -> None:
        machine, size = self.model.machine, self._sheet.size
        if not self.beside and self.model.prefs.meters:
            machine.watch(_SLOW if self._slow else _OFTEN)
        if not size.width or not size.height:
            return
        alerts = self._find_alerts(machine.reading)
        anew = (size, self._sheet.resized, self.look.name)
        made_of = (machine.version, alerts, self.model.selection.focus, self._chosen, self._span, self.beside, anew)
        if made_of == self._made_of:
            return
        drawn = self._draw(machine.reading, alerts)
        self._sheet.show(drawn, anew=anew != self._anew)
        self._made_of, self._anew = made_of, anew

    def restyle(self) -> None:
        self._made_of = None
        super().restyle()
        self.pull()

    def _find_alerts(self, reading: Reading | None) -> tuple[Alert, ...]:
        """The machine's own and those of active runs, looked for when either may have changed."""
        raised = reading.alerts if reading else ()
        made_of = (self.model.runs.version, raised)
        if made_of != self._alerts_of:
            runs = [
                (run.id, one_line(run.name), run.alerts) for run in self.model.runs.runs if run.active and run.alerts
            ]
            self._alerts, self._alerts_of = merge(raised, runs), made_of
        return self._alerts

    def _draw(self, reading: Reading | None, alerts: tuple[Alert, ...]) -> Drawn:
        if not self.model.prefs.meters:
            return self._say(f" the meters are off: {self._key('meters')} turns them on", alerts)
        if reading is None:
            return self._say(" reading the machine …" if unicode_works() else " reading the machine", alerts)
        if reading.error:
            return self._say(f" {reading.error}", alerts, "bad")
        history = self.model.machine.history
        self._chosen = max(0, min(self._chosen, len(reading.cards) - 1))
        span = self._span or (history.span(reading.at) if history else _SPANS[0])
        made: dict[int, Mapping[str, Sequence[float]]] = {}

        def curves(count: int) -> Mapping[str, Sequence[float]]:
            if count not in made:
                made[count] = history.curves(reading.at, span, count) if history else {}
            return made[count]

        words = f"history {_span_words(span)}" + ("" if self._span else " (all)")
        words = f"{len(reading.cards)} GPUs  {words}" if len(reading.cards) > 1 else words
        self.title.say(words)
        scene = Scene(
            reading=reading, curves=curves, look=self.look, unicode=unicode_works(), alerts=alerts, chosen=self._chosen,
            focus=self.model.selection.focus, head="" if self.beside else f"{_host_words()}  {words}",
        )  # fmt: skip
        return draw(scene, *self._sheet.size)

    def _say(self, text: str, alerts: tuple[Alert, ...], colour: str = "dim") -> Drawn:
        """A line in place of the machine, and the alerts of runs."""
        self.title.say("")
        columns, rows = self._sheet.size
        scene = Scene(
            reading=Reading(), curves=lambda _: {}, look=self.look, unicode=unicode_works(), alerts=alerts,
            focus=self.model.selection.focus,
        )  # fmt: skip
        line = fill([(text, self.look.style(colour))], columns, self.look.plain)
        return Drawn([line, *alert_lines(scene, columns, min(len(alerts), rows - 1))])

    @property
    def _span(self) -> int:
        return self.model.prefs.history if self.model.prefs.history in _SPANS else _SPANS[0]

    def _key(self, name: str) -> str:
        return next(key.shown for key in keys_of("system", self.top.own_keys) if key.id == name)

    # keys

    @property
    def idle_keys(self) -> frozenset[str]:
        """Of one GPU, or none, there is no next."""
        reading = self.model.machine.reading
        several = self.model.prefs.meters and reading is not None and len(reading.cards) > 1
        return frozenset() if several else frozenset({"card-on"})

    def action_card(self, by: int) -> None:
        cards = self.model.machine.reading.cards if self.model.machine.reading else ()
        if cards:
            self._chosen = (self._chosen + by) % len(cards)
            self.pull()

    def action_span(self) -> None:
        self.model.prefs.history = _SPANS[(_SPANS.index(self._span) + 1) % len(_SPANS)]
        self.pull()

    def action_meters(self) -> None:
        self.model.machine.switch()
        self.top.pull()

    def action_open_run(self) -> None:
        """The charts of the run that holds most of the chosen GPU."""
        reading = self.model.machine.reading
        cards = reading.cards if reading else ()
        owned = cards[self._chosen].processes if self._chosen < len(cards) else ()
        runs = [one for one in owned if one.run is not None]
        if not runs:
            self.top.say("no run of ours is on this GPU" if cards else "no GPU")
            return
        self.model.selection.choose(max(runs, key=lambda one: one.memory or 0).run)
        self.top.action_view("charts")

    def on_click(self, event: events.Click) -> None:
        y = event.screen_y - self._sheet.region.y
        x = event.screen_x - self._sheet.region.x
        for spot in self._sheet.drawn.spots.get(y, ()):
            if x < spot.right:
                self._chosen = spot.card
                self.pull()
                return


def _span_words(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h" if minutes < 1440 else f"{minutes // 1440} d"


def _host_words() -> str:
    """The machine's name, how long it is up, and how many want its processors."""
    up = time.clock_gettime(time.CLOCK_BOOTTIME)
    words = f"{one_line(os.uname().nodename)}  up {duration(up)}"
    try:
        return words + "  load {:.0f} {:.0f} {:.0f}".format(*os.getloadavg())
    except OSError:
        return words
