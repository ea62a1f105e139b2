"""A chart of curves: a row that says what it is and its values, below it a picture of dots. Repaints changed cells.

What is drawn and where is `mlhub.curves.plot`'s; which curves, of which part, is said by `show`.
"""

from __future__ import annotations

import math
import os
import time
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from mlhub.curves import axes
from mlhub.curves.axes import Curve, Scale, read_at
from mlhub.curves.plot import INFINITE, NO_NUMBER, Glyphs, Picture, Plotter, column_of, x_of
from mlhub.text import fit, one_line, size, width
from mlhub.tui import theme
from mlhub.tui.charts.pages import SYSTEM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from textual import events

    from mlhub.store.runs import Run
    from mlhub.tui.charts.series import RunSeries
    from mlhub.tui.theme import Look

Part = tuple[str, Style]

#: cells between two changed ones that are rendered with them: a region more costs as much time as they do. What is
#: written to the terminal is `mlhub.tui.glass`' business, which leaves out what stands there already
_JUMP = 8
#: how much of a run's colour is in its raw values
_DIM = 0.42
#: seconds until what is new is drawn in any case
_LATEST = 1.0
#: a quantity of the machine from here on is one of bytes
_BYTES = 1e5
#: a chart this low has no row of words
_TITLED = 3


class Chart(Widget):
    """`show` says what to draw; the same again costs microseconds."""

    DEFAULT_CSS = "Chart { height: 1fr; }"
    can_focus = False

    class Pointed(Message):
        """The mouse is at a place on the x axis; `chosen` if a button was pressed there."""

        def __init__(self, chart: Chart, x: float, *, chosen: bool) -> None:
            super().__init__()
            self.chart, self.x, self.chosen = chart, x, chosen

    class Scrolled(Message):
        """The wheel: closer (1) or further away (-1), about a place on the x axis."""

        def __init__(self, chart: Chart, x: float, by: int) -> None:
            super().__init__()
            self.chart, self.x, self.by = chart, x, by

    class Dragged(Message):
        """The picture is pulled along the x axis, by so much of it; from the window where the pull began."""

        def __init__(self, chart: Chart, window: tuple[float, float]) -> None:
            super().__init__()
            self.chart, self.window = chart, window

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - Textual's word
        super().__init__(id=id)
        self._curves: tuple[Curve, ...] = ()
        self._scale = Scale()
        self._title, self._note, self._chosen, self._empty = "", "", False, ""
        self._plotter = Plotter()
        self._glyphs = Glyphs(theme.unicode_works(), colour=not os.environ.get("NO_COLOR"))
        self._styles: list[Style] = []
        self._inks: dict[tuple[str, ...], int] = {}
        self._look: Look | None = None
        self._drawn: tuple[object, ...] | None = None
        self._tips: tuple[float, ...] = ()
        self._when = 0.0
        #: whether there is something new that waits for its time: `show` is to be called again, changed or not
        self.waiting = False
        self._picture: Picture | None = None
        self._head: list[Part] = []
        self._grip: tuple[int, tuple[float, float]] | None = None

    @property
    def look(self) -> Look:
        return self.app.look  # type: ignore[attr-defined, no-any-return]

    @property
    def window(self) -> tuple[float, float] | None:
        """The part of the x axis that is shown now."""
        return None if self._picture is None else self._picture.x

    @property
    def scale(self) -> Scale:
        return self._scale

    def show(
        self, curves: Sequence[Curve], scale: Scale | None = None, *, title: str = "", note: str = "",
        chosen: bool = False, empty: str = "no points yet",
    ) -> None:  # fmt: skip
        """Draw these curves. `title`, `note` and `empty` are clean; `chosen`: it is the one that keys are meant for."""
        self._curves, self._scale = tuple(curves), scale or Scale()
        self._title, self._note, self._chosen, self._empty = title, note, chosen, empty
        self._draw()

    def step_of(self, x: float, by: int) -> float | None:
        """The place on the x axis so many columns of cells further on."""
        picture = self._picture
        if picture is None or picture.x is None:
            return None
        column = column_of(picture, x)
        if column is None:
            column = picture.left if x < picture.x[0] else picture.cells.shape[1] - 1
        return x_of(picture, column + by)

    def on_resize(self) -> None:
        self._drawn = None
        self._draw()

    def refresh_look(self) -> None:
        """The theme is another one."""
        self._drawn = None
        self._draw()

    # drawing

    def _draw(self) -> None:
        wide, high = self.size
        if not wide or not high or not self.is_attached:
            return
        look = self.look
        series = tuple((curve.series, curve.epochs) for curve in self._curves)
        now = (self._frame(), series)
        self.waiting = False
        if now == self._drawn:
            return
        tips = tuple((axes.ends(curve, self._scale.axis) or (0.0, 0.0))[1] for curve in self._curves)
        if self._drawn is not None and self._drawn[0] == now[0] and self._can_wait(tips):
            self.waiting = True
            return
        self._drawn, self._tips, self._when = now, tips, time.monotonic()
        if look is not self._look:
            self._look, self._styles, self._inks = look, [], {}
        rows = high - self._head_rows
        picture = self._make_picture(wide, rows)
        if picture.y is None:
            picture = picture._replace(cells=picture.cells.copy(), inks=picture.inks.copy())  # not the plotter's
            words = fit(picture.notes[0] if picture.notes else self._why_empty(), wide)
            start, ink = (wide - width(words)) // 2, self._ink("label")
            for x, letter in enumerate(words, start):
                picture.cells[rows // 2, x], picture.inks[rows // 2, x] = ord(letter), ink
        old, self._picture = self._picture, picture
        head, self._head = self._head, self._make_head(picture, wide)
        self._repaint(old, picture, head)

    def _make_picture(self, wide: int, rows: int) -> Picture:
        """The plotter's; of numbers that no picture can be made of, one that says so: the other charts go on."""
        try:
            return self._plotter.draw(self._curves, self._scale, wide, rows, self._ink, self._glyphs)
        except (ArithmeticError, ValueError, OSError) as error:
            note = one_line(f"can't be drawn: {error}")
            blank = np.full((rows, wide), 0x20, np.uint32), np.full((rows, wide), self._ink("back"), np.int16)
            return Picture(*blank, None, None, 0, (note,))

    def _frame(self) -> tuple[object, ...]:
        """All that the picture depends on but for points; of those, what is to be seen at once."""
        curves = tuple(
            (curve.run_id, curve.colour, curve.live, len(curve.series.events), len(curve.series.superseded))
            for curve in self._curves
        )
        words = (self._title, self._note, self._chosen, self._empty)
        return curves, self._scale, words, self.size, self.look.name

    def _can_wait(self, tips: tuple[float, ...]) -> bool:
        """Whether no curve has come on by as much as shows: a run that logs fast is drawn when there is a cell more."""
        window = self.window
        if window is None or time.monotonic() - self._when > _LATEST:
            return False
        cell = (window[1] - window[0]) / self.size.width
        return all(0 <= tip - before < cell for tip, before in zip(tips, self._tips, strict=True))

    @property
    def _head_rows(self) -> int:
        return 1 if self.size.height >= _TITLED and (self._title or self._note) else 0

    def _repaint(self, old: Picture | None, new: Picture, head: list[Part]) -> None:
        top = self._head_rows
        if old is None or old.cells.shape != new.cells.shape:
            self.refresh()
            return
        if top and head != self._head:
            self.refresh(Region(0, 0, self.size.width, 1))
        differs = (old.cells != new.cells) | (old.inks != new.inks)
        count = int(differs.sum())
        if count * 2 > differs.size:
            self.refresh()
            return
        regions = [
            Region(start, row + top, end - start, 1)
            for row in np.flatnonzero(differs.any(axis=1)).tolist()
            for start, end in _spans(differs[row])
        ]
        if regions:
            self.refresh(*regions)

    def _ink(self, name: str, colour: str = "") -> int:
        """The number of a style."""
        key = (name, colour)
        if key not in self._inks:
            self._inks[key] = len(self._styles)
            self._styles.append(_style(self.look, name, colour))
        return self._inks[key]

    def _make_head(self, picture: Picture, wide: int) -> list[Part]:
        """The title, notes, and the value of each curve at the cursor, in its colour."""
        look = self.look
        on = "panel" if self._chosen else None
        found: list[Part] = [(self._title, look.style("accent" if self._chosen else "text", bold=True, on=on))]
        notes = [*([self._note] if self._note else []), *picture.notes]
        values = [(words, curve.colour) for curve in self._curves if (words := self._value(curve))]
        found += [(f" {mark}", look.style("warn", bold=True, on=on)) for mark in self._bad()]
        if notes:
            found.append((f" {', '.join(notes)}", look.style("warn" if picture.notes else "dim", on=on)))
        room = wide - sum(width(text) for text, _ in found) - 1
        shown: list[Part] = []
        for words, colour in values:
            room -= width(words) + 1
            if room < 0:
                break
            shown.append((f" {words}", Style(color=colour, bgcolor=getattr(look, on or "back"))))
        left = wide - sum(width(text) for text, _ in (*found, *shown))
        if left < 0:
            found[0] = (fit(self._title, max(4, width(self._title) + left)), found[0][1])
            left = max(0, wide - sum(width(text) for text, _ in (*found, *shown)))
        return [*found, (" " * left, look.style("dim", on=on)), *shown]

    def _why_empty(self) -> str:
        points = any(np.isfinite(curve.series.points.value).any() for curve in self._curves)
        return self._empty if points or not self._bad() else "every value is NaN or infinite"

    def _bad(self) -> list[str]:
        """How many values were no number, and how many infinite."""
        events = [curve.series.events for curve in self._curves]
        values = np.concatenate([part.value[~part.old] for part in events]) if events else np.array([])
        nan = int(np.isnan(values).sum())
        counts = (NO_NUMBER, nan), (INFINITE, len(values) - nan)
        return [f"{theme.glyph(mark)}{count}" for mark, count in counts if count]

    def _value(self, curve: Curve) -> str:
        found = read_at(curve, self._scale)
        if found is None:
            return "–" if self._scale.cursor is not None else ""
        if curve.by_time and found.value is not None and _BYTES <= abs(found.value) < math.inf:
            return size(found.value)
        return found.words

    def render_line(self, y: int) -> Strip:
        wide, top = self.size.width, self._head_rows
        if top and y == 0:
            return Strip([Segment(text, style) for text, style in self._head if text]).crop(0, wide)
        picture = self._picture
        row = y - top
        if picture is None or not 0 <= row < picture.cells.shape[0]:
            return Strip([Segment(" " * wide, self.look.plain)])
        return Strip(self._segments(picture, row), wide)

    def _segments(self, picture: Picture, row: int) -> list[Segment]:
        """Runs of one style; a space has the style of what stands before it, as it shows no colour."""
        cells, inks = picture.cells[row], picture.inks[row].copy()
        known = np.where(cells != 0x20, np.arange(len(cells)), 0)
        inks = inks[np.maximum.accumulate(known)]
        text = cells.astype("<u4").tobytes().decode("utf-32-le")
        cuts = [0, *(np.flatnonzero(np.diff(inks)) + 1).tolist(), len(cells)]
        return [Segment(text[start:end], self._styles[inks[start]]) for start, end in pairwise(cuts)]

    # the mouse

    def _x_at(self, column: int) -> float | None:
        return None if self._picture is None else x_of(self._picture, column)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._grip is not None and self._picture is not None and event.button:
            start, (low, high) = self._grip
            columns = max(1, self.size.width - self._picture.left)
            by = (start - event.x) / columns * (high - low)
            self.post_message(self.Dragged(self, (low + by, high + by)))
        elif (x := self._x_at(event.x)) is not None:
            self.post_message(self.Pointed(self, x, chosen=False))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if (x := self._x_at(event.x)) is not None:
            self.post_message(self.Pointed(self, x, chosen=True))
            if self.window is not None:
                self._grip = (event.x, self.window)
                self.capture_mouse()

    def on_mouse_up(self) -> None:
        self._grip = None
        self.release_mouse()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._scroll(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._scroll(event, -1)

    def _scroll(self, event: events.MouseEvent, by: int) -> None:
        if (x := self._x_at(event.x)) is not None:
            event.stop()
            self.post_message(self.Scrolled(self, x, by))


def curve_of(run: Run, known: RunSeries, metric: str, colour: str) -> Curve | None:
    """A run's metric as it is drawn everywhere; None if it has none of that name. System metrics: `system/…`."""
    if metric.startswith(SYSTEM):
        series = known.system.get(metric.removeprefix(SYSTEM))
        pace = max((found.points for found in known.metrics.values()), key=len, default=None)
        by_time = True
    else:
        series, pace, by_time = known.metrics.get(metric), None, False
    if series is None:
        return None
    return Curve(
        run.id, one_line(run.name), colour, series, known.first, known.epochs, by_time, pace,
        run.status == "running",
    )  # fmt: skip


def _spans(differs: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """From where to where a row has changed; changes close to each other are one."""
    at = np.flatnonzero(differs)
    cuts = np.flatnonzero(np.diff(at) > _JUMP)
    starts = at[np.concatenate(([0], cuts + 1))]
    ends = at[np.concatenate((cuts, [len(at) - 1]))] + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


def _style(look: Look, name: str, colour: str) -> Style:
    """Of an ink."""
    if name == "run":
        return Style(color=colour, bgcolor=look.back)
    if name == "dim":
        return Style(color=look.faint if look.ansi else _mixed(colour, look.back), bgcolor=look.back)
    if name == "event":
        return look.style("warn", bold=True)
    return look.style({"label": "dim", "grid": "faint", "cursor": "dim"}.get(name, "text"))


def _mixed(colour: str, back: str) -> str:
    """A colour on its way to the background's."""
    one, other = Color.parse(colour).get_truecolor(), Color.parse(back).get_truecolor()
    red, green, blue = (round(a * _DIM + b * (1 - _DIM)) for a, b in zip(one, other, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"
