"""Whether the words of a query are the path of an image, and how a path goes on.

Both look at files: not for the main thread.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from mlhub.text import clean

#: what Pillow opens, mostly
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".ppm"))
#: entries of a folder that are looked at for a completion
_MOST = 20_000


def looks_like_path(words: str) -> bool:
    """Whether it begins as only a path does."""
    return words.startswith(("/", "./", "../", "~", "file://"))


def image_of(words: str) -> Path | None:
    """The path that the words are; None: they are a text.

    `/…`, `./…` and `~…` always are one, whether or not it is there; a bare name only if there is such a file and it is
    called like an image. Terminals paste dragged files in quotes, with backslashes or as file://: understood.
    """
    words = words.strip()
    if len(words) > 2 and words[0] == words[-1] and words[0] in "'\"":
        words = words[1:-1]
    if words.startswith("file://"):
        words = unquote(words.removeprefix("file://"))
    elif not looks_like_path(words) and os.path.splitext(words)[1].lower() not in SUFFIXES:
        return None
    path = os.path.abspath(os.path.expanduser(words))
    if "\\" in words and not os.path.exists(path):
        path = os.path.abspath(os.path.expanduser(words.replace("\\ ", " ")))
    there = os.path.isfile(path)
    return Path(path) if there or looks_like_path(words) else None


def complete(words: str) -> str | None:
    """The words with the name at their end completed: the first folder or image whose name begins so; else None."""
    if not looks_like_path(words) or words.startswith("file://"):
        return None
    if words == "~":
        return "~/"
    folder, _, start = words.rpartition("/")
    try:
        with os.scandir(os.path.expanduser(f"{folder}/")) as entries:
            names = [
                entry.name + ("/" if entry.is_dir() else "")
                for entry in islice(entries, _MOST)
                if entry.name.startswith(start) and (start or not entry.name.startswith("."))
            ]
    except (OSError, ValueError):
        return None
    fitting = [
        name
        for name in names
        if name == clean(name) and (name.endswith("/") or os.path.splitext(name)[1].lower() in SUFFIXES)
    ]
    return f"{folder}/{min(fitting)}" if fitting else None
