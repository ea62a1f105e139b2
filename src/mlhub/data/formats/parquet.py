"""Parquet: images as paths, as bytes, or as the Hub's `{bytes, path}`. Read a batch of rows at a time.

Needs pyarrow (`mlhub[archive]`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mlhub.data.formats import fields
from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 256
#: columns that may hold pictures as bytes
_HELD = ("image", "img", "jpg", "png", "image_bytes", "bytes")


def _recognise(path: Path, head: bytes) -> bool:
    return head.startswith(b"PAR1") or (not head and path.is_dir() and any(path.glob("*.parquet")))


def files(path: Path) -> list[Path]:
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def pyarrow() -> Any:  # noqa: ANN401 - pyarrow has no types
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError:
        raise MlhubError("Parquet needs pyarrow, which is not installed", "pip install 'mlhub[archive]'") from None
    return pa


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    for name in source.paths:
        for path in files(Path(name)):
            yield from read_file(path, source, reading)


def read_file(path: Path, source: Source, reading: Reading, split: str = "") -> Iterator[Part]:
    """The rows of one file. Raises MlhubError if it can't be read."""
    arrow = pyarrow()
    reading.open(path).close()
    size, number = path.stat().st_size, 0
    try:
        with arrow.parquet.ParquetFile(path) as file:
            total = max(1, file.metadata.num_rows)
            for batch in file.iter_batches(_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield of_row(row, source, f"{path}: row {number}", split)
                reading.advance(size * batch.num_rows // total)
    except (arrow.ArrowException, OSError) as error:
        raise MlhubError(f"{path}: can't be read: {' '.join(str(error).split())[:200]}", "Fetch it again.") from None


def of_row(row: dict[str, Any], source: Source, where: str, split: str = "") -> Part:
    """A row, its image as bytes where it holds them."""
    part = fields.part(row, source, where)
    part.split = part.split or split
    data = held(row, source.option("image"))
    if data is not None:
        part.data = lambda: data
        part.image = part.image or f"{where.rpartition(' ')[2]}{_suffix(data)}"
        part.image = Path(part.image).name
    return part


def held(row: dict[str, Any], chosen: str) -> bytes | None:
    """The bytes of the row's image, if it has them itself."""
    for key in (chosen,) if chosen else _HELD:
        value = row.get(key)
        if isinstance(value, dict):
            value = value.get("bytes")
        if isinstance(value, bytes):
            return value
    return None


def _suffix(data: bytes) -> str:
    kinds = ((b"\x89PNG", ".png"), (b"\xff\xd8", ".jpg"), (b"GIF8", ".gif"), (b"RIFF", ".webp"), (b"BM", ".bmp"))
    return next((suffix for start, suffix in kinds if data.startswith(start)), ".img")


def holds_images(path: Path) -> bool:
    """Whether the images are in the file itself."""
    arrow = pyarrow()
    try:
        schema = arrow.parquet.read_schema(path)
    except (arrow.ArrowException, OSError):
        return False
    return any("binary" in str(field.type) for field in schema if field.name.lower() in _HELD)


def _images(path: Path) -> str:
    first = files(path)[0]
    return "" if holds_images(first) else str(first.parent)


FORMAT = Format("parquet", "Parquet", _recognise, _read, images=_images, options=fields.OPTIONS)
