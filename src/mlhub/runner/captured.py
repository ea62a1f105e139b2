"""What capture left in a run's folder: the model, the checkpoints that were saved, where its loggers wrote. Only read.

The files are written by `mlhub.capture.site` inside other people's programs: outside data, bounded. Following the logs
of a run that is not captured is `mlhub.runner.follow`'s; the folders it took them from are named here, too.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass

from mlhub.runner import record
from mlhub.runner.folder import read_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import RunPaths

#: what a training of our own goes on from, among its checkpoints
STATE = "state.pt"
#: bytes read of checkpoints.jsonl, its newest
_MOST = 16 << 20


@dataclass(frozen=True, slots=True)
class Saved:
    """A checkpoint as it was saved last: `score` of the metric `monitor`; `missing`: no such file any more."""

    path: str
    step: int | None
    epoch: int | None
    monitor: str | None
    score: float | str | None
    best: bool
    last: bool
    missing: bool

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def read_saved(paths: RunPaths) -> list[Saved]:
    """Each checkpoint once, the newest first; what is no record is passed over. Best and last are one each."""
    newest: dict[str, record.Tree] = {}
    for tree in _trees(paths):
        newest.setdefault(tree["path"], tree)
    best = next((path for path, tree in newest.items() if tree.get("best") is True), None)
    last = next((path for path, tree in newest.items() if tree.get("last") is True), None)
    return [_saved(path, tree, best=path == best, last=path == last) for path, tree in newest.items()]


def _trees(paths: RunPaths) -> Iterator[record.Tree]:
    """The records of checkpoints.jsonl, the newest first."""
    for line in (record.read_bytes(str(paths.saved), _MOST) or b"").split(b"\n")[::-1]:
        try:
            tree = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(tree, dict) and record.text(tree, "path"):
            yield tree


def _saved(path: str, tree: record.Tree, *, best: bool, last: bool) -> Saved:
    score = tree.get("score")
    return Saved(
        path=path, step=record.whole(tree, "step"), epoch=record.whole(tree, "epoch"),
        monitor=record.text(tree, "monitor") or None,
        score=score if isinstance(score, (int, float, str)) and not isinstance(score, bool) else None,
        best=best, last=last, missing="://" not in path and not _exists(path),
    )  # fmt: skip


def _exists(path: str) -> bool:
    try:
        return os.path.exists(path)
    except ValueError:  # a NUL in it
        return False


def read_model(paths: RunPaths) -> dict[str, object] | None:
    """`{"class": …, "parameters": n, "trainable": n}` of the model that was trained; None if nobody said."""
    model = record.part(read_json(paths.capture), "model")
    if model is None or not record.text(model, "class"):
        return None
    counts = {name: record.whole(model, name) for name in ("parameters", "trainable")}
    return {"class": record.text(model, "class"), **counts}


def log_folders(paths: RunPaths) -> set[str]:
    """Where a run's loggers wrote, as capture and its checkpoints say, and as its logs were read.

    As it was told: nothing is looked up there, which may be on a disk that is gone, and hang.
    """
    said = read_json(paths.capture).get("logs")
    found = {path for path in said if isinstance(path, str)} if isinstance(said, list) else set()
    sources = record.part(read_json(paths.root / "follow.json"), "sources") or {}
    found |= {os.path.dirname(path) for path in sources}
    for folder in {os.path.dirname(tree["path"]) for tree in _trees(paths)}:
        found |= {folder, os.path.dirname(folder)} if os.path.basename(folder) == "checkpoints" else {folder}
    return {os.path.normpath(path) for path in found if os.path.isabs(path)}


def can_continue(paths: RunPaths) -> bool:
    """Whether a resume has something to go on from: the state of our own trainer, or a full checkpoint still there."""
    if _exists(str(paths.checkpoints / STATE)):
        return True
    full = {tree["path"]: None for tree in _trees(paths) if not tree.get("weights_only")}
    return any("://" in path or _exists(path) for path in full)
