"""Several data sets in one training, by weight (`data.mix`). The first, `data.dataset`, alone validates.

Of the others only what is for training is taken, their ids and concepts behind `NAME/`. An epoch is as long as all
trained concepts are many; each set has its share of it, whatever its size: a small one comes round several times, a
large one goes on where the epoch before left it. Who comes when depends on the seed, the set and the epoch alone.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from mlhub.data.items import Dataset
from mlhub.errors import MlhubError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlhub.data.items import Item


@dataclass(frozen=True, slots=True)
class Mixed(Dataset):
    """A data set with the training items of others behind its own; `of`: whose an item is, and which of its items."""

    of: Mapping[str, tuple[Dataset, Item]] | None = None
    weights: Mapping[str, float] | None = None
    prints: str = ""

    @property
    def trained_on(self) -> str:
        return self.prints

    def image_path(self, item: Item) -> Path:
        owner, own = (self.of or {}).get(item.id, (None, item))
        # super() needs the class's cell, which slots lose
        return owner.image_path(own) if owner else Dataset.image_path(self, own)


def mix(first: Dataset, others: Sequence[Dataset], weights: Mapping[str, float]) -> Mixed:
    """One data set of several. Raises MlhubError if ids meet."""
    of: dict[str, tuple[Dataset, Item]] = {}
    items = list(first.items)
    for other in others:
        for item in other.select("train"):
            name = f"{other.name}/{item.id}"
            of[name] = (other, item)
            items.append(msgspec.structs.replace(item, id=name, concept=f"{other.name}/{item.key}"))
    if met := next((item.id for item in first.items if item.id in of), None):
        raise MlhubError(f"data.mix: {first.name} has an item {met} too", "Call the other data set something else.")
    lines = "".join(f"{one.name} {one.fingerprint} {weights[one.name]}\n" for one in (first, *others))
    prints = hashlib.sha256(lines.encode()).hexdigest()
    return Mixed(first.name, first.folder, tuple(items), first.fingerprint, first.images, of, weights, prints)


class Shares:
    """Which concepts an epoch has: `groups` of concepts by set, with the weight of each."""

    def __init__(self, groups: Mapping[str, Sequence[int]], weights: Mapping[str, float]) -> None:
        self.groups = {name: sorted(group) for name, group in groups.items() if group}
        self.counts = _dealt(sum(map(len, self.groups.values())), {name: weights[name] for name in self.groups})

    def epoch(self, seed: int, number: int) -> list[int]:
        """The concepts of an epoch, counted from 1; more than once, if a set's share is more than it has."""
        chosen: list[int] = []
        for name, group in self.groups.items():
            start, left = (number - 1) * self.counts[name], self.counts[name]
            while left:
                turn, place = divmod(start, len(group))
                order = random.Random(f"{seed}-{name}-{turn}").sample(group, len(group))  # noqa: S311 - not for secrets
                some = order[place : place + left]
                chosen += some
                start, left = start + len(some), left - len(some)
        return chosen


def shares(dataset: Dataset, index: Mapping[str, int]) -> Shares | None:
    """Of a mixed data set; None of any other. `index`: the concepts' numbers."""
    if not isinstance(dataset, Mixed) or not dataset.of or not dataset.weights:
        return None
    groups: dict[str, set[int]] = {name: set() for name in dataset.weights}
    for item in dataset.select("train"):
        owner = dataset.of.get(item.id)
        groups[owner[0].name if owner else dataset.name].add(index[item.key])
    return Shares({name: sorted(group) for name, group in groups.items()}, dataset.weights)


def _dealt(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """`total` in whole parts by weight, what is left over to the largest remainders."""
    whole = sum(weights.values())
    exact = {name: total * weight / whole for name, weight in weights.items()}
    counts = {name: int(value) for name, value in exact.items()}
    left = sorted(weights, key=lambda name: (counts[name] - exact[name], name))[: total - sum(counts.values())]
    return {name: count + (name in left) for name, count in counts.items()}
