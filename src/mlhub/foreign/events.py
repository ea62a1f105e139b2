"""TensorBoard's event files as events: the framing, the checksums and the protobuf messages; not what they mean.

A file is records, one after another: length (8 bytes, little-endian), masked CRC32C of it (4), data, masked CRC32C of
the data (4); the data is a `tensorflow.Event`. Sources: tensorflow/core/lib/io/record_writer.h, and in TensorBoard's
tensorboard/compat/proto event.proto, summary.proto, tensor.proto; tensorboard/plugins/hparams/plugin_data.proto.
"""

from __future__ import annotations

import os
import struct
from functools import cache
from typing import Any, NamedTuple

from mlhub.errors import MlhubError
from mlhub.files import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: a record is a few dozen bytes, a graph some MB; a longer one is damage or no concern of ours
_LONGEST = 256 << 20
#: bytes read at once
_BLOCK = 1 << 20
_HEAD = struct.Struct("<QI")
#: a checksum is stored rotated by 15 bits, plus this (record_writer.h)
_MASK = 0xA282EAD8


class CorruptError(MlhubError):
    """What stands at `offset` of a file is no record, and where the next one begins can't be known."""

    def __init__(self, path: Path, offset: int) -> None:
        super().__init__(f"{path}: damaged at byte {offset}", "What is before it was read; what follows can't be.")
        self.offset = offset


class Part(NamedTuple):
    """Whole records of a file: their data, the offset after them, how many of them were damaged and left out."""

    data: list[bytes]
    offset: int
    damaged: int


def read_part(path: Path, offset: int, limit: int = _BLOCK) -> Part:
    """The whole records from byte `offset` on, of some `limit` bytes; a half-written last one is left for later.

    Raises CorruptError if not one can be read, as the length at `offset` is damaged; OSError.
    """
    import google_crc32c

    value, head = google_crc32c.value, _HEAD.unpack_from  # for speed: there are a million records
    found: list[bytes] = []
    damaged = 0
    with open_regular(path) as file:
        file.seek(offset)
        block = file.read(limit)
        at = 0
        while at + 12 <= len(block):
            length, check = head(block, at)
            crc = value(block[at : at + 8])
            if length > _LONGEST or (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF != check:
                if at == 0:
                    raise CorruptError(path, offset)
                break
            end = at + length + 16
            if end > len(block):
                if at:
                    break
                block += file.read(end - len(block))  # one that is longer than a block
                if end > len(block):
                    break
            data = block[at + 12 : end - 4]
            crc = value(data)
            if (((crc >> 15) | (crc << 17)) + _MASK) & 0xFFFFFFFF == int.from_bytes(block[end - 4 : end], "little"):
                found.append(data)
            else:
                damaged += 1
            at = end
    return Part(found, offset + at, damaged)


def rest(path: Path, offset: int) -> int:
    """Bytes of a file behind `offset`."""
    return max(0, os.stat(path).st_size - offset)


@cache
def event_class() -> Any:  # noqa: ANN401 - a message class made at run time
    """The class of `tensorflow.Event`, with the fields that are read here."""
    from mlhub.foreign.messages import build

    return build("mlhub.tensorboard", _MESSAGES, "Event")


@cache
def hparams_class() -> Any:  # noqa: ANN401
    """The class of `tensorboard.hparams.HParamsPluginData`, with the fields that are read here."""
    from mlhub.foreign.messages import build

    return build("mlhub.tensorboard", _MESSAGES, "HParams")


#: text is `bytes`: one tag that isn't UTF-8 must not cost the record
_MESSAGES = {
    "Event": "wall_time:double=1 step:int64=2 summary:Summary=5 session_log:SessionLog=7",
    "SessionLog": "status:int32=1",
    "Summary": "value:Value*=1",
    "Value": "tag:bytes=1 simple_value:float=2 metadata:Metadata=9 tensor:Tensor=8",
    "Metadata": "plugin_data:PluginData=1 data_class:int32=4",
    "PluginData": "plugin_name:bytes=1 content:bytes=2",
    "Tensor": (
        "dtype:int32=1 shape:Shape=2 content:bytes=4 half_val:int32*=13 float_val:float*=5 double_val:double*=6"
        " int_val:int32*=7 string_val:bytes*=8 int64_val:int64*=10 uint32_val:uint32*=16 uint64_val:uint64*=17"
        " bool_val:bool*=11"
    ),
    "Shape": "dim:Dim*=2",
    "Dim": "size:int64=1",
    "HParams": "start:Start=3 end:End=4",
    "Start": "hparams:Entry*=1 group_name:bytes=4 start_time_secs:double=5",
    "End": "status:int32=1 end_time_secs:double=2",
    "Entry": "key:bytes=1 value:Any=2",
    "Any": "null_value:int32=1 number_value:double=2 string_value:bytes=3 bool_value:bool=4",
}
