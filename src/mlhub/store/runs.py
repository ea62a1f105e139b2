"""`Run`: one execution of a command, as the store knows it and as `--json` shows it."""

from __future__ import annotations

from typing import Any

import msgspec

#: the five words a status may be; what else is known stands in `condition`
ACTIVE = ("queued", "running")
ENDED = ("completed", "failed", "cancelled")

_BOOK_KEEPING = frozenset(("summary_offset", "summary_done", "place", "slots", "claimed_boot", "started_boot"))


class QueueState(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a host's queue starts anything, and why not; `boot` is the boot its last tick ran under."""

    host: str
    boot: str | None = None
    paused: bool = False
    reason: str | None = None
    changed_at: str | None = None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the store. Times are UTC text; `summary` maps a metric to its last, min, max and step."""

    id: int
    name: str
    kind: str
    status: str
    group: str | None = None
    tags: list[str] = []
    preset: str | None = None
    created_at: str
    started_at: str | None = None
    ended_at: str | None = None
    attempt: int = 1
    exit_code: int | None = None
    signal: str | None = None
    reason: str | None = None
    condition: str | None = None
    pid: int | None = None
    supervisor_pid: int | None = None
    host: str
    gpus: list[int] = []
    dir: str = ""
    config: dict[str, Any] = {}
    summary: dict[str, dict[str, Any]] = {}
    summary_offset: int = 0
    summary_done: bool = False
    priority: int = 0
    place: float | None = None
    after: list[int] = []
    gpus_wanted: int = 0
    waiting: bool = False
    claimed_boot: float | None = None
    slots: int = 0
    retries: int = 0
    duration: float | None = None
    started_boot: float | None = None
    orphans: list[int] = []
    alerts: list[dict[str, Any]] = []
    note: str | None = None
    adapter: str | None = None
    project: str | None = None

    @property
    def active(self) -> bool:
        return self.status in ACTIVE

    @property
    def to_be_retried(self) -> bool:
        """Whether its failure is not the end yet: --retries makes another attempt."""
        return self.status == "failed" and self.retries > 0

    def to_json(self) -> dict[str, Any]:
        """The contract's JSON shape: every field but the store's own book-keeping."""
        return {field: getattr(self, field) for field in self.__struct_fields__ if field not in _BOOK_KEEPING}


def step_of(run: Run) -> int | None:
    """The newest step any metric was logged at; of one that went back to a checkpoint, the greatest of any attempt."""
    found = [entry.get(key) for entry in run.summary.values() for key in ("step", "top")]
    return max((step for step in found if isinstance(step, int) and not isinstance(step, bool)), default=None)
