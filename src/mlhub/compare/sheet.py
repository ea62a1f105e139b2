"""A comparison as a sheet of texts: a *subject* is a run or a group over seeds, a *line* a fact, a key or a metric.

The one source of every table that `mlhub compare` writes: `compare.layout` puts it on a terminal, `compare.tables` into
Markdown and HTML. Which subject is best is decided here, over means where seeds are taken together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, NamedTuple

from mlhub.compare import render
from mlhub.compare.configs import canonical, is_seed
from mlhub.text import duration, number, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlhub.compare.comparison import Comparison, Metric, Spread
    from mlhub.store.runs import Run

#: of the values within a group so many are named
_NAMED = 4


class Subject(NamedTuple):
    """What is compared: a run, or several that differ in nothing but their seed. `name` is clean."""

    name: str
    ids: tuple[int, ...]


class Cell(NamedTuple):
    """What stands where a line and a subject meet. `delta`: against the baseline, `better` whether that is good."""

    text: str
    best: bool = False
    delta: str = ""
    better: bool | None = None


class Line(NamedTuple):
    """`section`: run, config or metric; `name` is clean; `way`: of a metric that has a direction."""

    section: str
    name: str
    way: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Sheet:
    """Subjects, lines, and by metric the values of the subjects (their means), in the order of `subjects`."""

    subjects: tuple[Subject, ...]
    lines: tuple[Line, ...]
    values: Mapping[str, Metric]
    spreads: Mapping[str, tuple[Spread | None, ...]]
    baseline: int | None

    def take(self, order: Sequence[int]) -> Sheet:
        """The same with these subjects, in this order; who is best is as it was."""
        lines = tuple(line._replace(cells=tuple(line.cells[place] for place in order)) for line in self.lines)
        return replace(self, subjects=tuple(self.subjects[place] for place in order), lines=lines)

    def spelt(self, spell: Callable[[str], str]) -> Sheet:
        """The same in other letters, for terminals that have few."""
        subjects = tuple(one._replace(name=spell(one.name)) for one in self.subjects)
        lines = tuple(
            line._replace(
                name=spell(line.name),
                cells=tuple(cell._replace(text=spell(cell.text), delta=spell(cell.delta)) for cell in line.cells),
            )
            for line in self.lines
        )
        return replace(self, subjects=subjects, lines=lines)


def subjects_of(found: Comparison, *, together: bool | None) -> tuple[Subject, ...]:
    """The runs or, `together`, the groups over seeds in the place of their first run.

    None: together, unless there would be nothing left to compare.
    """
    groups = {ids[0]: ids for ids in found.seeds} if together is not False else {}
    grouped = {run_id for ids in groups.values() for run_id in ids}
    subjects = [
        Subject(_title(run, groups.get(run.id)), groups.get(run.id, (run.id,)))
        for run in found.runs
        if run.id in groups or run.id not in grouped
    ]
    if together is None and len(subjects) < 2 and len(found.runs) > 1:
        return subjects_of(found, together=False)
    return tuple(subjects)


def _title(run: Run, ids: Sequence[int] | None) -> str:
    return f"{one_line(run.name)} +{len(ids) - 1}" if ids else one_line(run.name)


def make_sheet(
    found: Comparison,
    took: Callable[[Run], float | None],
    *,
    together: bool | None = None,
    deltas: bool = True,
    more: Mapping[str, Mapping[int, str]] | None = None,
) -> Sheet:
    """The sheet of a comparison. `took`: seconds a run ran; `more`: further facts, by name and run.

    Facts that are the same are left out, but for the time, and a status other than completed. `deltas`: to the
    baseline.
    """
    subjects = subjects_of(found, together=together)
    runs = {run.id: run for run in found.runs}
    base = next((place for place, one in enumerate(subjects) if found.baseline in one.ids), None)
    lines = [*_facts(subjects, runs, took, more or {}), *_config(subjects, found)]
    done = frozenset(place for place, one in enumerate(subjects)
                     if all(runs[run_id].status == "completed" for run_id in one.ids))  # fmt: skip
    values: dict[str, Metric] = {}
    spreads: dict[str, tuple[Spread | None, ...]] = {}
    for metric in found.metrics:
        spread = tuple(metric.spread(one.ids) if len(one.ids) > 1 else None for one in subjects)
        means = {place: value for place, one in enumerate(subjects)
                 if (value := _mean(metric, one, spread[place])) is not None}  # fmt: skip
        over = values[metric.name] = replace(metric, values=means, completed=done)
        spreads[metric.name] = spread
        lines.append(_metric_line(over, spread, len(subjects), base if deltas else None))
    return Sheet(subjects, tuple(lines), values, spreads, base)


def _mean(metric: Metric, subject: Subject, spread: Spread | None) -> float | None:
    if spread is not None:
        return spread.mean
    return next((metric.values[run_id] for run_id in subject.ids if run_id in metric.values), None)


def _metric_line(metric: Metric, spreads: Sequence[Spread | None], count: int, base: int | None) -> Line:
    cells = []
    best, percent = frozenset(metric.winners), metric.in_percent(base)
    for place in range(count):
        delta = metric.delta(place, base)
        spread = spreads[place]
        text = render.spread_text(spread) if spread else render.metric_text(metric.values.get(place))
        shown = render.delta_text(delta, percent=percent)
        cells.append(Cell(text, place in best, shown, delta.better if delta else None))
    return Line("metric", one_line(metric.name), metric.direction, tuple(cells))


def _facts(
    subjects: Sequence[Subject],
    runs: Mapping[int, Run],
    took: Callable[[Run], float | None],
    more: Mapping[str, Mapping[int, str]],
) -> Iterable[Line]:
    says = [(name, say) for name, say in render.facts(took) if name != "took"]
    says += [(name, lambda run, known=known: known.get(run.id, render.MISSING)) for name, known in more.items()]  # type: ignore[misc]
    for name, say in says:
        texts = [_of_group([say(runs[run_id]) for run_id in one.ids]) for one in subjects]
        if len(set(texts)) > 1 or (name == "status" and texts[:1] != ["completed"]):
            yield Line("run", one_line(name), None, tuple(map(Cell, texts)))
    lasted = []
    for one in subjects:
        times = [seconds for run_id in one.ids if (seconds := took(runs[run_id])) is not None]
        lasted.append(duration(fmean(times) if times else None))
    yield Line("run", "took", None, tuple(map(Cell, lasted)))


def _of_group(texts: Sequence[str]) -> str:
    """The one text of all runs of a group, or the first few different ones."""
    different = list(dict.fromkeys(texts))
    shown = ", ".join(different[:_NAMED])
    return shown if len(different) <= _NAMED else f"{shown}, …"


def _config(subjects: Sequence[Subject], found: Comparison) -> Iterable[Line]:
    grouped = any(len(one.ids) > 1 for one in subjects)
    metrics = {metric.name for metric in found.metrics}
    for key, values in found.config.items():
        if grouped and is_seed(key) and _same_everywhere(subjects, values):
            continue
        say = _sayer(values)
        texts = [_of_group([say(values[i]) if i in values else render.MISSING for i in one.ids]) for one in subjects]
        name = f"{one_line(key)} (parameter)" if key in metrics else one_line(key)  # `lr`, which many log as well
        yield Line("config", name, None, tuple(map(Cell, texts)))


def _sayer(values: Mapping[int, Any]) -> Callable[[Any], str]:
    """How a key's values are written: six digits of a fraction, as long as values that differ still do."""
    long = {value for value in values.values() if isinstance(value, float) and len(repr(value)) > 8}
    if not long or len({f"{value:.6g}" for value in long}) < len(long):
        return render.value_text
    return lambda value: f"{value:.6g}" if isinstance(value, float) and value in long else render.value_text(value)


def _same_everywhere(subjects: Sequence[Subject], values: Mapping[int, Any]) -> bool:
    """Whether every subject has the same seeds: then they tell nothing."""
    return len({frozenset(canonical(values.get(run_id)) for run_id in one.ids) for one in subjects}) == 1


def places_by(sheet: Sheet, name: str, keys: Sequence[tuple[bool, float, str]], *, reverse: bool) -> list[int]:
    """Places of the subjects in the order of their keys (see `sort_keys`); those without a value stay last."""
    there = [place for place, key in enumerate(keys) if not key[0]]
    missing = [place for place, key in enumerate(keys) if key[0]]
    metric = sheet.values.get(name)
    down = metric is not None and metric.direction == "max"
    return [*sorted(there, key=lambda place: keys[place], reverse=down != reverse), *missing]


def sort_keys(
    sheet: Sheet, found: Comparison, name: str, took: Callable[[Run], float | None]
) -> list[tuple[bool, float, str]] | None:
    """What to sort each subject by: whether it has no value, its number, its text. None: nothing has that name."""
    runs = {run.id: run for run in found.runs}
    if name in sheet.values:
        values = [sheet.values[name].values.get(place) for place in range(len(sheet.subjects))]
        return [(value is None or math.isnan(value), value or 0.0, "") for value in values]
    if name in found.config:
        known = found.config[name]
        return [_key(known.get(one.ids[0])) for one in sheet.subjects]
    facts: dict[str, Callable[[Run], object]] = {
        "id": lambda run: run.id, "name": lambda run: run.name, "created": lambda run: run.created_at,
        "started": lambda run: run.started_at, "ended": lambda run: run.ended_at, "took": took,
    }  # fmt: skip
    facts |= {fact: say for fact, say in render.facts(took) if fact not in facts}
    if name not in facts:
        return None
    return [_key(facts[name](runs[one.ids[0]])) for one in sheet.subjects]


def sortable(found: Comparison) -> list[str]:
    """What can be sorted by, for somebody who asked for something else."""
    return [*(metric.name for metric in found.metrics), *found.config, "id", "name", "created", "started", "took"]


def _key(value: object) -> tuple[bool, float, str]:
    if value is None or value == render.MISSING:
        return True, 0.0, ""
    if isinstance(value, int | float):
        return value != value, float(value), ""  # noqa: PLR0124 - NaN
    if isinstance(value, str):
        try:
            return False, float(value), ""  # steps, as text
        except ValueError:
            return False, math.inf, value.lower()
    return False, math.inf, number(str(value))
