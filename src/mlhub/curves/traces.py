"""From points to what is drawn of them: buckets with their extremes, smoothing, lines in dots. Pure numpy.

A window of up to a million points costs a fraction of a millisecond: where many fall into one column, sums and extremes
of whole blocks are taken (`curves.points`). Axes are `mlhub.curves.axes`', the picture is put together in `plot`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlhub.curves.dots import BITS
from mlhub.curves.points import BLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlhub.curves.decode import Floats
    from mlhub.curves.points import Points

    Bits = NDArray[np.uint8]

#: strengths of smoothing and the share of the picture's width that a value weighs on
SMOOTHING = {0.0: 0.0, 0.6: 0.007, 0.9: 0.025, 0.97: 0.07}


def share_of(strength: float) -> float:
    """The share of the picture's width that a value weighs on, of a strength from 0 (none) to 1."""
    return float(np.interp(strength, [*SMOOTHING, 1.0], [*SMOOTHING.values(), 0.25]))


#: exponents beyond it are left for the next part of `smooth`
_PART = 300.0
#: a value's weight after so many time constants is nothing
_REACH = 6.0
#: blocks stand for their points where a column has at least so many of them
_BLOCKS = 4
_BRAILLE = np.array(BITS, np.uint8)


class Buckets(NamedTuple):
    """Of each bucket the least, greatest and mean value (NaN if it has none), and how many points, gaps included."""

    low: Floats
    high: Floats
    mean: Floats
    size: NDArray[np.intp]


def bucket(points: Points, edges: Floats, *, by_time: bool = False) -> Buckets:
    """The points from each edge to the next; `edges` ascend, in steps or in seconds."""
    x = points.time if by_time else points.step
    first, last = np.searchsorted(x, (edges[0], edges[-1]))
    if last - first > _BLOCKS * BLOCK * len(edges):
        return _bucket_blocks(points, x, edges, int(first), int(last))
    x, value = x[first:last], points.value[first:last]
    there = value == value  # noqa: PLR0124 - faster than isnan
    total = value if there.all() else np.where(there, value, 0.0)
    return _reduce(np.searchsorted(x, edges), (value, value, total, there.astype(float)), 1)


def _bucket_blocks(points: Points, x: Floats, edges: Floats, first: int, last: int) -> Buckets:
    """By whole blocks; what follows the last whole one counts as a block too."""
    start, end = first // BLOCK, min(-(-last // BLOCK), len(points.low))
    columns = [points.low[start:end], points.high[start:end], points.total[start:end], points.count[start:end]]
    heads = x[start * BLOCK : end * BLOCK : BLOCK]
    rest = points.value[end * BLOCK : last]
    if len(rest):
        there = rest[np.isfinite(rest)]
        ends = (np.fmin.reduce(rest), np.fmax.reduce(rest), there.sum(), float(len(there)))
        columns = [np.append(column, value) for column, value in zip(columns, ends, strict=True)]
        heads = np.append(heads, x[end * BLOCK])
    return _reduce(np.searchsorted(heads, edges), columns, BLOCK)


def _reduce(at: NDArray[np.intp], columns: Sequence[Floats], each: int) -> Buckets:
    """`at`: where each bucket begins; `columns`: least, greatest, sum and count."""
    low, high, total, count = columns
    size = np.diff(at)
    if not len(low):
        empty = np.full(len(size), np.nan)
        return Buckets(empty, empty, empty, size)
    begin = np.minimum(at[:-1], len(low) - 1)
    limit = int(at[-1])
    low, high, total, count = (column[: max(limit, int(begin[-1]) + 1)] for column in (low, high, total, count))
    found = np.add.reduceat(count, begin)
    none = (size == 0) | (found == 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.add.reduceat(total, begin) / found
    lows, highs = np.fmin.reduceat(low, begin), np.fmax.reduceat(high, begin)
    lows[none] = highs[none] = mean[none] = np.nan
    return Buckets(lows, highs, mean, size * each)


def smooth(x: Floats, y: Floats, reach: float) -> Floats:
    """Exponential mean of `y` over ascending `x`: a value's weight falls to 1/e over `reach`. NaN stays NaN.

    Weights sum to one from the first value on (no bias towards zero). In parts, within which exp() can't overflow.
    """
    if reach <= 0 or len(x) < 2:
        return y
    there = y == y  # noqa: PLR0124 - faster than isnan
    scaled = (x - x[0]) / reach
    result = np.full(len(y), np.nan)
    total = weight = 0.0
    start, origin = 0, 0.0
    while start < len(x):
        end = int(np.searchsorted(scaled, scaled[start] + _PART, side="right"))
        fade = np.exp(origin - scaled[start])
        grown = np.exp(scaled[start:end] - scaled[start])
        weights = np.cumsum(np.where(there[start:end], grown, 0.0)) + weight * fade
        totals = np.cumsum(np.where(there[start:end], y[start:end] * grown, 0.0)) + total * fade
        with np.errstate(invalid="ignore", divide="ignore"):
            result[start:end] = totals / weights
        total, weight, origin = totals[-1] / grown[-1], weights[-1] / grown[-1], float(scaled[end - 1])
        start = end
    result[~there] = np.nan
    return result


class Trace(NamedTuple):
    """A curve by columns of dots: the line, and the raw values' extremes around it; NaN where nothing is drawn."""

    line: Floats
    low: Floats
    high: Floats


def trace(points: Points, edges: Floats, reach: float = 0.0, *, by_time: bool = False) -> Trace:
    """The curve between the first and the last edge, smoothed over `reach` columns."""
    columns = len(edges) - 1
    x = points.time if by_time else points.step
    first, last = (int(at) for at in np.searchsorted(x, (edges[0], edges[-1])))
    if last - first <= 2 * columns or edges[-1] <= edges[0]:
        return _trace_few(points, x, edges, reach, (first, last))
    margin = min(int(_REACH * reach) + 1, 2 * columns) if reach else 1
    wide = (edges[-1] - edges[0]) / columns
    ahead = edges[0] - wide * np.arange(margin, 0, -1)
    found = bucket(points, np.concatenate((ahead, edges)), by_time=by_time)
    at = np.flatnonzero(found.size)
    centres: Floats = at - margin + np.float64(0.5)
    line = smooth(centres, found.mean[at], reach)
    low, high = (values[margin:] for values in (found.low, found.high))
    return Trace(_join(centres, line, columns), low, high)


def _trace_few(points: Points, x: Floats, edges: Floats, reach: float, within: tuple[int, int]) -> Trace:
    """Fewer points than columns: straight lines from one to the next, those just outside included."""
    columns = len(edges) - 1
    wide = (edges[-1] - edges[0]) / columns or 1.0
    start = int(np.searchsorted(x, edges[0] - _REACH * reach * wide)) if reach else within[0]
    start = max(0, min(start, within[0]) - 1)
    start = max(start, within[0] - 4 * columns)
    end = min(len(x), within[1] + 1)
    at, value = x[start:end], points.value[start:end]
    centres = np.interp(at, edges, np.arange(columns + 1)) if len(at) else at
    outside = (at < edges[0]) | (at > edges[-1])
    centres = np.where(outside, (at - edges[0]) / wide, centres)
    centres = np.where(np.isfinite(centres), centres, -1e9)
    raw = _join(centres, value, columns)
    line = _join(centres, smooth(centres, value, reach), columns) if reach else raw
    return Trace(line, raw, raw)


def _join(at: Floats, value: Floats, columns: int) -> Floats:
    """Columns of straight lines through the values, broken where one of them is NaN."""
    there = np.isfinite(value)
    known, heights = at[there], value[there]
    line = np.full(columns, np.nan)
    if not len(known):
        return line
    centres = np.arange(columns) + 0.5
    part = np.searchsorted(known, centres, side="right")
    inside = (part > 0) & (part < len(known))
    line[inside] = np.interp(centres[inside], known, heights)
    if not there.all():
        broken = np.unique(np.searchsorted(known, at[~there], side="right"))
        line[np.isin(part, broken)] = np.nan
    own = np.floor(known).astype(np.intp)
    seen = (own >= 0) & (own < columns)
    alone = seen & np.isnan(line[np.clip(own, 0, columns - 1)])
    line[own[alone]] = heights[alone]
    return line


# dots


def stroke(rows: Floats, height: int) -> NDArray[np.bool_]:
    """Dots [height, columns] of a line whose columns stand at `rows` (0 at the bottom), joined to their neighbours'."""
    with np.errstate(invalid="ignore"):
        before = (rows[:-1] + rows[1:]) / 2
        left = np.concatenate((rows[:1], np.where(np.isnan(before), rows[1:], before)))
        right = np.concatenate((np.where(np.isnan(before), rows[:-1], before), rows[-1:]))
        low = np.fmin(np.fmin(left, right), rows)
        high = np.fmax(np.fmax(left, right), rows)
    low[np.isnan(rows)] = high[np.isnan(rows)] = np.nan
    return band(low, high, height)


def band(low: Floats, high: Floats, height: int) -> NDArray[np.bool_]:
    """Dots of columns filled from `low` to `high`; what is beyond the picture is cut off."""
    place = np.arange(height)[::-1, None]
    with np.errstate(invalid="ignore"):
        return (place >= np.rint(low)) & (place <= np.rint(high))


def braille(dots: NDArray[np.bool_]) -> Bits:
    """Dots [4 h, 2 w] as cells [h, w]: the bits of U+2800."""
    height, width = dots.shape
    cells = dots.reshape(height // 4, 4, width // 2, 2)
    found: Bits = (cells * _BRAILLE[None, :, None, :]).sum(axis=(1, 3), dtype=np.uint8)
    return found
