"""Text as a bag of hashed words and character n-grams, weighted by how rare they are. Not a tokenizer of subwords.

Features are 63-bit hashes; a vocabulary is the sorted hashes seen in a corpus. What was never seen counts for nothing,
so that "a dog" is "dog", and a word in a language nobody trained on is honestly the empty text.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from functools import lru_cache

import torch
from torch import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: words that say nothing about a picture; "no", "not" and colours do
STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "to",
        "for",
        "from",
        "by",
        "with",
        "and",
        "or",
        "is",
        "are",
        "was",
        "be",
        "this",
        "that",
        "these",
        "those",
        "it",
        "its",
        "some",
        "any",
        "my",
        "your",
        "picture",
        "photo",
        "image",
        "drawing",
        "icon",
        "emoji",
        "show",
        "me",
        "그림",
        "사진",
        "이미지",
        "이모지",
        "있는",
        "의",
        "을",
        "를",
        "이",
        "가",
        "은",
        "는",
    ]
)

_WORD = re.compile(r"[^\W_]+", re.UNICODE)
_LATIN_SIZES = (3, 4, 5)
_WORD_WEIGHT = 1.0
_GRAM_WEIGHT = 0.35


def words(text: str) -> tuple[str, ...]:
    """Folded words without stop-words; all of them if nothing else is left ("the on!" is still a text)."""
    found = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return tuple(word for word in found if word not in STOP_WORDS) or tuple(found)


@lru_cache(maxsize=1 << 16)
def _word_features(word: str) -> tuple[tuple[int, float], ...]:
    """(hash, weight) of a word: itself, and its n-grams between boundary marks. CJK n-grams start at one character."""
    marked = f"<{word}>"
    dense = any(ord(char) > 0x2E7F for char in word)
    sizes = (1, 2, 3) if dense else _LATIN_SIZES
    grams = Counter(gram for size in sizes for gram in _slices(word if size == 1 else marked, size))
    share = _GRAM_WEIGHT * (2.0 if dense else 1.0) / max(1, sum(grams.values())) ** 0.5
    features = [(_hash(f"w:{word}"), _WORD_WEIGHT)]
    features += [(_hash(f"g:{gram}"), share * count) for gram, count in grams.items()]
    return tuple(features)


def _slices(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(len(text) - size + 1)]


def _hash(feature: str) -> int:
    return int.from_bytes(hashlib.blake2b(feature.encode(), digest_size=8).digest(), "big") >> 1


def features(text: str) -> dict[int, float]:
    """Weight of each feature of a text."""
    bag: dict[int, float] = {}
    for word in words(text):
        for key, weight in _word_features(word):
            bag[key] = bag.get(key, 0.0) + weight
    return bag


def vocabulary(texts: Sequence[str]) -> Tensor:
    """Sorted hashes [v] int64 of every feature in the texts."""
    keys = {key for text in texts for key in features(text)}
    return torch.tensor(sorted(keys), dtype=torch.int64)


def bags(texts: Sequence[str], keys: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of `keys` [m], their weights [m] and where each text starts [n]: what `embedding_bag` takes."""
    hashes: list[int] = []
    weights: list[float] = []
    starts: list[int] = []
    for text in texts:
        starts.append(len(hashes))
        bag = features(text)
        hashes.extend(bag.keys())
        weights.extend(bag.values())
    raw = torch.tensor(hashes, dtype=torch.int64)
    if not len(keys):
        return raw[:0], torch.zeros(0), torch.zeros(len(starts), dtype=torch.int64)
    rows = torch.searchsorted(keys, raw).clamp_(max=len(keys) - 1)
    weight = torch.tensor(weights, dtype=torch.float32) * (keys[rows] == raw)
    return rows, weight, torch.tensor(starts, dtype=torch.int64)
