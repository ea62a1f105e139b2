"""A chart as a picture of cells: curves, axes, cursor. Pure: from curves and a size to characters and inks.

An ink is a small number that stands for a style; the widget knows which (`mlhub.tui.charts.chart`).
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlhub.curves import axes
from mlhub.curves.points import LARGEST
from mlhub.curves.traces import band, braille, share_of, stroke, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mlhub.curves.axes import Curve, Scale
    from mlhub.curves.decode import Floats
    from mlhub.curves.traces import Trace

    Inks = Callable[..., int]

#: marks of what can't be drawn, as a glyph and as a letter: no number; infinite, or too large for any scale
NO_NUMBER, INFINITE = ("✖", "x"), ("∞", "i")
#: from so many rows on there are words below the x axis
_LABELLED = 6
#: a narrower chart has no words beside the y axis
_GUTTERED = 24
#: the raw values' part that sets the y axis while they are smoothed: a spike must not flatten the rest
_CORE = (2.0, 98.0)


class Picture(NamedTuple):
    """`cells` are code points, `inks` their styles [height, width]. `x`, `y`: the ranges shown; `left`: the gutter."""

    cells: NDArray[np.uint32]
    inks: NDArray[np.int16]
    x: tuple[float, float] | None
    y: tuple[float, float] | None
    left: int
    notes: tuple[str, ...]


class _Shape(NamedTuple):
    """One curve's part in dots."""

    curve: Curve
    now: Trace
    old: list[Trace]
    raw: bool  # whether its raw values are shown beside the smoothed ones: of the last one alone, or it is no picture


@dataclass(frozen=True, slots=True)
class Glyphs:
    """What the terminal can show. `tall`, `wide`: dots of a cell. `colour`: whether what is dimmed differs."""

    unicode: bool = True
    colour: bool = True

    @property
    def tall(self) -> int:
        return 4 if self.unicode else 2

    @property
    def wide(self) -> int:
        return 2 if self.unicode else 1

    @property
    def rule(self) -> int:
        """Of the grid; no character of a curve."""
        return ord("┈" if self.unicode else "-")

    @property
    def haze(self) -> bool:
        """Whether raw values can be told from the smoothed line."""
        return self.unicode and self.colour


class Plotter:
    """Draws one chart again and again; keeps the y axis as long as it serves, and the picture while a cursor moves."""

    def __init__(self) -> None:
        self._y: tuple[float, float] | None = None
        self._kept: tuple[object, ...] = ()
        self._left = 6
        self._drawn: tuple[object, ...] = ()
        self._picture: Picture | None = None

    def draw(
        self, curves: Sequence[Curve], scale: Scale, width: int, height: int, inks: Inks, glyphs: Glyphs
    ) -> Picture:
        """The picture, `width` by `height` cells; without words at the axes if it is small."""
        drawn = (tuple(curves), replace(scale, cursor=None), width, height, inks, glyphs)
        if self._picture is None or drawn != self._drawn:
            self._picture, self._drawn = self._make(curves, scale, width, height, inks, glyphs), drawn
        found = self._picture
        if scale.cursor is not None:
            found = found._replace(cells=found.cells.copy(), inks=found.inks.copy())
            _paint_cursor(found, scale, height - 1 if height >= _LABELLED else height, inks, glyphs)
        return found

    def _make(
        self, curves: Sequence[Curve], scale: Scale, width: int, height: int, inks: Inks, glyphs: Glyphs
    ) -> Picture:
        x = scale.window or axes.span(curves, scale.axis)
        blank = np.full((height, width), 0x20, np.uint32), np.full((height, width), inks("back"), np.int16)
        if x is None or width < 4 or height < 1:
            return Picture(*blank, None, None, 0, ())
        rows = height - 1 if height >= _LABELLED else height
        left = self._left if width >= _GUTTERED else 0
        shapes = _shapes(curves, scale, np.linspace(*x, (width - left) * glyphs.wide + 1))
        y = self._range(
            shapes, scale, (tuple(curve.run_id for curve in curves), scale.log, scale.axis, scale.smoothing)
        )
        if y is None:
            return Picture(*blank, x, None, 0, ("no values above 0",) if scale.log else ())
        labels = _y_labels(y, rows, log=scale.log)
        needed = max((len(words) for _, words in labels), default=0) + 1
        if left and needed != left:  # the room for the curves is another one
            left = self._left = needed
            shapes = _shapes(curves, scale, np.linspace(*x, (width - left) * glyphs.wide + 1))
        notes = ("≤0 left out" if glyphs.unicode else "<=0 left out",) if scale.log and _below(shapes) else ()
        picture = Picture(*blank, x, y, left, notes)
        _paint_grid(picture, labels, scale, rows, inks, glyphs)
        _paint_curves(picture, shapes, scale, rows, inks, glyphs)
        _paint_events(picture, curves, scale, rows, inks, glyphs)
        if height > rows:
            _paint_x(picture, scale, inks)
        return picture

    def _range(self, shapes: list[_Shape], scale: Scale, kept: tuple[object, ...]) -> tuple[float, float] | None:
        """The y axis: as it was, as long as the curves fill most of it and none leaves it."""
        found = _extent(shapes, scale)
        if found is None:
            return None
        low, high = found
        if self._y is not None and kept == self._kept:
            bottom, top = self._y
            if bottom <= low and high <= top and _size(found, scale.log) > 0.6 * _size(self._y, scale.log):
                return self._y
        self._y, self._kept = _padded(low, high, log=scale.log), kept
        return self._y


def _size(pair: tuple[float, float], log: bool) -> float:
    return math.log(pair[1]) - math.log(pair[0]) if log else pair[1] - pair[0]


def _shapes(curves: Sequence[Curve], scale: Scale, marks: Floats) -> list[_Shape]:
    reach = share_of(scale.smoothing) * (len(marks) - 1)
    found = []
    for curve in curves:
        edges, by_time = axes.places(curve, marks, scale.axis)
        if np.isnan(edges).any():
            continue
        now = trace(curve.series.points, edges, reach, by_time=by_time)
        old = [trace(part, edges, reach, by_time=by_time) for part in curve.series.superseded]
        found.append(_Shape(curve, now, old, scale.smoothing > 0 and curve is curves[-1]))
    return found


def _below(shapes: list[_Shape]) -> bool:
    """Whether there are values that have no logarithm."""
    return any(bool((shape.now.low <= 0).any()) for shape in shapes)


def _extent(shapes: list[_Shape], scale: Scale) -> tuple[float, float] | None:
    """The least and greatest value to be seen: all of the lines, and the core of the raw values."""
    parts = []
    for shape in shapes:
        for part in (shape.now, *shape.old):
            parts.append(part.line[np.isfinite(part.line)])
            raw = np.concatenate((part.low, part.high))
            raw = raw[np.isfinite(raw)]
            if len(raw) and shape.raw:
                parts.append(np.percentile(raw, _CORE))
            elif len(raw) and not scale.smoothing:
                parts.append(raw)
    values = np.concatenate(parts) if parts else np.array([])
    if scale.log:
        values = values[values > 0]
        raw = np.concatenate([part for shape in shapes for part in (shape.now.low, shape.now.high)] or [values])
        raw = raw[raw > 0]
        if len(raw):  # among zeros the smoothed line falls for ever
            values = np.maximum(values, raw.min())
    return (float(values.min()), float(values.max())) if len(values) else None


def _padded(low: float, high: float, *, log: bool) -> tuple[float, float]:
    """A little more room than needed, its ends round enough to last."""
    if log:
        room = max((math.log10(high) - math.log10(low)) * 0.04, 0.01)
        return max(low / 10**room, min(low, sys.float_info.min)), min(high * 10**room, LARGEST)
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        room = abs(low) * 0.1 or 1.0
        return low - room, high + room
    room = (high - low) * 0.04
    bottom, top = low - room, high + room
    return (0.0 if bottom < 0 <= low else bottom), (0.0 if top > 0 >= high else top)


def _y_labels(y: tuple[float, float], rows: int, *, log: bool) -> list[tuple[float, str]]:
    """Ticks of the y axis, each on a row of its own."""
    most = max(1, min(8, (rows + 1) // 3)) if rows > 3 else 2
    if log:
        found = axes.log_ticks(*y, max(2, most))
        return [(value, axes.log_short(value)) for value in found]
    found = axes.ticks(*y, max(2, most))
    return [(value, axes.short(value, found)) for value in found]


def _place(value: float, y: tuple[float, float], *, log: bool) -> float:
    """Where on the y axis a value is, from 0 to 1."""
    low, high = y
    if log:
        return (math.log(value) - math.log(low)) / (math.log(high) - math.log(low))
    return (value - low) / (high - low)


def _heights(values: Floats, y: tuple[float, float], dots: int, *, log: bool) -> Floats:
    """Rows of dots from below."""
    low, _ = y
    with np.errstate(invalid="ignore", divide="ignore"):
        wide = _size(y, log)
        share = (np.log(values) - math.log(low)) / wide if log else (values - low) / wide
        if log:
            share = np.where(values > 0, share, np.where(values <= 0, -1.0, np.nan))
    return np.clip(share * (dots - 1), -1e6, 1e6)


def _paint_grid(
    picture: Picture, labels: list[tuple[float, str]], scale: Scale, rows: int, inks: Inks, glyphs: Glyphs
) -> None:
    if picture.y is None:
        return
    quiet, faint = inks("label"), inks("grid")
    for value, words in labels:
        row = round((1 - _place(value, picture.y, log=scale.log)) * (rows - 1))
        if not 0 <= row < rows:
            continue
        picture.cells[row, picture.left :: 1 if glyphs.unicode else 4] = glyphs.rule
        picture.inks[row, picture.left :] = faint
        if picture.left:
            _write(picture, row, picture.left - 1 - len(words), words, quiet)


def _write(picture: Picture, row: int, x: int, words: str, ink: int) -> None:
    """Words of one-column characters; what has no room is cut off."""
    words = words[max(0, -x) : max(0, picture.cells.shape[1] - x)]
    x = max(0, x)
    picture.cells[row, x : x + len(words)] = [ord(letter) for letter in words]
    picture.inks[row, x : x + len(words)] = ink


def _paint_curves(picture: Picture, shapes: list[_Shape], scale: Scale, rows: int, inks: Inks, glyphs: Glyphs) -> None:
    """Raw values and what was superseded dimmed, under the lines; where lines cross, a cell is the last one's."""
    if picture.y is None:
        return
    tall = rows * glyphs.tall
    faint, lines = [], []
    for shape in shapes:
        y = picture.y
        faint += [(stroke(_heights(part.line, y, tall, log=scale.log), tall), shape.curve) for part in shape.old]
        low, high, line = (
            _heights(values, picture.y, tall, log=scale.log)
            for values in (shape.now.low, shape.now.high, shape.now.line)
        )
        dots = stroke(line, tall)
        if shape.raw and glyphs.haze:
            faint.append((_raw(low, high, tall), shape.curve))
        elif not scale.smoothing:
            dots |= band(low, high, tall)
        lines.append((dots, shape.curve))
    for layer, dim in ((faint, True), (lines, False)):
        bits, colours = _merge(layer, inks, glyphs, dim=dim)
        if bits is not None:
            shown = bits > 0
            area = picture.cells[:rows, picture.left :], picture.inks[:rows, picture.left :]
            area[0][shown] = _characters(bits[shown], glyphs)
            area[1][shown] = colours[shown]


def _raw(low: Floats, high: Floats, tall: int) -> NDArray[np.bool_]:
    """The raw values: a line where a column has one, else the span of them."""
    same = low == high
    return stroke(np.where(same, low, np.nan), tall) | band(low, high, tall)


def _merge(
    layer: list[tuple[NDArray[np.bool_], Curve]], inks: Inks, glyphs: Glyphs, *, dim: bool
) -> tuple[NDArray[np.uint8] | None, NDArray[np.int16]]:
    total: NDArray[np.uint8] | None = None
    colours = np.zeros((0, 0), np.int16)
    for dots, curve in layer:
        bits = braille(dots) if glyphs.unicode else _halves(dots)
        if total is None:
            total, colours = np.zeros_like(bits), np.zeros(bits.shape, np.int16)
        here = bits > 0
        colours[here] = inks("dim" if dim else "run", curve.colour)
        total[here] = bits[here] | (total[here] if dim else 0)  # lines keep their colours, a haze is a haze
    return total, colours


def _halves(dots: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Two dots above each other: 1 the lower, 2 the upper."""
    return np.where(dots[::2], 2, 0).astype(np.uint8) + dots[1::2].astype(np.uint8)


def _characters(bits: NDArray[np.uint8], glyphs: Glyphs) -> NDArray[np.uint32]:
    if glyphs.unicode:
        return bits.astype(np.uint32) + 0x2800
    return np.array([ord(letter) for letter in " .':"], np.uint32)[bits]


def column_of(picture: Picture, x: float) -> int | None:
    """The column of cells at a place on the x axis; None outside."""
    if picture.x is None:
        return None
    low, high = picture.x
    columns = picture.cells.shape[1] - picture.left
    column = math.floor((x - low) / (high - low) * columns)
    column = columns - 1 if x == high else column
    return picture.left + column if 0 <= column < columns else None


def x_of(picture: Picture, column: float) -> float | None:
    """The place on the x axis at the middle of a column of cells."""
    if picture.x is None:
        return None
    low, high = picture.x
    columns: int = picture.cells.shape[1] - picture.left
    inside = min(max(column - picture.left, 0.0), columns - 1.0)
    return low + (inside + 0.5) / columns * (high - low)


def _paint_events(
    picture: Picture, curves: Sequence[Curve], scale: Scale, rows: int, inks: Inks, glyphs: Glyphs
) -> None:
    """Where a metric was not a number, or infinite: a mark on the lowest row, of the worst that is there."""
    if picture.x is None:
        return
    columns = picture.cells.shape[1] - picture.left
    marks = np.linspace(*picture.x, columns + 1)
    for curve in curves:
        events = curve.series.events
        if not len(events):
            continue
        edges, by_time = axes.places(curve, marks, scale.axis)
        at = events.time if by_time else events.step
        column = np.searchsorted(edges, at, side="right") - 1
        column[at == edges[-1]] = columns - 1
        seen = (column >= 0) & (column < columns)
        nan = np.isnan(events.value)
        for old, which, mark in ((old, which, mark) for old in (True, False)
                                 for which, mark in ((~nan, INFINITE), (nan, NO_NUMBER))):  # fmt: skip
            here = picture.left + column[seen & which & (events.old == old)]
            picture.cells[rows - 1, here] = ord(mark[0] if glyphs.unicode else mark[1])
            picture.inks[rows - 1, here] = inks("label" if old else "event")


def _paint_x(picture: Picture, scale: Scale, inks: Inks) -> None:
    if picture.x is None:
        return
    row, width = picture.cells.shape[0] - 1, picture.cells.shape[1]
    ink, taken = inks("label"), 0
    for value, words in axes.axis_ticks(scale.axis, *picture.x, max(2, (width - picture.left) // 9)):
        column = column_of(picture, value)
        if column is None:
            continue
        start = min(max(column - len(words) // 2, picture.left), width - len(words))
        if start >= taken:
            _write(picture, row, start, words, ink)
            taken = start + len(words) + 1


def _paint_cursor(picture: Picture, scale: Scale, rows: int, inks: Inks, glyphs: Glyphs) -> None:
    """A line down the column of the cursor, behind the curves."""
    column = None if scale.cursor is None else column_of(picture, scale.cursor)
    if column is None:
        return
    cells = picture.cells[:rows, column]
    free = (cells == 0x20) | (cells == glyphs.rule)
    cells[free] = ord("│" if glyphs.unicode else "|")
    picture.inks[:rows, column][free] = inks("cursor")
