"""Who asks, what is searched and what counts as found: the protocol under which a figure was measured.

Not the measuring (`mlhub.hashing.evaluate`) nor the arithmetic (`mlhub.hashing.ranking`). A protocol has a name and a
version, stands beside every figure, and figures of two protocols are never compared. `emoji-v1` is for the built-in
data set; any other is measured by `pairs-v1`. Change what either does, and its name changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from mlhub.errors import MlhubError
from mlhub.hashing.ranking import SharedLabels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from mlhub.data.items import Dataset, Item
    from mlhub.hashing.ranking import Bool

Modality = Literal["image", "text"]
Rows = NDArray[np.intp]
T = TypeVar("T")

#: training images the baselines are fitted on at most, evenly spread
_MOST_FIT = 20_000


class Protocol(msgspec.Struct, frozen=True):
    """What a figure means, in words and versions, as it is written beside it."""

    name: str
    version: int
    dataset: str
    fingerprint: str
    languages: tuple[str, ...]
    queries: str
    gallery: str
    relevance: str
    label_relevance: str
    ties: str = "averaged exactly over every order (McSherry & Najork 2008)"
    cutoff: str = "all"
    denominator: str = "all"
    left_out: str = "queries without a relevant item"
    baselines: str = "fitted on the training split's images and captions, each modality centred, seed 0"
    selection: str = "on the validation split"


@dataclass(frozen=True, slots=True)
class SameConcept:
    """Relevance [q, g]: the same concept, as numbers [q] and [g]; worked out a slice of queries at a time."""

    queries: Rows
    gallery: Rows

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.queries), len(self.gallery)

    def __getitem__(self, queries: slice, /) -> Bool:
        relevant: Bool = self.queries[queries, None] == self.gallery
        return relevant


@dataclass(frozen=True, slots=True)
class Side:
    """Queries or gallery of a task: rows of the plan's images or texts."""

    modality: Modality
    rows: Rows


@dataclass(frozen=True, slots=True)
class Task:
    """One direction in one language. `key` is its place in a metric's name: `t2i`, `ko/t2i`, `i2i`."""

    key: str
    language: str
    queries: Side
    gallery: Side
    relevant: SameConcept
    labels: SharedLabels | None
    itself: Rows | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is to be encoded, each image and text once, and the tasks over it."""

    protocol: Protocol
    images: tuple[Path, ...]
    texts: tuple[str, ...]
    fit_images: Rows
    fit_texts: Rows
    tasks: tuple[Task, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One query or gallery entry: its row among what is encoded, its concept and labels."""

    row: int
    concept: str
    labels: tuple[str, ...]


def plan(dataset: Dataset, languages: Sequence[str]) -> Plan:
    """The tasks of a data set in those of `languages` that it has captions in.

    Raises MlhubError if nothing is held out for testing, or nothing has a caption in any of the languages.
    """
    images: dict[Path, int] = {}
    texts: dict[str, int] = {}
    tasks = _tasks(dataset, languages, images, texts)
    train = dataset.select("train")
    train = train[:: -(-len(train) // _MOST_FIT) or 1]
    captions = (text for item in train for language in languages for text in item.captions.get(language, ()))
    fit_images = _rows(_number(images, dataset.image_path(item)) for item in train)
    fit_texts = _rows(dict.fromkeys(_number(texts, text) for text in captions))
    spoken = tuple(dict.fromkeys(task.language for task in tasks if task.language))
    return Plan(_protocol(dataset, spoken), tuple(images), tuple(texts), fit_images, fit_texts, tasks)


def _tasks(
    dataset: Dataset, languages: Sequence[str], images: dict[Path, int], texts: dict[str, int]
) -> tuple[Task, ...]:
    """Both directions in each language, then image to image if any concept has two images; numbers what they need."""
    held = dataset.select("test")
    if not held:
        raise MlhubError(f"data set {dataset.name} holds out nothing for testing", 'Give some items "split": "test".')
    pool = dataset.items if dataset.name == "emoji" else held

    def entries(items: Sequence[Item]) -> list[_Entry]:
        return [_Entry(_number(images, dataset.image_path(item)), item.key, item.labels) for item in items]

    asked = entries(held)
    tasks: list[Task] = []
    for language in languages:
        if names := _names(pool, language, texts):
            prefix = "" if language == "en" else f"{language}/"
            tasks.append(_task(f"{prefix}t2i", language, ("text", names), ("image", asked)))
            tasks.append(_task(f"{prefix}i2t", language, ("image", asked), ("text", names)))
    if not tasks:
        known = sorted({language for item in pool for language in item.captions})
        raise MlhubError(
            f"data set {dataset.name} has no captions in {', '.join(languages)}",
            f"It has some in {', '.join(known)}: name one in data.languages.",
        )
    if len({item.key for item in pool}) < len(pool):
        tasks.append(_task("i2i", "", ("image", asked), ("image", entries(pool))))
    return tuple(tasks)


def _protocol(dataset: Dataset, languages: tuple[str, ...]) -> Protocol:
    if dataset.name == "emoji":
        return Protocol(
            name="emoji-v1",
            version=1,
            dataset=dataset.name,
            fingerprint=dataset.fingerprint,
            languages=languages,
            queries="i2t, i2i: the held-out drawings; t2i: all concept names, one (the first caption) a concept",
            gallery="i2t: all concept names; t2i: the held-out drawings; i2i: all drawings but the query",
            relevance="same concept",
            label_relevance="same subcategory",
        )
    return Protocol(
        name="pairs-v1",
        version=1,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        languages=languages,
        queries="i2t, i2i: the held-out images; t2i: the first caption of each held-out concept",
        gallery="i2t: the first caption of each held-out concept; t2i: the held-out images; i2i: these but the query",
        relevance="same concept; an image without a concept is one by itself",
        label_relevance="at least one label in common",
    )


def _task(
    key: str, language: str, queries: tuple[Modality, list[_Entry]], gallery: tuple[Modality, list[_Entry]]
) -> Task:
    """Find the `gallery` entries of the queries' concepts. Within one modality the query itself is left out."""
    (asking, left), (searched, right) = queries, gallery
    concepts: dict[str, int] = {}
    labels: dict[str, int] = {}
    numbers = [_rows(_number(concepts, entry.concept) for entry in side) for side in (left, right)]
    for entry in (*left, *right):
        for label in entry.labels:
            _number(labels, label)
    own = {entry.row: place for place, entry in enumerate(right)}
    return Task(
        key,
        language,
        Side(asking, _rows(entry.row for entry in left)),
        Side(searched, _rows(entry.row for entry in right)),
        SameConcept(*numbers),
        SharedLabels(_one_hot(left, labels), _one_hot(right, labels)) if labels else None,
        _rows(own.get(entry.row, -1) for entry in left) if asking == searched else None,
    )


def _names(items: Sequence[Item], language: str, texts: dict[str, int]) -> list[_Entry]:
    """One name for each concept that has any in the language: the first caption of its first item."""
    found: dict[str, _Entry] = {}
    for item in items:
        captions = item.captions.get(language, ())
        if captions and item.key not in found:
            found[item.key] = _Entry(_number(texts, captions[0]), item.key, item.labels)
    return list(found.values())


def _rows(numbers: Iterable[int]) -> Rows:
    return np.fromiter(numbers, np.intp)


def _one_hot(entries: list[_Entry], labels: dict[str, int]) -> NDArray[np.float32]:
    table = np.zeros((len(entries), len(labels)), np.float32)
    for number, entry in enumerate(entries):
        table[number, [_number(labels, label) for label in entry.labels]] = 1.0
    return table


def _number(numbers: dict[T, int], value: T) -> int:
    """The number of a value, given out in the order values are first met."""
    return numbers.setdefault(value, len(numbers))
