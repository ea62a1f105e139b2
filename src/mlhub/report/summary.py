"""What a report says first: the comparison's verdict, how seeds scatter, and what went wrong."""

from __future__ import annotations

from mlhub.compare.render import metric_text
from mlhub.text import first_few, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.compare.comparison import Comparison, Metric
    from mlhub.store.runs import Run

#: runs that a sentence names, groups over seeds that are told of
_NAMED, _GROUPS = 5, 3


def sentences(
    found: Comparison, main: Sequence[str], verdict: Sequence[str], together: Mapping[str, Sequence[int]]
) -> list[str]:
    """In the order of their weight. `verdict`: the comparison's own words; `together`: ids of runs by the name under
    which it took them as one, over their seeds.
    """
    lead = next((metric for metric in found.metrics if metric.name in main[:1]), None)
    said = [_sentence(words) for words in verdict] if len(found.runs) > 1 else [_of_one(found, lead)]
    return [*said, *_seeds(found, lead, together), *_ends(found.runs)]


def _sentence(words: str) -> str:
    """Words of the command line's as a sentence of their own."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _of_one(found: Comparison, lead: Metric | None) -> str:
    run = found.runs[0]
    name = one_line(run.name)
    if lead is None or run.id not in lead.values:
        return f"{name} recorded no metric."
    which = {"last": "the last value", "best": "the best value"}.get(found.use, "the value that was asked for")
    return f"{name}: {one_line(lead.name)} is {metric_text(lead.values[run.id])} ({which})."


def _seeds(found: Comparison, lead: Metric | None, together: Mapping[str, Sequence[int]]) -> list[str]:
    """Who is meant by a mean over seeds; where runs stand alone, how much another seed would make."""
    names = {run.id: one_line(run.name) for run in found.runs}
    taken = {tuple(ids) for ids in together.values()}
    said = [
        f"{title} stands for {_named([names[run_id] for run_id in ids])}, which differ only in their seed: its values "
        f"are mean ± sd, n={len(ids)}."
        for title, ids in together.items()
    ]
    for ids in found.seeds:
        spread = lead.spread(ids) if lead is not None else None
        if lead is None or spread is None or spread.sd is None or ids in taken or found.only_seeds:
            continue
        who = _named([names[run_id] for run_id in ids])
        said.append(
            f"{who} differ only in their seed: {one_line(lead.name)} is {metric_text(spread.mean)} ± "
            f"{spread.sd:.2g} (mean ± sd, n={spread.n}), so smaller differences between single runs may be chance."
        )
    return said[:_GROUPS]


def _named(names: Sequence[str]) -> str:
    if len(names) > _NAMED or len(names) == 1:
        return first_few(names, _NAMED)
    return f"{', '.join(names[:-1])} and {names[-1]}"


#: of one run, and of several
_ENDS = {
    "failed": ("failed", "failed"),
    "cancelled": ("was stopped before its end", "were stopped before their end"),
    "running": ("is still running", "are still running"),
    "queued": ("has not started", "have not started"),
}


def _ends(runs: Sequence[Run]) -> list[str]:
    """Runs that did not complete."""
    said = []
    for status, words in _ENDS.items():
        names = [one_line(run.name) for run in runs if run.status == status]
        if names:
            said.append(f"{_named(names)} {words[len(names) > 1]}.")
    return said
