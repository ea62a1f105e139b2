"""W&B's offline files as records: LevelDB's log format with W&B's header, each record a protobuf message.

`run-<id>.wandb` is 7 bytes (`:W&B`, 0xBEE1, version 0), then blocks of 32 kB (the first with the header in it) of
chunks: CRC-32 of type and data (4 bytes, little-endian; zlib's), length (2), type (1: full, first, middle, last), data.
Sources: github.com/google/leveldb doc/log_format.md, wandb/sdk/internal/datastore.py (wandb 0.12 to 0.22), and
wandb/proto/wandb_internal.proto of wandb 0.31. What the records mean: `mlhub.foreign.wandb`.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import Any

from mlhub.errors import MlhubError
from mlhub.files import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

_BLOCK = 32768
_HEADER = struct.Struct("<4sHB")
_CHUNK = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
#: a longer record is damage
_LONGEST = 256 << 20


def read_messages(path: Path, damaged: Callable[[int], object] = id) -> Iterator[bytes]:
    """The records of a file. What is damaged is left out, to the end of its block, and `damaged` told where.

    A half-written end is passed over. Raises MlhubError for what is no such file, OSError.
    """
    with open_regular(path) as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return
        name, magic, version = _HEADER.unpack(head)
        if (name, magic) != (b":W&B", 0xBEE1):
            raise MlhubError(f"{path}: no file of W&B's", "Is it whole?")
        if version != 0:
            raise MlhubError(f"{path}: of version {version}, which is not known here", "A newer mlhub may read it.")
        yield from _join(_chunks(file, damaged))


def _chunks(file: BinaryIO, damaged: Callable[[int], object]) -> Iterator[tuple[int, bytes]]:
    """Type and data of each whole chunk; type 0 where something is missing."""
    start, block = 0, b"\0" * _HEADER.size + file.read(_BLOCK - _HEADER.size)
    at = _HEADER.size
    while True:
        while at + _CHUNK.size <= len(block):
            check, length, kind = _CHUNK.unpack_from(block, at)
            end = at + _CHUNK.size + length
            if end > len(block) and len(block) < _BLOCK:
                return  # half-written
            data = block[at + _CHUNK.size : end]
            if end > len(block) or zlib.crc32(data, zlib.crc32(bytes((kind,)))) != check:
                if any(block[at:]):  # zeros are room that was reserved
                    damaged(start + at)
                yield 0, b""
                break
            yield kind, data
            at = end
        if len(block) < _BLOCK:
            return
        start, at, block = start + _BLOCK, 0, file.read(_BLOCK)


def _join(chunks: Iterator[tuple[int, bytes]]) -> Iterator[bytes]:
    parts: list[bytes] | None = None
    length = 0
    for kind, data in chunks:
        if kind == _FULL:
            yield data
            parts = None
        elif kind == _FIRST:
            parts, length = [data], len(data)
        elif kind in (_MIDDLE, _LAST) and parts is not None:
            parts.append(data)
            length += len(data)
            if kind == _LAST:
                yield b"".join(parts)
            if kind == _LAST or length > _LONGEST:
                parts = None
        else:
            parts = None


@cache
def record_class() -> Any:  # noqa: ANN401 - a message class made at run time
    """The class of `wandb_internal.Record`, with the fields that are read here."""
    from mlhub.foreign.messages import build

    return build("mlhub.wandb", _MESSAGES, "Record")


#: text is `bytes`: what isn't UTF-8 must not cost the record
_MESSAGES = {
    "Record": (
        "history:History=2 summary:Items=3 output:Output=4 config:Items=5 stats:Stats=7 output_raw:Output=13 run:Run=17"
        " exit:Exit=18 environment:Environment=26 _info:Info=200"
    ),
    "Time": "seconds:int64=1 nanos:int32=2",
    "Items": "update:Item*=1 remove:Item*=2",
    "Item": (
        "key:bytes=1 nested_key:bytes*=2 none:int32=3 boolean:bool=4 integer:sint64=5 number:double=6 text:bytes=7"
        " json:bytes=8 value_json:bytes=16"
    ),
    "History": "item:Item*=1 step:Step=2",
    "Step": "num:int64=1",
    "Output": "timestamp:Time=2 line:bytes=3",
    "Stats": "timestamp:Time=2 item:Item*=3",
    "Run": (
        "run_id:bytes=1 entity:bytes=2 project:bytes=3 config:Items=4 run_group:bytes=6 job_type:bytes=7"
        " display_name:bytes=8 notes:bytes=9 tags:bytes*=10 host:bytes=13 start_time:Time=17 git:Git=21"
    ),
    "Git": "remote_url:bytes=1 commit:bytes=2",
    "Exit": "exit_code:int32=1 runtime:int32=2",
    "Info": "stream_id:bytes=1",
    "Environment": (
        "python:bytes=2 started_at:Time=3 args:bytes*=5 program:bytes=6 git:Git=9 root:bytes=11 host:bytes=12"
    ),
}
