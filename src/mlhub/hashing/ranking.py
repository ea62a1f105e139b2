"""How good a ranking is, exactly, though it ties: mean average precision and recall@k in expectation over tied orders.

Not a protocol (who asks, what is relevant: `mlhub.hashing.protocol`) and not a search. Hamming distances tie massively;
the figures here are the means over every order of the tied items (McSherry & Najork, "Computing information retrieval
performance measures efficiently in the presence of tied scores", ECIR 2008), in closed form: no sort, no sampling.

mAP is over the whole gallery: K = all, divided by all relevant items. recall@k is the hit rate: the probability that at
least one relevant item is among the first k. A query without a relevant item has neither and is left out, and counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mlhub.hashing.codes import Codes, hamming

Bool = NDArray[np.bool_]
Counts = NDArray[np.int64]
Floats = NDArray[np.float64]
Vectors = NDArray[np.floating]

#: the k of recall@k, as fields of Retrieval
RECALL_AT = (1, 5, 10)

#: query × gallery pairs ranked at a time
_BLOCK = 1 << 19


class Relevance(Protocol):
    """What is relevant to whom, [q, g], asked for by slices of queries: a boolean array, or `SharedLabels`."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, queries: slice, /) -> Bool: ...


@dataclass(frozen=True, slots=True)
class SharedLabels:
    """Relevant = at least one label in common, a slice at a time. `queries` [q, l] and `gallery` [g, l] hold 0 or 1."""

    queries: NDArray[np.float32]
    gallery: NDArray[np.float32]

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.queries), len(self.gallery)

    def __getitem__(self, queries: slice, /) -> Bool:
        relevant: Bool = self.queries[queries] @ self.gallery.T > 0
        return relevant


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Means over `queries` queries, each in 0…1 (NaN if there is none); `left_out` more had nothing relevant."""

    map: float
    r1: float
    r5: float
    r10: float
    queries: int
    left_out: int


def evaluate_codes(
    queries: Codes, gallery: Codes, relevant: Relevance, bits: int, *, itself: NDArray[np.intp] | None = None
) -> Retrieval:
    """Rank by Hamming distance over the first `bits` bits.

    `queries` [q, 16] and `gallery` [g, 16] uint8; `relevant` [q, g]. `itself` [q]: the gallery row that is the query
    and takes no part in its ranking, -1 for none.
    """

    def rank(start: int, stop: int) -> tuple[NDArray[np.integer], int]:
        distances = hamming(queries[start:stop], gallery, bits)
        _send_last(distances, bits + 1, None if itself is None else itself[start:stop])
        return distances, bits + 2

    return _evaluate(rank, relevant, itself)


def evaluate_float(
    queries: Vectors,
    gallery: Vectors,
    relevant: Relevance,
    *,
    itself: NDArray[np.intp] | None = None,
) -> Retrieval:
    """Rank by cosine similarity. `queries` [q, d] and `gallery` [g, d] need not be normalised; the rest as above.

    Similarities are summed in 64 bits and compared in 32, so that equal vectors tie in whatever order BLAS adds.
    """
    left, right = _normalised(queries), _normalised(gallery)

    def rank(start: int, stop: int) -> tuple[NDArray[np.integer], int]:
        scores = (left[start:stop] @ right.T).astype(np.float32)
        _send_last(scores, -np.inf, None if itself is None else itself[start:stop])
        return _dense_ranks(scores), scores.shape[1]

    return _evaluate(rank, relevant, itself)


def average_precision(totals: Counts, relevant: Counts) -> Floats:
    """Expected average precision [q] of rankings given as tied groups, nearest first.

    `totals` and `relevant` [q, groups]: how many items each group holds, and how many of them are relevant (a group may
    be empty). In a group of n items, r relevant, behind t items with R relevant, place i = 1…n holds a relevant item
    with probability r/n, behind R + (i-1)(r-1)/(n-1) others in expectation. The sum over i of its precision
    (R + 1 + (i-1)(r-1)/(n-1)) / (t+i) is bn + (R + 1 - b(t+1)) (H(t+n) - H(t)), where b = (r-1)/(n-1) and H are the
    harmonic numbers.
    """
    after = np.cumsum(totals, axis=1)
    before = after - totals
    found = np.cumsum(relevant, axis=1) - relevant
    harmonic = np.concatenate(([0.0], np.cumsum(1.0 / np.arange(1, after[:, -1].max(initial=0) + 1))))
    slope = (relevant - 1) / np.maximum(totals - 1, 1)
    places = slope * totals + (found + 1 - slope * (before + 1)) * (harmonic[after] - harmonic[before])
    share = relevant / np.maximum(totals, 1)
    result: Floats = (share * places).sum(axis=1) / relevant.sum(axis=1)
    return result


def hit_rate(totals: Counts, relevant: Counts, k: int) -> Floats:
    """The probability [q] that one of the first k items is relevant; groups as for `average_precision`.

    Only the first group with a relevant item matters: m = k - t of its n places are in the first k, and all m miss the
    r relevant items with probability C(n-r, m) / C(n, m), the product of (n-r-j)/(n-j) over j < m.
    """
    first = (relevant > 0).argmax(axis=1)[:, None]
    n = np.take_along_axis(totals, first, axis=1)
    r = np.take_along_axis(relevant, first, axis=1)
    before = np.take_along_axis(np.cumsum(totals, axis=1), first, axis=1) - n
    draw = np.arange(k)
    miss = np.maximum(n - r - draw, 0) / np.maximum(n - draw, 1)
    result: Floats = 1.0 - np.where(draw < k - before, miss, 1.0).prod(axis=1)
    return result


def _evaluate(rank: _Ranker, relevant: Relevance, itself: NDArray[np.intp] | None) -> Retrieval:
    """The means over all queries, `_BLOCK` pairs at a time."""
    count, held = relevant.shape
    rows = max(1, _BLOCK // max(1, held))
    precisions, hits = [], []
    for start in range(0, count, rows):
        stop = min(start + rows, count)
        wanted = relevant[start:stop]
        if itself is not None:
            wanted = wanted.copy()
            _send_last(wanted, False, itself[start:stop])
        asks = wanted.any(axis=1)
        totals, found = _histogram(*rank(start, stop), wanted)
        totals, found = totals[asks], found[asks]
        precisions.append(average_precision(totals, found))
        hits.append(np.stack([hit_rate(totals, found, k) for k in RECALL_AT]))
    return _means(precisions, hits, count)


def _means(precisions: list[Floats], hits: list[Floats], asked: int) -> Retrieval:
    counted = sum(map(len, precisions))
    if not counted:
        return Retrieval(np.nan, np.nan, np.nan, np.nan, queries=0, left_out=asked)
    r1, r5, r10 = np.concatenate(hits, axis=1).mean(axis=1)
    mean = np.concatenate(precisions).mean()
    return Retrieval(float(mean), float(r1), float(r5), float(r10), queries=counted, left_out=asked - counted)


def _histogram(groups: NDArray[np.integer], count: int, relevant: Bool) -> tuple[Counts, Counts]:
    """How many items [q, count] of each query's `groups` [q, g] there are, and how many of them are relevant."""
    bins = groups.astype(np.intp)
    bins += (np.arange(len(groups)) * count)[:, None]
    shape = (len(groups), count)
    totals = np.bincount(bins.ravel(), minlength=shape[0] * count).reshape(shape)
    return totals, np.bincount(bins[relevant], minlength=shape[0] * count).reshape(shape)


def _dense_ranks(scores: NDArray[np.float32]) -> NDArray[np.integer]:
    """Each score's place among the distinct scores of its row, the highest first: equal scores, equal place."""
    order = np.argsort(-scores, axis=1)
    falling = np.take_along_axis(scores, order, axis=1)
    steps = np.zeros(scores.shape, np.intp)
    steps[:, 1:] = falling[:, 1:] != falling[:, :-1]
    ranks = np.empty_like(steps)
    np.put_along_axis(ranks, order, np.cumsum(steps, axis=1), axis=1)
    return ranks


def _normalised(vectors: Vectors) -> Floats:
    wide = vectors.astype(np.float64)
    unit: Floats = wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-30)
    return unit


def _send_last(values: NDArray[np.generic], last: float, itself: NDArray[np.intp] | None) -> None:
    """Put each row's own item behind everything, where, being irrelevant, it changes no figure."""
    if itself is not None:
        own = np.flatnonzero(itself >= 0)
        values[own, itself[own]] = last


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    #: (start, stop) -> the tied group of every gallery item for those queries, nearest 0, and the number of groups
    _Ranker = Callable[[int, int], tuple[NDArray[np.integer], int]]
