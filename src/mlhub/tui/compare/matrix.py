"""A comparison as a matrix of cells: which lines there are, and what stands where one meets a run. The view draws it.

The same cells serve runs as columns and runs as rows: a *line* is a fact, a key of the configuration or a metric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mlhub.compare import configs, render
from mlhub.runner.reconcile import elapsed
from mlhub.text import fit, number, one_line, pad, width
from mlhub.tui import theme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.style import Style

    from mlhub.compare.comparison import Comparison, Metric
    from mlhub.store.runs import Run
    from mlhub.tui.theme import Look
    from mlhub.tui.widgets.cells import Part

#: facts that are shown though they are the same
_ALWAYS = frozenset(("status", "steps", "took"))
#: a value of a configuration is cut there
_LONGEST = 40
_BEST = ("★", "*")
_WAYS = {"max": ("↑", "^"), "min": ("↓", "v"), None: ("", "")}


class Line(NamedTuple):
    """`section`: head, fact, config or metric; a head stands above the lines of its section."""

    section: str
    name: str


class Matrix:
    """What a comparison says, line by line. `only`: leave out the facts and metrics that are the same in all runs."""

    def __init__(self, found: Comparison, look: Look, *, only: bool) -> None:
        self.found, self.look, self.only = found, look, only
        self.runs = {run.id: run for run in found.runs}
        self._facts = dict(render.facts(elapsed))
        self._metrics = {metric.name: metric for metric in found.metrics if not only or _differs(metric, found)}
        self._texts = {
            run_id: {
                name: _lettered(render.metric_text(metric.values.get(run_id))) for name, metric in self._metrics.items()
            }
            for run_id in self.runs
        }
        self._wide = {run_id: max(map(width, texts.values()), default=0) for run_id, texts in self._texts.items()}

    # which lines there are

    def lines(self, *, heads: bool = True) -> list[Line]:
        """From top to bottom; each section of what was recorded below its head, if these are asked for."""
        facts = [name for name in self._facts if not self.only or name in _ALWAYS or self._fact_differs(name)]
        found = [Line("fact", name) for name in ("id", *facts)]
        for section, names in (("config", self.found.config), ("metric", self._metrics)):
            found += [Line("head", section)] if heads else []
            found += [Line(section, name) for name in names]
        return found

    def _fact_differs(self, name: str) -> bool:
        return len({self._facts[name](run) for run in self.found.runs}) > 1

    def head(self, section: str) -> str:
        """What stands above a section: how much of it is shown."""
        if section == "config":
            count = len(self.found.config)
            if not self.only:
                return f"configuration: {count} keys" if count else "configuration: none"
            return f"configuration: {count} {'key differs' if count == 1 else 'keys differ'}"
        shown, of = len(self._metrics), len(self.found.metrics)
        count_text = f"{shown} of {of} differ" if self.only and shown < of else str(of)
        which = "newest value" if self.found.use == "last" else "best value so far"
        return f"metrics: {count_text}, {which}; {theme.glyph(_BEST)} is best, % against the baseline"

    # what the cells say

    def name(self, line: Line, most: int) -> list[Part]:
        """Of a line: its name, of which the end matters most, and for a metric which way is good."""
        if line.section == "head":
            return []
        if line.section != "metric":
            style = self.look.quiet if line.section == "fact" else self.look.plain
            return [(fit(one_line(line.name), most, keep_end=True), style)]
        way = theme.glyph(_WAYS[self._metrics[line.name].direction])
        shown = fit(one_line(line.name), most - 2, keep_end=True)
        return [(shown, self.look.plain), (f" {way}" if way else "", self.look.quiet)]

    def cell(self, line: Line, run_id: int) -> list[Part]:
        """Where a line and a run meet."""
        if line.section == "fact":
            return self._fact(line.name, self.runs[run_id])
        if line.section == "metric":
            return self._metric(self._metrics[line.name], run_id)
        values = self.found.config.get(line.name, {})
        if run_id not in values:
            return [(_lettered(render.MISSING), self.look.quiet)]
        style = self.look.style("info") if self._is_other(line.name, run_id) else self.look.plain
        return [(fit(render.value_text(values[run_id]), _LONGEST), style)]

    def _is_other(self, key: str, run_id: int) -> bool:
        """Whether a run's value is not the baseline's."""
        values, base = self.found.config[key], self.found.baseline
        return (
            base is None or base not in values or configs.canonical(values[run_id]) != configs.canonical(values[base])
        )

    def _fact(self, name: str, run: Run) -> list[Part]:
        if name == "id":
            words = f"{run.id} baseline" if run.id == self.found.baseline else str(run.id)
            return [(words, self.look.run_style(run.id))]
        text = _lettered(fit(self._facts[name](run), _LONGEST))
        if name == "status":
            return [(f"{theme.state_glyph(run.status)} {text}", self.look.status.get(run.status, self.look.plain))]
        return [(text, self.look.plain)]

    def _metric(self, metric: Metric, run_id: int) -> list[Part]:
        """`★ 0.5500 +10.0%`, the values of a run below each other."""
        won = run_id in metric.winners
        style = self.look.style("good", bold=True) if won else self.look.plain
        mark = theme.glyph(_BEST) if won else " "
        delta = metric.delta(run_id, self.found.baseline)
        shown: list[Part] = [(f"{mark} {pad(self._texts[run_id][metric.name], self._wide[run_id], right=True)}", style)]
        if delta and (text := render.delta_text(delta, percent=metric.in_percent(self.found.baseline))):
            better = {True: "good", False: "bad", None: "dim"}[delta.better]
            shown.append((f" {text}", self.look.style(better)))
        return shown

    # groups over seeds

    def spread(self, line: Line, ids: Sequence[int]) -> list[Part]:
        """Where a line and a group over seeds meet."""
        if line == Line("fact", "id"):
            return [(fit(", ".join(map(str, ids)), _LONGEST), self.look.quiet)]
        if line.section != "metric":
            return []
        spread = self._metrics[line.name].spread(ids)
        if spread is None:
            return [(_lettered(render.MISSING), self.look.quiet)]
        sd = "" if spread.sd is None else f" {theme.glyph(('±', '+-'))} {spread.sd:.2g}"
        count = f" n={spread.n}" if spread.n < spread.of else ""
        return [(f"{number(spread.mean)}{sd}", self.look.plain), (count, self.look.style("warn"))]

    def spread_title(self, ids: Sequence[int]) -> str:
        """Above a group's column."""
        return f"{theme.glyph(('mean ± sd', 'mean +- sd'))} of {len(ids)} seeds"

    # runs

    def run_title(self, run_id: int, most: int) -> str:
        return fit(one_line(self.runs[run_id].name), most)

    def run_style(self, run_id: int) -> Style:
        return self.look.run_style(run_id)

    def in_order(self, line: Line) -> list[int]:
        """Ids of the runs in the order of a line: of a metric the best first; missing values and NaN last."""
        return [run.id for run in sorted(self.found.runs, key=self._order(line))]

    def _order(self, line: Line) -> Callable[[Run], tuple[bool, float, str]]:
        metric = self._metrics.get(line.name) if line.section == "metric" else None
        sign = 1 if metric is None or metric.direction == "min" else -1

        def place(run: Run) -> tuple[bool, float, str]:
            values = metric.values if metric else self.found.config.get(line.name, {})
            value = values.get(run.id) if line.section != "fact" else None
            if isinstance(value, int | float) and not isinstance(value, bool):
                return (value != value, sign * value, "")  # noqa: PLR0124 - NaN
            return (True, 0.0, "".join(text for text, _ in self.cell(line, run.id)))

        return place


def _lettered(text: str) -> str:
    """Our own signs as letters, where the terminal has no others."""
    return text if text.isascii() or theme.unicode_works() else text.replace("–", "-").replace("∞", "inf")


def _differs(metric: Metric, found: Comparison) -> bool:
    return metric.varies or len(metric.values) < len(found.runs)
