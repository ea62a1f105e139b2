"""Choose some items of a set by what is said of them, in the set's order or shuffled. One pass, memory for a page."""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.data.items import Item, Stored


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of an item; empty asks nothing."""

    split: str = ""
    language: str = ""
    label: str = ""
    contains: str = ""

    def takes(self, item: Item) -> bool:
        texts = item.captions.get(self.language, ()) if self.language else sum(item.captions.values(), ())
        return (
            (not self.split or item.split == self.split)
            and (not self.language or bool(texts))
            and (not self.label or self.label in item.labels or self.label == item.category)
            and (not self.contains or any(self.contains.lower() in text.lower() for text in texts))
        )


def page(stored: Stored, wanted: Wanted, count: int, number: int, seed: int | None = None) -> tuple[list[Item], int]:
    """Items of page `number` (from 1) of `count` each, and how many there are in all.

    With a seed, in the order of a hash of seed and id: the same page whenever it is asked for.
    """
    first, last = (number - 1) * count, number * count
    found, total = [], 0
    if seed is None:
        for item in stored:
            if wanted.takes(item):
                if first <= total < last:
                    found.append(item)
                total += 1
        return found, total
    counted = [0]

    def taken() -> Iterator[tuple[bytes, int, Item]]:
        for place, item in enumerate(stored):
            if wanted.takes(item):
                counted[0] += 1
                yield hashlib.sha256(f"{seed}/{item.id}".encode()).digest(), place, item

    chosen = heapq.nsmallest(last, taken())  # no two have one place: items are never compared
    return [item for _, _, item in chosen[first:]], counted[0]
