"""The options that choose runs and values for a comparison: one wording for `mlhub compare` and `mlhub report`.

What they mean is `compare_runs`' (which runs), `compare_values`' (which values) and `compare_made`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

Runs = Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", show_default=False)]
Groups = Annotated[list[str] | None, typer.Option("--group", metavar="GROUP", help="All runs of a group.")]
Filter = Annotated[str, typer.Option("--filter", metavar="QUERY", help="Only the runs that QUERY means.")]
Baseline = Annotated[str | None, typer.Option(metavar="RUN", help="What the others are measured against.")]
Metrics = Annotated[
    list[str] | None, typer.Option("--metric", "-m", metavar="PATTERN", help="Only metrics whose names match.")
]
At = Annotated[
    str, typer.Option(metavar="PLACE", help="step=1000, epoch=3, best:METRIC (min:, max:); last, best, min, max.")
]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line asks for, of runs and values; `curves`: some are to be drawn."""

    words: tuple[str, ...]
    groups: tuple[str, ...]
    filter: str
    baseline: str | None
    metrics: tuple[str, ...]
    at: str
    all_params: bool = False
    seeds: bool | None = None
    sort: str | None = None
    reverse: bool = False
    limit: int | None = None
    curves: bool = False
    all_metrics: bool = False
