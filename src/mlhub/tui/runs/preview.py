"""The curve of the run under the cursor, in a few rows below a list. Charts are `mlhub.tui.charts.chart`'s."""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING

from textual.widget import Widget

from mlhub.text import one_line

if TYPE_CHECKING:
    from mlhub.store.runs import Run
    from mlhub.tui.charts.chart import Chart
    from mlhub.tui.model import Model
    from mlhub.tui.theme import Look

_WHO = "preview"
_MODULES = ("mlhub.tui.charts.chart", "mlhub.curves.plot")


class Preview(Widget):
    """Wants the series of one run while it is to be seen. Charts load numpy: in a thread, after the first paint."""

    DEFAULT_CSS = "Preview { height: 6; }"

    def __init__(self) -> None:
        super().__init__()
        self._chart: Chart | None = None
        self._loading: threading.Thread | None = None
        self._drawn: tuple[object, ...] = ()

    def pull(self, model: Model, look: Look, run: Run | None, metric: str) -> None:
        """Draw what is known of the run's metric; the same again costs microseconds."""
        if not self._ready():
            return
        model.series.want([run] if run is not None and metric else [], _WHO)
        known = model.series.series(run.id) if run is not None else None
        drawn = (run and run.id, run and run.status, metric, known, look.name, model.prefs.smoothing, self.size)
        if self._chart is None or not self.size.height or (drawn == self._drawn and not self._chart.waiting):
            return
        self._drawn = drawn
        from mlhub.curves.axes import Scale
        from mlhub.tui.charts.chart import curve_of

        curve = None
        if run is not None and known is not None:
            curve = curve_of(run, known, metric, look.run_colour(run.id))
        empty = "no run is chosen" if run is None else "reading" if metric and known is None else "no metrics yet"
        self._chart.show(
            [curve] if curve else [],
            Scale(smoothing=model.prefs.smoothing),
            title=one_line(metric),
            note=one_line(run.name) if run is not None else "",
            empty=empty,
        )

    def put_away(self, model: Model) -> None:
        """It is not to be seen: nothing needs to be read for it."""
        if self._drawn:
            self._drawn = ()
            model.series.want([], _WHO)

    def refresh_look(self) -> None:
        """The theme is another one."""
        self._drawn = ()
        if self._chart is not None:
            self._chart.refresh_look()

    def _ready(self) -> bool:
        if self._chart is not None:
            return True
        if self._loading is None:
            self._loading = threading.Thread(target=_load, name="charts", daemon=True)
            self._loading.start()
        if not self._loading.is_alive():
            from mlhub.tui.charts.chart import Chart

            self._chart = Chart()
            self.mount(self._chart)
        return False


def _load() -> None:
    for name in _MODULES:
        importlib.import_module(name)
