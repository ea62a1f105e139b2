"""Curves of compared runs: in dots on a terminal, or as a figure in a file. Reading and drawing are `mlhub.curves`'.

Without colours a letter on each curve, and in the legend, tells whose it is.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlhub.cli.compare_made import Chosen
    from mlhub.compare.comparison import Metric
    from mlhub.curves.axes import Curve, Scale
    from mlhub.curves.plot import Picture
    from mlhub.curves.whole import RunCurves
    from mlhub.store.runs import Run

#: curves in one chart of a terminal, and in one figure; metrics that are drawn at all
_FEW, _MANY, _METRICS = 8, 40, 12
_ROWS, _WIDEST = 16, 110
#: columns between two letters on a curve
_APART = 18
#: the command line's axes as charts call them
_AXES = {"step": "step", "epoch": "epoch", "relative": "time", "time": "clock"}


def draw(chosen: Chosen, *, x: str, smoothing: float, log_y: bool) -> None:
    """Print a chart of each metric, with a legend."""
    from mlhub.cli.out import coloured, columns, say
    from mlhub.curves.axes import Scale
    from mlhub.text import one_line, unicode_works

    metrics = _metrics(chosen)
    if not metrics:
        return _tell_none(chosen)
    runs, left = _drawn(chosen, metrics[0], _FEW)
    curves = _read(chosen, runs)
    signs = _Signs(unicode_works(), coloured(), min(columns(), _WIDEST))
    for metric in metrics:
        say()
        arrow = {"max": signs.pick(" ↑", " ^"), "min": signs.pick(" ↓", " v")}.get(metric.direction or "", "")
        say(signs.clean(f"{one_line(metric.name)}{arrow}   over {x}{', smoothed' if smoothing else ''}"))
        scale = Scale(_AXES[x], log=log_y, smoothing=smoothing)
        for line in _chart(_curves(runs, curves, metric), scale, metric, signs):
            say(line)
    if left:
        say(signs.clean(f"{left} more runs are not drawn"))
    return None


def save(chosen: Chosen, path: Path, *, svg: bool, x: str, smoothing: float, log_y: bool) -> None:
    """Write a figure. Raises MlhubError without matplotlib, and for a file that can't be written."""
    from mlhub.cli.out import put, tell
    from mlhub.compare.figure import to_png, to_svg
    from mlhub.compare.panels import AXES, make_panels

    metrics = _metrics(chosen)
    if not metrics:
        return _tell_none(chosen)
    runs, left = _drawn(chosen, metrics[0], _MANY)
    panels = make_panels(
        _read(chosen, runs),
        {run.id: run.name for run in runs},
        metrics,
        x=x,
        smoothing=smoothing,
    )
    if svg:
        document = '<?xml version="1.0" encoding="utf-8"?>\n' + to_svg(panels, x=AXES[x], log_y=log_y)
        put(path, document.encode())
    else:
        put(path, to_png(panels, x=AXES[x], log_y=log_y))
    tell(f"written: {path}{f' ({left} more runs are not in it)' if left else ''}")
    return None


def _tell_none(chosen: Chosen) -> None:
    from mlhub.cli.out import tell

    if chosen.found.runs:
        tell("there is nothing to draw: these runs have no metrics")


def _metrics(chosen: Chosen) -> list[Metric]:
    """What was asked for; else what the verdict is about, else the first that has a direction, else the first."""
    from mlhub.cli.out import tell

    known = {metric.name.partition(" [")[0] if " [" in metric.name else metric.name: metric
             for metric in chosen.found.metrics}  # fmt: skip
    if chosen.plots:
        found = [metric for name, metric in known.items() if metric.name in chosen.plots or name in chosen.plots]
        if len(found) > _METRICS:
            tell(f"{len(found)} metrics match; the first {_METRICS} are drawn")
        return found[:_METRICS]
    best = [metric for metric in chosen.found.metrics if metric.name == chosen.verdict.metric]
    good = [metric for metric in chosen.found.metrics if metric.direction and metric.values]
    return [*best, *good, *(metric for metric in chosen.found.metrics if metric.values)][:1]


def _drawn(chosen: Chosen, metric: Metric, most: int) -> tuple[list[Run], int]:
    """The runs to draw, the best of them if they are too many, and how many are left out."""
    runs = [run for run in chosen.found.runs if run.summary]
    if len(runs) <= most:
        return runs, 0
    sign = -1 if metric.direction == "max" else 1
    best = frozenset(metric.best)  # they completed: others may have better values
    ranked = sorted(
        runs, key=lambda run: (run.id not in best, run.id not in metric.values, sign * metric.values.get(run.id, 0.0))
    )
    kept = {run.id for run in (ranked if metric.direction else runs)[:most]}
    return [run for run in runs if run.id in kept], len(runs) - most


def _read(chosen: Chosen, runs: Sequence[Run]) -> dict[int, RunCurves]:
    """The curves of runs; of one that can't be read none, which is said."""
    from mlhub.cli.out import tell
    from mlhub.curves.whole import read_whole
    from mlhub.errors import MlhubError
    from mlhub.runner import archive
    from mlhub.text import one_line

    found: dict[int, RunCurves] = {}
    loud = sys.stderr.isatty()
    for count, run in enumerate(runs, 1):
        head = f"reading curves of run {count} of {len(runs)}"
        if loud:
            _tell_progress(head)
        if not archive.readable(chosen.hub.home.run(run.id).metrics):
            tell(f"{one_line(run.name)}: its metrics file is missing")
            continue
        try:
            with archive.opened(chosen.hub.home.run(run.id).metrics) as path:
                told = (lambda part, head=head: _tell_progress(f"{head}: {part:.0%}")) if loud else None
                found[run.id] = read_whole(path, run.attempt, told)
        except (MlhubError, OSError) as error:
            tell(f"{one_line(run.name)}: {one_line(str(error))}")
    if loud:
        _tell_progress("")
    return found


def _tell_progress(words: str) -> None:
    """On one line of the terminal, again and again."""
    sys.stderr.write(f"\r\x1b[K{words}")
    sys.stderr.flush()


def _curves(runs: Sequence[Run], read: Mapping[int, RunCurves], metric: Metric) -> list[Curve]:
    """Of each run that has the metric; the best one last, so that it lies above the others."""
    from mlhub.compare.palette import on_paper
    from mlhub.text import one_line

    colours = on_paper(run.id for run in runs)
    name = metric.name
    found = []
    for run in runs:
        curves = read.get(run.id)
        if curves is None:
            continue
        raw = name if name in curves.metrics else name.rpartition(" [")[0]
        curve = curves.curve(run.id, raw, one_line(run.name), colours[run.id])
        if curve is not None:
            found.append(curve)
    top = _top(found, metric)
    return sorted(found, key=lambda curve: curve.run_id == top)


class _Signs(NamedTuple):
    """What the terminal can show."""

    unicode: bool
    colour: bool
    columns: int

    def pick(self, sign: str, letter: str) -> str:
        return sign if self.unicode else letter

    def clean(self, text: str) -> str:
        from mlhub.cli.out import lettered

        return text if self.unicode else lettered(text)


class _Inks:
    """Numbers of styles, as the plotter asks for them, and what each is."""

    def __init__(self) -> None:
        self.known: list[tuple[str, ...]] = []

    def __call__(self, *style: str) -> int:
        if style not in self.known:
            self.known.append(style)
        return self.known.index(style)


def _chart(curves: Sequence[Curve], scale: Scale, metric: Metric, signs: _Signs) -> list[str]:
    """The lines of a chart and of its legend."""
    from mlhub.curves.plot import Glyphs, Plotter

    inks = _Inks()
    picture = Plotter().draw(curves, scale, signs.columns, _ROWS, inks, Glyphs(signs.unicode, colour=signs.colour))
    if picture.y is None:
        return [signs.clean(f"  {picture.notes[0] if picture.notes else 'no number to draw'}")]
    letters = dict(zip(sorted(curve.run_id for curve in curves), "abcdefghijkl", strict=False))
    if not signs.colour and len(curves) > 1:
        picture = picture._replace(cells=picture.cells.copy())
        for place, curve in enumerate(curves):
            _put_letters(picture, inks("run", curve.colour), letters[curve.run_id], place)
    rows = [_line(cells, codes, inks, signs) for cells, codes in zip(picture.cells, picture.inks, strict=True)]
    return [*rows, *(signs.clean(f"  {note}") for note in picture.notes), *_legend(curves, metric, letters, signs)]


def _put_letters(picture: Picture, ink: int, letter: str, place: int) -> None:
    """A curve's letter on it, here and there: at other columns than those of the other curves."""
    wide = picture.cells.shape[1]
    first = picture.left + 2 + place * 4 % _APART
    for column in (*range(first, wide, _APART), wide - 1 - place * 2):
        for near in range(column, min(column + 4, wide)):
            rows = (picture.inks[:, near] == ink).nonzero()[0]
            if len(rows):
                picture.cells[rows[0], near] = ord(letter)
                break


def _line(cells: Any, codes: Any, inks: _Inks, signs: _Signs) -> str:  # noqa: ANN401 - arrays
    text = "".join(map(chr, cells.tolist()))
    if not signs.colour:
        return text.rstrip()
    parts: list[str] = []
    start = 0
    for end in range(1, len(text) + 1):
        if end == len(text) or codes[end] != codes[start]:
            parts.append(_painted(text[start:end], inks.known[int(codes[start])]))
            start = end
    return "".join(parts)


def _painted(text: str, style: tuple[str, ...]) -> str:
    if not text.strip() or style[0] == "back":
        return text
    if style[0] in ("run", "dim"):
        return f"\x1b[{'2;' if style[0] == 'dim' else ''}{_colour(style[1])}m{text}\x1b[0m"
    return f"\x1b[{'1;31' if style[0] == 'event' else '2'}m{text}\x1b[0m"


def _colour(name: str) -> str:
    """A colour of the palette as the terminal takes it; black, which is for paper, is the terminal's own text."""
    if name == "#000000":
        return "39"
    parts = [int(name[at : at + 2], 16) for at in (1, 3, 5)]
    if os.environ.get("COLORTERM") in ("truecolor", "24bit"):
        return "38;2;" + ";".join(map(str, parts))
    red, green, blue = (round(part / 255 * 5) for part in parts)
    return f"38;5;{16 + 36 * red + 6 * green + blue}"


def _legend(curves: Sequence[Curve], metric: Metric, letters: Mapping[int, str], signs: _Signs) -> list[str]:
    """A line a run: its mark, its name, its last and its best value and where that was; the best run's has a star."""
    from mlhub.text import fit, pad, width

    rows = []
    for curve in sorted(curves, key=lambda curve: curve.run_id):
        last, best, where = _ends(curve, metric)
        rows.append((curve, fit(curve.name, 32), f"last {last}", f"{best} at {where}" if where else ""))
    rest = max((10 + width(last) + width(best) for _, _, last, best in rows), default=0)
    rows = [(curve, fit(name, max(8, signs.columns - rest)), last, best) for curve, name, last, best in rows]
    names = max((width(row[1]) for row in rows), default=0)
    lasts = max((width(row[2]) for row in rows), default=0)
    top = _top(curves, metric)
    lines = []
    for curve, name, last, best in rows:
        mark = signs.pick("●", "*") if signs.colour or len(curves) == 1 else letters[curve.run_id]
        shown = _painted(mark, ("run", curve.colour)) if signs.colour else mark
        star = signs.pick(" ★", " *") if curve.run_id == top else ""
        text = f"{pad(name, names)}  {pad(last, lasts)}  {best}{star}".rstrip()
        lines.append(f"  {shown} {signs.clean(fit(text, signs.columns - 4))}")
    return lines


def _ends(curve: Curve, metric: Metric) -> tuple[str, str, str]:
    """The last value, the best with its name, and the step of that; empty, where there is none."""
    from mlhub.text import number

    points = curve.series.points
    last = curve.series.recorded(len(points) - 1) if len(points) else None
    at = points.best_at(metric.direction)
    if at is None:
        return number(last), "", ""
    return number(last), f"{metric.direction} {number(float(points.value[at]))}", number(int(points.step[at]))


def _top(curves: Sequence[Curve], metric: Metric) -> int | None:
    """The run whose curve reaches the best value, where one is best."""
    return metric.leader({curve.run_id: curve.series.points.reached(metric.direction) for curve in curves})
