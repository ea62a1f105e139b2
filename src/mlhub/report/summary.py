"""What a report says first, in sentences: which run is best by what, how sure that is, and what went wrong."""

from __future__ import annotations

import math

from mlhub.compare.render import metric_text, value_text
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.compare.comparison import Comparison, Metric
    from mlhub.store.runs import Run

#: columns of metrics in the first table
_COLUMNS = 5
#: parameters that one sentence names
_NAMED = 3


def main_metrics(found: Comparison) -> list[str]:
    """The metrics that a reader wants first: the one the runs were made for, its like, the losses, the others."""
    known = [metric for metric in found.metrics if metric.values]
    if not known:
        return []
    lead = known[0]
    place, _, leaf = lead.name.rpartition("/")

    def rank(metric: Metric) -> tuple[bool, ...]:
        own_place, _, own = metric.name.rpartition("/")
        return metric is not lead, own != leaf, own != "loss", own_place != place, metric.direction is None

    return [metric.name for metric in sorted(known, key=rank)[:_COLUMNS]]


def sentences(found: Comparison, main: Sequence[str]) -> list[str]:
    """In the order of their weight. Nothing is said that the runs' numbers don't say."""
    lead = next((metric for metric in found.metrics if metric.name in main[:1]), None)
    said = _one(found, lead) if len(found.runs) == 1 else _of_several(found, lead)
    return [*said, *_ends(found.runs)]


def _one(found: Comparison, lead: Metric | None) -> list[str]:
    run = found.runs[0]
    if lead is None or run.id not in lead.values:
        return [f"{one_line(run.name)} recorded no metric."]
    which = "best" if found.use == "best" else "last"
    return [f"{one_line(run.name)}: {one_line(lead.name)} is {metric_text(lead.values[run.id])} ({which} value)."]


def _of_several(found: Comparison, lead: Metric | None) -> list[str]:
    if lead is None:
        return ["None of these runs recorded a metric."]
    if lead.direction is None:
        return [f"Whether more or less {one_line(lead.name)} is better isn't known, so no run is called the best."]
    names = {run.id: one_line(run.name) for run in found.runs}
    ranked = sorted(
        (run_id for run_id, value in lead.values.items() if math.isfinite(value)),
        key=lambda run_id: lead.values[run_id],
        reverse=lead.direction == "max",
    )
    if not ranked:
        return [f"No run has a finite {one_line(lead.name)}."]
    if not lead.winners:
        return [f"All runs that have {one_line(lead.name)} have the same, {metric_text(lead.values[ranked[0]])}."]
    best = ranked[0]
    text = f"{names[best]} has the best {one_line(lead.name)}: {metric_text(lead.values[best])}"
    if len(ranked) > 1:
        text += f", against {metric_text(lead.values[ranked[1]])} of {names[ranked[1]]}, the next"
    said = [f"{text}."]
    if len(ranked) > 1 and (why := _differing(found, best, ranked[1], names)):
        said.append(why)
    return [*said, *_seeds(found, lead, names)]


def _differing(found: Comparison, best: int, other: int, names: dict[int, str]) -> str:
    """What the best run's configuration has that the next one's has not."""
    parts = []
    for key, values in found.config.items():
        if best in values and other in values and value_text(values[best]) != value_text(values[other]):
            parts.append(f"{one_line(key)} ({value_text(values[best])} against {value_text(values[other])})")
        elif (best in values) != (other in values):
            parts.append(f"{one_line(key)} ({value_text(values[best]) if best in values else 'not set'})")
    if not parts:
        return f"Their configurations are the same; {names[best]} and {names[other]} differ in nothing on record there."
    more = f" and {len(parts) - _NAMED} more" if len(parts) > _NAMED else ""
    return f"It differs from {names[other]} in {', '.join(parts[:_NAMED])}{more}."


def _seeds(found: Comparison, lead: Metric, names: dict[int, str]) -> list[str]:
    """Means over seeds: whether a difference is larger than what another seed would make."""
    said = []
    for ids in found.seeds:
        spread = lead.spread(ids)
        if spread is None or spread.sd is None:
            continue
        who = ", ".join(names[run_id] for run_id in ids[:4]) + (" and others" if len(ids) > 4 else "")
        said.append(
            f"{who} differ only in their seed: {one_line(lead.name)} is {metric_text(spread.mean)} ± "
            f"{spread.sd:.2g} (mean ± sd, n={spread.n}); smaller differences between single runs may be chance."
        )
    return said[:3]


def _ends(runs: Sequence[Run]) -> list[str]:
    """Runs that did not complete."""
    said = []
    for status, words in (("failed", "failed"), ("cancelled", "were stopped before their end"),
                          ("running", "are still running"), ("queued", "have not started")):  # fmt: skip
        names = [one_line(run.name) for run in runs if run.status == status]
        if names:
            some = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
            words = words if len(names) > 1 else words.replace("were ", "was ").replace("their", "its")
            words = words if len(names) > 1 else words.replace("are ", "is ").replace("have ", "has ")
            said.append(f"{some} {words}.")
    return said
