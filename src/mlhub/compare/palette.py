"""Colours of runs that are seen together: on a screen stable by run, on paper by their order. Loads nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Okabe and Ito's (https://jfly.uni-koeln.de/color/) for white paper; the yellow is darker, as theirs can't be seen on
#: white. So ordered that the first few are as far from each other as can be, for eyes that see red and green alike too
#: (Machado et al. 2009, distances in CIELAB): the orange and the vermilion, the yellow come together only in the end.
PAPER = ("#0072b2", "#e69f00", "#000000", "#009e73", "#56b4e9", "#d55e00", "#cc79a7", "#b8a800")


def on_paper(run_ids: Iterable[int]) -> dict[int, str]:
    """Colours of the runs of one report or figure, the oldest run first: nothing else is to be seen beside it."""
    return {run_id: PAPER[place % len(PAPER)] for place, run_id in enumerate(sorted(set(run_ids)))}


def assign(palette: Sequence[str], run_ids: Iterable[int]) -> dict[int, str]:
    """Colours of runs that are seen together: each has its own, but where an older run has the same, the next free.

    As long as there are enough colours all differ; what is beyond has its own again. The order of `run_ids` is nothing.
    """
    found: dict[int, str] = {}
    clashing = []
    for run_id in sorted(set(run_ids)):
        colour = palette[run_id % len(palette)]
        if colour in found.values():
            clashing.append(run_id)
        else:
            found[run_id] = colour
    for run_id in clashing:
        nexts = [palette[(run_id + by) % len(palette)] for by in range(len(palette))]
        found[run_id] = next((colour for colour in nexts if colour not in found.values()), nexts[0])
    return found
