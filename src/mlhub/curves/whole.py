"""The metrics of a run read whole, once: what figures and terminal plots are drawn of. Follows nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlhub.curves.axes import Curve
from mlhub.curves.follower import Follower

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mlhub.curves.follower import MetricSeries

#: seconds that are read before the caller hears of it
_TURN = 0.25


@dataclass(frozen=True)
class RunCurves:
    """Metrics by their raw names, without what was superseded (that is in each series' own `superseded`).

    `epochs`: step and number of each epoch's beginning; `first`: time of the first record, NaN if there is none.
    """

    metrics: Mapping[str, MetricSeries] = field(default_factory=dict)
    epochs: tuple[tuple[float, float], ...] = ()
    first: float = math.nan

    def curve(self, run_id: int, name: str, title: str, colour: str = "") -> Curve | None:
        """One metric, as a chart draws it; `title`: what it is called there, clean. None if the run has no such."""
        series = self.metrics.get(name)
        if series is None or not (len(series.points) or len(series.events)):
            return None
        return Curve(run_id, title, colour, series, self.first, self.epochs)


def read_whole(path: Path, attempts: int = 1, told: Callable[[float], None] | None = None) -> RunCurves:
    """All of a file of records as it is now; empty, if it isn't there. Long ones are thinned, keeping extremes.

    A compacted run's path is given by `runner.archive.opened`. `told` hears now and then how much was read, up to 1.
    """
    follower = Follower(path, attempts)
    try:
        follower.hold()
        follower.advance(_TURN)
        while follower.busy:
            follower.advance(_TURN)
            if told is not None:
                told(follower.progress)
        return RunCurves(follower.metrics, follower.epochs, float(follower.first))
    except OSError:
        return RunCurves()
    finally:
        follower.close()
