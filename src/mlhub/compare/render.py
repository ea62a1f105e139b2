"""A comparison as the contract's JSON, as Markdown and as CSV. Outside text in it is cleaned, and stays data."""

from __future__ import annotations

import csv
import io
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


def rows(found: Comparison, took: Callable[[Run], float | None]) -> list[tuple[str, str, list[str]]]:
    """Section, name and a text per run, then one per group over seeds. Metrics as numbers, the best not marked."""
    blank = [""] * len(found.seeds)
    result = [("run", name, [*map(say, found.runs), *blank]) for name, say in facts(took)]
    for key, values in found.config.items():
        texts = [value_text(values[run.id]) if run.id in values else MISSING for run in found.runs]
        result.append(("config", one_line(key), [*texts, *blank]))
    for metric in found.metrics:
        texts = [metric_text(metric.values.get(run.id)) for run in found.runs]
        result.append(
            ("metric", one_line(metric.name), [*texts, *(spread_text(metric.spread(s)) for s in found.seeds)])
        )
    return result


def heads(found: Comparison) -> list[str]:
    """The names of the columns of `rows`: the runs', then the groups' over seeds."""
    names = {run.id: one_line(run.name) for run in found.runs}
    return [*names.values(), *(f"seeds of {names[ids[0]]}" for ids in found.seeds)]


def to_markdown(found: Comparison, took: Callable[[Run], float | None]) -> str:
    """A table a forge or a paper's notes show: the best value bold, its delta to the baseline beside each."""
    metrics = iter(found.metrics)
    lines = [["", *heads(found)], ["---"] * (1 + len(found.runs) + len(found.seeds))]
    for section, name, texts in rows(found, took):
        cells = [escaped(text) for text in texts]
        arrow = ""
        if section == "metric":
            metric = next(metrics)
            arrow = {"max": " ↑", "min": " ↓"}.get(str(metric.direction), "")
            for place, run in enumerate(found.runs):
                cells[place] = _with_delta(found, metric, run.id, cells[place])
        lines.append([escaped(name) + arrow, *cells])
    lines[0] = [escaped(text) for text in lines[0]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _with_delta(found: Comparison, metric: Metric, run_id: int, text: str) -> str:
    shown = f"**{text}**" if run_id in metric.winners else text
    delta = metric.delta(run_id, found.baseline)
    return f"{shown} ({delta_text(delta)})" if delta and delta.value else shown


def delta_text(delta: Delta) -> str:
    """`+1.2 %`, or the difference itself where the baseline is 0."""
    if delta.percent is None:
        return f"{delta.value:+.4g}"
    return f"{delta.percent:+.1f} %" if abs(delta.percent) < 1000 else f"{delta.value:+.3g}"


def escaped(text: str) -> str:
    """Outside text that Markdown is not to read as markup, a link, HTML or another cell."""
    return re.sub(r"([\\`*_\[\]<>|~#!&])", r"\\\1", text)


def to_csv(found: Comparison, took: Callable[[Run], float | None]) -> str:
    """A line a row: section, name, direction, best, and a column per run; numbers in full, missing ones empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(map(safe_cell, ["section", "name", "direction", "best", *heads(found)]))
    metrics = iter(found.metrics)
    names = {run.id: run.name for run in found.runs}
    for section, name, texts in rows(found, took):
        cells: list[object] = ["" if text == MISSING else text for text in texts]
        way = best = ""
        if section == "metric":
            metric = next(metrics)
            way, best = metric.direction or "", " ".join(names[run_id] for run_id in metric.best)
            values = [metric.values.get(run.id) for run in found.runs]
            cells[: len(values)] = ["" if value is None else repr(value) for value in values]
        writer.writerow([safe_cell(cell) for cell in (section, name, way, one_line(best), *cells)])
    return out.getvalue()


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-inf")


def safe_cell(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe before it."""
    text = str(cell)
    return f"'{text}" if text[:1] in _FORMULA and not _NUMBER.fullmatch(text) else text


#: also as East Asian keyboards write them, which spreadsheets read alike
_FORMULA = frozenset("=+-@＝＋－＠\t\r")
