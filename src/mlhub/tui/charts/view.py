"""The charts view: every metric of the chosen runs, on pages of charts with one x axis and one cursor.

Which metric stands where is `charts.pages`', how a chart is drawn `mlhub.tui.charts.chart`'s. Points come from the
model's `series`; nothing is read here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

from mlhub.compare.shown import main_metric
from mlhub.curves import axes
from mlhub.curves.axes import Scale
from mlhub.curves.traces import SMOOTHING
from mlhub.text import one_line
from mlhub.tui.charts import pages
from mlhub.tui.charts.chart import Chart, curve_of
from mlhub.tui.charts.legend import HEADINGS, Entry, Legend, values_of
from mlhub.tui.charts.page import MetricLine, Page
from mlhub.tui.keys import bindings
from mlhub.tui.theme import colours_of
from mlhub.tui.view import View

if TYPE_CHECKING:
    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.widget import Widget
    from textual.widgets import Input

    from mlhub.curves.axes import Curve
    from mlhub.store.runs import Run
    from mlhub.tui.charts.series import RunSeries

_T = TypeVar("_T")

#: runs on one chart; more can't be told apart
_MOST_RUNS = 16
#: so many metrics make the x axis
_TELLING = 12
#: how much closer a step of zoom is, and what part of the window a step to the side is
_ZOOM, _PAN = 0.6, 0.25
#: a window is never a smaller part of all than this
_CLOSEST = 1e-6
#: seconds in which moves of the mouse become one picture
_MOUSE = 0.04


class ChartsView(View):
    """Pages of charts of the marked runs, else of the one under the cursor."""

    NAME = "charts"
    TITLE = "Charts"
    BINDINGS: ClassVar[list[BindingType]] = bindings("charts")

    def __init__(self) -> None:
        super().__init__()
        self._page = Page()
        self._legend = Legend()
        self._seen: tuple[object, ...] = ()
        self._runs: tuple[Run, ...] = ()
        self._count = 0  # runs that are chosen, drawn or not
        self._colours: dict[int, str] = {}
        self._known: dict[int, RunSeries] = {}
        self._names: list[str] = []
        self._kinds: tuple[object, ...] = ()
        self._chosen = ""
        self._alone = False
        self._cursor: float | None = None
        self._window: tuple[float, float] | None = None
        self._whole: tuple[float, float] | None = None
        self._follow = False
        self._soon = False
        self._error = ""

    def content(self) -> ComposeResult:
        yield self._legend
        yield self._page

    def main(self) -> Widget:
        return self._page

    def on_page_resized(self, message: Page.Resized) -> None:
        message.stop()
        self._draw()

    # what is shown

    def pull(self) -> None:
        model = self.model
        seen = (model.runs.version, model.selection.version, model.series.version, self.look.name, self.beside)
        if seen == self._seen and not any(chart.waiting for chart in self._page.charts):
            return
        self._seen = seen
        chosen = model.chosen or model.runs.runs[:1]
        self._runs, self._count = chosen[:_MOST_RUNS], len(chosen)
        self._colours = colours_of(self.look, (run.id for run in chosen))
        model.series.want(self._runs, "charts", system=True)
        self._known = {run.id: known for run in self._runs if (known := model.series.series(run.id)) is not None}
        self._draw()

    def _find_names(self) -> list[str]:
        """All metrics of the chosen runs in their order, as far as the filter lets them through."""
        wish = self.model.prefs.metric_filter
        kinds = (
            wish, tuple(run.id for run in self._runs),
            tuple((len(known.metrics), _lines(known)) for known in self._known.values()),
        )  # fmt: skip
        if kinds != self._kinds:
            self._kinds = kinds
            found = [name for known in self._known.values() for name in known.metrics]
            found += [
                pages.SYSTEM + name
                for known in self._known.values()
                for name, series in known.system.items()
                if len(series.points) > 1  # what is said once, as how much memory there is, makes no curve
            ]
            ordered = pages.in_order(found, [main_metric(run) for run in self._runs])
            self._names, self._error = pages.matching(ordered, wish)
        return self._names

    def _draw(self) -> None:
        """Everything, as it is now; charts repaint only what has changed."""
        if not self.is_attached or not self._page.size:
            return
        names = self._find_names()
        if self._chosen not in names:
            self._chosen = names[0] if names else ""
        grid, shown = self._find_page(names)
        self._whole = self._find_span(names)
        scale = self._scale()
        lone = not names
        charts = self._page.take(grid, max(1, len(shown)))
        if lone:
            charts[0].show((), title="", empty=self._advice())
        for chart, name in zip(charts, shown, strict=False):
            curves = self._curves(name)
            own = replace(scale, log=False) if name.startswith(pages.SYSTEM) else scale
            title = one_line(name)[:200] or "?"
            chart.show(curves, own, title=title, chosen=name == self._chosen and len(shown) > 1, empty=self._reason())
        self._say(names, shown, grid, scale)

    def _find_page(self, names: list[str]) -> tuple[pages.Grid, list[str]]:
        """The grid, and the metrics of the page on which the chosen one stands."""
        if self._alone:
            return pages.Grid(1, 1), [self._chosen] if names else []
        size = self._page.size
        grid = pages.grid_for(size.width, size.height, len(names), self.model.prefs.grid)
        first = names.index(self._chosen) // grid.size * grid.size if names else 0
        return grid, names[first : first + grid.size]

    def _curves(self, name: str) -> list[Curve]:
        """The metric in each of the runs; the one under the cursor is drawn last, above the others."""
        focus = self.model.selection.focus
        ordered = sorted(self._runs, key=lambda run: run.id == focus)
        known, colours = self._known, self._colours
        found = (curve_of(run, known[run.id], name, colours[run.id]) for run in ordered if run.id in known)
        return [curve for curve in found if curve is not None]

    def _find_span(self, names: list[str]) -> tuple[float, float] | None:
        """One x axis for all charts; the first metrics tell it, as they are main ones and losses."""
        names = names[:_TELLING]
        curves = [curve for name in names if not name.startswith(pages.SYSTEM) for curve in self._curves(name)]
        curves = curves or [curve for name in names for curve in self._curves(name)]
        return axes.span(curves, self.model.prefs.x_axis)

    def _scale(self) -> Scale:
        prefs = self.model.prefs
        window = self._window or self._whole
        if self._window and self._follow and self._whole:
            wide = self._window[1] - self._window[0]
            window = self._window = (self._whole[1] - wide, self._whole[1])
        return Scale(prefs.x_axis, window, prefs.log_y, prefs.smoothing, self._cursor)

    def _reason(self) -> str:
        """Why a chart with points shows none."""
        if self.model.prefs.x_axis == "epoch" and not any(known.epochs for known in self._known.values()):
            return "no epochs recorded; x changes the axis"
        return "nothing in this part; 0 shows all" if self._window else "no points yet"

    def _advice(self) -> str:
        """What an empty view says."""
        errors = [known.error for known in self._known.values() if known.error]
        if not self._runs:
            return "no runs yet: mlhub run quickstart" if self.model.runs.version else "reading"
        if errors:
            return errors[0]
        if self.model.prefs.metric_filter and any(known.metrics for known in self._known.values()):
            return f"no metric matches {self.model.prefs.metric_filter}: / changes it"
        if len(self._known) < len(self._runs):
            return "reading"
        return "no metrics yet: mlhub.log({'loss': x}, step=n) in the training code writes them"

    # what is said

    def _say(self, names: list[str], shown: list[str], grid: pages.Grid, scale: Scale) -> None:
        drawn = len(self._runs)
        of_all = [f"{drawn} of {self._count} runs"] if self._count > drawn else []
        words = of_all or [one_line(self._runs[0].name) if drawn == 1 else f"{drawn} runs"]
        settings = self._settings(names, shown, grid)
        self.title.say("  ".join([*words, *settings]) if self._runs else "")
        entries = [Entry(one_line(run.name), self._colours[run.id]) for run in self._runs]
        at = [axes.place_words(scale.axis, scale.cursor)] if scale.cursor is not None else []
        reading = min((known.progress for known in self._known.values()), default=1.0)
        at += [f"reading {reading:.0%}"] if reading < 1 else []
        rows = 1
        if self._alone and shown:
            curves = {curve.run_id: curve for curve in self._curves(shown[0])}
            entries = [entry._replace(values=values_of(curves.get(run.id), scale)) for entry, run in
                       zip(entries, self._runs, strict=True)]  # fmt: skip
            rows = min(1 + len(entries), max(2, self.size.height // 3))
        of_all = [] if self.beside else of_all  # the title says it
        words = [*of_all, *(at or settings[:2] if rows > 1 else at if self.beside else [*at, *settings])]
        self._legend.show(entries, "  ".join(words), HEADINGS if rows > 1 else ())
        if self._legend.styles.height is None or self._legend.styles.height.value != rows:
            self._legend.styles.height = rows

    def _settings(self, names: list[str], shown: list[str], grid: pages.Grid) -> list[str]:
        prefs = self.model.prefs
        found = [f"by {axes.AXES.get(prefs.x_axis, prefs.x_axis)}"]
        found += [f"smooth {prefs.smoothing:g}"] if prefs.smoothing else ["raw"]
        found += ["log y"] if prefs.log_y else []
        found += (["following"] if self._follow else ["part"]) if self._window else []
        if self._error or prefs.metric_filter:
            found.append(self._error or f"/{one_line(prefs.metric_filter)}")
        if len(names) > len(shown) and names and not self._alone:
            found.append(f"page {names.index(self._chosen) // grid.size + 1}/{-(-len(names) // grid.size)}")
        return found

    def restyle(self) -> None:
        super().restyle()
        for chart in self._page.charts:
            chart.refresh_look()
        self._seen = ()

    # keys

    def action_smooth(self) -> None:
        self.model.prefs.smoothing = _after(tuple(SMOOTHING), self.model.prefs.smoothing)
        self._draw()

    def action_log_y(self) -> None:
        self.model.prefs.log_y = not self.model.prefs.log_y
        self._draw()

    def action_x_axis(self) -> None:
        self.model.prefs.x_axis = _after(tuple(axes.AXES), self.model.prefs.x_axis)
        self._cursor = self._window = None
        self._draw()

    def action_grid(self) -> None:
        prefs = self.model.prefs
        prefs.grid = _after(pages.GRIDS, prefs.grid)
        self.top.say(f"grid {prefs.grid}" if prefs.grid else "as many charts as there is room for")
        self._draw()

    def action_page(self, by: int) -> None:
        grid, _ = self._find_page(self._names)
        self._choose(self._position() // grid.size * grid.size + by * grid.size)

    def action_chart(self, by: int) -> None:
        self._choose(self._position() + by)

    def _position(self) -> int:
        return self._names.index(self._chosen) if self._chosen in self._names else 0

    def _choose(self, position: int) -> None:
        if self._names:
            self._chosen = self._names[max(0, min(position, len(self._names) - 1))]
            self._draw()

    def action_alone(self) -> None:
        self._alone = not self._alone
        self._draw()

    def action_cursor(self, by: int) -> None:
        chart = next((chart for chart in self._page.charts if chart.display and chart.window), None)
        if chart is None or chart.window is None:
            return
        if self._cursor is None:
            ends = [pair[1] for curve in self._curves(self._chosen)
                    if (pair := axes.ends(curve, self.model.prefs.x_axis))]  # fmt: skip
            self._cursor = min(max(ends, default=chart.window[1]), chart.window[1])
        else:
            self._cursor = chart.step_of(self._cursor, by)
        self._draw()

    def action_zoom_x(self, by: int) -> None:
        window = self._window or self._whole
        if window is not None:
            centre = self._cursor if self._cursor is not None else (window[0] + window[1]) / 2
            self._zoom(centre, by)

    def _zoom(self, centre: float, by: int) -> None:
        """Closer or further away; `centre` stays where it is."""
        window, whole = self._window or self._whole, self._whole
        if window is None or whole is None:
            return
        factor = _ZOOM if by > 0 else 1 / _ZOOM
        low, high = centre - (centre - window[0]) * factor, centre + (window[1] - centre) * factor
        all_of_it = whole[1] - whole[0]
        if high - low < max(all_of_it * _CLOSEST, abs(high) * 1e-12):
            return
        inside = (max(low, whole[0]), min(high, whole[1]))
        self._window = None if inside[1] - inside[0] >= all_of_it * 0.999 or inside[1] <= inside[0] else inside
        self._follow = self._follow and self._window is not None
        self._draw()

    def action_pan(self, by: int) -> None:
        if self._window is not None:
            self._pan_to(self._window[0] + by * _PAN * (self._window[1] - self._window[0]))

    def _pan_to(self, low: float) -> None:
        if self._window is None or self._whole is None:
            return
        wide = self._window[1] - self._window[0]
        low = max(self._whole[0], min(low, self._whole[1] - wide))
        self._window, self._follow = (low, low + wide), False
        self._draw()

    def action_whole(self) -> None:
        self._window, self._follow = None, False
        self._draw()

    def action_follow(self) -> None:
        if self._window is None:
            self.top.say("all of it is in sight; + zooms in")
            return
        self._follow = not self._follow
        self._draw()

    def action_find_metrics(self) -> None:
        """Type which metrics are to be shown."""
        line = next(iter(self.query(MetricLine)), None)
        if line is None:
            line = MetricLine(self.model.prefs.metric_filter)
            self.mount(line)
        line.focus(scroll_visible=False)

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.model.prefs.metric_filter = event.value
        self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self._close_filter()

    def _close_filter(self) -> bool:
        lines = list(self.query(MetricLine))
        for line in lines:
            line.remove()
        if lines:
            self._page.focus(scroll_visible=False)
        return bool(lines)

    def leave(self) -> bool:
        """Escape: out of the line where one types, of the chart alone, the cursor, the part, the filter."""
        prefs = self.model.prefs
        if any(line.has_focus for line in self.query(MetricLine)):
            prefs.metric_filter = ""
            self._close_filter()
        elif self._alone:
            self._alone = False
        elif self._cursor is not None:
            self._cursor = None
        elif self._window is not None:
            self._window, self._follow = None, False
        elif prefs.metric_filter and not self._names:
            prefs.metric_filter = ""
        else:
            return False
        self._draw()
        return True

    # the mouse

    def on_chart_pointed(self, message: Chart.Pointed) -> None:
        message.stop()
        self._cursor = message.x
        if message.chosen:
            charts = [chart for chart in self._page.charts if chart.display]
            _, shown = self._find_page(self._names)
            if message.chart in charts[: len(shown)]:
                self._chosen = shown[charts.index(message.chart)]
        if not self._soon:
            self._soon = True
            self.set_timer(_MOUSE, self._draw_soon)

    def _draw_soon(self) -> None:
        self._soon = False
        self._draw()

    def on_chart_scrolled(self, message: Chart.Scrolled) -> None:
        message.stop()
        self._zoom(message.x, message.by)

    def on_chart_dragged(self, message: Chart.Dragged) -> None:
        message.stop()
        self._pan_to(message.window[0])


def _after(values: tuple[_T, ...], value: _T) -> _T:
    return values[(values.index(value) + 1) % len(values)] if value in values else values[0]


def _lines(known: RunSeries) -> int:
    """How many system metrics make a line."""
    return sum(len(series.points) > 1 for series in known.system.values())
