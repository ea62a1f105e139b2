"""What a report shows, read and decided: plain facts without a word of HTML. Made by `gather`, written by `page`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mlhub.compare.code import CodeDifference
    from mlhub.compare.comparison import Comparison
    from mlhub.compare.direction import Direction
    from mlhub.compare.pairs import Difference
    from mlhub.store.runs import Run


class LogTail(NamedTuple):
    """The last lines of a log, clean; `left`: bytes before them."""

    lines: Sequence[str]
    left: int


class Shown(NamedTuple):
    """An artifact as it is shown. `picture`: a data URI; `words`: in place of what can't be shown, or a text."""

    kind: Literal["file", "text", "image", "table"]
    name: str
    about: str
    picture: str = ""
    words: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


@dataclass(frozen=True)
class RunPart:
    """A run and what its folder says. `mark`: its colour and dash, see `charts`; `took`: seconds it ran."""

    run: Run
    mark: int
    spec: Mapping[str, Any]
    took: float | None
    advice: str
    alerts: Sequence[str]
    config: str
    log: LogTail
    artifacts: Sequence[Shown] = ()
    artifacts_left: int = 0


class Line(NamedTuple):
    """A curve of one run: steps, seconds since the run's first record (None: not known), values (None: a gap).

    `bad`: steps at which the value was NaN or infinite, and which; `best`: step and value of its best,
    if it is the chart's best: of several runs one is, or none.
    """

    mark: int
    run: int
    name: str
    steps: Sequence[float]
    seconds: Sequence[float | None]
    values: Sequence[float | None]
    bad: Sequence[tuple[float, str]]
    best: tuple[float, float] | None


class Chart(NamedTuple):
    """One metric of several runs; `points`: recorded ones, more than are drawn if it was thinned."""

    metric: str
    direction: Direction | None
    lines: Sequence[Line]
    points: int


class Hit(NamedTuple):
    """A picture that a query found. `right`: whether the query is among its own captions."""

    picture: str
    caption: str
    distance: int
    score: float
    right: bool


class Answers(NamedTuple):
    """What the index of one run answered: hits by query, or why there are none. `about`: which index it was."""

    run: int
    mark: int
    name: str
    about: str
    hits: Mapping[str, Sequence[Hit]]
    problem: str = ""


class Samples(NamedTuple):
    """The same queries put to the indexes of several runs over the same data. `words` say where queries come from."""

    words: str
    queries: Sequence[str]
    answers: Sequence[Answers]


class Against(NamedTuple):
    """A run beside the baseline: what differs in code and in what was installed."""

    run: int
    code: CodeDifference
    packages: Difference
    hardware: Difference


@dataclass(frozen=True)
class Contents:
    """All of a report. `summary`: sentences in plain words; `limits`: what was left out, and how to have it.

    `main`: the metrics that lead; `deltas`: whether differences to the baseline are shown.
    """

    title: str
    made_at: str
    parts: Sequence[RunPart]
    comparison: Comparison
    main: Sequence[str]
    summary: Sequence[str]
    deltas: bool = False
    charts: Sequence[Chart] = ()
    samples: Sequence[Samples] = ()
    against: Sequence[Against] = ()
    limits: Sequence[str] = field(default_factory=tuple)

    @property
    def several(self) -> bool:
        return len(self.parts) > 1

    def part(self, run_id: int) -> RunPart:
        return next(part for part in self.parts if part.run.id == run_id)
