"""Karpathy's `dataset_coco.json`, `dataset_flickr30k.json`, `dataset_flickr8k.json`: captions with his splits."""

from __future__ import annotations

from pathlib import Path

from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.data.formats.documents import elements

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def _recognise(_path: Path, head: bytes) -> bool:
    return b'"sentences"' in head and b'"filename"' in head and b'"images"' in head


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    language = source.option("language", "en")
    for name in source.paths:
        path = Path(name)
        for number, record in enumerate(elements(reading, path, "images.item"), 1):
            where = f"{path}: image {number}"
            if not isinstance(record, dict) or not isinstance(record.get("filename"), str):
                reading.bad(where, "names no file")
                continue
            said = record.get("sentences")
            texts = [one["raw"] for one in said or () if isinstance(one, dict) and isinstance(one.get("raw"), str)]
            file, folder = record["filename"], record.get("filepath") or ""
            yield Part(
                f"{folder}/{file}" if folder else file,
                {language: texts},
                split=str(record.get("split", "")),
                elsewhere=(file, f"images/{file}") if folder else (f"images/{file}",),
                where=where,
            )


FORMAT = Format(
    "karpathy", "Karpathy's splits", _recognise, _read, options={"language": "the captions' language (default: en)"}
)
