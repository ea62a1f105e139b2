"""What of a sheet is for a person to read: the metrics that lead, and what one subject alone has in a line of its own.

For text, Markdown and HTML; what other programs read stays complete.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from mlhub.compare.leading import leading_metrics
from mlhub.compare.render import MISSING
from mlhub.text import fit, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mlhub.compare.comparison import Comparison
    from mlhub.compare.sheet import Line, Sheet

#: metrics and parameters of a table; what is named of a subject's own, and how many subjects
_METRICS, _PARAMETERS, _NAMED, _SUBJECTS = 12, 40, 6, 8


@dataclass(frozen=True)
class Folded:
    """`own`: a line for each subject that alone has something; `left`: how much isn't shown, and how to see it."""

    sheet: Sheet
    own: tuple[str, ...]
    left: tuple[str, ...]


def fold(
    sheet: Sheet, found: Comparison, lead: str | None, *, every_metric: bool = False, every_parameter: bool = False
) -> Folded:
    """The sheet with few metrics (all: `every_metric`) and without the parameters of one subject alone.

    `lead`: the metric that decided.
    """
    config = [line for line in sheet.lines if line.section == "config"]
    metrics = [line for line in sheet.lines if line.section == "metric"]
    own: list[str] = []
    left: list[str] = []
    several = len(sheet.subjects) > 1
    if not every_parameter:
        alone = [line for line in config if several and _owner(line) is not None]
        own += _owned(sheet, alone, "sets")
        config = [line for line in config if line not in alone]
        if len(config) > _PARAMETERS:
            left.append(f"{len(config) - _PARAMETERS} more parameters differ: --all-params")
            config = config[:_PARAMETERS]
    if not every_metric:
        alone = [line for line in metrics if several and _owner(line) is not None]
        own += _owned(sheet, alone, "has")
        metrics = [line for line in metrics if line not in alone]
        if len(metrics) > _METRICS:
            rest = replace(found, metrics=tuple(m for m in found.metrics if one_line(m.name) in {*_names(metrics)}))
            first = {one_line(name) for name in leading_metrics(rest, lead, _METRICS)}
            left.append(f"{len(metrics) - len(first)} more metrics: --all-metrics, or -m NAME")
            metrics = [line for line in metrics if line.name in first]
    kept = {id(line) for line in (*config, *metrics)}
    lines = tuple(line for line in sheet.lines if line.section == "run" or id(line) in kept)
    return Folded(replace(sheet, lines=lines), tuple(own), tuple(left))


def _names(lines: Iterable[Line]) -> Iterable[str]:
    return (line.name for line in lines)


def _owner(line: Line) -> int | None:
    """The place of the only subject that has a value there."""
    having = [place for place, cell in enumerate(line.cells) if cell.text != MISSING]
    return having[0] if len(having) == 1 else None


def _owned(sheet: Sheet, lines: Sequence[Line], verb: str) -> Iterable[str]:
    """`only calm-otter sets: fail-at 300`, a subject a line."""
    by_place: dict[int, list[str]] = {}
    for line in lines:
        place = _owner(line)
        if place is not None:
            text = fit(line.cells[place].text, 28)
            by_place.setdefault(place, []).append(f"{fit(line.name, 40, keep_end=True)} {text}")
    see = "--all-params" if verb == "sets" else "--all-metrics"
    for place in sorted(by_place)[:_SUBJECTS]:
        words = by_place[place]
        more = f" and {len(words) - _NAMED} more ({see})" if len(words) > _NAMED else ""
        yield f"only {fit(sheet.subjects[place].name, 40)} {verb}: {', '.join(words[:_NAMED])}{more}"
    if len(by_place) > _SUBJECTS:
        what = "parameters" if verb == "sets" else "metrics"
        yield f"{len(by_place) - _SUBJECTS} more have {what} of their own: {see}"
