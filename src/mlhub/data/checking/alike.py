"""Which of many 64-bit hashes are near each other, without comparing all with all.

Two that differ in at most `radius` bits agree in one of `radius` + 1 bands (M. Norouzi et al., "Fast Search in Hamming
Space with Multi-Index Hashing", CVPR 2012): each band is sorted, and only what shares one is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: hashes that share a band and are compared with each other, at most; more are pictures of nothing, all alike
_MOST = 3000


def groups(hashes: NDArray, radius: int) -> list[list[int]]:  # type: ignore[type-arg]  # int64
    """Rows that look alike, by group, each of two or more; `hashes` int64 [n]. Memory: some 60 bytes a row."""
    import numpy as np

    values, inverse = np.unique(hashes, return_inverse=True)
    parent = np.arange(len(values))
    for left, right in _pairs(values.view(np.uint64), radius) if radius else ():
        _join(parent, left, right)
    roots = np.array([_root(parent, int(row)) for row in range(len(values))]) if radius else parent
    of_row = roots[inverse] if len(values) else np.zeros(0, np.int64)
    order = np.argsort(of_row, kind="stable")
    edges = np.flatnonzero(np.diff(of_row[order])) + 1
    return [part.tolist() for part in np.split(order, edges) if len(part) > 1]


def _pairs(values: NDArray, radius: int) -> list[tuple[int, int]]:  # type: ignore[type-arg]
    import numpy as np

    found: set[tuple[int, int]] = set()
    width = 64 // (radius + 1)
    for band in range(radius + 1):
        keys = (values >> np.uint64(band * width)) & np.uint64((1 << width) - 1)
        order = np.argsort(keys, kind="stable")
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        for bucket in np.split(order, edges):
            if 1 < len(bucket) <= _MOST:
                found.update(_near(values, bucket, radius))
    return sorted(found)


def _near(values: NDArray, bucket: NDArray, radius: int) -> list[tuple[int, int]]:  # type: ignore[type-arg]
    import numpy as np

    mine = values[bucket]
    apart = np.bitwise_count(mine[:, None] ^ mine[None, :])
    left, right = np.nonzero(np.triu(apart <= radius, 1))
    return [(int(bucket[one]), int(bucket[other])) for one, other in zip(left, right, strict=True)]


def _root(parent: NDArray, row: int) -> int:  # type: ignore[type-arg]
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def _join(parent: NDArray, left: int, right: int) -> None:  # type: ignore[type-arg]
    one, other = sorted((_root(parent, left), _root(parent, right)))
    parent[other] = one
