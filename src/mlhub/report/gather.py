"""Reads the runs' folders into what a report shows. Bounded: whatever is left out is said in `limits`.

Files are outside data: one that is torn, missing or enormous makes its part of the report smaller, never an accident.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlhub.compare import code
from mlhub.compare.leading import leading_metrics
from mlhub.compare.pairs import differ, differ_packages
from mlhub.report import curves as drawn
from mlhub.report import kept, samples
from mlhub.report.contents import Against, Contents, LogTail, RunPart
from mlhub.report.summary import sentences
from mlhub.runner.advice import advice
from mlhub.runner.alerts import read_active
from mlhub.runner.archive import opened, readable
from mlhub.runner.folder import read_surroundings
from mlhub.runner.reconcile import elapsed
from mlhub.runner.segments import LogReader
from mlhub.text import clean, local_time, one_line, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from mlhub.compare.comparison import Comparison
    from mlhub.curves.whole import RunCurves
    from mlhub.paths import Home, RunPaths
    from mlhub.store.runs import Run

#: columns of metrics in the first table
_COLUMNS = 5
#: lines of a log, and bytes looked through for them; letters of a line
_LINES, _TAIL, _LONGEST = 60, 64 << 10, 400
_CONFIG = 64 << 10
#: metrics so large take a while, and are told of
_LARGE = 20 << 20


@dataclass(frozen=True)
class Wishes:
    """How a report is to be. `charts`: at most so many; `queries`: in place of fixed ones."""

    title: str = ""
    charts: int = 8
    queries: Sequence[str] = ()
    samples: bool = True


@dataclass(frozen=True)
class Compared:
    """A comparison and what was found to say of it. `deltas`: whether differences to its baseline are wanted.

    `lead`: the metric that decided; `together`: ids of runs that were taken as one over their seeds, by the name of
    that. `made`: completed index runs, the newest first.
    """

    found: Comparison
    sentences: Sequence[str]
    together: Mapping[str, Sequence[int]]
    lead: str | None
    deltas: bool
    made: Sequence[Run]


def gather(home: Home, compared: Compared, wishes: Wishes, tell: Callable[[str], None]) -> Contents:
    """All of a report on the runs that were compared; `tell` hears of what takes long."""
    comparison = compared.found
    runs = comparison.runs
    specs = {run.id: read_surroundings(home.run(run.id)) for run in runs}
    main = leading_metrics(comparison, compared.lead, _COLUMNS)
    marks = _marks(runs)
    limits: list[str] = []
    charts = _charts(home, comparison, main, marks, wishes, limits, tell)
    parts = [_part(home.run(run.id), run, marks[run.id], specs[run.id]) for run in runs]
    limits += [f"{one_line(part.run.name)}: {part.artifacts_left} more artifacts" for part in parts
               if part.artifacts_left]  # fmt: skip
    asked = _samples(home, runs, compared.made, marks, wishes, limits, tell)
    title = one_line(wishes.title) or (
        f"Run {one_line(runs[0].name)}" if len(runs) == 1 else f"{len(runs)} runs: " + _names(runs)
    )
    return Contents(
        title,
        datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        parts,
        comparison,
        main,
        sentences(comparison, main, compared.sentences, compared.together),
        compared.deltas,
        charts,
        asked,
        _against(runs, specs, comparison.baseline),
        limits,
    )


def _names(runs: Sequence[Run]) -> str:
    groups = {run.group for run in runs}
    if len(groups) == 1 and (group := next(iter(groups))):
        return one_line(group)
    return ", ".join(one_line(run.name) for run in runs[:3]) + (" …" if len(runs) > 3 else "")


def _marks(runs: Sequence[Run]) -> dict[int, int]:
    """By run the place of its colour in the palette; from its end on other dashes in the same colours."""
    return {run_id: place for place, run_id in enumerate(sorted(run.id for run in runs))}


def _charts(
    home: Home,
    comparison: Comparison,
    main: Sequence[str],
    marks: Mapping[int, int],
    wishes: Wishes,
    limits: list[str],
    tell: Callable[[str], None],
) -> list[Any]:
    read: dict[int, RunCurves] = {}
    sizes = [_size(home.run(run.id).metrics) for run in comparison.runs]
    for place, run in enumerate(comparison.runs):
        path = home.run(run.id).metrics
        if sum(sizes) > _LARGE:
            about = f"{size(sizes[place])} of metrics of {one_line(run.name)}"
            tell(f"reading {about} ({place + 1}/{len(sizes)})")
        if run.summary and not readable(path):
            limits.append(f"the curves of {one_line(run.name)}: its metrics file is missing")
        with opened(path) as file:
            read[run.id] = drawn.read(file, run.attempt)
    chosen, more = drawn.choose(comparison, read, main, wishes.charts)
    if more:
        limits.append(f"{more} more metrics have curves: --charts N draws more, --metric PATTERN only some")
    if unread := drawn.unread(comparison, read):
        limits.append(f"{unread} metrics have no curves here: of one run {drawn.READ} are read")
    charts = drawn.make_charts(chosen, read, comparison.runs, marks)
    points, shown = (
        sum(chart.points for chart in charts),
        sum(len(line.steps) for chart in charts for line in chart.lines),
    )
    if points > shown:
        limits.append(
            f"{points - shown:,} of {points:,} points of the curves; the least and greatest of all parts are there"
        )
    return charts


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _part(paths: RunPaths, run: Run, mark: int, spec: Mapping[str, Any]) -> RunPart:
    found, left = kept.read(paths.root)
    said = [one_line(f"{local_time(alert.get('at'))} {alert.get('text')}") for alert in read_active(paths)]
    return RunPart(
        run, mark, spec, elapsed(run), one_line(advice(run, paths) or ""), said, _config(paths, run), _tail(paths),
        found, left,
    )  # fmt: skip


def _config(paths: RunPaths, run: Run) -> str:
    """The configuration as its file has it, or what the store knows of it, as JSON."""
    import json

    from mlhub.runner.record import read_bytes

    data = read_bytes(str(paths.config), _CONFIG)
    if data:
        return clean(data.decode(errors="replace"))
    return json.dumps(run.config, indent=1, ensure_ascii=False, default=str)[:_CONFIG] if run.config else ""


def _tail(paths: RunPaths) -> LogTail:
    from mlhub.compare.logs import to_lines

    try:
        reader = LogReader(paths)
        start = position = max(0, reader.size - _TAIL)
        parts: list[bytes] = []
        while len(parts) < 64:
            data, position = reader.read(position)
            if not data:
                break
            parts.append(data)
    except OSError:
        return LogTail((), 0)
    whole = b"".join(parts)
    lines = to_lines(whole)[-_LINES:]
    return LogTail([line[:_LONGEST] for line in lines], start)


def _samples(
    home: Home,
    runs: Sequence[Run],
    made: Sequence[Run],
    marks: Mapping[int, int],
    wishes: Wishes,
    limits: list[str],
    tell: Callable[[str], None],
) -> list[Any]:
    if not wishes.samples:
        return []
    indexes, without = samples.find_indexes(home, runs, made)
    limits.extend(
        f"{one_line(run.name)} has no index, so no retrieval samples: mlhub index {one_line(run.name)}"
        for run in without
    )
    return samples.ask_all(indexes, wishes.queries, lambda run: marks[run.id], tell)


def _against(runs: Sequence[Run], specs: Mapping[int, Mapping[str, Any]], baseline: int | None) -> list[Against]:
    """Every other run beside the baseline; of runs that have the same code git is asked once."""
    if baseline is None:
        return []
    sides = {run.id: code.Side.of(specs[run.id].get("git")) for run in runs}
    known: dict[code.Side, code.CodeDifference] = {}
    found = []
    for run in runs:
        if run.id == baseline:
            continue
        side = sides[run.id]
        if side not in known:
            known[side] = code.differ(sides[baseline], side)
        pairs = [[_table(specs[one], key) for one in (baseline, run.id)] for key in ("packages", "hardware")]
        found.append(Against(run.id, known[side], differ_packages(*pairs[0]), differ(*pairs[1])))
    return found


def _table(spec: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = spec.get(key)
    return {str(name): value for name, value in table.items()} if isinstance(table, dict) else {}
