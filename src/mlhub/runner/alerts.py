"""What deserves attention while a run goes on: a table of conditions, what changed since the last look, and the record.

The sampler alone evaluates and appends to `alerts.jsonl`; anybody reads. What a reading is, and telling people of an
alert, are others' work (`mlhub.runner.sample`, `mlhub.runner.notify`). Standard library only: `mlhub ls` reads this.
"""

from __future__ import annotations

import json
import math
import os
import stat
from dataclasses import dataclass, field
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlhub.paths import RunPaths

#: what is read of the record: thousands of alerts, and never all of a hostile file
_LIMIT = 1 << 20
_MOST, _LONGEST = 32, 240
_SEVERITIES = ("warn", "fail")


class NotFinite(NamedTuple):
    """A metric's last value was none: `word` is NaN or Infinity."""

    metric: str
    word: str
    step: object

    @property
    def is_loss(self) -> bool:
        return "loss" in self.metric.lower()

    @property
    def text(self) -> str:
        from mlhub.text import one_line

        step = f" at step {self.step}" if isinstance(self.step, int) else ""
        return f"{one_line(self.metric)[:80]} is {self.word}{step}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the conditions look at; None where it isn't known, which changes no alert.

    Free bytes and the folder they are of; °C and the GPU's index; the share of the machine's memory that is left and
    the share that is too little; seconds since the last metric and the limit; seconds the GPU waited while the run
    worked; metrics that are not finite; bytes of a log that can't be compressed, and what would be ten times its limit.
    """

    disk_free: int | None = None
    disk_folder: str = ""
    temperature: int | None = None
    gpu: int = 0
    memory_left: float | None = None
    memory_least: float = 0.05
    silent: float | None = None
    silent_limit: float = math.inf
    gpu_idle: float | None = None
    not_finite: tuple[NotFinite, ...] = ()
    log_size: int | None = None
    log_limit: int = 1 << 62


class Rule(NamedTuple):
    """A condition: `value` at or over `raised` raises it, and it stays until the value is under `cleared`."""

    name: str
    severity: str
    value: Callable[[Reading], float | None]
    raised: float
    cleared: float
    text: Callable[[Reading], str]


def _left(reading: Reading) -> float | None:
    return None if reading.disk_free is None else -reading.disk_free


def _scarcity(reading: Reading) -> float | None:
    """1 and more where too little memory is left."""
    return None if reading.memory_left is None else reading.memory_least / max(reading.memory_left, 1e-9)


def _disk_text(reading: Reading) -> str:
    from mlhub.text import one_line, size

    return f"{size(reading.disk_free or 0)} free where {one_line(reading.disk_folder)} lies"


def _hot_text(reading: Reading) -> str:
    return f"GPU {reading.gpu} at {reading.temperature} °C"


def _nan_text(reading: Reading) -> str:
    return min(reading.not_finite, key=lambda one: not one.is_loss).text if reading.not_finite else ""


def _silence_text(reading: Reading) -> str:
    return f"stalled: no metrics for {max(1, round((reading.silent or 0) / 60))} min"


def _log_text(reading: Reading) -> str:
    from mlhub.text import size

    return f"output.log has {size(reading.log_size or 0)}, and this file system can't free what is compressed"


def _losses(reading: Reading) -> int:
    return sum(one.is_loss for one in reading.not_finite)


#: of one name the more severe stands first
RULES = (
    Rule("disk", "fail", _left, -500e6, -600e6, _disk_text),
    Rule("disk", "warn", _left, -2e9, -2.2e9, _disk_text),
    Rule("gpu-hot", "fail", lambda reading: reading.temperature, 95, 90, _hot_text),
    Rule("gpu-hot", "warn", lambda reading: reading.temperature, 85, 80, _hot_text),
    Rule("nan", "fail", _losses, 1, 1, _nan_text),
    Rule("nan", "warn", lambda reading: len(reading.not_finite), 1, 1, _nan_text),
    Rule("stalled", "warn", lambda r: None if r.silent is None else r.silent / r.silent_limit, 1, 1, _silence_text),
    Rule("gpu-idle", "warn", lambda reading: reading.gpu_idle, 120, 1,
         lambda _: "GPU idle for 2 minutes while the run works: data loading is slower than the GPU"),
    Rule("memory", "warn", _scarcity, 1, 0.8,
         lambda reading: f"{100 * (reading.memory_left or 0):.1f} % of the machine's memory is left"),
    Rule("log", "warn", lambda r: None if r.log_size is None else r.log_size / r.log_limit, 1, 1, _log_text),
)  # fmt: skip
#: stays with a run that has ended; the others are of the moment
LASTING = frozenset(("nan",))


class Change(NamedTuple):
    """What `alerts.jsonl` is to get: an alert raised (or raised higher, or lowered), or cleared."""

    name: str
    severity: str
    text: str
    state: str
    #: whether it is news to people: not of an alert that only became milder
    news: bool


@dataclass
class Alerts:
    """The alerts that are raised, `levels` by name; each change is said once."""

    levels: dict[str, str] = field(default_factory=dict)

    def evaluate(self, reading: Reading) -> list[Change]:
        """What has changed by this reading."""
        changes = []
        for name in dict.fromkeys(rule.name for rule in RULES):
            before = self.levels.get(name, "")
            rules = [rule for rule in RULES if rule.name == name]
            if any(rule.value(reading) is None for rule in rules):
                continue
            holding = next((rule for rule in rules if _holds(rule, reading, before)), None)
            if holding and holding.severity != before:
                changes.append(Change(name, holding.severity, holding.text(reading), "raised", before != "fail"))
                self.levels[name] = holding.severity
            elif holding is None and before:
                changes.append(self._clear(name))
        return changes

    def end(self) -> list[Change]:
        """The run has ended: what was of the moment is over."""
        return [self._clear(name) for name in list(self.levels) if name not in LASTING]

    def _clear(self, name: str) -> Change:
        return Change(name, self.levels.pop(name), "", "cleared", news=False)


def _holds(rule: Rule, reading: Reading, before: str) -> bool:
    """An alert raised at this severity or above stays until its value is back at `cleared`."""
    value = rule.value(reading)
    was = bool(before) and _SEVERITIES.index(before) >= _SEVERITIES.index(rule.severity)
    return value is not None and (value >= rule.raised or (was and value > rule.cleared))


def read_active(paths: RunPaths) -> list[dict[str, Any]]:
    """The alerts of a run that are raised and not cleared: `{"name","severity","text","at"}`, the newest first.

    The file is data from outside: bounded, checked, its texts without control characters. Never raises.
    """
    active: dict[str, dict[str, Any]] = {}
    for line in _last_lines(str(paths.alerts)):
        try:
            tree = json.loads(line)
        except (ValueError, RecursionError):
            continue
        entry = _entry(tree) if isinstance(tree, dict) else None
        if entry is None:
            continue
        before = active.pop(entry["name"], None)
        if tree.get("state") == "raised":
            # the time is when it began, also if it became worse since
            active[entry["name"]] = entry | ({"at": before["at"]} if before else {})
    return list(active.values())[-_MOST:][::-1]


def _entry(tree: dict[str, object]) -> dict[str, Any] | None:
    """A line's alert in clean words; None for what is none."""
    from mlhub.text import one_line, stamp

    name, severity, text, time = (tree.get(key) for key in ("name", "severity", "text", "time"))
    if not isinstance(name, str) or not isinstance(text, str) or severity not in _SEVERITIES:
        return None
    name, text = (word.encode(errors="replace").decode() for word in (name, text))  # half a surrogate pair is no text
    if isinstance(time, bool) or not isinstance(time, (int, float)) or not 0 <= time < 1 << 34:
        return None
    return {"name": one_line(name)[:40], "severity": severity, "text": one_line(text)[:_LONGEST], "at": stamp(time)}


def _last_lines(path: str) -> Iterable[bytes]:
    """Whole lines at the end of a regular file; a torn last line is left out, as it is still being written."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (OSError, ValueError):
        return []
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return []
        data = os.pread(descriptor, _LIMIT, max(0, found.st_size - _LIMIT))
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return data.split(b"\n")[:-1]
