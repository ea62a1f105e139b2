"""What every reader speaks of: a run found at another tracker's, the facts about it, and where its records go."""

from __future__ import annotations

import hashlib
import math
import os
import re
import stat
from dataclasses import dataclass, field
from typing import Any, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KINDS = ("tensorboard", "lightning", "wandb", "mlflow")

#: why a run without an end is taken for failed, where its tracker would have recorded one
NO_END = "lost: no end was recorded; it was killed, or ran still when it was imported"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A run as it lies at `path` (a folder or a file).

    `id` tells it from all others of its kind, wherever it is copied to. `size` is bytes of its metrics; `fingerprint`
    another one whenever one of its files was written. `started`: seconds since 1970, as far as a glance shows.
    """

    kind: str
    path: Path
    id: str
    name: str
    started: float | None
    size: int
    fingerprint: str
    #: folders that belong to it, and what to put before the names of their metrics
    parts: tuple[tuple[Path, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class Facts:
    """What a run says of itself; None where it says nothing. Times in seconds since 1970."""

    name: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)
    note: str | None = None
    config: dict[str, Any] = field(default_factory=dict)
    status: str = "completed"
    reason: str | None = "imported"
    exit_code: int | None = None
    started: float | None = None
    ended: float | None = None
    host: str | None = None
    command: list[str] = field(default_factory=list)
    cwd: str | None = None
    git: dict[str, Any] = field(default_factory=dict)
    python: str | None = None


class Sink(Protocol):
    """Takes what a reader finds, in the order of the source; nothing of it is kept in memory."""

    def metric(self, record: dict[str, object]) -> None:
        """`{"step": 50, "time": …, name: number}`; not-a-number and infinities as floats."""

    def mark(self, step: int, time: float) -> None:
        """From here on it goes on from `step`: what was recorded of later ones is superseded."""

    def system(self, record: dict[str, object]) -> None:
        """The same of the machine."""

    def output(self, text: str) -> None:
        """What the program printed, or a part of it."""

    def tell(self, text: str) -> None:
        """What was left out, in words."""


_RESERVED = {"step": "metric/step", "time": "metric/time", "attempt": "metric/attempt", "": "(no name)"}


def metric_name(name: str) -> str:
    """A metric's name; one that would be taken for a record's place in its run has another. `epoch` is that place."""
    return _RESERVED.get(name, name)


#: what Lightning's TensorBoardLogger records for its table of hyperparameters: measured by nobody
_PLACEHOLDER = ("hp_metric", -1)


def is_placeholder(name: str, value: float) -> bool:
    """Whether a metric's value is Lightning's filler. Capture, which runs without mlhub, leaves out the same."""
    return (name, value) == _PLACEHOLDER


def epoch(number: float) -> float:
    """Lightning and others log the epoch as a float."""
    return int(number) if math.isfinite(number) and number == int(number) else number


def fingerprint(paths: Iterable[Path]) -> str:
    """Of names, sizes and times of files; one that is gone counts as empty."""
    found = hashlib.sha256()
    for path in paths:
        size, changed = measure(path)
        found.update(b"%b %d %d\n" % (os.fsencode(path.name), size, changed))
    return found.hexdigest()[:16]


def name_of(folder: Path) -> str:
    """What to call the run in a folder: by its name, with the one above it where every tracker's are called so."""
    common = re.fullmatch(
        r"version_\d+|train(ing)?|val(id(ation)?)?|test|eval|runs?|logs?|tb|tensorboard|csv", folder.name
    )
    return f"{folder.parent.name}-{folder.name}" if common and folder.parent.name else folder.name


def measure(path: Path) -> tuple[int, int]:
    """Size in bytes and nanoseconds since 1970 of a file's last change; zeros of what is no regular file."""
    try:
        about = os.lstat(path)
    except (OSError, ValueError):
        return 0, 0
    return (about.st_size, about.st_mtime_ns) if stat.S_ISREG(about.st_mode) else (0, 0)


def digest(*parts: bytes) -> str:
    """A short name for some bytes."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def scalar(text: str) -> Any:  # noqa: ANN401 - a number, a truth or the text
    """A value that its tracker keeps as text: `0.1`, `3` and `True` as what they were."""
    if text in ("True", "False"):
        return text == "True"
    for kind in (int, float):
        try:
            return kind(text) if len(text) < 40 and "_" not in text else text
        except ValueError:
            continue
    return text
