"""MIRFlickr-25K as distributed: `im1.jpg` …, `meta/tags/tags1.txt` …, and `mirflickr25k_annotations_v080`.

An image's tags, joined, are its caption; the annotations that name it are its labels. `annotations=relevant` takes the
stricter files (`dog_r1.txt`) alone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.errors import MlhubError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_IMAGE = re.compile(r"im(\d+)\.jpg")


def _recognise(path: Path, head: bytes) -> bool:
    return not head and path.is_dir() and (_root(path) / "meta" / "tags").is_dir()


def _root(path: Path) -> Path:
    """The folder of the images: the one given, or `mirflickr` in it."""
    return path if (path / "meta").is_dir() else path / "mirflickr"


def _annotations(path: Path) -> Path | None:
    places = (path, path.parent, _root(path))
    found = [
        folder for place in places for folder in sorted(place.glob("mirflickr25k_annotations*")) if folder.is_dir()
    ]
    if found:
        return found[0]
    return path / "annotations" if (path / "annotations").is_dir() else None


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    for name in source.paths:
        path = Path(name)
        labels = _labels(path, source.option("annotations", "potential"), reading)
        root = _root(path)
        numbers = sorted(int(match[1]) for file in os.listdir(root) if (match := _IMAGE.fullmatch(file)))
        if not numbers:
            raise MlhubError(f"{root}: no im1.jpg and the like", "Unpack mirflickr25k.zip there.")
        for number in numbers:
            tags = root / "meta" / "tags" / f"tags{number}.txt"
            words = [line.strip() for _, line in reading.lines(tags)] if tags.is_file() else []
            text = " ".join(filter(None, words))
            yield Part(
                f"im{number}.jpg",
                {"en": [text]} if text else {},
                labels.get(number, []),
                id=f"im{number}",
                where=str(tags),
            )


def _labels(path: Path, which: str, reading: Reading) -> dict[int, list[str]]:
    """Of each image the annotations that name it: 25,000 short lists."""
    if which not in ("potential", "relevant"):
        raise UsageError(f"-o annotations={which}: potential or relevant", "Relevant ones are the files *_r1.txt.")
    folder = _annotations(path)
    found: dict[int, list[str]] = {}
    for file in sorted(folder.glob("*.txt")) if folder else []:
        strict = file.stem.endswith("_r1")
        if file.stem.lower().startswith("readme") or strict != (which == "relevant"):
            continue
        for number, line in reading.lines(file):
            if line.strip().isdigit():
                found.setdefault(int(line), []).append(file.stem.removesuffix("_r1"))
            elif line.strip():
                reading.bad(f"{file}:{number}", "not the number of an image")
    return found


FORMAT = Format(
    "mirflickr", "MIRFlickr-25K", _recognise, _read, images=lambda path: str(_root(path)),
    options={"annotations": "potential (default) or relevant: which annotations are labels"},
)  # fmt: skip
