"""Runs in TensorBoard's folders: as in TensorBoard a folder with event files is one run, its files one after another.

Two kinds of folders that torch's SummaryWriter makes below it belong to it, too: `add_scalars("loss", {"a": …})` writes
to `loss_a/`, which becomes the metric `loss/a`, and `add_hparams` to a folder named by the time. What an event says:
`mlhub.foreign.tensorboard`. Source: torch/utils/tensorboard/writer.py.
"""

from __future__ import annotations

import heapq
import re
import struct
from dataclasses import replace

from mlhub.errors import MlhubError
from mlhub.files import read_regular
from mlhub.foreign.events import CorruptError, read_part, rest
from mlhub.foreign.hparams import NAME, read_hparams
from mlhub.foreign.source import Facts, Source, digest, fingerprint, measure, name_of
from mlhub.foreign.tensorboard import Session, read_records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mlhub.foreign.source import Sink

#: bytes of a file's first event with its time, which with the file's name (time, host, pid) is like no other's
_HEAD = 21
_BY_TIME = re.compile(r"\d+(\.\d+)?")
_HOST = re.compile(r"tfevents\.\d+\.(.+?)(?:\.\d+\.\d+)?(?:\.v2)?$")
#: runs whose folder may belong to the one above it have few metrics; a first look suffices
_LOOK = 1 << 16


def is_event_file(name: str) -> bool:
    """As TensorBoard tells them (tensorboard/backend/event_processing/io_wrapper.py)."""
    return "tfevents" in name and not name.endswith(".profile-empty")


def find(folder: Path) -> Source | None:
    """The run in a folder of event files; None if nothing was written yet. Raises MlhubError, OSError."""
    files = _event_files(folder)
    for file in files:
        head = read_regular(file, _HEAD)
        if len(head) == _HEAD:
            return Source(
                kind="tensorboard",
                path=folder,
                id=digest(file.name.encode(errors="replace"), head),
                name=name_of(folder),
                started=_seconds(struct.unpack_from("<d", head, 13)[0]) if head[12] == 0x09 else None,
                size=sum(measure(path)[0] for path in files),
                fingerprint=fingerprint([*files, folder / NAME]),
            )
    return None


def _event_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if is_event_file(path.name) and measure(path)[0])


def _seconds(time: object) -> float | None:
    return time if isinstance(time, float) and 0 < time < 1 << 34 else None


def gather(found: Sequence[Source]) -> list[Source]:
    """`found`, the folders that belong to the one above them as parts of it."""
    by_path = {source.path: source for source in found}
    parts: dict[Path, list[Source]] = {}
    for source in found:
        if source.path.parent in by_path and _prefix(source) is not None:
            parts.setdefault(source.path.parent, []).append(source)
    taken = {part.path for group in parts.values() for part in group}
    return [_joined(source, parts.get(source.path, [])) for source in found if source.path not in taken]


def _joined(source: Source, parts: list[Source]) -> Source:
    if not parts:
        return source
    return replace(
        source,
        parts=tuple((part.path, _prefix(part) or "") for part in parts),
        size=source.size + sum(part.size for part in parts),
        fingerprint=digest(*(part.fingerprint.encode() for part in (source, *parts))),
    )


def _prefix(source: Source) -> str | None:
    """What to put behind the name of the metrics in a folder that belongs to the one above it; None if it doesn't."""
    session = Session()
    tags: set[str] = set()
    try:
        for file in _event_files(source.path)[:1]:
            for record in read_records(read_part(file, 0, _LOOK).data, session):
                tags |= record.keys() - {"step", "time", "attempt"}
    except (MlhubError, OSError):
        return None
    if session.hparams and _BY_TIME.fullmatch(source.path.name):
        return ""
    if len(tags) == 1:
        stem = tags.pop().replace("/", "_") + "_"
        if source.path.name.startswith(stem) and source.path.name != stem:
            return source.path.name.removeprefix(stem)
    return None


def copy(source: Source, sink: Sink) -> Facts:
    """Give the run's scalars to `sink`; the facts about it. Raises MlhubError, OSError."""
    session = Session()
    first, last = source.started, source.started
    streams = [_records(folder, end, session, sink) for folder, end in ((source.path, ""), *source.parts)]
    for record in heapq.merge(*streams, key=_time) if len(streams) > 1 else streams[0]:
        if when := _seconds(record.get("time")):
            first, last = min(first or when, when), max(last or when, when)
        if "attempt" in record:
            sink.mark(_step(record), when or last or 0.0)
        else:
            sink.metric(record)
    host = _HOST.search(next((file.name for file in _event_files(source.path)), ""))
    failed = session.status == 2
    return Facts(
        config=read_hparams(source.path, sink) or session.hparams,
        status="failed" if failed else "completed",
        reason="failed, says TensorBoard" if failed else "imported",
        started=first,
        ended=max(last or 0.0, session.ended or 0.0) or None,
        host=host[1] if host else None,
    )


def _time(record: dict[str, object]) -> float:
    when = record.get("time")
    return when if isinstance(when, float) else 0.0


def _step(record: dict[str, object]) -> int:
    step = record.get("step")
    return step if isinstance(step, int) else 0


def _records(folder: Path, end: str, session: Session, sink: Sink) -> Iterator[dict[str, object]]:
    """All records of a folder's files, in their order; `end` goes behind the metrics' names."""
    for file in _event_files(folder):
        for data in _parts(file, sink):
            for record in read_records(data, session):
                yield {_renamed(key, end): value for key, value in record.items()} if end else record


def _renamed(key: str, end: str) -> str:
    return key if key in ("step", "time", "attempt") else f"{key}/{end}"


def _parts(file: Path, sink: Sink) -> Iterator[list[bytes]]:
    """The events of a file, in parts; what can't be read is told."""
    offset = damaged = 0
    try:
        while True:
            part = read_part(file, offset)
            if part.offset == offset:
                break
            offset, damaged = part.offset, damaged + part.damaged
            yield part.data
    except CorruptError:
        lost = rest(file, offset)
        sink.tell(
            f"{file.name}: damaged at byte {offset}; what is before was imported, {lost} bytes behind it were not"
        )
    except OSError as error:
        sink.tell(f"{file.name}: {error.strerror or error}; {rest(file, offset)} bytes were not read")
    if damaged:
        sink.tell(f"{file.name}: {damaged} damaged records left out")
