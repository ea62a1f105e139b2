"""A page of charts in their grid, and the line where one types which metrics are on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.geometry import NULL_OFFSET, Region, Spacing
from textual.layout import Layout, WidgetPlacement
from textual.message import Message
from textual.widget import Widget

from mlhub.tui.charts import pages
from mlhub.tui.charts.chart import Chart
from mlhub.tui.widgets.line import Line

if TYPE_CHECKING:
    from textual.geometry import Size
    from textual.layout import ArrangeResult


class Tiles(Layout):
    """Charts in their grid."""

    name = "tiles"

    def arrange(
        self,
        parent: Widget,
        children: list[Widget],
        size: Size,
        greedy: bool = True,  # noqa: ARG002 - Textual's
    ) -> ArrangeResult:
        places = pages.cells(parent.grid, size.width, size.height)  # type: ignore[attr-defined]
        shown = [child for child in children if child.display]
        return [
            WidgetPlacement(Region(*place), NULL_OFFSET, Spacing(), child)
            for place, child in zip(places, shown, strict=False)
        ]


class Page(Widget):
    """The charts of a page; there are as many widgets as were ever needed."""

    DEFAULT_CSS = "Page { height: 1fr; }"
    can_focus = True

    def __init__(self) -> None:
        super().__init__()
        self.grid = pages.Grid(1, 1)
        self._tiles = Tiles()
        self.charts: list[Chart] = []

    @property
    def layout(self) -> Layout:
        return self._tiles

    class Resized(Message):
        """There is more room for charts, or less."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())

    def take(self, grid: pages.Grid, count: int) -> list[Chart]:
        """So many charts in this grid."""
        charts = self.charts
        missing = count - len(charts)
        if missing > 0:
            fresh = [Chart() for _ in range(missing)]
            self.mount_all(fresh)
            charts += fresh
        changed = grid != self.grid
        self.grid = grid
        for index, chart in enumerate(charts):
            if chart.display != (index < count):
                chart.display = index < count
                changed = True
        if changed or missing > 0:
            self.refresh(layout=True)
        return charts[:count]


class MetricLine(Line):
    """Which metrics are shown, as it is typed."""

    DEFAULT_CSS = """
    MetricLine, MetricLine:focus { background: $panel; color: $foreground; background-tint: $panel 0%; dock: bottom; }
    MetricLine { padding: 0 1 !important; }
    """

    def __init__(self, value: str) -> None:
        super().__init__(value, placeholder="metrics: words or a regular expression, -word", max_length=200)
