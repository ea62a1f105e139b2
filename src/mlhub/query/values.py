"""Values of a run as a query, a column or a comparison asks for them: numbers, times, metrics, configuration."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlhub.store.runs import Run

_STATISTICS = ("last", "min", "max", "step")
_SCALES = {"k": 1e3, "m": 1e6, "g": 1e9}
_NUMBER = re.compile(r"([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)([kmg]?)", re.IGNORECASE)


def to_number(text: str) -> float | None:
    """A number as people write it: `1e-3`, `10k`, `inf`, `nan`; None for what is none."""
    word = text.strip().lower().lstrip("+")
    if word in ("nan", "inf", "-inf", "infinity", "-infinity"):
        return float(word)
    match = _NUMBER.fullmatch(word)
    if match is None:
        return None
    return float(match[1].replace("_", "")) * _SCALES.get(match[2], 1.0)


def compare(value: float, operator: str, wanted: float) -> bool:
    match operator:
        case ">":
            return value > wanted
        case ">=":
            return value >= wanted
        case "<":
            return value < wanted
        case "<=":
            return value <= wanted
    return value == wanted or (math.isnan(value) and math.isnan(wanted))


def real_number(value: object) -> float | None:
    """A number of a summary or a configuration, the words for NaN and the infinities too; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def find_metric(run: Run, name: str) -> float | None:
    """The last value of a metric, or what is asked for by `.min`, `.max`, `.last`, `.step`; None: it has no such."""
    if (entry := run.summary.get(name)) is not None:
        return real_number(entry.get("last"))
    head, _, statistic = name.rpartition(".")
    if statistic in _STATISTICS and (entry := run.summary.get(head)) is not None:
        return real_number(entry.get(statistic))
    return None


def find_config(tree: Any, path: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    """The value at a dotted path; keys may have dots themselves. None: there is none."""
    if not isinstance(tree, dict):
        return None
    if path in tree:
        return tree[path]
    head, _, rest = path.partition(".")
    while rest:
        if head in tree and (found := find_config(tree[head], rest)) is not None:
            return found
        more, _, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


def seconds(stored: str | None) -> float | None:
    """Since 1970; a time without a zone is the reader's. None for what is no time."""
    try:
        return datetime.fromisoformat(stored).timestamp() if stored else None
    except (ValueError, OverflowError, OSError):
        return None


def took(run: Run, now: float) -> float | None:
    if run.duration is not None:
        return run.duration
    start = seconds(run.started_at)
    return None if start is None else (seconds(run.ended_at) or now) - start
