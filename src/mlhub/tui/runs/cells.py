"""What the cells of the table of runs say. Pure: a run, its sketch and the time become a text with a style."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.style import Style

from mlhub.compare.direction import direction_of
from mlhub.compare.render import spread_text
from mlhub.compare.shown import main_metric
from mlhub.query.values import find_config
from mlhub.records import read_number
from mlhub.runner.reconcile import elapsed
from mlhub.store.runs import step_of
from mlhub.text import local_time, number, one_line, pad
from mlhub.tui import theme
from mlhub.tui.runs.progress import coarse, progress_of, speed_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlhub.store.runs import Run
    from mlhub.tui.charts.series import Sketch
    from mlhub.tui.runs.progress import Progress
    from mlhub.tui.runs.roster import Group
    from mlhub.tui.theme import Look
    from mlhub.tui.widgets.cells import Cell, Part

_SPARKS = ("▁▂▃▄▅▆▇█", "_.,-=+*#")
_NOT_A_NUMBER = ("×", "x")
#: states in the fewest letters
_STATES = {"running": "run", "queued": "wait", "completed": "ok", "failed": "fail", "cancelled": "stop"}
#: values of configurations and notes are cut to this before they are cleaned
_LONGEST = 200


@dataclass(frozen=True)
class Row:
    """All that a cell may be made of. `metric`: the one that its column is of; empty: each run shows its own."""

    run: Run
    sketch: Sketch | None
    look: Look
    now: float
    metric: str = ""

    @functools.cached_property
    def progress(self) -> Progress:
        return progress_of(self.run, self.sketch, step_of(self.run), self.now)


def best_of(run: Run, metric: str) -> float | None:
    """The least or greatest value a metric had, by its direction; None without one."""
    way, entry = direction_of(metric), run.summary.get(metric)
    return read_number(entry.get(way)) if way and entry else None


def last_of(run: Run, metric: str) -> float | None:
    entry = run.summary.get(metric)
    return read_number(entry.get("last")) if entry else None


# cells


def text_cell(text: str | None, row: Row) -> Part:
    return (one_line(text[:_LONGEST]), row.look.plain) if text else ("–", row.look.style("faint"))


def number_cell(value: float | None, row: Row) -> Part:
    if value is None:
        return "–", row.look.style("faint")
    odd = isinstance(value, float) and not math.isfinite(value)
    return number(value), row.look.style("bad", bold=True) if odd else row.look.plain


def state_cell(run: Run, look: Look, doing: str, *, mark: str) -> list[Part]:
    """The mark in its colour, and the state as a glyph and a word; while something is done to the run, what that is.

    `mark` is empty where there is none.
    """
    marked = (theme.glyph(theme.MARK), Style(color=mark, bgcolor=look.back)) if mark else (" ", look.plain)
    if doing:
        return [marked, (one_line(doing), look.style("warn"))]
    words = f"{theme.state_glyph(run.status)} {_STATES.get(run.status, run.status)}"
    return [marked, (words, look.status.get(run.status, look.plain))]


def status_cell(row: Row) -> Part:
    style = row.look.status.get(row.run.status, row.look.plain)
    return row.run.status, style


def step_cell(row: Row) -> Part:
    return short_count(row.progress.step), row.look.plain


def short_count(value: float | None) -> str:
    """A count in at most six characters: `9876`, `12.4k`, `1.23M`."""
    if value is None:
        return "–"
    for unit, scale in (("", 1), ("k", 1e3), ("M", 1e6), ("G", 1e9)):
        if value < 10_000 * (scale == 1) or value < 999.5 * scale:
            return f"{value:.0f}" if scale == 1 else f"{value / scale:.3g}{unit}"
    return f"{value:.2g}"


def metric_cell(row: Row) -> Cell:
    """With its name, where not all runs of the table have the same one."""
    name = row.metric or main_metric(row.run)
    text, style = number_cell(last_of(row.run, name), row)
    if row.metric or not name:
        return text, style
    return [(f"{one_line(name.rsplit('/', 1)[-1])[:7]} ", row.look.quiet), (pad(text, 7, right=True), style)]


def trend(points: Sequence[float], columns: int, look: Look) -> Part:
    """A sparkline, each column the mean of its points; NaN where nothing else was."""
    if not points:
        return "", look.quiet
    marks, bad = theme.glyph(_SPARKS), theme.glyph(_NOT_A_NUMBER)
    buckets = [points[len(points) * x // columns : max(1, len(points) * (x + 1) // columns)] for x in range(columns)]
    if len(points) < columns:
        buckets = [[point] for point in points]
    means = [_mean(bucket) for bucket in buckets]
    known = sorted(mean for mean in means if math.isfinite(mean))
    low, high = (known[len(known) // 20], known[-1 - len(known) // 20]) if known else (0.0, 0.0)
    text = ""
    for mean in means:
        share = (min(max(mean, low), high) - low) / (high - low) if high > low and math.isfinite(mean) else 0.0
        text += marks[min(7, int(share * 8))] if math.isfinite(mean) else bad
    return text, look.style("info")


def _mean(bucket: Sequence[float]) -> float:
    finite = [point for point in bucket if math.isfinite(point)]
    return sum(finite) / len(finite) if finite else math.nan


def speed_cell(row: Row) -> Part:
    speed = speed_of(row.run, row.sketch, row.now)
    if speed is None:
        return "–", row.look.style("faint")
    return (f"{speed:.0f}" if speed >= 99.5 else f"{speed:.3g}" if speed >= 10 else f"{speed:.2g}"), row.look.plain


def eta_cell(row: Row) -> Part:
    eta = row.progress.eta
    return coarse(eta), row.look.plain if eta is not None else row.look.style("faint")


def done_cell(row: Row) -> Part:
    fraction = row.progress.fraction
    return ("–", row.look.style("faint")) if fraction is None else (f"{100 * fraction:.0f}%", row.look.plain)


def took_cell(row: Row) -> Part:
    return coarse(elapsed(row.run)), row.look.plain


def alerts_cell(row: Row) -> Part:
    run = row.run
    if run.alerts:
        worst = "fail" if any(alert.get("severity") == "fail" for alert in run.alerts) else "warn"
        return f"{theme.glyph(theme.ALERT)}{len(run.alerts)}", row.look.severity[worst]
    odd = bool(run.condition) and run.active and not run.waiting  # one that waits always has one: what for
    return theme.glyph(theme.ALERT) if odd else "", row.look.severity["warn"]


def why(run: Run) -> str:
    """What deserves a word: condition and alerts while it is active, afterwards how it ended."""
    if not run.active:
        left = [f"{len(run.orphans)} left behind"] if run.orphans else []
        return ", ".join((*left, *([run.reason] if run.reason and run.status != "completed" else [])))
    again = [f"attempt {run.attempt}"] if run.attempt > 1 else []
    return ", ".join((*([run.condition] if run.condition else []), *(str(a.get("text")) for a in run.alerts), *again))


def plain(read: Callable[[Run], str | None]) -> Callable[[Row], Cell]:
    return lambda row: text_cell(read(row.run), row)


def figure(read: Callable[[Run], float | None]) -> Callable[[Row], Cell]:
    return lambda row: number_cell(read(row.run), row)


def tags(run: Run) -> str | None:
    return ", ".join(run.tags) or None


def gpus(run: Run) -> str | None:
    return ",".join(map(str, run.gpus)) or None


def main_value(run: Run) -> float | None:
    return last_of(run, main_metric(run))


def config_cell(row: Row, key: str) -> Part:
    value = find_config(row.run.config, key)
    if isinstance(value, float):
        return number_cell(value, row)
    return text_cell(None if value is None else str(value), row)


def config_value(run: Run, key: str) -> Any:  # noqa: ANN401 - whatever sorts
    value = find_config(run.config, key)
    if isinstance(value, bool) or value is None or isinstance(value, int | float):
        return value
    return str(value)


def trend_cell(row: Row) -> Part:
    return trend(row.sketch.points if row.sketch else (), 8, row.look)


def started_cell(row: Row) -> Part:
    return local_time(began(row.run)), row.look.plain


def began(run: Run) -> str:
    """When it did, or, of one that waits, when it was made."""
    return run.started_at or run.created_at


def preset(run: Run) -> str | None:
    """The file's name."""
    return run.preset.rsplit("/", 1)[-1] if run.preset else None


def group_row(group: Group, look: Look, *, folded: bool) -> tuple[Part, ...]:
    """How many, in which states, the best of them, and the mean over its runs."""
    arrow = theme.glyph(("▸", "+") if folded else ("▾", "-"))
    parts: list[Part] = [(f"{arrow} {one_line(group.name)} ", look.style("accent", bold=True))]
    for status, style in look.status.items():
        if count := sum(run.status == status for run in group.runs):
            parts.append((f" {theme.state_glyph(status)}{count}", style))
    if (spread := group.spread) is not None:
        parts.append((f"  {one_line(group.metric)}", look.quiet))
        if (best := group.best) is not None:
            parts += [(" best ", look.quiet), (number(best), look.plain)]
        parts.append((f"  {spread_text(spread).replace('±', theme.glyph(('±', '+-')))}", look.plain))
    return tuple(parts)
