"""COCO's captions and instances JSON (2014, 2017 and what is made in their form), together or alone.

Annotations name an image by number: the numbers and names of all images are held while a file is read (a hundred bytes
an image). Instances give the names of their categories as labels.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.data.formats.documents import elements, elements_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_YEAR = re.compile(r"(train|val|test)(\d{4})")


def _recognise(path: Path, head: bytes) -> bool:
    if not head.lstrip(b"\xef\xbb\xbf \n\r\t").startswith(b"{"):
        return False
    named = re.match(r"(captions|instances)_", path.name) is not None and path.suffix == ".json"
    return named or ((b'"annotations"' in head or b'"images"' in head) and b'"file_name"' in head)


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    for name in source.paths:
        yield from _read_file(Path(name), source, reading)


def _read_file(path: Path, source: Source, reading: Reading) -> Iterator[Part]:
    """First who is who, then what is said: the list of images may stand behind that of annotations."""
    names: dict[int, str] = {}
    kinds: dict[int, str] = {}
    half = Reading(reading.skip_bad)  # a look that isn't counted as progress
    for prefix, record in elements_of(half, path, ("images.item", "categories.item")):
        if not isinstance(record, dict):
            continue
        if prefix == "categories.item":
            kinds[record.get("id", -1)] = str(record.get("name", ""))
        elif isinstance(record.get("file_name"), str):
            names[record.get("id", -1)] = record["file_name"]
    for number, record in enumerate(elements(reading, path, "annotations.item"), 1):
        where = f"{path}: annotation {number}"
        name = names.get(record.get("image_id", -1)) if isinstance(record, dict) else None
        if name is None:
            reading.bad(where, "of an image that the file does not name")
            continue
        yield _part(name, record, kinds, path, source, where)


def _part(name: str, record: dict[str, Any], kinds: dict[int, str], path: Path, source: Source, where: str) -> Part:
    captions: dict[str, list[str]] = {}
    for key, language in (("caption", source.option("language", "en")), ("caption_ko", "ko")):
        text = record.get(key)
        if text:
            captions[language] = [text] if isinstance(text, str) else [str(one) for one in text]
    label = kinds.get(record.get("category_id", -1), "")
    folder, split = _folder(name, path)
    return Part(
        name, captions, [label] if label else [], split=split,
        elsewhere=(f"{folder}/{name}", f"images/{name}", f"images/{folder}/{name}") if folder else (f"images/{name}",),
        where=where,
    )  # fmt: skip


def _folder(name: str, path: Path) -> tuple[str, str]:
    """`train2014` and `train`, by the name of the image or of the file; COCO's test has no captions."""
    match = _YEAR.search(name) or _YEAR.search(path.name)
    return (match[0], match[1]) if match else ("", "")


def _images(path: Path) -> str:
    """The folder above `annotations`, as COCO is unpacked; else the file's."""
    return str(path.parent.parent if path.parent.name == "annotations" else path.parent)


FORMAT = Format(
    "coco", "COCO captions and instances", _recognise, _read, scattered=True, images=_images,
    options={"language": "the captions' language (default: en)"},
)  # fmt: skip
