"""What an MLflow file store says of a run: `mlruns/<experiment>/<run>/{meta.yaml,metrics,params,tags}`.

The same in MLflow 1 to 3; the models that MLflow 3 keeps beside its runs are passed over, as are artifacts, traces and
data sets, and its SQLite stores are not read. Source: mlflow/store/tracking/file_store.py of MLflow 3.17.
"""

from __future__ import annotations

import heapq
import os
from typing import Any

from mlhub.errors import MlhubError
from mlhub.files import open_regular, read_regular
from mlhub.foreign.source import Facts, Source, digest, fingerprint, measure, metric_name, scalar
from mlhub.yaml12 import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mlhub.foreign.source import Sink

META = "meta.yaml"

#: bytes read of meta.yaml, of a parameter or tag
_MOST = 64 << 10
#: bytes of a line of metrics
_LINE = 4096
#: files of metrics that are open at once
_OPEN = 200
#: RunStatus of mlflow/protos/service.proto
_ENDS = {
    3: "completed",
    4: "failed",
    5: "cancelled",
    "FINISHED": "completed",
    "FAILED": "failed",
    "KILLED": "cancelled",
}
#: one that MLflow has no end of: it may have been killed or go on; as of our own whose end nobody saw, `lost`
_OPEN_ENDS = {
    1: "lost: still marked running in MLflow when imported",
    "RUNNING": "lost: still marked running in MLflow when imported",
    2: "lost: still marked scheduled in MLflow when imported",
    "SCHEDULED": "lost: still marked scheduled in MLflow when imported",
}
_NO_STATUS = "lost: MLflow does not say how it ended"
_ACTIVE = "active"


def find(folder: Path) -> Source | None:
    """The run in a folder that has a meta.yaml; None if it is an experiment's or was deleted. MlhubError, OSError."""
    if not any((folder / kind).is_dir() for kind in ("metrics", "params", "tags")):
        return None  # others have a meta.yaml, too
    meta = _read_meta(folder)
    run_id = meta.get("run_id") or meta.get("run_uuid")
    if not isinstance(run_id, str) or meta.get("lifecycle_stage", _ACTIVE) != _ACTIVE:
        return None
    metrics = [path for _, path in _files(folder / "metrics")]
    others = [folder / META, *(path for kind in ("params", "tags") for _, path in _files(folder / kind))]
    return Source(
        kind="mlflow",
        path=folder,
        id=digest(run_id.encode(), repr(meta.get("start_time")).encode()),
        name=str(meta.get("run_name") or "") or run_id[:12],
        started=_seconds(meta.get("start_time")),
        size=sum(measure(path)[0] for path in metrics),
        fingerprint=fingerprint([*metrics, *others]),
    )


def copy(source: Source, sink: Sink) -> Facts:
    """Give the run's metrics to `sink`; the facts about it. Raises MlhubError, OSError."""
    meta = _read_meta(source.path)
    tags = dict(_texts(source.path / "tags", sink))
    last = _copy_metrics(source.path / "metrics", sink)
    status, reason = _end(meta.get("status"))
    ended = _seconds(meta.get("end_time"))
    return Facts(
        name=tags.get("mlflow.runName") or str(meta.get("run_name") or "") or None,
        group=_experiment(source.path.parent),
        tags=[f"{name}={value}" if value else name for name, value in tags.items() if not name.startswith("mlflow.")],
        note=tags.get("mlflow.note.content"),
        config={name: scalar(value) for name, value in _texts(source.path / "params", sink)},
        status=status,
        reason=reason,
        started=_seconds(meta.get("start_time")),
        ended=ended or last,
        command=[tags["mlflow.source.name"]] if "mlflow.source.name" in tags else [],
        git={"commit": commit} if (commit := tags.get("mlflow.source.git.commit")) else {},
    )


def _end(said: object) -> tuple[str, str]:
    """Status and reason, by what MLflow says of it."""
    word = said if isinstance(said, (int, str)) else 0
    status = _ENDS.get(word)
    if status is None:
        return "failed", _OPEN_ENDS.get(word, _NO_STATUS)
    return status, "imported" if status == "completed" else f"{status}, says MLflow"


def _read_meta(folder: Path) -> dict[str, Any]:
    """`meta.yaml`; empty if it is something else. Raises MlhubError for what is no YAML, OSError."""
    data = read_regular(folder / META, _MOST + 1)
    if len(data) > _MOST:
        raise MlhubError(f"{folder / META}: longer than 64 kB", "It is left out.")
    tree = parse(data.decode(errors="replace"), str(folder / META))
    return tree if isinstance(tree, dict) else {}


def _experiment(folder: Path) -> str | None:
    """The experiment's name, which groups its runs; None for MLflow's own first one."""
    try:
        name = _read_meta(folder).get("name")
    except (MlhubError, OSError):
        return None
    return name if isinstance(name, str) and name != "Default" else None


def _seconds(milliseconds: object) -> float | None:
    """Seconds since 1970, from milliseconds; None for what is no time."""
    if isinstance(milliseconds, (int, float)) and 0 < milliseconds < 1 << 44:
        return milliseconds / 1000
    return None


def _files(folder: Path) -> list[tuple[str, Path]]:
    """Name and path of all regular files below a folder, links left alone; a name may have slashes."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = folder / place / name
            if os.path.isfile(path) and not os.path.islink(path):
                found.append((os.fsencode(path.relative_to(folder)).decode(errors="replace"), path))
    return found


def _texts(folder: Path, sink: Sink) -> Iterator[tuple[str, str]]:
    """Name and text of parameters or tags."""
    for name, path in _files(folder):
        try:
            yield name, read_regular(path, _MOST).decode(errors="replace").removesuffix("\n")
        except OSError as error:
            sink.tell(f"{name}: {error.strerror}; left out")


def _copy_metrics(folder: Path, sink: Sink) -> float | None:
    """All records in the order of their times, neighbours of one step as one; seconds since 1970 of the last."""
    files = _files(folder)
    last = None
    if len(files) > _OPEN:
        sink.tell(f"{len(files)} metrics: in order of time in parts of {_OPEN}")
    for start in range(0, len(files), _OPEN):
        record: dict[str, object] = {}
        for when, step, name, value in _merged(files[start : start + _OPEN], sink):
            key = metric_name(name)
            if record.get("step") != step or key in record:
                if record:
                    sink.metric(record)
                record = {"step": step, "time": when}
            record[key] = value
            last = max(last or when, when)
        if record:
            sink.metric(record)
    return last


def _merged(files: Sequence[tuple[str, Path]], sink: Sink) -> Iterator[tuple[float, int, str, float]]:
    return heapq.merge(*(_points(name, path, sink) for name, path in files), key=lambda point: point[:2])


def _points(name: str, path: Path, sink: Sink) -> Iterator[tuple[float, int, str, float]]:
    """Seconds since 1970, step, name, value of each whole line: `milliseconds value [step [data set, its digest]]`."""
    wrong = 0
    try:
        with open_regular(path) as file:
            while (line := file.readline(_LINE)).endswith(b"\n"):
                words = line.split()
                try:
                    when, value = _seconds(int(words[0])), float(words[1])
                    step = int(words[2]) if len(words) > 2 else 0
                except (ValueError, IndexError):
                    when = None
                if when is None:
                    wrong += 1
                    continue
                yield when, step, name, value
            wrong += len(line) == _LINE
    except OSError as error:
        sink.tell(f"{name}: {error.strerror}")
    if wrong:
        sink.tell(f"{name}: {wrong} lines are none of MLflow's; left out")
