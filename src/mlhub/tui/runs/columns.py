"""The columns of the table of runs: what stands in each, by which value it sorts, and which are usual. Pure; no widget.

`field_of` gives one by its id: a name of `FIELDS`, `last:METRIC`, `best:METRIC` or `cfg:KEY`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from mlhub.compare.comparison import order
from mlhub.compare.direction import direction_of
from mlhub.compare.shown import short_name
from mlhub.runner.reconcile import elapsed
from mlhub.store.runs import step_of
from mlhub.text import one_line
from mlhub.tui.runs import cells

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mlhub.store.runs import Run
    from mlhub.tui.runs.cells import Row
    from mlhub.tui.widgets.cells import Cell

    Value = Callable[[Run], Any] | None

#: of a metric's name in a title
_TITLE = 14


@dataclass(frozen=True, slots=True)
class Field:
    """A column. `value`: what it sorts by (None: it doesn't); `down`: the greatest first, unless the user turns it."""

    id: str
    title: str
    about: str
    width: int
    cell: Callable[[Row], Cell]
    value: Value = None
    right: bool = False
    flex: bool = False
    down: bool = False


def _of_text(
    name: str, title: str, about: str, width: int, read: Callable[[Run], str | None], flex: bool = False
) -> Field:
    return Field(name, title, about, width, cells.plain(read), read, flex=flex)


def _of_number(name: str, title: str, about: str, width: int, read: Callable[[Run], float | None]) -> Field:
    return Field(name, title, about, width, cells.figure(read), read, right=True, down=True)


def _field(name: str, title: str, about: str, width: int, cell: Callable[[Row], Cell], value: Value = None) -> Field:
    return Field(name, title, about, width, cell, value, right=True, down=True)


FIELDS: dict[str, Field] = {
    field.id: field
    for field in (
        _of_text("name", "run", "its name", 12, lambda run: run.name, flex=True),
        Field("status", "status", "its state as a word", 9, cells.status_cell, lambda run: run.status),
        _of_number("id", "id", "its number", 5, lambda run: run.id),
        _field("step", "step", "the newest step", 6, cells.step_cell, step_of),
        _field("done", "done", "how much of its steps is done", 4, cells.done_cell),
        _field("metric", "metric", "its main metric, last value", 8, cells.metric_cell, cells.main_value),
        Field("trend", "trend", "the curve of that metric", 8, cells.trend_cell),
        _field("speed", "step/s", "steps a second", 6, cells.speed_cell),
        _field("eta", "ETA", "time until its last step", 7, cells.eta_cell),
        _field("took", "took", "how long it ran", 7, cells.took_cell, elapsed),
        _field("started", "started", "when it began", 11, cells.started_cell, cells.began),
        Field("alerts", "!", "its alerts", 3, cells.alerts_cell, lambda run: len(run.alerts) or None, down=True),
        _of_text("kind", "kind", "train, eval, index, …", 7, lambda run: run.kind),
        _of_text("group", "group", "the group it belongs to", 12, lambda run: run.group),
        _of_text("tags", "tags", "its tags", 12, cells.tags),
        _of_text("note", "note", "the note written on it", 16, lambda run: run.note, flex=True),
        _of_text("why", "why", "alerts, or why it ended", 16, lambda run: cells.why(run) or None, flex=True),
        _of_text("gpus", "gpus", "the GPUs it has", 6, cells.gpus),
        _of_text("host", "host", "where it runs", 12, lambda run: run.host),
        _of_number("attempt", "try", "which attempt this is", 3, lambda run: run.attempt),
        _of_text("preset", "preset", "the preset it was made from", 16, cells.preset),
    )
}  # fmt: skip


def field_of(name: str) -> Field | None:
    """A column by its id; None for what is none (of another version, or misspelt)."""
    kind, _, rest = name.partition(":")
    if name in FIELDS or not rest:
        return FIELDS.get(name)
    shown, way = one_line(rest[:200]), direction_of(rest)
    if kind == "cfg":
        cell, value = partial(cells.config_cell, key=rest), partial(cells.config_value, key=rest)
        return Field(name, shown.rsplit(".", 1)[-1][:_TITLE], f"configuration: {shown}", 10, cell, value, right=True)
    if kind not in ("last", "best"):
        return None
    read = partial(cells.last_of if kind == "last" else cells.best_of, metric=rest)
    tail = f" {way}" if kind == "best" and way else ""
    title = short_name(shown, _TITLE + 1 - len(tail) if tail else _TITLE) + tail
    return Field(name, title, f"{kind} value of {shown}", 9, cells.figure(read), read, right=True, down=way != "min")


def choices(runs: Iterable[Run]) -> list[Field]:
    """All the columns these runs can have: ours, each metric's last and best, each key of their configurations."""
    runs = list(runs)
    metrics = sorted({name for run in runs for name in run.summary}, key=order)
    keys = sorted({key for run in runs for key in _keys(run.config)})
    names = [
        *FIELDS,
        *(f"{kind}:{name}" for name in metrics for kind in ("last", "best") if kind == "last" or direction_of(name)),
        *(f"cfg:{key}" for key in keys),
    ]
    return [field for name in names if (field := field_of(name)) is not None]


def _keys(tree: dict[str, Any], before: str = "", depth: int = 0) -> Iterable[str]:
    for key, value in tree.items():
        name = f"{before}{key}"
        if isinstance(value, dict) and value and depth < 8:
            yield from _keys(value, f"{name}.", depth + 1)
        else:
            yield name


#: what stands there when the user has chosen nothing, by the width there is
_USUAL: tuple[tuple[int, tuple[str, ...]], ...] = (
    (150, ("kind", "step", "done", "metric", "trend", "speed", "eta", "took", "started", "alerts", "tags", "why")),
    (110, ("step", "metric", "trend", "speed", "eta", "took", "started", "alerts", "why")),
    (76, ("step", "metric", "trend", "speed", "eta", "took", "alerts")),
    (0, ("step", "metric", "trend", "eta", "alerts")),
)  # fmt: skip


def usual(columns: int) -> tuple[str, ...]:
    """Ids of the usual columns for a table of so many cells."""
    return next(names for least, names in _USUAL if columns >= least)


def sort_key(value: Any) -> tuple[int, Any]:  # noqa: ANN401 - whatever a column holds
    """Numbers by size, then texts; the words True and False among them."""
    return (0, value) if isinstance(value, int | float) and not isinstance(value, bool) else (1, str(value).lower())


def in_order(runs: Sequence[Run], values: Mapping[int, Any] | None, *, down: bool) -> list[Run]:
    """Sorted by a column's values, what is missing or NaN last either way, the newest first among equals.

    Without values: what runs, what waits, all the rest, the newest first each; `down` turns these round.
    """
    newest = sorted(runs, key=lambda run: -run.id)
    if values is None:
        rank = {"running": 0, "queued": 1}
        return sorted(newest[::-1] if down else newest, key=lambda run: rank.get(run.status, 2))
    missing = {
        key for key, value in values.items() if value is None or (isinstance(value, float) and math.isnan(value))
    }
    there = [run for run in newest if run.id not in missing]
    there.sort(key=lambda run: sort_key(values[run.id]), reverse=down)
    return there + [run for run in newest if run.id in missing]
