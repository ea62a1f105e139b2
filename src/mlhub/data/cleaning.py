"""From a `Part`, which says what a source says, to an `Item` that can be relied on. What can't be is `reading.bad`.

Captions lose control characters; a split gets our name; an image is found, below the image folder and nowhere else, or
is written there if the source holds it.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from functools import lru_cache
from pathlib import Path, PurePosixPath

from mlhub.data.items import SPLITS, Item, Split, is_inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.data.formats.base import Part, Reading, Source

#: C0, DEL, C1 and halves of surrogate pairs: nothing a caption says
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufeff]+")
_SPLITS: dict[str, Split] = {
    "": "train",
    **{split: split for split in SPLITS},
    "training": "train",
    "restval": "train",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "testing": "test",
    "query": "test",
}
#: where images that the source holds are put
_OWN = "images"
#: halves of surrogate pairs: how Python spells the bytes of a name that is not UTF-8
_HALF = re.compile("[\ud800-\udfff]")
_DIGEST = re.compile("[0-9a-f]{64}")
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


class Cleaner:
    """Makes the items of one set. `held`: whether its images come out of the source, into the set's own folder."""

    def __init__(self, source: Source, folder: Path, reading: Reading) -> None:
        self.source, self.folder, self.reading = source, folder, reading
        self.root = source.images
        self.held = not self.root
        self.bytes = 0  # of the images
        self._real = lru_cache(4096)(os.path.realpath)

    def item(self, part: Part) -> Item | None:
        """The item, or None for what can't be taken. Raises MlhubError for that, unless it is to be skipped."""
        split = _SPLITS.get(part.split.strip().lower())
        if split is None:
            self._bad(part, f"split {part.split!r} is none of {', '.join(_SPLITS)[2:]}")
            return None
        digest = part.digest if _DIGEST.fullmatch(part.digest) else ""
        if part.data is not None:
            image, digest = self._write(part)
        else:
            image = self._find(part)
        if not image:
            return None
        return Item(
            id=cleaned(part.id) or os.path.splitext(image.removeprefix(f"{_OWN}/") if part.data else image)[0],
            image=image,
            captions=self._captions(part),
            labels=_each(part.labels),
            concept=cleaned(part.concept),
            style=cleaned(part.style),
            split=split,
            digest=digest,
            category=cleaned(part.category),
        )

    def _captions(self, part: Part) -> dict[str, tuple[str, ...]]:
        captions = {cleaned(language): _each(texts) for language, texts in part.captions.items()}
        return {language: texts for language, texts in captions.items() if texts}

    def _bad(self, part: Part, why: str) -> None:
        self.reading.bad(part.where or part.image, why)

    def _find(self, part: Part) -> str:
        """The path of the image below the root; empty for one that isn't there or isn't allowed."""
        why = "no image is named"
        for name in filter(None, (part.image, *part.elsewhere)):
            relative = self._relative(name)
            if not is_inside(relative):
                why = f"image {name!r} leads out of the images' folder {self.root}"
                continue
            why = self._problem(relative) or ""
            if not why:
                return relative
        self._bad(part, why)
        return ""

    def _relative(self, name: str) -> str:
        name = name.strip()
        if name.startswith("/"):
            root = os.path.join(self.root, "")
            if not name.startswith(root):
                return name
            name = name[len(root) :]
        return str(PurePosixPath(name)) if name not in ("", ".") and "\\" not in name and "\0" not in name else name

    def _problem(self, relative: str) -> str:
        if _HALF.search(relative):
            return f"the image's name {relative!a} is not UTF-8"
        path = os.path.join(self.root, relative)
        try:
            found = os.lstat(path)
            linked = stat.S_ISLNK(found.st_mode)
            if linked:
                found = os.stat(path)
        except (OSError, ValueError):
            return f"no such image: {path}"
        if not stat.S_ISREG(found.st_mode):
            return f"image {path} is not a regular file"
        real = os.path.realpath(path) if linked else os.path.join(self._real(os.path.dirname(path)), "x")
        if not real.startswith(os.path.join(self._real(self.root), "")):
            return f"image {relative!r} leads out of {self.root} by a link"
        self.bytes += found.st_size
        return ""

    def _write(self, part: Part) -> tuple[str, str]:
        """Put an image that the source holds into the set's folder: its path there and its sha256."""
        self.held = True
        data: bytes = part.data()
        if not data:
            self._bad(part, "the image is empty")
            return "", ""
        self.bytes += len(data)
        digest = hashlib.sha256(data).hexdigest()
        relative = self._own_name(part.image, digest, data)
        path = self.folder / relative
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif path.stat().st_size != len(data) or path.read_bytes() != data:  # torn by a kill
            path.write_bytes(data)
        return relative, digest

    def _own_name(self, name: str, digest: str, data: bytes) -> str:
        """Of letters that every file system takes, never out of the folder. Of two pictures of one name, the second
        has a part of its digest in it.
        """
        parts = [_ODD.sub("_", part).lstrip(".")[-100:] for part in name.replace("\\", "/").split("/")]
        kept = [part for part in parts if part] or [digest[:16]]
        relative = "/".join((_OWN, *kept[-3:]))
        path = self.folder / relative
        if path.is_dir() or (path.is_file() and not _same(path, data)):
            stem, suffix = os.path.splitext(relative)
            relative = f"{stem}-{digest[:8]}{suffix}"
        return relative


def _same(path: Path, data: bytes) -> bool:
    """Whether a file holds these bytes, or as many of them as were written before a kill."""
    with path.open("rb") as file:
        there = file.read(len(data) + 1)
    return data.startswith(there)


def cleaned(text: str) -> str:
    """Text without control characters, its runs of blanks as one."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _each(texts: list[str]) -> tuple[str, ...]:
    """Cleaned, each once, none empty."""
    return tuple(dict.fromkeys(filter(None, map(cleaned, texts))))
