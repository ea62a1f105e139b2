"""Tables as text: CSV, TSV and their like, with a header. Rows of one image may stand apart."""

from __future__ import annotations

import csv
from pathlib import Path

from mlhub.data.formats import fields
from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DELIMITERS = ",\t;|"
_LARGEST = 1 << 22
#: a table with all of these is an export of ours, whose ids are those of items; elsewhere they may be of captions
_OURS = ("id", "image", "language", "caption", "digest")


def _recognise(path: Path, head: bytes) -> bool:
    if path.suffix.lower() not in (".csv", ".tsv", ".txt", ".tab"):
        return False
    first = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").splitlines()
    return (
        bool(first)
        and any(fields.names_an_image([cell.strip() for cell in first[0].split(sign)]) for sign in _DELIMITERS)
    ) or (path.suffix.lower() in (".csv", ".tsv") and bool(first))


def _delimiter(header: str) -> str:
    """The sign that makes most columns of the header."""
    return max(_DELIMITERS, key=header.count)


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    for name in source.paths:
        yield from _read_file(Path(name), source, reading)


def _read_file(path: Path, source: Source, reading: Reading) -> Iterator[Part]:
    csv.field_size_limit(_LARGEST)
    lines = (text.replace("\0", " ") + "\n" for _, text in reading.lines(path))
    header = next(lines, "")
    names = [cell.strip() for cell in next(csv.reader([header], delimiter=_delimiter(header)), [])]
    chosen = source.option("image")
    if (chosen and chosen not in names) or not (chosen or fields.names_an_image(names)):
        raise MlhubError(
            f"{path}:1: no column {chosen or 'image'!r} among {', '.join(names[:8])}",
            "Say which column it is: mlhub data add NAME FILE -o image=COLUMN -o caption=COLUMN",
        )
    ours = set(_OURS) <= set(names)
    rows = csv.reader(lines, delimiter=_delimiter(header), strict=True)
    while True:
        where = f"{path}:{rows.line_num + 2}"
        try:
            row = next(rows, None)
        except csv.Error as error:
            reading.bad(where, f"not a row: {error}")
            continue
        if row is None:
            return
        if not any(row):
            continue
        if len(row) != len(names):
            reading.bad(where, f"{len(row)} cells, where the header has {len(names)}")
            continue
        part = fields.part(dict(zip(names, row, strict=True)), source, where)
        part.key = f"id {part.id}" if ours else ""
        yield part


FORMAT = Format("csv", "CSV and TSV", _recognise, _read, scattered=True, options=fields.OPTIONS)
