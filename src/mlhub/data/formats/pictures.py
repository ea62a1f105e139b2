"""A folder of pictures. `cat.txt` beside `cat.jpg` has its captions, a line each, `cat.ko.txt` those in Korean.

Folders within are labels. Of a picture of which nothing at all is said, the converter takes the folder's name.
"""

from __future__ import annotations

import os
from pathlib import Path

from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.data.formats.fields import LANGUAGES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"))
_SPLITS = frozenset(("train", "val", "valid", "validation", "test", "dev"))
#: folders that are no class
_PLAIN = frozenset(("images", "image", "img", "photos", "pictures"))


def _recognise(path: Path, head: bytes) -> bool:
    return not head and path.is_dir() and next(_pictures(path), None) is not None


def _pictures(path: Path) -> Iterator[str]:
    return (name for folder in _folders(path) for name in _listed(folder)[0])


def _folders(path: Path) -> Iterator[Path]:
    """The folder and those in it, in the order of their names; links to folders are not followed."""
    for folder, below, _ in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield Path(folder)


def _listed(folder: Path) -> tuple[list[str], dict[str, list[str]]]:
    """Names of pictures in a folder, and the texts by all that may be the stem of a picture."""
    pictures: list[str] = []
    texts: dict[str, list[str]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)
            if entry.name.startswith("."):
                continue
            if suffix.lower() in _SUFFIXES:
                pictures.append(entry.name)
            elif suffix == ".txt":
                texts.setdefault(stem, []).append(entry.name)
    stems = {os.path.splitext(name)[0] for name in pictures}
    for stem in list(texts):
        picture, dot, language = stem.rpartition(".")
        if dot and stem not in stems and language in LANGUAGES:  # else it is the picture `cat.2`, not `cat` in "2"
            texts.setdefault(picture, []).extend(texts.pop(stem))
    return sorted(pictures), texts


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    language = source.option("language", "en")
    for name in source.paths:
        root = Path(name)
        for folder in _folders(root):
            pictures, texts = _listed(folder)
            below = folder.relative_to(root).parts
            split = next((part for part in below if part.lower() in _SPLITS), "")
            labels = [part for part in below[-1:] if part != split and part.lower() not in _PLAIN]
            for picture in pictures:
                stem = os.path.splitext(picture)[0]
                captions = _captions(folder, stem, texts.get(stem, []), language, reading)
                image = "/".join((*below, picture))
                yield Part(image, captions, list(labels), split=split, where=str(folder / picture))


def _captions(folder: Path, stem: str, names: list[str], language: str, reading: Reading) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    for name in sorted(names):
        spoken = name.removeprefix(stem).removesuffix(".txt").removeprefix(".") or language
        captions.setdefault(spoken, []).extend(text for _, text in reading.lines(folder / name) if text.strip())
    return captions


FORMAT = Format(
    "images", "a folder of pictures", _recognise, _read, images=str,
    options={"language": "the captions' language, where the file's name does not say it (default: en)"},
)  # fmt: skip
