"""A comparison of runs: facts, configuration, metrics with the best and the delta to a baseline, seeds as mean ± sd."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, NamedTuple

from mlhub.adapters import HASHING
from mlhub.compare import configs
from mlhub.compare.direction import Direction, directions
from mlhub.records import read_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlhub.adapters import Adapter
    from mlhub.compare.configs import Flat
    from mlhub.store.runs import Run

#: which value of a metric counts: the newest, the best so far (the newest, if which is best isn't known), the least,
#: the greatest, or that of a place which the caller has looked up
Use = Literal["last", "best", "min", "max", "at"]


#: percentages that are greater say less than the difference itself
_TELLING = 500


class Delta(NamedTuple):
    """How far from the baseline's value. `percent`: None where that is 0; `better`: where no direction is."""

    value: float
    percent: float | None
    better: bool | None


class Spread(NamedTuple):
    """A metric over seeds: of `n` runs with a finite value, of `of` runs. `sd`: the sample's, from two on."""

    mean: float
    sd: float | None
    n: int
    of: int


@dataclass(frozen=True)
class Metric:
    """A metric of several runs. `values`: as recorded, of the runs that have it, NaN and infinities too.

    `completed`: the runs that may be best, as long as one of them has a finite value; None: all may. `by_chance`: the
    runs differ in nothing but their seed, so that none is best.
    """

    name: str
    direction: Direction | None
    values: Mapping[int, float]
    completed: frozenset[int] | None = None
    by_chance: bool = False

    @cached_property
    def best(self) -> tuple[int, ...]:
        """The runs with the best finite value: several, if they tie; none without a direction, or by chance.

        A run that failed or still runs is best only among its like: the next step may end it, or undo its lead.
        """
        finite = {run_id: value for run_id, value in self.values.items() if math.isfinite(value)}
        if self.completed is not None:
            finite = {run_id: value for run_id, value in finite.items() if run_id in self.completed} or finite
        if not finite or self.direction is None or self.by_chance:
            return ()
        top = (max if self.direction == "max" else min)(finite.values())
        return tuple(run_id for run_id, value in finite.items() if value == top)

    @property
    def winners(self) -> tuple[int, ...]:
        """`best`, where it says something: of two values or more that are not all the same."""
        return self.best if len(self.best) < len(self.values) else ()

    def leader(self, reached: Mapping[int, float]) -> int | None:
        """The run that a chart of the metric marks as best: the one of `winners` by the values the curves reached.

        None where several tie. `reached`: the best value of each run's curve; NaN, where it has no finite one. Who has
        no value of the metric itself, as another protocol measured it, is not compared.
        """
        found = replace(self, values={run_id: reached[run_id] for run_id in self.values if run_id in reached}).winners
        return found[0] if len(found) == 1 else None

    @property
    def varies(self) -> bool:
        return len({_same(value) for value in self.values.values()}) > 1

    def delta(self, run_id: int, baseline: int | None) -> Delta | None:
        """None if one of the two has no finite value, and for the baseline itself."""
        value, base = self.values.get(run_id), self.values.get(baseline) if baseline is not None else None
        if run_id == baseline or value is None or base is None or not (math.isfinite(value) and math.isfinite(base)):
            return None
        change = value - base
        if not math.isfinite(change):
            return None
        better = None if self.direction is None or change == 0 else (change > 0) == (self.direction == "max")
        percent = 100 * (change / abs(base)) if base else math.inf
        return Delta(change, percent if math.isfinite(percent) else None, better)

    def in_percent(self, baseline: int | None) -> bool:
        """Whether differences to the baseline are told in percent: all of them or none, so that they can be compared.

        Not where the baseline is so near zero, or on its other side, that a percentage would only tell of that.
        """
        base = self.values.get(baseline, 0.0) if baseline is not None else 0.0
        if any(value * base < 0 for value in self.values.values()):
            return False
        deltas = [delta for run_id in self.values if (delta := self.delta(run_id, baseline)) is not None]
        return all(delta.percent is not None and abs(delta.percent) < _TELLING for delta in deltas)

    def spread(self, ids: Sequence[int]) -> Spread | None:
        """Over these runs; None if none has a finite value."""
        return spread_of([self.values.get(run_id) for run_id in ids])


def spread_of(values: Sequence[float | None]) -> Spread | None:
    """Of the finite ones, a value a run (None: it has none); None if there is no finite one."""
    kept = [value for value in values if value is not None and math.isfinite(value)]
    if not kept:
        return None
    count = len(kept)
    mean = math.fsum(value / count for value in kept)  # so that no sum of great values overflows
    sd = math.hypot(*(value - mean for value in kept)) / math.sqrt(count - 1) if count > 1 else None
    return Spread(mean, sd, count, len(values))


def _same(value: float) -> object:
    return "NaN" if math.isnan(value) else value


@dataclass(frozen=True)
class Comparison:
    """Runs in the order they were given. `config` has the keys that differ, or all; `seeds` groups over seeds only."""

    runs: tuple[Run, ...]
    baseline: int | None
    use: Use
    config: Mapping[str, Mapping[int, Any]]
    metrics: tuple[Metric, ...]
    seeds: tuple[tuple[int, ...], ...]

    @property
    def only_seeds(self) -> bool:
        """Whether all runs differ in nothing but their seed: then chance says which is best, and none is."""
        return _only_seeds(self.seeds, self.runs)

    @property
    def best(self) -> dict[str, int]:
        """The best run of each metric that has one; of several that tie, the one that was given first."""
        return {metric.name: metric.best[0] for metric in self.metrics if metric.best}


def _only_seeds(seeds: Sequence[Sequence[int]], runs: Sequence[Run]) -> bool:
    return len(seeds) == 1 and len(seeds[0]) == len(runs)


def compare(
    runs: Sequence[Run],
    *,
    baseline: int | None = None,
    use: Use = "last",
    everything: bool = False,
    flats: Mapping[int, Flat] | None = None,
    values: Mapping[int, Mapping[str, float]] | None = None,
    protocols: Mapping[int, str] | None = None,
    wanted: Callable[[str], bool] | None = None,
    adapters: Mapping[str, Adapter] | None = None,
) -> Comparison:
    """Compare runs. `baseline`: a run's id, else the first one's; `everything`: keys that don't differ, too.

    `flats`: configurations as dotted keys, of runs whose own is not all there is to say (`mlhub.arguments`).
    `values`: of each run the metrics that count in place of its summary (`use="at"`). `protocols`: by which one a run
    was measured; metrics of several protocols are several metrics, `name [protocol]`. `wanted`: which metrics, by name.
    `adapters`: those of the runs, by name: they know which way a metric is good, and which matter.
    """
    ids = [run.id for run in runs]
    flat = {run.id: {**configs.flatten(run.config), **(flats or {}).get(run.id, {})} for run in runs}
    seeds = tuple(configs.seed_groups(runs, flat))
    metrics = _metrics(runs, use, values, protocols or {}, wanted, list((adapters or {}).values()))
    by_chance = _only_seeds(seeds, runs)
    return Comparison(
        runs=tuple(runs),
        baseline=baseline if baseline in ids else next(iter(ids), None),
        use=use,
        config=configs.table(flat, everything=everything),
        metrics=tuple(replace(metric, by_chance=by_chance) for metric in metrics),
        seeds=seeds,
    )


def _metrics(
    runs: Sequence[Run],
    use: Use,
    values: Mapping[int, Mapping[str, float]] | None,
    protocols: Mapping[int, str],
    wanted: Callable[[str], bool] | None,
    adapters: Sequence[Adapter],
) -> list[Metric]:
    """Every metric that a run has: those the runs were made for first, then by name."""
    names = {name for run in runs for name in run.summary if wanted is None or wanted(name)}
    first = {HASHING.metric, *map(_monitored, runs), *(one.shown(names) for one in adapters)}
    ways = directions(
        names,
        [run.config for run in runs],
        {name: rule for one in adapters for name in names if (rule := _rule(one, name))},
    )
    by_name: dict[str, dict[int, float]] = {name: {} for name in names}
    for run in runs:
        own = values.get(run.id, {}) if values is not None else None
        for name in run.summary.keys() & names:
            number = own.get(name) if own is not None else _number(run.summary[name], ways.get(name), use)
            if number is not None:
                by_name[name][run.id] = number
    ordered = sorted(names, key=lambda name: (name not in first, *order(name)))
    completed = frozenset(run.id for run in runs if run.status == "completed")
    metrics = [Metric(name, ways.get(name), by_name[name], completed) for name in ordered]
    return [part for metric in metrics for part in _by_protocol(metric, protocols)]


def _rule(adapter: Adapter, name: str) -> Direction | None:
    rule = adapter.rule(name)
    return rule.better if rule else None


def _by_protocol(metric: Metric, protocols: Mapping[int, str]) -> list[Metric]:
    """The metric, or one for each protocol that it was measured by: they say different things."""
    found: dict[str, dict[int, float]] = {}
    for run_id, value in metric.values.items():
        found.setdefault(protocols.get(run_id, ""), {})[run_id] = value
    if len(found) < 2:
        return [metric]
    return [
        replace(metric, name=f"{metric.name} [{name or 'no protocol'}]", values=values)
        for name, values in found.items()
    ]


def _monitored(run: Run) -> str | None:
    part = run.config.get("checkpoint")
    name = part.get("monitor") if isinstance(part, dict) else None
    return name if isinstance(name, str) else None


def _number(entry: Mapping[str, object] | None, way: Direction | None, use: Use) -> float | None:
    """The value of a summary's entry that counts. Without a finite one so far, the best is the newest all the same."""
    if entry is None:
        return None
    wanted = way if use == "best" else use
    best = read_number(entry.get(wanted)) if wanted in ("min", "max") else None
    return read_number(entry.get("last")) if best is None else best


#: parts of names in the order in which people look at them
_FIRST = ("test", "eval", "val", "valid", "validation", "train")


def order(name: str) -> tuple[int, list[tuple[int, int, str]]]:
    """To sort metrics by: what was measured on held-out data first, and `map_8` before `map_16`."""
    head = re.split(r"[/_.]", name, maxsplit=1)[0].lower()
    rank = _FIRST.index(head) if head in _FIRST else len(_FIRST)
    parts = re.findall(r"\d{1,18}|\D+|\d+", name)
    return rank, [(0, int(part), "") if part.isdecimal() and len(part) < 19 else (1, 0, part) for part in parts]
