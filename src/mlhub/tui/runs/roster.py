"""Which runs the table shows, and in which order: filtered, sorted, in groups that fold. Pure; no widget.

What was found out about a run is kept as long as the row is the same object, so that a look at a thousand rows of which
eight have changed costs eight.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from mlhub.compare.comparison import spread_of
from mlhub.compare.direction import direction_of
from mlhub.compare.shown import main_metric
from mlhub.query import parse
from mlhub.tui.runs.cells import best_of, last_of
from mlhub.tui.runs.columns import field_of, in_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.compare.comparison import Spread
    from mlhub.query import Query
    from mlhub.store.runs import Run

#: rows looked into for the first time at one look: more would be felt
_AT_ONCE = 400
#: up to this share of the runs, another main metric is an exception
_FEW = 0.05
#: words of queries whose answer changes though the row does not
_OF_TIME = ("started", "created", "ended", "took", "age")


class _Known(NamedTuple):
    run: Run
    meant: bool
    metric: str
    value: Any


class Group(NamedTuple):
    """The runs of a group that are shown, in their order."""

    name: str
    runs: tuple[Run, ...]

    @property
    def metric(self) -> str:
        """The main metric of most of them."""
        names = [name for run in self.runs if (name := main_metric(run))]
        return statistics.mode(names) if names else ""

    @property
    def spread(self) -> Spread | None:
        """Of its last values, as the compare view has it; None without a finite one."""
        metric = self.metric
        return spread_of([last_of(run, metric) for run in self.runs])

    @property
    def best(self) -> float | None:
        """The best of the best values, by the metric's direction."""
        metric = self.metric
        found = [value for run in self.runs if (value := best_of(run, metric)) is not None]
        return (max if direction_of(metric) == "max" else min)(found) if found else None


class Roster:
    """`keys`: what stands in the table's rows, a run's id or a group's name."""

    def __init__(self) -> None:
        self.query: Query = parse("")
        self.sort, self.turned, self.grouped = "", False, False
        self.folded: set[str] = set()
        self.keys: list[int | str] = []
        self.groups: dict[str, Group] = {}
        self.shown = 0
        #: whether the runs shown have different main metrics, and which is the one of most
        self.mixed, self.metric = False, ""
        #: whether not all rows were looked into yet
        self.more = False
        self._known: dict[int, _Known] = {}

    def forget(self) -> None:
        """Look into all rows anew: the query or the column of the order is another one, or time has passed."""
        self._known = {}

    @property
    def of_time(self) -> bool:
        """Whether time alone may change which runs are meant."""
        return any(word in self.query.text.lower() for word in _OF_TIME)

    def metric_of(self, run: Run) -> str:
        """The main metric of a run that was taken."""
        known = self._known.get(run.id)
        return known.metric if known is not None and known.run is run else main_metric(run)

    def take(self, runs: Sequence[Run], at_once: int = _AT_ONCE) -> None:
        """Arrange these rows; `more` is set if some are left for the next time."""
        field = field_of(self.sort) if self.sort else None
        before, known = self._known, {}
        budget, self.more = at_once, False
        for run in runs:
            kept = before.get(run.id)
            if kept is None or kept.run is not run:
                if kept is None and budget <= 0:
                    self.more = True
                    continue
                budget -= kept is None
                value = field.value(run) if field and field.value else None
                kept = _Known(run, self.query.matches(run), main_metric(run), value)
            known[run.id] = kept
        self._known = known
        meant = [kept.run for kept in known.values() if kept.meant]
        self.shown = len(meant)
        self._say_metrics([kept for kept in known.values() if kept.meant])
        values = {run.id: known[run.id].value for run in meant}
        if self.sort == "metric" and not self.mixed:  # as its column says
            values = {run.id: last_of(run, self.metric) for run in meant}
        self._arrange(in_order(meant, values if field else None, down=bool(field and field.down) != self.turned))

    def _say_metrics(self, meant: Sequence[_Known]) -> None:
        """A few old runs with another main metric make no mixture: one that goes on does."""
        counts: dict[str, int] = {}
        for known in meant:
            if known.metric:
                counts[known.metric] = counts.get(known.metric, 0) + 1
        self.metric = max(counts, key=lambda name: counts[name], default="")
        others = sum(counts.values()) - counts.get(self.metric, 0)
        live = any(known.run.status == "running" and known.metric not in ("", self.metric) for known in meant)
        self.mixed = live or others > _FEW * len(meant)

    def _arrange(self, runs: Sequence[Run]) -> None:
        """A group stands where its first run would."""
        self.groups = {}
        if not self.grouped:
            self.keys = [run.id for run in runs]
            return
        members: dict[str, list[Run]] = {}
        for run in runs:
            if run.group:
                members.setdefault(run.group, []).append(run)
        self.groups = {name: Group(name, tuple(group)) for name, group in members.items()}
        self.keys = []
        for run in runs:
            group = members.pop(run.group, None) if run.group else [run]
            if run.group and group is not None:
                self.keys.append(run.group)
                group = [] if run.group in self.folded else group
            self.keys += [member.id for member in group or ()]
