"""Which metrics of many lead: what a table shows where all would be too many to read. One rule for tables and reports.

What stands for one run in a list is `compare.shown`'s; which metric decides is `compare.verdict`'s.
"""

from __future__ import annotations

import re
from collections import Counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.compare.comparison import Comparison, Metric

_WORD = re.compile(r"[a-z@]+\d*", re.IGNORECASE)


def leading_metrics(found: Comparison, lead: str | None, most: int) -> list[str]:
    """The names of at most `most` metrics, those first that a reader wants first.

    That is the one that decided (`lead`), its like (`train/acc` to `val/acc`), the losses; then those that several runs
    have and of which it is known which way is good, one of a family (`map_16`, `map_32`, …) before its second.
    """
    known = [metric for metric in found.metrics if metric.values]
    if not known:
        return []
    first = next((metric for metric in known if metric.name == lead), known[0])
    place, _, leaf = first.name.rpartition("/")
    shared = min(2, len(found.runs))
    seen: Counter[tuple[str, str]] = Counter()

    def rank(metric: Metric) -> tuple[int, ...]:
        own_place, _, own = metric.name.rpartition("/")
        word = _WORD.match(own)
        family = own_place, word[0].lower() if word else own
        seen[family] += 1
        return (
            metric is not first, len(metric.values) < shared, metric.direction is None, own != leaf, own != "loss",
            seen[family], own_place != place,
        )  # fmt: skip

    return [metric.name for metric in sorted(known, key=rank)[:most]]
