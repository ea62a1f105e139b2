"""Captions that are said of different things: the same text, in the same language, of more than one concept.

By hashes of 8 bytes a caption, sorted; texts are looked up again only for the few that are shown.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlhub.data.items import Item, Stored


@dataclass
class Said:
    """Counts over the captions that pass by."""

    bare: int = 0  # items without a caption
    texts: array[int] = field(default_factory=lambda: array("q"))
    concepts: array[int] = field(default_factory=lambda: array("q"))

    def add(self, item: Item) -> None:
        if not any(item.captions.values()):
            self.bare += 1
        concept = hash(item.key)
        for language, texts in item.captions.items():
            for text in texts:
                self.texts.append(hash((language, text)))
                self.concepts.append(concept)

    def twice(self) -> set[int]:
        """Hashes of captions that are said of more than one concept."""
        import numpy as np

        if not self.texts:
            return set()
        texts, concepts = np.frombuffer(self.texts, np.int64), np.frombuffer(self.concepts, np.int64)
        order = np.lexsort((concepts, texts))
        texts, concepts = texts[order], concepts[order]
        same = (texts[1:] == texts[:-1]) & (concepts[1:] != concepts[:-1])
        return set(texts[1:][same].tolist())


def examples(stored: Stored, hashes: set[int], most: int) -> list[tuple[str, list[str]]]:
    """Of some captions by hash: the text, and the ids of a few items that have it."""
    wanted = set(sorted(hashes)[:most])
    found: dict[int, tuple[str, list[str]]] = {}
    if not wanted:
        return []
    for item in stored:
        for language, texts in item.captions.items():
            for text in texts:
                if (number := hash((language, text))) in wanted:
                    ids = found.setdefault(number, (f"{language}: {text}", []))[1]
                    if len(ids) < 3 and item.id not in ids:
                        ids.append(item.id)
    return list(found.values())
