"""A comparison as the contract's JSON, and its values as texts: cleaned, escaped, never a formula or markup."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from mlhub.store.runs import step_of
from mlhub.text import duration, number, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlhub.compare.comparison import Comparison, Delta, Metric, Spread
    from mlhub.store.runs import Run

MISSING = "–"
#: what stands beside the best value, readable without colour
BEST = "★"


def to_json(found: Comparison) -> dict[str, Any]:
    """The contract's shape, and beside it the directions, the deltas to the baseline and the groups over seeds."""
    return {
        "runs": [run.to_json() for run in found.runs],
        "metrics": {metric.name: _by_id(metric.values, _recorded) for metric in found.metrics},
        "best": found.best,
        "config_diff": {key: _by_id(values) for key, values in found.config.items()},
        "direction": {metric.name: metric.direction for metric in found.metrics},
        "baseline": found.baseline,
        "delta": {metric.name: _deltas(found, metric) for metric in found.metrics},
        "seeds": [{"runs": list(ids), "metrics": _spreads(found, ids)} for ids in found.seeds],
    }


def _spreads(found: Comparison, ids: Sequence[int]) -> dict[str, dict[str, Any]]:
    """Mean and deviation of each metric over the seeds of a group."""
    spreads = {metric.name: metric.spread(ids) for metric in found.metrics}
    return {
        name: {"mean": one.mean, "sd": None if one.sd is None else _recorded(one.sd), "n": one.n}
        for name, one in spreads.items()
        if one
    }


def _by_id(values: Mapping[int, Any], turn: Callable[[Any], Any] = lambda value: value) -> dict[str, Any]:
    return {str(run_id): turn(value) for run_id, value in values.items()}


def _recorded(value: float) -> float | str:
    """As records have it: JSON has no word for what is not finite."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _deltas(found: Comparison, metric: Metric) -> dict[str, dict[str, Any]]:
    deltas = {run.id: metric.delta(run.id, found.baseline) for run in found.runs}
    return {str(run_id): delta._asdict() for run_id, delta in deltas.items() if delta}


def value_text(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    """A value of a configuration as people write it, in one line; text that reads as another value is quoted."""
    if isinstance(value, str):
        text = one_line(value)
        return text if text and not _looks_like_a_value(text) else json.dumps(text, ensure_ascii=False)
    if isinstance(value, float):
        return repr(value)
    return one_line(json.dumps(value, ensure_ascii=False, default=str))


def _looks_like_a_value(text: str) -> bool:
    return text.lower() in ("null", "none", "true", "false", "nan", MISSING) or bool(
        re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text)
    )


def metric_text(value: float | None) -> str:
    """Four significant digits, a word for what is not finite, `–` for what is missing."""
    if value is None or math.isfinite(value):
        return number(value)
    return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"


def spread_text(spread: Spread | None) -> str:
    """`0.5432 ± 0.0021 (n=3)`; `(n=2 of 3)` where a run has no finite value."""
    if spread is None:
        return MISSING
    count = f"n={spread.n}" if spread.n == spread.of else f"n={spread.n} of {spread.of}"
    middle = number(spread.mean) if spread.sd is None else f"{number(spread.mean)} ± {spread.sd:.2g}"
    return f"{middle} ({count})"


def facts(took: Callable[[Run], float | None]) -> list[tuple[str, Callable[[Run], str]]]:
    """What is said of each run besides configuration and metrics; `took`: the seconds that it ran so far."""
    return [
        ("status", lambda run: f"{run.status} ({one_line(run.condition)})" if run.condition else run.status),
        ("kind", lambda run: run.kind),
        ("group", lambda run: one_line(run.group) if run.group else MISSING),
        ("steps", lambda run: number(step_of(run))),
        ("took", lambda run: duration(took(run))),
        ("attempt", lambda run: str(run.attempt)),
        ("host", lambda run: one_line(run.host)),
        ("GPUs", lambda run: ", ".join(map(str, run.gpus)) or MISSING),
        ("tags", lambda run: one_line(", ".join(map(str, run.tags))) or MISSING),
    ]


def delta_text(delta: Delta | None, *, percent: bool) -> str:
    """`+1.2%` or `+0.012`, as all of a metric's are told (`Metric.in_percent`); empty where nothing differs."""
    if delta is None or not delta.value:
        return ""
    if not percent or delta.percent is None:
        return f"{delta.value:+.3g}"
    # a difference that rounds to none is one all the same
    return f"{delta.percent:+.1f}%" if abs(delta.percent) >= 0.05 else f"{delta.percent:+.1g}%"


def escaped(text: str) -> str:
    """Outside text that Markdown is not to read as markup, a link, HTML or another cell."""
    return re.sub(r"([\\`*_\[\]<>|~#!&])", r"\\\1", text)


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-inf")


def safe_cell(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe before it."""
    text = str(cell)
    return f"'{text}" if text[:1] in _FORMULA and not _NUMBER.fullmatch(text) else text


#: also as East Asian keyboards write them, which spreadsheets read alike
_FORMULA = frozenset("=+-@＝＋－＠\t\r")
