"""What TensorBoard's event files say: scalars as records, hyperparameters, when a session began and ended.

Scalars are simple values (torch, tensorboardX, TensorFlow 1) and tensors without dimensions (TensorFlow 2). Images,
histograms, audio, text and graphs are passed over. Sources: tensorboard/plugins/scalar/metadata.py,
tensorboard/plugins/hparams/api.proto, tensorboard/data_compat.py; the files themselves: `mlhub.foreign.events`.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from typing import Any

from mlhub.foreign.events import CorruptError, event_class, hparams_class, read_part
from mlhub.foreign.source import epoch, is_placeholder, metric_name

__all__ = ["CorruptError", "Session", "read", "read_records"]  # what is done with a file; its runs: tensorboard_runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: SessionLog.START in event.proto
_START = 1
#: types of tensorflow/core/framework/types.proto: name of the list of values, format of one in `content`
_TYPES = {
    1: ("float_val", "<f"), 2: ("double_val", "<d"), 3: ("int_val", "<i"), 4: ("int_val", "<B"), 5: ("int_val", "<h"),
    6: ("int_val", "<b"), 9: ("int64_val", "<q"), 10: ("bool_val", "<?"), 17: ("int_val", "<H"), 19: ("half_val", "<e"),
    22: ("uint32_val", "<I"), 23: ("uint64_val", "<Q"),
}  # fmt: skip
_HALF = 19
_SCALARS = (b"", b"scalars")


@dataclass(slots=True)
class Session:
    """What the hparams plugin tells; seconds since 1970. `status` as in api.proto: 0 unknown, 1 success, 2 failure."""

    hparams: dict[str, Any] = field(default_factory=dict)
    started: float | None = None
    ended: float | None = None
    status: int = 0


def read(path: Path, offset: int = 0) -> tuple[list[dict[str, object]], int]:
    """The scalars from byte `offset` on, some 1 MB of the file, and the offset after them; all read: the same offset.

    A record is `{"step": 50, "time": 1763848800.1, tag: number, …}`: neighbours of one step are one. A record that is
    half-written is left for later, one whose checksum is wrong passed over. Raises CorruptError where the file can't be
    read on at all, OSError.
    """
    part = read_part(path, offset)
    return [record for record in read_records(part.data) if "attempt" not in record], part.offset


def read_records(data: Iterable[bytes], session: Session | None = None) -> Iterator[dict[str, object]]:
    """The records in events; what the hparams plugin says goes into `session`.

    Where a writer began again (`SummaryWriter(purge_step=N)`) there is a record without metrics, `{"step": N - 1,
    "attempt": 0, "time": …}`: what was recorded before it, of a later step, is superseded.
    """
    from google.protobuf.message import DecodeError

    parse = event_class().FromString
    names: dict[bytes, str] = {}
    record: dict[str, object] = {}
    for raw in data:
        try:
            event = parse(raw)
        except DecodeError:
            continue
        step = event.step
        if event.HasField("session_log"):
            if event.session_log.status == _START and step > 0:
                yield from _finished(record)
                record = {}
                yield {"step": step - 1, "attempt": 0} | _time(event)
            continue
        for value in event.summary.value:
            if value.HasField("simple_value"):
                number: float | None = value.simple_value
            else:
                number = _of_tensor(value, session)
            if number is None:
                continue
            tag = names.get(value.tag) or names.setdefault(value.tag, metric_name(value.tag.decode(errors="replace")))
            if is_placeholder(tag, number):
                continue
            if record.get("step") != step or tag in record:
                yield from _finished(record)
                record = {"step": step, **_time(event)}
            record[tag] = number if tag != "epoch" else epoch(number)
    yield from _finished(record)


def _finished(record: dict[str, object]) -> Iterator[dict[str, object]]:
    if record:
        yield record


def _time(event: Any) -> dict[str, object]:  # noqa: ANN401 - a message made at run time
    return {"time": event.wall_time} if math.isfinite(event.wall_time) and event.wall_time > 0 else {}


def _of_tensor(value: Any, session: Session | None) -> float | None:  # noqa: ANN401
    """The number in a tensor without dimensions; None for what is no scalar."""
    plugin = value.metadata.plugin_data
    if plugin.plugin_name not in _SCALARS:
        if session is not None and plugin.plugin_name == b"hparams":
            _read_hparams(plugin.content, session)
        return None
    tensor = value.tensor
    kind = _TYPES.get(tensor.dtype)
    if kind is None or not value.HasField("tensor") or any(dim.size != 1 for dim in tensor.shape.dim):
        return None
    name, form = kind
    if tensor.content:
        found = struct.unpack_from(form, tensor.content)[0] if len(tensor.content) >= struct.calcsize(form) else None
    else:
        values = getattr(tensor, name)
        found = values[0] if len(values) else 0  # a tensor of zeros has no values at all
        if tensor.dtype == _HALF:
            found = struct.unpack("<e", struct.pack("<H", found & 0xFFFF))[0]
    return None if found is None else _number(found)


def _number(found: float) -> float:
    return int(found) if isinstance(found, int) else found


def _read_hparams(content: bytes, session: Session) -> None:
    from google.protobuf.message import DecodeError

    try:
        data = hparams_class().FromString(content)
    except DecodeError:
        return
    if data.HasField("start"):
        for entry in data.start.hparams:
            session.hparams[entry.key.decode(errors="replace")] = _plain(entry.value)
        session.started = data.start.start_time_secs or session.started
    if data.HasField("end"):
        session.ended = data.end.end_time_secs or session.ended
        session.status = data.end.status


def _plain(value: Any) -> Any:  # noqa: ANN401 - google.protobuf.Value
    """A hyperparameter; whole numbers, which the file keeps as doubles, as such."""
    if value.HasField("number_value"):
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) < 1 << 53 else number
    if value.HasField("string_value"):
        return value.string_value.decode(errors="replace")
    return value.bool_value if value.HasField("bool_value") else None
