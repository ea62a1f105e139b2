"""What is in a data set, in one pass: splits, languages, lengths of captions, labels, sizes of images, a sample.

Memory does not grow with the set but for 8 bytes an item, which tell how many concepts there are.
"""

from __future__ import annotations

from array import array
from collections import Counter
from contextlib import suppress
from typing import Any

from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.data.items import Item, Stored

#: different labels that are counted; beyond, "over" so many
_LABELS = 100_000
#: words of a caption, from which on all count as one length
_LONGEST = 1000
#: items whose image is looked at, and items shown
_LOOKED, _SHOWN = 200, 5


class Description:
    """Counts of items as they pass."""

    def __init__(self, items: int) -> None:
        self.splits: Counter[str] = Counter()
        self.captions: Counter[str] = Counter()
        self.lengths: dict[str, Counter[int]] = {}
        self.labels: Counter[str] = Counter()
        self.categories: Counter[str] = Counter()
        self.concepts = array("q")
        self.looked: list[Item] = []
        self.sample: list[Item] = []
        self._every, self._each = max(1, items // _LOOKED), max(1, items // _SHOWN)
        self._number = 0

    def add(self, item: Item) -> None:
        self.splits[item.split] += 1
        for language, texts in item.captions.items():
            self.captions[language] += len(texts)
            self.lengths.setdefault(language, Counter()).update(min(len(text.split()), _LONGEST) for text in texts)
        for counter, words in ((self.labels, item.labels), (self.categories, (item.category,))):
            for word in words:
                if word and (word in counter or len(counter) < _LABELS):
                    counter[word] += 1
        self.concepts.append(hash(item.key))
        if self._number % self._every == 0 and len(self.looked) < _LOOKED:
            self.looked.append(item)
        if self._number % self._each == 0 and len(self.sample) < _SHOWN:
            self.sample.append(item)
        self._number += 1


def describe(stored: Stored) -> dict[str, Any]:
    """What `mlhub data show` says, as JSON has it."""
    import numpy as np

    facts = stored.facts()
    seen = Description(facts.items)
    for item in stored:
        seen.add(item)
    splits = {split: seen.splits[split] for split in ("train", "val", "test") if split in seen.splits}
    return {
        "name": stored.name,
        "folder": str(stored.folder),
        "root": str(stored.root),
        "source": stored.about.source,
        "license": stored.about.license,
        "fingerprint": facts.fingerprint,
        "items": facts.items,
        "concepts": len(np.unique(np.frombuffer(seen.concepts, np.int64))) if seen.concepts else 0,
        "categories": len(seen.categories),
        "labels": len(seen.labels),
        "labels_over": len(seen.labels) == _LABELS,
        "most_labels": dict(seen.labels.most_common(10)),
        "splits": splits,
        "captions": dict(seen.captions.most_common()),
        "caption_words": {language: quantiles(counts) for language, counts in seen.lengths.items()},
        "images": _images(stored, seen.looked),
        "bytes": facts.size + facts.images,
        "sample": seen.sample,
    }


def quantiles(counts: Counter[int]) -> dict[str, int]:
    """Least, median, 95 % and most of numbers that were counted."""
    total, passed = sum(counts.values()), 0
    found: dict[str, int] = {}
    for value in sorted(counts):
        passed += counts[value]
        for name, share in (("least", 0.0), ("median", 0.5), ("p95", 0.95), ("most", 1.0)):
            if name not in found and passed >= share * total:
                found[name] = value
    return found


def _images(stored: Stored, items: list[Item]) -> dict[str, Any]:
    """Sizes and kinds, by the headers of a sample; empty without Pillow."""
    try:
        from PIL import Image
    except ImportError:
        return {}
    sizes: list[tuple[int, int]] = []
    kinds: Counter[str] = Counter()
    for item in items:
        # what can't be opened is `data check`'s to name; a huge one has a header like any other
        with (
            suppress(OSError, ValueError, SyntaxError, MlhubError, Image.DecompressionBombError, Warning),
            Image.open(stored.image_path(item)) as image,
        ):
            sizes.append(image.size)
            kinds[image.format or "?"] += 1
    if not sizes:
        return {"looked": len(items), "read": 0}
    order = sorted(sizes, key=lambda size: size[0] * size[1])
    texts = [f"{width}x{height}" for width, height in (order[0], order[len(order) // 2], order[-1])]
    return {
        "looked": len(items),
        "read": len(sizes),
        **dict(zip(("least", "median", "most"), texts, strict=True)),
        "kinds": dict(kinds.most_common()),
    }
