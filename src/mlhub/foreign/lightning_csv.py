"""Lightning's CSV logs: `metrics.csv` as records, and the `hparams.yaml` beside it.

Source: lightning/fabric/loggers/csv_logs.py. When a metric comes that the header lacks, the file is written anew, with
more columns and the same rows; a training that starts in the same folder removes it. There are no times in it.
"""

from __future__ import annotations

import csv
import io
import os
import re
import zlib
from typing import NamedTuple

from mlhub.files import open_regular
from mlhub.foreign.source import metric_name
from mlhub.records import PLACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

METRICS, HPARAMS = "metrics.csv", "hparams.yaml"

#: bytes read at once; a longer line is left out
_BLOCK = 4 << 20
_INT = re.compile(r"-?\d{1,18}")


class Place(NamedTuple):
    """How far a file has been read: the byte after the last row, how many rows, which file and which header."""

    offset: int = 0
    rows: int = 0
    inode: int = 0
    header: int = 0


START = Place()


def read(path: Path, place: Place = START) -> tuple[list[dict[str, object]], Place]:
    """The rows after `place`, some 4 MB of the file, and the place after them; all read: the same place.

    A record is `{"step": 50, "epoch": 1, name: number, …}`, without what a row leaves out. Whole lines only. Of a file
    that was written anew with more columns, the rows after those read before; of another file in its place, all.
    Raises OSError.
    """
    with open_regular(path) as file:
        inode = os.fstat(file.fileno()).st_ino
        head = _read_header(file)
        if not head:  # it is being written anew
            return [], place
        now = Place(len(head), 0, inode, zlib.crc32(head))
        known = place.rows if place.inode == inode else 0
        if place[2:] == now[2:] and place.offset <= os.fstat(file.fileno()).st_size:
            now = place
        names = _names(head)
        found: list[dict[str, object]] = []
        while not found:
            file.seek(now.offset)
            data = file.read(_BLOCK)
            if len(data) == _BLOCK and b"\n" not in data:
                data += file.readline()
            end = data.rfind(b"\n") + 1
            if end == 0:
                break
            rows = list(_rows(data[:end]))
            found = [record for row in rows[max(0, known - now.rows) :] if (record := _record(names, row))]
            now = now._replace(offset=now.offset + end, rows=now.rows + len(rows))
    return found, now if now.rows >= known else place


def _read_header(file: BinaryIO) -> bytes:
    """The header's line with its end; empty if it isn't whole. A name in quotes may hold a line break."""
    head = b""
    while line := file.readline(_BLOCK):
        head += line
        if line.endswith(b"\n") and head.count(b'"') % 2 == 0:
            return head
        if len(head) > _BLOCK:
            break
    return b""


def _names(head: bytes) -> list[str]:
    """The columns' names; those that would be taken for a record's place have another one."""
    row = next(_rows(head), [])
    return [name if name == "step" else metric_name(name) for name in row]


def _rows(data: bytes) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(data.decode(errors="replace"), newline=""))
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:  # a field of more than 128 kB
            yield []


def _record(names: list[str], row: list[str]) -> dict[str, object]:
    """A row as a record; empty if nothing in it is a number."""
    cells = zip(names, row, strict=False)
    found: dict[str, object] = {name: number for name, word in cells if (number := _number(word)) is not None}
    for name in ("step", "epoch"):
        value = found.get(name)
        if isinstance(value, float) and value.is_integer():
            found[name] = int(value)
    return found if found.keys() - PLACE else {}


def _number(word: str) -> float | None:
    if _INT.fullmatch(word):
        return int(word)
    try:
        return float(word)
    except ValueError:
        return None
