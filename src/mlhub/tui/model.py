"""What the screen shows, as the readers in threads last found it. The screen pulls; nobody pushes into it.

Each reader replaces its latest value whole and raises a version, so that nothing is locked and nothing queues up: a
screen that is slower than the runs misses values, never falls behind. Not a place where files are read or drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlhub.paths import Home
    from mlhub.settings import Settings
    from mlhub.store.runs import QueueState, Run
    from mlhub.tui.charts.series import SeriesBook
    from mlhub.tui.feed import Feed
    from mlhub.tui.prefs import Prefs
    from mlhub.tui.search.client import SearchClient
    from mlhub.tui.system.machine import Machine


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows as they were at one moment. `runs`: newest first. `error`: why they may be of the past."""

    version: int = 0
    runs: tuple[Run, ...] = ()
    by_id: Mapping[int, Run] = field(default_factory=dict)
    #: ids of waiting runs of this host, the next one first
    waiting: tuple[int, ...] = ()
    queue: QueueState | None = None
    error: str | None = None
    #: whether any run is queued or running
    active: bool = False
    #: False until the rows were compared with their processes for the first time
    settled: bool = False

    @property
    def counts(self) -> dict[str, int]:
        """How many runs have each status."""
        found: dict[str, int] = {}
        for run in self.runs:
            found[run.status] = found.get(run.status, 0) + 1
        return found


@dataclass
class Selection:
    """What the user has chosen, the same in all views; the main thread's alone. `version` rises with each change."""

    #: the run under the cursor
    focus: int | None = None
    #: marked runs, in the order they were marked; they may have been removed since (`Model.marked`)
    marks: tuple[int, ...] = ()
    #: the run others are compared with
    baseline: int | None = None
    version: int = 0

    def choose(self, run_id: int | None) -> None:
        if run_id != self.focus:
            self.focus = run_id
            self.version += 1

    def toggle(self, run_id: int) -> None:
        """Mark the run, or take its mark away."""
        rest = tuple(mark for mark in self.marks if mark != run_id)
        self.marks = rest if run_id in self.marks else (*rest, run_id)
        self.version += 1

    def clear_marks(self) -> None:
        self.marks = ()
        self.version += 1

    def set_baseline(self, run_id: int | None) -> None:
        self.baseline = run_id
        self.version += 1


@dataclass
class Model:
    """All that views read."""

    home: Home
    settings: Settings
    prefs: Prefs
    feed: Feed
    series: SeriesBook
    machine: Machine
    search: SearchClient
    selection: Selection = field(default_factory=Selection)

    @property
    def runs(self) -> Snapshot:
        return self.feed.snapshot

    def run(self, run_id: int | None) -> Run | None:
        return None if run_id is None else self.runs.by_id.get(run_id)

    @property
    def focused(self) -> Run | None:
        return self.run(self.selection.focus)

    @property
    def marked(self) -> tuple[Run, ...]:
        """The marked runs that still exist, in the order they were marked."""
        return tuple(run for run_id in self.selection.marks if (run := self.run(run_id)) is not None)

    @property
    def chosen(self) -> tuple[Run, ...]:
        """The marked runs that still exist, else the one under the cursor."""
        focused = self.focused
        return self.marked or ((focused,) if focused is not None else ())
