"""Axes: from what a chart counts by to a curve's own places, the part that is shown, ticks and their words. Pure."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlhub.text import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.curves.decode import Floats
    from mlhub.curves.follower import MetricSeries
    from mlhub.curves.points import Points

#: what x may be, and in words
AXES = {"step": "step", "time": "relative time", "clock": "wall time", "epoch": "epoch"}
#: a cursor so far behind a curve's end, as a share of its length, still reads its last point
_BEYOND = 0.02
#: a narrower step between ticks has no round number
_LEAST = 1e-300
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
#: distances between ticks of time, in seconds
_TIMES = (1, 2, 5, 10, 15, 30, _MINUTE, 120, 300, 600, 900, 1800, _HOUR, 7200, 10800, 21600, 43200, _DAY, 2 * _DAY,
          7 * _DAY, 14 * _DAY, 30 * _DAY, 90 * _DAY, 365 * _DAY)  # fmt: skip


class Curve(NamedTuple):
    """A metric of one run as it is drawn. `name` is clean. `first`: time of the run's first record.

    `epochs`: step and number of each epoch's beginning. `by_time`: its records have no steps; `pace` then says which
    step the run was at. `live`: more points are to come.
    """

    run_id: int
    name: str
    colour: str
    series: MetricSeries
    first: float = math.nan
    epochs: tuple[tuple[float, float], ...] = ()
    by_time: bool = False
    pace: Points | None = None
    live: bool = False


@dataclass(frozen=True, slots=True)
class Scale:
    """How curves are shown. `window`: the part of the x axis, else all. `cursor`: a place on it."""

    axis: str = "step"
    window: tuple[float, float] | None = None
    log: bool = False
    smoothing: float = 0.6
    cursor: float | None = None


def places(curve: Curve, x: Floats, axis: str) -> tuple[Floats, bool]:
    """Where on the curve's own steps, or times (then True), the values `x` of the axis are."""
    if axis in ("time", "clock"):
        return (x + curve.first if axis == "time" else x), True
    if axis == "epoch":
        steps, epochs = epochs_of(curve)
        x = _extend(x, epochs, steps)
    if curve.by_time:
        pace = curve.pace
        if pace is None or len(pace) < 2:
            return np.full_like(x, np.nan), True
        sparse = slice(None, None, max(1, len(pace) // 1024))
        return _extend(x, pace.step[sparse], pace.time[sparse]), True
    return x, False


def _extend(x: Floats, known: Floats, values: Floats) -> Floats:
    """Interpolation, continued with the mean slope beyond both ends."""
    found = np.interp(x, known, values)
    if len(known) > 1 and known[-1] > known[0]:
        slope = (values[-1] - values[0]) / (known[-1] - known[0])
        found = np.where(x > known[-1], values[-1] + (x - known[-1]) * slope, found)
        found = np.where(x < known[0], values[0] + (x - known[0]) * slope, found)
    return found


def epochs_of(curve: Curve) -> tuple[Floats, Floats]:
    """Steps at which epochs begin, and their numbers; the end of the last is as far off as it was in the one before."""
    if not curve.epochs:
        return np.array([0.0, 1.0]), np.array([-2.0, -1.0])
    steps, epochs = (list(column) for column in zip(*curve.epochs, strict=True))
    last = float(curve.series.points.step[-1]) if len(curve.series.points) and not curve.by_time else steps[-1]
    length = (steps[-1] - steps[0]) / (epochs[-1] - epochs[0]) if len(steps) > 1 else last - steps[-1]
    steps.append(max(steps[-1] + max(length, 1e-9), last))
    epochs.append(epochs[-1] + 1)
    return np.array(steps), np.array(epochs)


def ends(curve: Curve, axis: str) -> tuple[float, float] | None:
    """The first and last of the curve on the axis, what was superseded included; None where the axis has no word."""
    by_time = axis in ("time", "clock") or curve.by_time
    found = _own_ends(curve, by_time=by_time)
    if found is None or axis == "clock":
        return found
    low, high = found
    if axis == "time":
        return (low - curve.first, high - curve.first) if math.isfinite(curve.first) else None
    if by_time:
        if curve.pace is None or len(curve.pace) < 2:
            return None
        low, high = np.interp((low, high), curve.pace.time, curve.pace.step).tolist()
    if axis == "epoch":
        if not curve.epochs:
            return None
        low, high = np.interp((low, high), *epochs_of(curve)).tolist()
    return low, high


def _own_ends(curve: Curve, *, by_time: bool) -> tuple[float, float] | None:
    """The least and greatest of its steps, or times."""
    parts = [part.time if by_time else part.step for part in (curve.series.points, *curve.series.superseded)]
    known = [part[int(np.searchsorted(part, -np.inf, side="right")) :] for part in parts]
    known = [part for part in known if len(part)]
    return (float(min(part[0] for part in known)), float(max(part[-1] for part in known))) if known else None


def span(curves: Sequence[Curve], axis: str) -> tuple[float, float] | None:
    """The part of the axis that shows all curves. While one is live there is room ahead, so that it seldom changes."""
    found = [pair for curve in curves if (pair := ends(curve, axis)) is not None]
    if not found:
        return None
    low, high = min(pair[0] for pair in found), max(pair[1] for pair in found)
    if 0 < low < 0.1 * high and axis != "clock":
        low = 0.0  # steps 50, 100, 150 begin at 0
    if high <= low:
        high = low + 1.0
    high = max(high, low + 64 * math.ulp(max(abs(low), abs(high))))  # steps of nanoseconds: what floats can tell apart
    if not math.isfinite(high - low):
        return None
    if any(curve.live for curve in curves):
        unit = 2 ** math.floor(math.log2(high - low)) / 2  # each new axis is all of the picture, sent anew
        ahead = low + math.ceil((high - low) / unit * 1.0001) * unit
        high = ahead if math.isfinite(ahead - low) else high
    return low, high


class Reading(NamedTuple):
    """A curve's point nearest to the cursor. `value` as recorded; None: no number, of a kind not known any more."""

    step: float
    time: float
    value: float | None

    @property
    def words(self) -> str:
        """The value's."""
        return "no number" if self.value is None else "NaN" if math.isnan(self.value) else number(self.value)


def read_at(curve: Curve, scale: Scale) -> Reading | None:
    """The point nearest to the cursor, not before the first nor far beyond the last; without a cursor the newest."""
    points = curve.series.points
    if not len(points):
        return None
    index = len(points) - 1
    if scale.cursor is not None:
        place, by_time = places(curve, np.array([scale.cursor]), scale.axis)
        x = points.time if by_time else points.step
        if not np.isfinite(place[0]):
            return None
        index = int(np.searchsorted(x, place[0], side="right")) - 1
        if 0 <= index < len(points) - 1 and x[index + 1] - place[0] < place[0] - x[index]:
            index += 1
        if index < 0 or place[0] > x[-1] + (x[-1] - x[0]) * _BEYOND:
            return None
    return Reading(float(points.step[index]), float(points.time[index]), curve.series.recorded(index))


# ticks


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers from `low` to `high`."""
    if not (math.isfinite(high - low) and (high - low) / max(most, 1) > _LEAST and most > 0):
        return []
    step = _round_step((high - low) / most)
    found = _multiples(low, high, step)
    return found if len(found) <= most else _multiples(low, high, _round_step(step * 1.01))


def _round_step(least: float) -> float:
    unit = 10.0 ** math.floor(math.log10(least))
    return next((unit * factor for factor in (1, 2, 5, 10, 20) if unit * factor >= least * 0.999999), least)


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, min(last, first + 100) + 1)]


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten from `low` to `high` (both positive); 2 and 5 of each where there is room; else round numbers."""
    if not (0 < low < high < math.inf and most > 0):
        return []
    bottom, top = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [digit * 10.0**power for power in range(bottom, top + 1) for digit in digits]
        found = [value for value in found if low <= value * 1.000001 and value <= high * 1.000001]
        if len(found) <= most:
            return found if len(found) > 1 else [value for value in ticks(low, high, most) if value > 0]
    each = -(-len(found) // most)
    return [value for value in found if round(math.log10(value)) % each == 0]


def time_ticks(low: float, high: float, most: int, *, clock: bool = False) -> list[float]:
    """Round durations or, by the reader's clock, round times."""
    if not (math.isfinite(high - low) and high > low and most > 0):
        return []
    least = (high - low) / most
    if least < 1:
        return ticks(low, high, most)
    step = next((unit for unit in _TIMES if unit >= least), None)
    if step is None:
        return ticks(low, high, most)
    offset = -time.timezone if clock else 0
    if clock and (local := _local(low)) is not None:
        offset = local.tm_gmtoff
    return [value - offset for value in _multiples(low + offset, high + offset, step)]


def axis_ticks(axis: str, low: float, high: float, most: int) -> list[tuple[float, str]]:
    """Where ticks stand on an x axis, and their words."""
    if axis in ("time", "clock"):
        found = time_ticks(low, high, most, clock=axis == "clock")
        gap = found[1] - found[0] if len(found) > 1 else high - low
        return [(value, time_words(value, gap, clock=axis == "clock")) for value in found]
    found = ticks(low, high, most)
    if axis == "epoch":
        found = [value for value in found if value == round(value)] or found
    return [(value, short(value, found)) for value in found]


def time_words(value: float, gap: float, *, clock: bool = False) -> str:
    """A tick of time as short as it can be: `2h`, `90m`, `1:30`, or of a clock `14:05`, `11-23`."""
    if clock:
        form = "%m-%d" if gap >= _DAY else "%H:%M" if gap >= _MINUTE else "%H:%M:%S"
        local = _local(value)
        return f"{value:.3g}" if local is None else time.strftime(form, local)
    if gap < 1:
        return f"{value:.3g}s"
    if gap >= _HOUR:
        return f"{value / _DAY:.3g}d" if gap >= _DAY else f"{value / _HOUR:.3g}h"
    minutes, seconds = divmod(round(value), _MINUTE)
    if gap >= _MINUTE:
        return f"{minutes // 60}h{minutes % 60:02d}" if minutes >= 60 else f"{minutes}m"
    return f"{minutes}:{seconds:02d}" if minutes else f"{seconds}s"


def _local(seconds: float) -> time.struct_time | None:
    """A time by the reader's clock; None for what is none: it may have been written in nanoseconds."""
    try:
        return time.localtime(seconds)
    except (OverflowError, ValueError, OSError):
        return None


def short(value: float, others: Sequence[float] = ()) -> str:
    """A tick's number: as many digits as tell it from the others, thousands as `12k`."""
    if value == 0:
        return "0"
    size = max((abs(other) for other in others), default=abs(value))
    gap = min((b - a for a, b in pairwise(others)), default=size) or size
    if size < 1e-4 or size >= 1e15:
        return _exponent(value)
    for unit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit * (10 if letter == "k" else 1):
            return _decimals(value / unit, gap / unit) + letter
    return _decimals(value, gap)


def _decimals(value: float, gap: float) -> str:
    digits = max(0, min(8, -math.floor(math.log10(gap) + 1e-9))) if gap > 0 else 0
    while digits < 8 and abs(round(gap, digits) - gap) > gap * 0.01:
        digits += 1
    return f"{value:.{digits}f}"


def log_short(value: float) -> str:
    """A logarithmic tick's number."""
    if 1e-3 <= value < 1e4:
        return f"{value:g}"
    return _exponent(value)


def _exponent(value: float) -> str:
    mantissa, exponent = f"{value:.3g}".partition("e")[::2] if "e" in f"{value:.3g}" else (f"{value:.1e}").split("e")
    mantissa = mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
    return f"{mantissa}e{int(exponent)}"


def place_words(axis: str, x: float) -> str:
    """A place on the axis in words: where the cursor is."""
    if axis == "clock":
        local = _local(x)
        return f"time {x:.6g}" if local is None else time.strftime("%m-%d %H:%M:%S", local)
    if axis == "time":
        seconds = max(0, round(x))
        return f"{seconds // _HOUR}:{seconds % _HOUR // 60:02d}:{seconds % 60:02d}"
    return f"epoch {x:.2f}" if axis == "epoch" else f"step {number(round(x))}"
