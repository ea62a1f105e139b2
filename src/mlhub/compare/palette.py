"""Colours of runs that are seen together: stable by run, different from each other. Loads nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Okabe and Ito's (https://jfly.uni-koeln.de/color/) for white paper, in the order of the screen's theme `okabe`: black
#: stands for its white, and the yellow is darker, as theirs can't be seen on white
PAPER = ("#56b4e9", "#e69f00", "#009e73", "#b8a800", "#cc79a7", "#d55e00", "#0072b2", "#000000")


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
