"""AI Hub's Korean–English captions: #261 (`MSCOCO_train_val_Korean.json`) and #71454, a document or a folder of them.

Read by their keys, as no two releases agree: the image is `file_path`, `file_name`, `image`, `img_path` or the like, in
the record or in its `image(s)`; captions are `caption_ko`/`captions_ko`/`ko`/`kor`/`korean` and `captions`/`caption`/
`en`/`eng`/`english`, each a text, a list of texts or of objects with one of these keys.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.data.formats.documents import elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_IMAGE = ("file_path", "file_name", "filename", "image_path", "img_path", "image_name", "image", "path")
_KOREAN = ("caption_ko", "captions_ko", "ko", "kor", "korean", "caption_kor", "text_ko", "kr")
_ENGLISH = ("caption_en", "captions_en", "captions", "caption", "en", "eng", "english", "text_en", "caption_eng")
_TEXT = ("text", "caption", "sentence", "value")
_MARK = re.compile(rb'"(?:caption_ko|captions_ko|caption_kor|text_ko|korean|kor|ko)"\s*:')


def _recognise(path: Path, head: bytes) -> bool:
    if path.is_dir():
        first = next(iter(sorted(path.rglob("*.json"))), None)
        return first is not None and _is_korean(first.read_bytes()[: 1 << 16])
    return path.suffix == ".json" and _is_korean(head)


def _is_korean(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"[", b"{") and _MARK.search(head) is not None


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    for name in source.paths:
        path = Path(name)
        for file in sorted(path.rglob("*.json")) if path.is_dir() else [path]:
            for number, record in enumerate(_records(reading, file), 1):
                where = f"{file}: record {number}"
                part = _part(record, where) if isinstance(record, dict) else None
                if part is None:
                    reading.bad(where, "names no image")
                    continue
                yield part


def _records(reading: Reading, path: Path) -> Iterator[Any]:
    """Elements of a list; of an object its `data`, `annotations` or `images`; or the object itself."""
    with reading.open(path) as file:
        first = file.read(256).lstrip(b"\xef\xbb\xbf \r\n\t")[:1]
    if first == b"[":
        yield from elements(reading, path, "item")
        return
    found = False
    for key in ("data", "annotations", "images"):
        for record in elements(Reading(reading.skip_bad), path, f"{key}.item"):
            found = True
            yield record
        if found:
            reading.advance(path.stat().st_size)
            return
    yield from elements(reading, path, "")


def _part(record: dict[str, Any], where: str) -> Part | None:
    inner = record.get("image") or record.get("images")
    if isinstance(inner, list):
        inner = inner[0] if inner else {}
    places = [record, inner] if isinstance(inner, dict) else [record]
    image = next(
        (place[key] for place in places for key in _IMAGE if isinstance(place.get(key), str) and place[key]), None
    )
    if image is None:
        return None
    said = record.get("annotations") or record.get("annotation")
    places += said if isinstance(said, list) else [said] if isinstance(said, dict) else []
    captions: dict[str, list[str]] = {}
    for language, keys in (("ko", _KOREAN), ("en", _ENGLISH)):
        texts = [text for place in places if isinstance(place, dict) for text in _first(place, keys)]
        if texts:
            captions[language] = texts
    name = Path(image).name
    return Part(
        image, captions, split=str(record.get("split") or ""), where=where,
        elsewhere=(name, f"images/{name}", f"train2014/{name}", f"val2014/{name}"),
    )  # fmt: skip


def _first(place: dict[str, Any], keys: tuple[str, ...]) -> list[str]:
    return next((texts for key in keys if (texts := _texts(place.get(key)))), [])


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return next((_texts(value[key]) for key in _TEXT if key in value), [])
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else []


FORMAT = Format("aihub", "AI Hub Korean–English", _recognise, _read, scattered=True)
