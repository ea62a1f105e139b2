"""Folders of Hugging Face's `datasets`: imagefolder with metadata, Parquet shards by split, `save_to_disk`.

Nothing of the library is needed; Parquet and Arrow files are read by pyarrow (`mlhub[archive]`).
"""

from __future__ import annotations

from pathlib import Path

from mlhub.data.formats import csv, fields, jsonl, parquet
from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_META = ("metadata.jsonl", "metadata.csv")
_SPLITS = ("train", "validation", "val", "valid", "test", "dev")


def _recognise(path: Path, head: bytes) -> bool:
    return not head and path.is_dir() and bool(_metadata(path) or _shards(path) or _arrows(path))


def _metadata(path: Path) -> list[Path]:
    return sorted(file for name in _META for file in (*path.glob(name), *path.glob(f"*/{name}")))


def _shards(path: Path) -> list[Path]:
    """Parquet files called by their split: `data/train-00000-of-00002.parquet`."""
    found = sorted((*path.glob("*.parquet"), *path.glob("*/*.parquet")))
    return found if any(_split(file) for file in found) else []


def _arrows(path: Path) -> list[Path]:
    saved = any(path.glob("state.json")) or any(path.glob("*/state.json"))
    return sorted((*path.glob("*.arrow"), *path.glob("*/*.arrow"))) if saved else []


def _split(file: Path) -> str:
    """By the file's name, else by its folder's."""
    for name in (file.name.split("-")[0].split(".")[0], file.parent.name):
        if name.lower() in _SPLITS:
            return name.lower()
    return ""


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    for name in source.paths:
        folder = Path(name)
        if files := _metadata(folder):
            yield from _read_metadata(folder, files, source, reading)
        elif files := _shards(folder):
            for file in files:
                yield from parquet.read_file(file, source, reading, _split(file))
        else:
            for file in _arrows(folder):
                yield from _read_arrow(file, source, reading)


def _read_metadata(folder: Path, files: list[Path], source: Source, reading: Reading) -> Iterator[Part]:
    for file in files:
        own = Source("", (str(file),), options=source.options)
        read = jsonl.FORMAT.read if file.suffix == ".jsonl" else csv.FORMAT.read
        below = file.parent.relative_to(folder)
        for part in read(own, reading):
            part.image = str(below / part.image) if part.image and not part.image.startswith("/") else part.image
            part.split = part.split or (_split(file) if file.parent != folder else "")
            yield part


def _read_arrow(path: Path, source: Source, reading: Reading) -> Iterator[Part]:
    arrow = parquet.pyarrow()
    from pyarrow import ipc

    split, number = _split(path), 0
    try:
        with reading.open(path) as file, ipc.open_stream(file) as stream:
            for batch in stream:
                at = file.tell()
                for row in batch.to_pylist():
                    number += 1
                    yield parquet.of_row(row, source, f"{path}: row {number}", split)
                reading.advance(max(0, file.tell() - at))
    except (arrow.ArrowException, OSError) as error:
        raise MlhubError(f"{path}: can't be read: {' '.join(str(error).split())[:200]}", "Fetch it again.") from None


def _images(path: Path) -> str:
    if _metadata(path):
        return str(path)
    if shards := _shards(path):
        return "" if parquet.holds_images(shards[0]) else str(path)
    return ""


FORMAT = Format(
    "huggingface", "Hugging Face folders", _recognise, _read, scattered=False, images=_images, options=fields.OPTIONS
)
