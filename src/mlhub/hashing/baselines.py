"""Codes nobody had to learn, from the same embeddings: random hyperplanes (LSH), PCA's signs, and ITQ.

Not the learned codes, and not an index. Each is a set of hyperplanes fitted on the training embeddings of both
modalities and applied to held-out ones. Each modality is centred by its own mean first: images and texts lie apart, and
hyperplanes spent on that gap would make the baselines weaker than they are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.hashing.codes import Codes

#: every baseline, strongest first
NAMES = ("itq", "pca", "lsh")

#: rows that PCA and ITQ are fitted on at most, drawn at random: more moves the axes in the third digit
_MOST_ROWS = 50_000

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Hyperplanes:
    """Centres [d] of the two modalities and the planes' normals [d, bits]."""

    images: Vectors
    texts: Vectors
    normals: Vectors

    def encode_images(self, vectors: Vectors) -> Codes:
        """Codes [n, bits // 8] of image vectors [n, d]; bit order as everywhere (`mlhub.hashing.codes`)."""
        return np.packbits((vectors - self.images) @ self.normals > 0, axis=1)

    def encode_texts(self, vectors: Vectors) -> Codes:
        """Codes [n, bits // 8] of text vectors [n, d]."""
        return np.packbits((vectors - self.texts) @ self.normals > 0, axis=1)


def fit(name: str, images: Vectors, texts: Vectors, bits: int, seed: int) -> Hyperplanes | None:
    """The baseline `name` fitted on training vectors [n, d] and [m, d] for one length, or None where it has no meaning.

    PCA and ITQ have no more bits than there are directions of variance: at most d, and fewer than n + m. LSH has any.
    """
    centres = images.mean(axis=0), texts.mean(axis=0)
    random = np.random.default_rng(seed)
    width = images.shape[1]
    if name == "lsh":
        # one draw for every length, so that a shorter code is the prefix of a longer one
        normals = random.standard_normal((128, width))[:bits].T.astype(np.float32)
        return Hyperplanes(*centres, normals)
    rows = np.concatenate([images - centres[0], texts - centres[1]])
    if bits > min(width, len(rows) - 1):
        return None
    if len(rows) > _MOST_ROWS:
        rows = rows[random.choice(len(rows), _MOST_ROWS, replace=False)]
    axes = principal_axes(rows, bits)
    return Hyperplanes(*centres, axes if name == "pca" else axes @ itq_rotation(rows @ axes, seed))


def principal_axes(rows: Vectors, count: int) -> Vectors:
    """The `count` directions [d, count] in which centred rows [n, d] vary most, the first most of all."""
    wide = rows.astype(np.float64)
    _, axes = np.linalg.eigh(wide.T @ wide)
    return axes[:, ::-1][:, :count].astype(np.float32)


def itq_rotation(projected: Vectors, seed: int) -> Vectors:
    """The rotation [bits, bits] that brings projected rows [n, bits] nearest to their signs.

    Iterative quantisation, 50 rounds from a random rotation (Gong & Lazebnik, CVPR 2011), as faiss does it.
    """
    import faiss

    faiss.omp_set_num_threads(1)  # small matrices: threads wait for each other longer than they work
    matrix = faiss.ITQMatrix(projected.shape[1])
    matrix.seed = seed
    matrix.train(np.ascontiguousarray(projected, np.float32))
    bits = projected.shape[1]
    rotation: Vectors = faiss.vector_to_array(matrix.A).reshape(bits, bits).T
    return rotation
