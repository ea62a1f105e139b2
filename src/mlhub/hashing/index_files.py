"""An index on disk: its files, what their rows are, and opening it. Not making one: `mlhub.hashing.index`.

codes.npy         [items, 16] uint8     one row an image; any code length is its first bytes
vectors.npy       [items, d] float32    L2-normalised, for ranking the short list again
items.jsonl       id, image, captions, labels, concept, split, and the rows of its captions
text_codes.npy, text_vectors.npy, texts.jsonl    the same for captions in the model's languages, each once a concept
*.offsets.npy     [rows + 1] int64      where each line of a .jsonl begins: a search reads only those it shows
index.json        which checkpoint and data made it, and how many rows there are; written last
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from mlhub.errors import MlhubError, NotFoundError
from mlhub.hashing.codes import BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

FORMAT = 1


class Maker(msgspec.Struct, frozen=True):
    """The checkpoint that made an index. `digest` is its weights' sha256."""

    checkpoint: str
    digest: str
    step: int
    run: str | None
    backbone: str


class Source(msgspec.Struct, frozen=True):
    """The data set that was indexed."""

    name: str
    fingerprint: str
    folder: str


class Ranking(msgspec.Struct, frozen=True):
    """How a search over the index ranks: Hamming over the first bits, then cosine among the nearest `short_list`."""

    name: str = "hamming-rerank-v1"
    short_list: int = 200
    ties: str = "cosine, then id"


class IndexInfo(msgspec.Struct, frozen=True):
    """What `index.json` says."""

    format: int
    model: Maker
    data: Source
    protocol: Ranking
    bits: tuple[int, ...]
    languages: tuple[str, ...]
    width: int
    items: int
    texts: int


class TextRow(msgspec.Struct, frozen=True):
    """A line of texts.jsonl: a caption, and the rows of the items it belongs to."""

    id: str
    text: str
    language: str
    items: list[int]


class ItemRow(msgspec.Struct, frozen=True):
    """A line of items.jsonl; `image` is relative to the data set's folder, `texts` are rows of texts.jsonl."""

    id: str
    image: str
    captions: dict[str, tuple[str, ...]]
    labels: tuple[str, ...]
    concept: str
    split: str
    texts: tuple[int, ...]


def write_lines(path: Path, rows: Sequence[msgspec.Struct]) -> None:
    """One JSON document a line, and beside it where each begins: `items.offsets.npy`, [rows + 1] int64."""
    lines = [msgspec.json.encode(row) + b"\n" for row in rows]
    path.write_bytes(b"".join(lines))
    np.save(path.with_suffix(".offsets.npy"), np.cumsum([0, *map(len, lines)], dtype=np.int64))


def read_info(folder: Path) -> IndexInfo:
    """What `index.json` says. Raises NotFoundError if there is no index, MlhubError if it is not one we can read."""
    path = folder / "index.json"
    try:
        info = msgspec.json.decode(path.read_bytes(), type=IndexInfo)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"{folder}: no index here", "Make one: mlhub index RUN") from None
    except (OSError, msgspec.DecodeError) as error:
        raise MlhubError(f"{path}: can't be read: {error}", "Make the index anew: mlhub index RUN") from None
    if info.format > FORMAT:
        raise MlhubError(f"{path}: format {info.format} is newer than this mlhub knows", remake(info))
    return info


class _Named(msgspec.Struct, frozen=True):
    """The part of any line that breaks ties."""

    id: str


Row = TypeVar("Row", TextRow, ItemRow, _Named)


@dataclass(frozen=True, slots=True)
class Side:
    """The images or the captions of an index, mapped into memory: nothing is read before it is needed."""

    codes: NDArray[np.uint8]
    vectors: NDArray[np.float32]
    offsets: NDArray[np.int64]
    lines: int  # file descriptor, open as long as the process

    @classmethod
    def open(cls, folder: Path, prefix: str, name: str, count: int, info: IndexInfo) -> Side:
        """Raises MlhubError naming a file that is missing, cut short or of another index."""
        if not count:
            return cls(np.empty((0, BYTES), np.uint8), np.empty((0, info.width), np.float32), np.zeros(1, np.int64), -1)
        codes = _array(folder / f"{prefix}codes.npy", np.uint8, (count, BYTES), info)
        vectors = _array(folder / f"{prefix}vectors.npy", np.float32, (count, info.width), info)
        offsets = _array(folder / f"{name}.offsets.npy", np.int64, (count + 1,), info)
        path = folder / f"{name}.jsonl"
        try:
            lines = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise damaged(path, str(error.strerror), info) from None
        if os.fstat(lines).st_size != offsets[-1]:
            os.close(lines)
            raise damaged(path, f"{offsets[-1]} bytes expected", info)
        return cls(codes, vectors, offsets, lines)

    def row(self, row: int, kind: type[Row]) -> Row:
        """One line of the .jsonl, read from its place."""
        start, end = int(self.offsets[row]), int(self.offsets[row + 1])
        try:
            return msgspec.json.decode(os.pread(self.lines, end - start, start), type=kind)
        except msgspec.DecodeError as error:
            raise MlhubError(f"the index is damaged: row {row}: {error}", "Make it anew: mlhub index RUN") from None

    def best(self, rows: NDArray[np.intp], scores: NDArray[np.float64], k: int) -> list[int]:
        """Places in `rows` of the `k` highest scores, ties by id: only of those in question are the ids read."""
        if len(rows) > k:
            least = np.partition(scores, -k)[-k]
            places = np.flatnonzero(scores >= least)
        else:
            places = np.arange(len(rows))
        ids = {int(place): self.row(int(rows[place]), _Named).id for place in places}
        return sorted(ids, key=lambda place: (-scores[place], ids[place]))[:k]


def _array(path: Path, kind: type[np.generic], shape: tuple[int, ...], info: IndexInfo) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise damaged(path, str(error), info) from None
    if array.dtype != kind or array.shape != shape:
        raise damaged(path, f"{list(shape)} of {np.dtype(kind)} expected", info)
    return array


def damaged(path: Path, why: str, info: IndexInfo) -> MlhubError:
    return MlhubError(f"the index is damaged: {path}: {why}", remake(info))


def remake(info: IndexInfo) -> str:
    return f"Make it anew: mlhub index {info.model.run or 'RUN'}"
