"""Curves as a figure on paper: SVG and PNG, by matplotlib (the extra `plots`), loaded only when one is drawn.

`to_svg(panels)` is for reports and papers, `to_png(panels)` for chats and slides. Curves carry their own names, and the
best is marked; no legend to search. Not the place where curves are read (`mlhub.curves`) or drawn in a terminal.
"""

from __future__ import annotations

import io
import math
from contextlib import contextmanager
from typing import Any, NamedTuple

from mlhub.errors import MlhubError
from mlhub.text import fit, number, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlhub.compare.direction import Direction


class Line(NamedTuple):
    """A run's curve: `xs` ascend; a NaN in `ys` is a gap. `colour`: `#rrggbb`, see `compare.palette`.

    `raw`: what stands pale behind it, where `ys` are smoothed; `best`: its best value is the best of all.
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    colour: str = "#0072b2"
    best: bool = False
    raw: Sequence[float] | None = None


class Panel(NamedTuple):
    """One metric of several runs."""

    title: str
    lines: Sequence[Line]
    direction: Direction | None = None


#: more curves than these have no name of their own: they stand grey behind the best (or first) ones
MOST_NAMED = 10
#: letters of a curve's name, and of a title
_NAME, _TITLE = 28, 60
#: inches
_WIDE, _HIGH, _ALONE = 6.0, 3.3, (8.4, 4.6)
_GREY, _QUIET = "#c4c4c4", "#5c656e"
#: families with Hangul, kana and Chinese letters, as systems have them; asked for only where they are installed
_EASTERN = (
    "Noto Sans CJK KR", "Noto Sans KR", "Noto Sans CJK JP", "Noto Sans CJK SC", "NanumGothic", "Malgun Gothic",
    "Apple SD Gothic Neo", "Source Han Sans KR", "Source Han Sans", "UnDotum", "WenQuanYi Zen Hei",
)  # fmt: skip


def to_svg(panels: Sequence[Panel], *, x: str = "step", log_y: bool = False, title: str = "") -> str:
    """An `<svg>` element with a panel a metric; words in it are text, in the reader's own sans-serif font.

    The same input gives the same bytes. `x`: what the x axis counts; seconds, if its name says `time`. Raises
    MlhubError without matplotlib.
    """
    with _matplotlib():
        figure = _figure(panels, x, title, log_y=log_y)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": "mlhub"})
    text = out.getvalue()
    return text[text.index("<svg") :]


def to_png(
    panels: Sequence[Panel], *, x: str = "step", log_y: bool = False, title: str = "", dots_an_inch: int = 150
) -> bytes:
    """As `to_svg`, as the bytes of a PNG file."""
    with _matplotlib():
        out = io.BytesIO()
        _figure(panels, x, title, log_y=log_y).savefig(
            out, format="png", dpi=dots_an_inch, metadata={"Software": "mlhub"}
        )
    return out.getvalue()


@contextmanager
def _matplotlib() -> Iterator[None]:
    """Our own settings, whatever the user's are: names are no formulas, and no font is missed aloud."""
    import logging
    import warnings

    try:
        import matplotlib as mpl
        from matplotlib import font_manager
    except ImportError:
        raise MlhubError("figures need matplotlib, which is not installed", "pip install 'mlhub[plots]'") from None
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    there = {font.name for font in font_manager.fontManager.ttflist}
    families = ["DejaVu Sans", *(family for family in _EASTERN if family in there)]
    settings: Any = {
        "font.family": families, "font.size": 9, "text.parse_math": False, "text.usetex": False,
        "svg.fonttype": "none", "svg.hashsalt": "mlhub", "axes.spines.top": False, "axes.spines.right": False,
        "axes.edgecolor": _QUIET, "xtick.color": _QUIET, "ytick.color": _QUIET, "axes.labelcolor": _QUIET,
        "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#e6e6e6", "axes.axisbelow": True,
        "axes.formatter.useoffset": False, "path.simplify": True, "agg.path.chunksize": 10000,
    }  # fmt: skip
    with warnings.catch_warnings(), mpl.rc_context():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing")  # a letter no font here has is a box
        warnings.filterwarnings("ignore", message="Data has no positive values")  # the panel says so itself
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        yield


def _figure(panels: Sequence[Panel], x: str, title: str, *, log_y: bool) -> Any:  # noqa: ANN401 - matplotlib's Figure
    from matplotlib.figure import Figure

    columns = 1 if len(panels) < 2 else 2
    rows = max(1, -(-len(panels) // columns))
    size = _ALONE if len(panels) < 2 else (_WIDE * columns, _HIGH * rows)
    figure = Figure(figsize=size, layout="constrained")
    if title:
        figure.suptitle(fit(one_line(title), 2 * _TITLE), x=0.01, ha="left", fontweight="bold")
    if not panels:
        figure.text(0.5, 0.5, "no curves", ha="center", color=_QUIET)
    for index, panel in enumerate(panels):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw(axes, panel, x, log_y=log_y)
    for axes, panel in zip(figure.axes, panels, strict=True):
        _name_curves(axes, panel, 0.75 * size[1] / rows)
    return figure


def _draw(axes: Any, panel: Panel, x: str, *, log_y: bool) -> None:  # noqa: ANN401
    arrow = {"max": " ↑", "min": " ↓"}.get(panel.direction or "", "")
    axes.set_title(fit(one_line(panel.title), _TITLE) + arrow, loc="left", fontsize=10)
    axes.set_xlabel(one_line(x), loc="right")
    if log_y:
        axes.set_yscale("log", nonpositive="mask")
    named = named_lines(panel)
    for place, line in enumerate(panel.lines):
        colour, width = (line.colour, 2.4 if line.best else 1.5) if place in named else (_GREY, 0.8)
        level = 3 + line.best if place in named else 2
        if line.raw is not None:
            axes.plot(line.xs, _finite(line.raw), color=colour, linewidth=0.7, alpha=0.3, zorder=level - 0.5)
        marker = "o" if _count(line.ys) < 2 else None
        axes.plot(line.xs, _finite(line.ys), color=colour, linewidth=width, marker=marker, markersize=4, zorder=level)
        if line.best and (best := best_point(line, panel.direction)) is not None:
            axes.plot(*best, marker="*", markersize=12, color=colour, markeredgecolor="black", zorder=6, clip_on=False)
    values = [value for line in panel.lines for value in line.ys if math.isfinite(value)]
    if not values or (log_y and max(values) <= 0):
        words = "no values above 0" if values else "no number to draw"
        axes.text(0.5, 0.5, words, ha="center", transform=axes.transAxes, color=_QUIET)
    _put_ticks(axes, x, log_y=log_y)


def _put_ticks(axes: Any, x: str, *, log_y: bool) -> None:  # noqa: ANN401
    """The screen's ticks and words: `12k`, `1h30`."""
    from mlhub.curves.axes import axis_ticks, log_short, log_ticks

    limits = axes.get_xlim()
    found = axis_ticks({"relative time": "time", "time": "clock"}.get(x, x), limits[0], limits[1], 7)
    axes.set_xticks([place for place, _ in found], [words for _, words in found])
    axes.set_xlim(limits)
    if log_y:
        axes.minorticks_off()
        low, high = axes.get_ylim()
        places = log_ticks(low, high, 8)
        axes.set_yticks(places, [log_short(place) for place in places])


def named_lines(panel: Panel) -> set[int]:
    """Which of a panel's lines have names: all, if they are few, else those with the best values."""
    if len(panel.lines) <= MOST_NAMED:
        return set(range(len(panel.lines)))
    sign = -1 if panel.direction == "max" else 1

    def place(index: int) -> tuple[bool, float, int]:
        best = best_point(panel.lines[index], panel.direction)
        return best is None, sign * best[1] if best and panel.direction else 0.0, index

    return set(sorted(range(len(panel.lines)), key=place)[:MOST_NAMED])


def best_point(line: Line, direction: Direction | None) -> tuple[float, float] | None:
    """Where a curve's own best value stands first; its last one, where no direction is known."""
    values = line.ys if line.raw is None else line.raw
    found = [(float(x), float(y)) for x, y in zip(line.xs, values, strict=True) if math.isfinite(y)]
    if not found:
        return None
    if direction is None:
        return found[-1]
    return (max if direction == "max" else min)(found, key=lambda point: point[1])


def _name_curves(axes: Any, panel: Panel, inches: float) -> None:  # noqa: ANN401
    """The names at the ends of curves, moved apart where they would lie on each other; the axis is so high."""
    named = named_lines(panel)
    to_share = axes.transScale + axes.transLimits
    ends = []
    for place, line in enumerate(panel.lines):
        points = zip(reversed(line.xs), reversed(line.ys), strict=True)
        last = next(((x, y) for x, y in points if math.isfinite(y)), None)
        if place in named and last is not None:
            height = float(to_share.transform(last)[1])
            ends.append((height if math.isfinite(height) else 0.0, last, line))
    heights = spread_out([height for height, _, _ in ends], 11 / 72 / inches, 0.0, 1.0)
    more = len(panel.lines) - len(named)
    for (_, last, line), height in zip(ends, heights, strict=True):
        words = f"{'★ ' if line.best else ''}{fit(one_line(line.name), _NAME)}  {number(float(last[1]))}"
        axes.annotate(
            words, xy=(1.0, height), xycoords="axes fraction", xytext=(6, 0),
            textcoords="offset points", color=_readable(line.colour), fontsize=8, va="center",
            fontweight="bold" if line.best else "normal", annotation_clip=False,
        )  # fmt: skip
    if more:
        axes.annotate(
            f"and {more} more, grey", xy=(1.0, 0.0), xycoords="axes fraction", xytext=(0, -26), ha="right",
            textcoords="offset points", color=_QUIET, fontsize=7, annotation_clip=False,
        )  # fmt: skip


def spread_out(heights: Sequence[float], apart: float, low: float, high: float) -> list[float]:
    """Heights at least `apart` from each other, as near to where they were as that lets them, in the same order."""
    order = sorted(range(len(heights)), key=lambda index: heights[index])
    found = [0.0] * len(heights)
    below = -math.inf
    for index in order:
        below = found[index] = max(heights[index], below + apart, low)
    above = math.inf
    for index in reversed(order):  # what was pushed out at the top comes back
        above = found[index] = min(found[index], above - apart, high)
    return found


def _finite(values: Sequence[float]) -> list[float]:
    """Infinities are gaps: no axis has room for them."""
    return [float(value) if math.isfinite(value) else math.nan for value in values]


def _count(values: Sequence[float]) -> int:
    return sum(1 for value in values if math.isfinite(value))


def _readable(colour: str) -> str:
    """A colour dark enough for small letters on white."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    bright = (0.299 * parts[0] + 0.587 * parts[1] + 0.114 * parts[2]) / 255
    factor = min(1.0, 0.5 / bright) if bright else 1.0
    return "#" + "".join(f"{round(part * factor):02x}" for part in parts)
