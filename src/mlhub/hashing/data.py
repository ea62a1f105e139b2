"""Training batches from a data set: concepts, pictures and captions. Not decoding: that is `mlhub.hashing.loading`.

A step takes `batch_size` concepts; each gives up to two of its images and one caption in every language. A thread
prepares the next batches, augmentation included, while the model learns: on two cores faster than two threads inside
torch.
"""

from __future__ import annotations

import queue
import random
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mlhub.errors import MlhubError
from mlhub.hashing.loading import Lazy, Pictures, decode_one

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlhub.config import RunConfig
    from mlhub.data.items import Dataset, Item
    from mlhub.hashing.backbones import Backbone, Tokens
    from mlhub.hashing.mixing import Shares

#: batches prepared ahead
_AHEAD = 3
#: images of a concept in one step, at most
_VIEWS = 2


class Batch(NamedTuple):
    """One step: images as the backbone takes them, tokens, and by row of either its concept and its labels [n, l]."""

    images: Tensor
    tokens: Tokens
    image_concepts: Tensor
    text_concepts: Tensor
    image_labels: Tensor
    text_labels: Tensor


@dataclass(frozen=True, slots=True)
class Concepts:
    """What is pictured in a data set: the concepts of training items first, then those that are held out entirely.

    `captions` (a language, by concept) are of training items alone, hence empty for the latter; `titles` are the first
    captions of any item: what validation's gallery calls a concept. `labels` are rows of 0 and 1.
    """

    names: tuple[str, ...]
    captions: tuple[dict[str, tuple[str, ...]], ...]
    titles: tuple[dict[str, str], ...]
    labels: Tensor

    @property
    def index(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.names)}

    @property
    def trained(self) -> int:
        """How many have a training item: the first ones."""
        return sum(map(bool, self.captions))

    def documents(self) -> list[str]:
        """All captions of each trained concept in all languages, joined."""
        trained = self.captions[: self.trained]
        return [" ; ".join(text for texts in captions.values() for text in texts) for captions in trained]


def gather(dataset: Dataset, languages: Sequence[str]) -> Concepts:
    """The concepts of a data set. Raises MlhubError for an item that has no caption in any of the languages."""
    captions: dict[str, dict[str, tuple[str, ...]]] = {}
    titles: dict[str, dict[str, str]] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    for item in dataset.items:
        kept = {language: item.captions[language] for language in languages if item.captions.get(language)}
        if not kept:
            raise MlhubError(
                f"{item.id}: no caption in {', '.join(languages)}", "Caption it, or change data.languages."
            )
        mine, called = captions.setdefault(item.key, {}), titles.setdefault(item.key, {})
        for language, texts in kept.items():
            called.setdefault(language, texts[0])
            if item.split == "train":  # what is held out stays unread
                mine[language] = tuple(dict.fromkeys((*mine.get(language, ()), *texts)))
        if item.split == "train":
            labels[item.key].update(item.labels)
    names = sorted(captions, key=lambda name: not captions[name])
    return Concepts(
        tuple(names),
        tuple(captions[name] for name in names),
        tuple(titles[name] for name in names),
        _table([labels[name] for name in names]),
    )


def _table(labels: Sequence[set[str]]) -> Tensor:
    """[n, l] of 0 and 1, a column a label."""
    known = {label: column for column, label in enumerate(sorted(set().union(*labels)))}
    table = torch.zeros(len(labels), len(known))
    for row, mine in enumerate(labels):
        table[row, [known[label] for label in mine]] = 1
    return table


def decode(dataset: Dataset, items: Sequence[Item], backbone: Backbone, workers: int) -> Tensor:
    """uint8 [n, …] of the items' images. Stops at the first that is missing or broken, naming item and file."""
    if not items:
        raise MlhubError(f"data set {dataset.name} has no items to train or validate on", "Give its items a split.")
    with ThreadPoolExecutor(max(1, workers)) as pool:  # decoders release the interpreter lock
        return torch.stack(list(pool.map(lambda item: decode_one(dataset, item, backbone), items)))


#: where both generators of an epoch are: Python's and torch's
Generators = tuple[Any, Tensor]
#: a batch, and where they were before and after it
Prepared = tuple[Batch, Generators, Generators]


class Batches:
    """An epoch's batches, drawn from a seed: the same seed and epoch give the same batches.

    They can be taken up again amid an epoch: `generators` tells where they were, `go_to` goes there.
    """

    def __init__(
        self,
        config: RunConfig,
        size: int,
        backbone: Backbone,
        concepts: Concepts,
        items: Sequence[Item],
        pictures: Pictures,
        mixed: Shares | None = None,
    ) -> None:
        self.languages = config.data.languages
        self.seed = config.training.seed
        self.size = size
        self.backbone = backbone
        self.concepts = concepts
        self.pictures: Pictures = pictures if isinstance(pictures, Lazy) else backbone.keep(pictures)
        #: renderings that a picture is drawn from
        self.renderings = len(backbone.keep(pictures.take([0])) if isinstance(pictures, Lazy) else self.pictures)
        self.mixed = mixed
        self.epoch = 0
        index = concepts.index
        self.rows: dict[int, list[int]] = defaultdict(list)
        for row, item in enumerate(items):
            self.rows[index[item.key]].append(row)
        self.views = _VIEWS if max(map(len, self.rows.values())) > 1 else 1
        full = max(1, len(self.rows) // self.size)
        #: batches a step, and steps an epoch: whole ones, so that each step weighs the same
        self.accumulate = min(config.training.accumulate_grad_batches, full)
        self.steps = full // self.accumulate
        self._from = 0  # batch that the next epoch to be read begins with
        self._states: dict[int, Generators | None] = {}  # of generators before a batch

    def generators(self, batch: int) -> Generators | None:
        """Where the generators are before a batch: of the one last given or the one after it; None at a beginning."""
        return self._states[batch] if batch else None

    def go_to(self, epoch: int, batch: int, generators: Generators | None) -> None:
        """Begin with a batch of an epoch, both counted from 0, as if those before had been given.

        Raises an error of Python's or torch's for what is no state of generators.
        """
        if generators is not None:
            random.Random().setstate(generators[0])  # noqa: S311 - not for secrets
            torch.Generator().set_state(generators[1])
        self.epoch, self._from, self._states = epoch, batch, {batch: generators}

    def __len__(self) -> int:
        return self.steps * self.accumulate

    def __iter__(self) -> Iterator[Batch]:
        """Batches of the next epoch, prepared by a thread that ends when the reader does."""
        self.epoch += 1
        draw = random.Random(f"{self.seed}-{self.epoch}")  # noqa: S311 - not for secrets
        generator = torch.Generator().manual_seed(draw.getrandbits(62))
        chosen = self.mixed.epoch(self.seed, self.epoch) if self.mixed else sorted(self.rows)
        order = draw.sample(chosen, len(chosen))
        first, self._from = self._from, 0
        if first and (state := self._states[first]):
            draw.setstate(state[0])
            generator.set_state(state[1])
        starts = range(first * self.size, len(self) * self.size, self.size)
        parts = [order[start : start + self.size] for start in starts]
        ready: queue.Queue[Prepared | BaseException] = queue.Queue(_AHEAD)
        stop = threading.Event()

        def work() -> None:
            try:
                after = _where(draw, generator)
                for part in parts:
                    before, batch = after, self.prepare(part, draw, generator)
                    after = _where(draw, generator)
                    _put(ready, (batch, before, after), stop)
            except BaseException as error:
                _put(ready, error, stop)

        thread = threading.Thread(target=work, daemon=True, name="batches")
        thread.start()
        try:
            for number, _ in enumerate(parts, first):
                prepared = ready.get()
                if isinstance(prepared, BaseException):
                    raise prepared
                batch, before, after = prepared
                self._states = {number: before, number + 1: after}
                yield batch
        finally:
            stop.set()
            thread.join()

    @torch.no_grad()
    def prepare(self, part: Sequence[int], draw: random.Random, generator: torch.Generator) -> Batch:
        """The batch of some concepts."""
        rows: list[int] = []
        owners: list[int] = []
        texts: list[str] = []
        spoken: list[int] = []
        for concept in part:
            mine = self.rows[concept]
            chosen = (
                draw.sample(mine, self.views)
                if len(mine) >= self.views
                else [draw.choice(mine) for _ in range(self.views)]
            )
            rows += chosen
            owners += [concept] * len(chosen)
            for language in self.languages:
                if captions := self.concepts.captions[concept].get(language):
                    texts.append(caption(captions, draw))
                    spoken.append(concept)
        image_concepts, text_concepts = torch.tensor(owners), torch.tensor(spoken)
        return Batch(
            self.backbone.batch(self._pictures(rows, draw), generator),
            self.backbone.tokens(texts),
            image_concepts,
            text_concepts,
            self.concepts.labels[image_concepts],
            self.concepts.labels[text_concepts],
        )

    def _pictures(self, rows: list[int], draw: random.Random) -> Tensor:
        """Half of them as they are, half in one of the backbone's other renderings."""
        others = self.renderings - 1
        hands = torch.tensor([draw.randint(1, others) if others and draw.random() < 0.5 else 0 for _ in rows])
        if isinstance(self.pictures, Lazy):
            return self.backbone.keep(self.pictures.take(rows))[hands, torch.arange(len(rows))]
        return self.pictures[hands, torch.tensor(rows)]


def caption(captions: tuple[str, ...], draw: random.Random) -> str:
    """All captions joined, or one of them: people type either."""
    if len(captions) == 1 or draw.random() < 0.6:
        return draw.choice(captions)
    return " ".join(captions)


def _where(draw: random.Random, generator: torch.Generator) -> Generators:
    return draw.getstate(), generator.get_state()


def _put(ready: queue.Queue[Prepared | BaseException], value: Prepared | BaseException, stop: threading.Event) -> None:
    """Wait for room, but not for a reader that has gone."""
    while not stop.is_set():
        try:
            ready.put(value, timeout=0.2)
        except queue.Full:
            continue
        return
