"""JSON lines: our own items, as they are, or any objects whose keys can be told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from mlhub.data.formats import fields
from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.data.items import ITEMS, Item

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def _recognise(path: Path, head: bytes) -> bool:
    if path.is_dir():
        return (path / ITEMS).is_file()
    first = head.removeprefix(b"\xef\xbb\xbf").lstrip().split(b"\n", 1)[0]
    return path.suffix.lower() in (".jsonl", ".ndjson", ".json") and first.startswith(b"{") and _is_object(first)


def _is_object(line: bytes) -> bool:
    """Whether a line is an object of its own; of a document, the first line is none. A long one counts by its look."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return len(line) > 1 and not line.rstrip().endswith((b"{", b"["))


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()
    own: msgspec.json.Decoder[Item] = msgspec.json.Decoder(Item)
    for name in source.paths:
        path = Path(name)
        file = path / ITEMS if path.is_dir() else path
        for number, line in reading.lines(file):
            if not line.strip():
                continue
            where = f"{file}:{number}"
            try:
                row = decoder.decode(line)
            except (msgspec.DecodeError, RecursionError) as error:
                reading.bad(f"{where}:{_column(line)}", f"not JSON: {error}")
                continue
            if not isinstance(row, dict):
                reading.bad(where, "not an object")
                continue
            part = None if source.options else _own(own, line, where)
            yield part or fields.part(row, source, where)


def _own(decoder: msgspec.json.Decoder[Item], line: str, where: str) -> Part | None:
    """A line that is an item of ours, as it is."""
    try:
        item = decoder.decode(line)
    except msgspec.DecodeError:
        return None
    captions = {language: list(texts) for language, texts in item.captions.items()}
    return Part(
        item.image, captions, list(item.labels), item.id, item.split, item.concept, item.style, item.category,
        item.digest, where=where,
    )  # fmt: skip


def _column(line: str) -> int:
    """Where the line ceases to be JSON, from 1."""
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        return error.colno
    except RecursionError:
        pass
    return 1


def _images(path: Path) -> str:
    """The file's folder; of a prepared set of ours, the folder that it says."""
    if path.is_dir() and (path / "dataset.json").is_file():
        from mlhub.data.items import Stored

        return str(Stored.open(path).root)
    return str(path if path.is_dir() else path.parent)


FORMAT = Format("jsonl", "JSON lines", _recognise, _read, images=_images, options=fields.OPTIONS)
