"""Metric series of runs, read in a thread by byte offsets and kept as arrays; what charts and sparklines are drawn of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.paths import Home
    from mlhub.store.runs import Run


@dataclass(frozen=True, slots=True)
class Sketch:
    """A run at a glance, from a few parts of its metrics: for a row in a table.

    `points`: at most 64 values of its main metric from first to last (NaN where it was none). `speed`: steps a second
    over the last minute or so, None when unknown. `step`, `epoch`, `time`: of the newest record.
    `steps_an_epoch`: seen between two epochs' beginnings.
    """

    points: tuple[float, ...] = ()
    metric: str = ""
    step: int | None = None
    epoch: int | None = None
    time: float | None = None
    speed: float | None = None
    steps_an_epoch: float | None = None


class SeriesBook:
    """Reads what was asked for, in a thread of its own, begun by the first `want`."""

    def __init__(self, home: Home) -> None:
        self._home = home
        #: rises whenever anything that `sketch` or `series` gives has changed
        self.version = 0

    def want_sketches(self, runs: Sequence[Run], metric: Mapping[int, str]) -> None:
        """The rows that are to be seen now, and each one's main metric."""

    def sketch(self, run_id: int) -> Sketch | None:
        """The latest; None as long as it was not read."""
        return None

    def close(self) -> None:
        pass
