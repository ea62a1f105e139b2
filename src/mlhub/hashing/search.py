"""The search program: the images or captions of an index nearest to a text or an image, as JSON.

    python -m mlhub.hashing.search --index FOLDER (--text Q | --image FILE) [--to image|text] [-k 10] [--bits N] --json
    python -m mlhub.hashing.search --index FOLDER --serve

Not the table a user sees (`mlhub search`), and not how an index is made (`mlhub.hashing.index`). Every code is
compared, over the first `bits` bits (64, or the longest the model has); all that are as near as the 200th are then
ranked by the cosine of their float vectors, ties by id. `--serve` is `mlhub.hashing.serve`: a process that stays.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from mlhub.data.items import ITEMS, Dataset
from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.hashing import program
from mlhub.hashing.codes import hamming, pack
from mlhub.hashing.index_files import ItemRow, Side, TextRow, read_info, remake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mlhub.hashing.checkpoint import Encoded, Encoder

Modality = Literal["image", "text"]

#: letters that tell a query's language; any other is taken for English
_SCRIPTS = {
    "ko": re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7af]"),
    "ja": re.compile("[\u3040-\u30ff]"),
    "zh": re.compile("[\u4e00-\u9fff]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "ar": re.compile("[\u0600-\u06ff]"),
}


class Hit(msgspec.Struct, frozen=True):
    """One result. `caption` is the one of `captions` nearest to the query, in its language if there is any."""

    rank: int
    id: str
    image: str
    caption: str
    captions: dict[str, tuple[str, ...]]
    labels: tuple[str, ...]
    distance: int
    score: float


class Answer(msgspec.Struct, frozen=True):
    """What a search found. `took_ms` counts from the query to the results, without loading model and index.

    `warnings` are lines for a reader of the results.
    """

    query: str
    modality: Modality
    to: Modality
    bits: int
    index: dict[str, Any]
    took_ms: float
    results: tuple[Hit, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The contract's shape: each hit's captions as one list, the best-matching first."""
        tree: dict[str, Any] = msgspec.to_builtins(self)
        for hit in tree["results"]:
            said = [text for texts in hit["captions"].values() for text in texts]
            hit["captions"] = list(dict.fromkeys([hit["caption"], *said]))
        return tree


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m mlhub.hashing.search", description="Search an index.")
    parser.add_argument("--index", type=Path, required=True, metavar="FOLDER")
    query = parser.add_mutually_exclusive_group(required=True)
    query.add_argument("--text", metavar="QUERY")
    query.add_argument("--image", type=Path, metavar="FILE")
    query.add_argument("--serve", action="store_true", help="stay, and answer queries that come as lines of JSON")
    parser.add_argument("--to", choices=("image", "text"), default="image")
    parser.add_argument("-k", type=int, default=10, metavar="N")
    parser.add_argument("--bits", type=int, metavar="N", help="in place of 64, or of the longest")
    parser.add_argument("--json", action="store_true", help="the only form there is; mlhub search shows a table")
    options = parser.parse_args(arguments)
    if options.serve:
        from mlhub.hashing.serve import serve

        serve(options.index)
        return
    searcher = Searcher(options.index)
    if options.text is not None:
        answer = searcher.text(options.text, to=options.to, k=options.k, bits=options.bits)
    else:
        answer = searcher.image(options.image, to=options.to, k=options.k, bits=options.bits)
    for warning in answer.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    sys.stdout.write(json.dumps(answer.to_json()) + "\n")


class Searcher:
    """An open index with the model that made it, ready for any number of queries."""

    def __init__(self, folder: Path) -> None:
        """Raises NotFoundError if there is no index, MlhubError if it is damaged."""
        self.folder = folder.absolute()
        self.info = read_info(self.folder)
        self._images = Side.open(self.folder, "", "items", self.info.items, self.info)
        self._texts = Side.open(self.folder, "text_", "texts", self.info.texts, self.info)
        #: when the data set's items were written that were last compared with the index, and whether they are the same
        self._compared = (-1, True)

    @cached_property
    def encoder(self) -> Encoder:
        """The model. Raises MlhubError unless it is the one, to the bit, that made the index."""
        from mlhub.hashing import checkpoint  # torch: only once everything cheap is known to be right

        path = Path(self.info.model.checkpoint)
        try:
            encoder = checkpoint.load(path, "cpu")  # one query: a GPU may be full of somebody's training
        except NotFoundError:
            raise MlhubError(f"the checkpoint of this index is gone: {path}", remake(self.info)) from None
        if encoder.digest != self.info.model.digest:
            raise MlhubError(
                f"the index {self.folder} was made by another checkpoint "
                f"({self.info.model.digest[:8]}; {path.name} is {encoder.digest[:8]} now)",
                remake(self.info),
            )
        return encoder

    @property
    def warnings(self) -> tuple[str, ...]:
        """Whether the data set is no longer as it was indexed. Its items are read only if their file is the newer."""
        data = self.info.data
        folder = Path(data.folder)
        try:
            written = (folder / ITEMS).stat().st_mtime_ns
            if written <= (self.folder / "index.json").stat().st_mtime_ns:
                return ()
            if self._compared[0] != written:
                self._compared = (written, Dataset.open(folder).fingerprint == data.fingerprint)
        except (OSError, MlhubError):
            return (f"data set {data.name} can no longer be read: {folder}",)
        if self._compared[1]:
            return ()
        return (f"data set {data.name} has changed since it was indexed. {remake(self.info)}",)

    def close(self) -> None:
        """Give its files back; it answers nothing more."""
        for side in (self._images, self._texts):
            if side.lines >= 0:
                os.close(side.lines)

    def text(self, query: str, *, to: Modality = "image", k: int = 10, bits: int | None = None) -> Answer:
        """The `k` images (or captions) nearest to a text. Raises UsageError for an empty one or a wrong number."""
        bits = self.check(query, k, bits)
        encoder = self.encoder
        start = time.perf_counter()
        results = self._find(encoder.texts([query]), language_of(query, self.info.languages), to, k, bits)
        return self._answer(query, "text", to, bits, results, start)

    def image(self, path: Path, *, to: Modality = "image", k: int = 10, bits: int | None = None) -> Answer:
        """The `k` images (or captions) nearest to an image file. Raises MlhubError if it can't be read."""
        bits = self.check(None, k, bits)
        encoder = self.encoder
        start = time.perf_counter()
        results = self._find(encoder.images([path.absolute()]), language_of("", self.info.languages), to, k, bits)
        return self._answer(str(path), "image", to, bits, results, start)

    def check(self, query: str | None, k: int, bits: int | None) -> int:
        """The code length to rank by. Raises UsageError for what can be seen to be wrong before the model is loaded."""
        if query is not None and not query.strip():
            raise UsageError("the query is empty", 'Say what to look for: mlhub search "a dog"')
        if query is not None and any("\ud800" <= letter <= "\udfff" for letter in query):
            raise UsageError("the query is not UTF-8 text", "Type it in a terminal whose locale is UTF-8.")
        if k < 1:
            raise UsageError(f"-k {k}: expected 1 or more", "Leave it out for 10.")
        if bits is None:
            return 64 if 64 in self.info.bits else max(self.info.bits)
        if bits not in self.info.bits:
            lengths = ", ".join(map(str, self.info.bits))
            raise UsageError(f"--bits {bits}: this model's codes have {lengths}", "Name one of these lengths.")
        return bits

    def _find(self, query: Encoded, language: str, to: Modality, k: int, bits: int) -> tuple[Hit, ...]:
        side = self._images if to == "image" else self._texts
        code, vector = pack(query.logits), query.vectors[0]
        distances = hamming(code, side.codes, bits)[0]
        rows = nearest(distances, max(k, self.info.protocol.short_list))
        scores = cosines(side.vectors[rows], vector)
        best = side.best(rows, scores, k)
        return tuple(
            self._hit(rank, to, int(rows[place]), vector, language, int(distances[rows[place]]), float(scores[place]))
            for rank, place in enumerate(best, 1)
        )

    def _hit(
        self,
        rank: int,
        to: Modality,
        row: int,
        vector: NDArray[np.float32],
        language: str,
        distance: int,
        score: float,
    ) -> Hit:
        if to == "text":
            text = self._texts.row(row, TextRow)
            item = self._images.row(text.items[0], ItemRow)
            name, caption = text.id, text.text
        else:
            item = self._images.row(row, ItemRow)
            name, caption = item.id, self._caption(item, vector, language)
        image = str(Path(self.info.data.folder) / item.image)
        return Hit(rank, name, image, caption, item.captions, item.labels, distance, score)

    def _caption(self, item: ItemRow, vector: NDArray[np.float32], language: str) -> str:
        """The caption nearest to the query among those in `language`, or among all if there is none in it."""
        texts = [(row, self._texts.row(row, TextRow)) for row in item.texts]
        spoken = [(row, text) for row, text in texts if text.language == language] or texts
        if not spoken:  # captions only in languages that the model was not taught
            return next(text for captions in item.captions.values() for text in captions)
        scores = cosines(self._texts.vectors[[row for row, _ in spoken]], vector)
        return spoken[int(scores.argmax())][1].text

    def _answer(
        self, query: str, modality: Modality, to: Modality, bits: int, results: tuple[Hit, ...], start: float
    ) -> Answer:
        took = round(1000 * (time.perf_counter() - start), 3)
        about = {
            "folder": str(self.folder),
            "count": self.info.items if to == "image" else self.info.texts,
            "dataset": self.info.data.name,
            "checkpoint": self.info.model.checkpoint,
            "digest": self.info.model.digest,
            "run": self.info.model.run,
            "protocol": self.info.protocol.name,
        }
        shown = query.encode("utf-8", "replace").decode()  # a file's name may hold bytes that are no text
        return Answer(shown, modality, to, bits, about, took, results, self.warnings)


def nearest(distances: NDArray[np.uint8], count: int) -> NDArray[np.intp]:
    """Rows, rising, as near as the `count`-th nearest or nearer: all that tie with it, so row order decides nothing."""
    reached = np.cumsum(np.bincount(distances))
    return np.flatnonzero(distances <= np.searchsorted(reached, min(count, len(distances))))


def cosines(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float64]:
    """Similarities [n] of unit vectors [n, d] to one, summed in 64 bits, to six places: equal vectors score equally."""
    scores: NDArray[np.float64] = np.round(vectors.astype(np.float64) @ query.astype(np.float64), 6)
    return scores


def language_of(query: str, languages: Sequence[str]) -> str:
    """The language, of those an index has, that a query's letters are of; else English, else the first."""
    for language, letters in _SCRIPTS.items():
        if language in languages and letters.search(query):
            return language
    return "en" if "en" in languages or not languages else languages[0]


if __name__ == "__main__":
    sys.exit(program.run(main, is_run=False))
