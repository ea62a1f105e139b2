"""The curves of a report: which metrics are drawn, and each run's points, thinned so that the file stays small."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlhub.curves.points import thinned
from mlhub.curves.whole import read_whole
from mlhub.report.contents import Chart, Line
from mlhub.text import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlhub.compare.comparison import Comparison, Metric
    from mlhub.curves.whole import RunCurves
    from mlhub.store.runs import Run

#: points of all curves together; each keeps its extremes
_POINTS = 60_000
_LEAST, _MOST = 60, 600
#: marks of values that can't be drawn, a curve
_BAD = 50
#: metrics of one run of which curves are read: `curves.follower` keeps no more
READ = 1000


def read(path: Path, attempts: int) -> RunCurves:
    """Everything a run has recorded, compacted or not."""
    return read_whole(path, attempts)


def choose(
    comparison: Comparison, curves: Mapping[int, RunCurves], first: Sequence[str], most: int
) -> tuple[list[Metric], int]:
    """The metrics to draw, `first` in front, and how many more there are. Only what has two points is a curve."""
    drawn = [metric for metric in comparison.metrics if any(_is_curve(one, metric.name) for one in curves.values())]
    drawn.sort(key=lambda metric: first.index(metric.name) if metric.name in first else len(first))
    return drawn[:most], max(0, len(drawn) - most)


def unread(comparison: Comparison, curves: Mapping[int, RunCurves]) -> int:
    """How many metrics were not read, as a run has more than are read of one."""
    if all(len(one.metrics) < READ for one in curves.values()):
        return 0
    return sum(1 for metric in comparison.metrics if not any(metric.name in one.metrics for one in curves.values()))


def _is_curve(one: RunCurves, name: str) -> bool:
    series = one.metrics.get(name)
    return series is not None and len(series.points) + len(series.events) > 1


def make_charts(
    metrics: Sequence[Metric], curves: Mapping[int, RunCurves], runs: Sequence[Run], marks: Mapping[int, int]
) -> list[Chart]:
    """A chart a metric, with the runs that have it in their order."""
    count = sum(1 for metric in metrics for one in curves.values() if metric.name in one.metrics)
    parts = max(_LEAST, min(_MOST, _POINTS // max(1, count))) // 2
    found = []
    for metric in metrics:
        with_it = [run for run in runs if metric.name in curves[run.id].metrics]
        lines = [_line(curves[run.id], metric, run, marks[run.id], parts) for run in with_it]
        if len(lines) > 1:
            top = metric.leader({line.run: line.best[1] if line.best else math.nan for line in lines})
            lines = [line if line.run == top else line._replace(best=None) for line in lines]
        points = sum(len(curves[run.id].metrics[metric.name].points) for run in with_it)
        found.append(Chart(metric.name, metric.direction, lines, points))
    return found


def _line(one: RunCurves, metric: Metric, run: Run, mark: int, parts: int) -> Line:
    series = one.metrics[metric.name]
    points = thinned(series.points, parts)
    first = one.first
    seconds = [_finite(float(when) - first) for when in points.time]
    bad = [
        (float(step), "NaN" if math.isnan(value) else "∞" if value > 0 else "−∞")
        for step, value, old in zip(series.events.step, series.events.value, series.events.old, strict=True)
        if not old and math.isfinite(step)
    ]
    values = [_finite(float(value)) for value in points.value]
    at = series.points.best_at(metric.direction)
    best = None if at is None else (float(series.points.step[at]), float(series.points.value[at]))
    return Line(mark, run.id, one_line(run.name), [float(s) for s in points.step], seconds, values, bad[-_BAD:], best)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
