"""Binary codes: logits become 128-bit rows, any length is their first bytes, distances are XOR and popcount.

Not where codes are learned (`mlhub.hashing.model`) or ranked (`mlhub.hashing.ranking`). A code is 16 bytes; its bit b
is bit 7-(b % 8) of byte b // 8, so that the code of length b is the first b bits of the long one, to the bit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mlhub.errors import MlhubError

#: bits and bytes of a whole code
BITS = 128
BYTES = BITS // 8

#: elements of one block of distances: its words fit the second-level cache
_BLOCK = 1 << 17

Codes = NDArray[np.uint8]


def pack(logits: NDArray[np.floating]) -> Codes:
    """Codes [n, 16] uint8 of logits [n, 128]: bit b is set where logit b > 0 (zero is not).

    Raises MlhubError if a logit is not a number: a code made of it would mean nothing.
    """
    if logits.ndim != 2 or logits.shape[1] != BITS:
        raise ValueError(f"logits [n, {BITS}] expected, got {list(logits.shape)}")
    if np.isnan(logits).any():
        raise MlhubError("the model's logits hold NaN: no codes can be made", "Training diverged: lower learning_rate.")
    return np.packbits(logits > 0, axis=1)


def unpack(codes: Codes) -> NDArray[np.bool_]:
    """The bits [n, 8 × bytes] of codes [n, bytes], bit b in column b."""
    return np.unpackbits(codes, axis=1).view(np.bool_)


def prefix(codes: Codes, bits: int) -> Codes:
    """The first `bits` bits of each code, [n, bits // 8], a view. `bits` is a multiple of 8 within the code."""
    if bits % 8 or not 0 < bits <= 8 * codes.shape[1]:
        raise ValueError(f"bits: a multiple of 8 up to {8 * codes.shape[1]} expected, got {bits}")
    return codes[:, : bits // 8]


def hamming(queries: Codes, gallery: Codes, bits: int = BITS) -> NDArray[np.uint8]:
    """Distances [q, g] over the first `bits` bits, each in a byte (128 at most). Memory beside the result: 2 MB."""
    words, others = _words(queries, bits), _words(gallery, bits)
    result = np.empty((len(words), len(others)), np.uint8)
    rows = max(1, _BLOCK // max(1, len(others)))
    for start in range(0, len(words), rows):
        block = words[start : start + rows]
        out = result[start : start + rows]
        np.bitwise_count(block[:, :1] ^ others[:, 0], out=out)
        for column in range(1, words.shape[1]):
            out += np.bitwise_count(block[:, column, None] ^ others[:, column])
    return result


def _words(codes: Codes, bits: int) -> NDArray[np.unsignedinteger]:
    """The first bits of each row, a view, in the widest words that divide it: two of 64 bits, three of 16, …"""
    length = prefix(codes, bits).shape[1]
    width = math.gcd(length, codes.shape[1], 8)
    return np.ascontiguousarray(codes).view(np.dtype(f"u{width}"))[:, : length // width]
