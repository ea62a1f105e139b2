"""From curves that were read to the panels of a figure: places on the chosen axis, smoothed, thinned, best marked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlhub.compare.figure import Line, Panel
from mlhub.compare.palette import on_paper
from mlhub.curves.axes import epochs_of
from mlhub.curves.points import thinned
from mlhub.curves.traces import share_of, smooth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.compare.comparison import Metric
    from mlhub.curves.axes import Curve
    from mlhub.curves.decode import Floats
    from mlhub.curves.points import Points
    from mlhub.curves.whole import RunCurves

#: names of x axes on the command line, and what a figure writes below it
AXES = {"step": "step", "epoch": "epoch", "relative": "relative time", "time": "time"}
#: of each part of a curve the least and the greatest are drawn
_PARTS = 1000


def make_panels(
    curves: Mapping[int, RunCurves],
    names: Mapping[int, str],
    metrics: Sequence[Metric],
    *,
    x: str = "step",
    smoothing: float = 0.0,
) -> list[Panel]:
    """A panel a metric, of the runs that have it. `curves` and `names` by run id; `x`: one of `AXES`.

    Colours are the runs' own, the same in all panels. For `figure.to_svg(panels, x=AXES[x])`.
    """
    colours = on_paper(curves)
    panels = []
    for metric in metrics:
        lines = {
            run_id: line
            for run_id, one in curves.items()
            if (line := _line(one, metric.name, names[run_id], colours[run_id], x, smoothing)) is not None
        }
        way = metric.direction
        top = metric.leader({run_id: curves[run_id].metrics[metric.name].points.reached(way) for run_id in lines})
        panels.append(Panel(metric.name, [line._replace(best=run_id == top) for run_id, line in lines.items()], way))
    return panels


def _line(one: RunCurves, metric: str, name: str, colour: str, x: str, smoothing: float) -> Line | None:
    curve = one.curve(0, metric, name)
    if curve is None:
        return None
    whole = curve.series.points
    smoothed = smooth(whole.step, whole.value, share_of(smoothing) * _span(whole)) if smoothing else None
    points = thinned(whole, _PARTS)
    places = _places(curve, points, x)
    seen = np.isfinite(places)
    values = points.value[seen].tolist()
    if smoothed is None:
        return Line(name, places[seen].tolist(), values, colour)
    line = np.interp(points.step, whole.step, smoothed)[seen].tolist() if len(whole) else []
    return Line(name, places[seen].tolist(), line, colour, raw=values)


def _span(points: Points) -> float:
    return float(points.step[-1] - points.step[0]) if len(points) else 0.0


def _places(curve: Curve, points: Points, x: str) -> Floats:
    """Where the points are on the axis; NaN or infinite where that isn't known."""
    if x in ("time", "relative"):
        return points.time - (curve.first if x == "relative" else 0.0)
    if x == "epoch":
        known = np.interp(points.step, *epochs_of(curve))
        return known if curve.epochs else np.full_like(known, np.nan)
    return points.step
