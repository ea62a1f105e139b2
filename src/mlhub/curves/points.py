"""A metric's points as arrays that grow at their end: thinned where too many, cut where a later attempt began.

`Points` is what others see: views of arrays that nobody changes any more. `Growing` belongs to the thread that reads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

#: points that make a block; of whole blocks the least, the greatest, the sum and the count are kept
BLOCK = 64
#: points of one metric; more are thinned
MOST = 1 << 20
#: points that are kept of what a later attempt superseded
_MOST_OLD = 1 << 15
_FIRST = 256
#: what is beyond counts as infinite: sums and weights of such values would be
LARGEST = 1e150


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Ascending steps, their records' times (ascending too, -inf where unknown), values: finite, or NaN for a gap.

    `low`, `high`, `total`, `count`: of each whole block of `BLOCK` points, NaN left out.
    """

    step: Floats
    time: Floats
    value: Floats
    low: Floats
    high: Floats
    total: Floats
    count: Floats

    def __len__(self) -> int:
        return len(self.value)

    def best_at(self, way: str | None) -> int | None:
        """Where the best finite value stands first, by `max` or `min`; None if there is none, or no way is known."""
        finite = np.flatnonzero(np.isfinite(self.value))
        if way not in ("max", "min") or not len(finite):
            return None
        values = self.value[finite]
        return int(finite[values.argmax() if way == "max" else values.argmin()])

    def reached(self, way: str | None) -> float:
        """The best finite value; NaN, where `best_at` has none."""
        at = self.best_at(way)
        return math.nan if at is None else float(self.value[at])


def make_points(step: Floats, time: Floats, value: Floats) -> Points:
    """Of points in order of their steps."""
    return Points(step, time, value, *_blocks(value))


def _blocks(value: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Least, greatest, sum and count of whole blocks."""
    whole = value[: len(value) // BLOCK * BLOCK].reshape(-1, BLOCK)
    there = whole == whole  # noqa: PLR0124 - faster than isnan
    return (
        np.fmin.reduce(whole, axis=1),
        np.fmax.reduce(whole, axis=1),
        np.where(there, whole, 0.0).sum(axis=1),
        there.sum(axis=1).astype(float),
    )


def thinned(points: Points, parts: int) -> Points:
    """Of each of at most `parts` parts of the points the least and the greatest; all of them, where they are few."""
    if len(points) <= 2 * parts:
        return points
    return make_points(*_thinned([points.step, points.time, points.value, np.ones(len(points))], parts)[:3])


class Growing:
    """Appended to by one thread. `points()` costs nothing: what it gives is never written to again."""

    def __init__(self) -> None:
        self._count = 0
        self._arrays = [np.empty(_FIRST) for _ in range(4)]  # the last: how many points each stands for
        self._done = 0  # whole blocks whose sums are known
        self._sums = [np.empty(_FIRST // BLOCK) for _ in range(4)]
        #: whether records without a step are among them: nothing supersedes those
        self.stepless = False

    def __len__(self) -> int:
        return self._count

    def append(self, step: Floats, time: Floats, value: Floats, most: int = MOST) -> None:
        """Add points; at most `most` are kept in all."""
        if len(step) == 0:
            return
        if np.any(step[1:] < step[:-1]) or (self._count and step[0] < self._arrays[0][self._count - 1]):
            self._merge(step, time, value, np.ones(len(step)))
        else:
            self._put(step, time, value, np.ones(len(step)))
        most = max(most, 4 * BLOCK)
        if self._count > most:
            self._replace(_thinned([array[: self._count] for array in self._arrays], most // 4))

    def _put(self, step: Floats, time: Floats, value: Floats, weight: Floats) -> None:
        start, end = self._count, self._count + len(step)
        self._make_room(end)
        last = self._arrays[1][start - 1] if start else -np.inf
        self._arrays[0][start:end] = step
        self._arrays[1][start:end] = _rising(time, last)
        self._arrays[2][start:end] = np.where(np.abs(value) <= LARGEST, value, np.nan)
        self._arrays[3][start:end] = weight
        self._count = end
        self._sum_up()

    def _make_room(self, count: int) -> None:
        if count > len(self._arrays[0]):
            size = max(count, 2 * len(self._arrays[0]))
            self._arrays = [_grown(array, self._count, size) for array in self._arrays]
            self._sums = [_grown(array, self._done, size // BLOCK) for array in self._sums]

    def _sum_up(self) -> None:
        whole = self._count // BLOCK
        if whole > self._done:
            for sums, found in zip(self._sums, _blocks(self._arrays[2][self._done * BLOCK : self._count]), strict=True):
                sums[self._done : whole] = found
            self._done = whole

    def _merge(self, step: Floats, time: Floats, value: Floats, weight: Floats) -> None:
        """Points that come out of order: put them where they belong, into new arrays."""
        least = step.min()
        cut = int(np.searchsorted(self._arrays[0][: self._count], least, side="right"))
        tail = [array[cut : self._count] for array in self._arrays]
        joined = [np.concatenate(pair) for pair in zip(tail, (step, time, value, weight), strict=True)]
        order = np.argsort(joined[0], kind="stable")
        self._replace([array[:cut] for array in self._arrays])
        self._put(*(array[order] for array in joined))

    def _replace(self, arrays: list[Floats]) -> None:
        """Begin again with these points."""
        self._count = self._done = 0
        size = max(_FIRST, len(arrays[0]))
        self._arrays = [np.empty(size) for _ in range(4)]
        self._sums = [np.empty(size // BLOCK) for _ in range(4)]
        if len(arrays[0]):
            self._put(*arrays)

    def cut(self, step: float) -> Points | None:
        """Take away the points of whole steps beyond `step`; they are given back, thinned. None if there are none."""
        if self.stepless:
            return None
        steps = self._arrays[0][: self._count]
        dropped = (steps > step) & (steps == np.floor(steps))
        if not dropped.any():
            return None
        gone = [array[: self._count][dropped] for array in self._arrays]
        self._replace([array[: self._count][~dropped] for array in self._arrays])
        if len(gone[0]) > _MOST_OLD:
            gone = _thinned(gone, _MOST_OLD // 4)
        return make_points(*gone[:3])

    def points(self) -> Points:
        """What is there now."""
        return Points(
            *(array[: self._count] for array in self._arrays[:3]), *(array[: self._done] for array in self._sums)
        )


def _grown(array: Floats, count: int, size: int) -> Floats:
    larger = np.empty(size)
    larger[:count] = array[:count]
    return larger


def _rising(time: Floats, last: float) -> Floats:
    """A clock that never runs back; -inf until it is known."""
    return np.fmax.accumulate(np.concatenate(([last], time)))[1:]


def _thinned(arrays: list[Floats], parts: int) -> list[Floats]:
    """Of each of at most `parts` parts, which stand for as many points as there once were, the least and the greatest.

    However often this is done, old and new stay equally thin: a part has 2^n points, so that parts become halves of
    parts, and what was thinned before is thinned again only with its neighbours. A part without a number stays a gap.
    """
    value, weight = arrays[2], arrays[3]
    place = np.cumsum(weight) - weight
    whole = 2.0 ** math.ceil(math.log2((place[-1] + weight[-1]) / parts))
    part = np.floor(place / whole)
    first = np.flatnonzero(np.concatenate(([True], part[1:] != part[:-1])))
    number = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(value))))
    empty = np.isnan(value)
    low = _first_of(np.where(empty, np.inf, value), np.minimum, first, number)
    high = _first_of(np.where(empty, -np.inf, value), np.maximum, first, number)
    chosen = np.unique(np.concatenate((low, high, [len(value) - 1])))  # the newest stays the newest
    shared = np.add.reduceat(weight, first) / np.bincount(number[chosen], minlength=len(first))
    return [*(array[chosen] for array in arrays[:3]), shared[number[chosen]]]


def _first_of(value: Floats, extreme: np.ufunc, first: NDArray[np.intp], number: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where in each part its extreme stands first."""
    at = np.flatnonzero(value == extreme.reduceat(value, first)[number])
    return at[np.unique(number[at], return_index=True)[1]]
