"""The machine in a few words for the status row, rounded so that a machine at rest changes no cell.

Of several GPUs each is told of where there is room, else all of them together. Not the system view.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlhub.text import size, width

if TYPE_CHECKING:
    from mlhub.monitor import Gpu
    from mlhub.tui.system.machine import Reading

Words = list[tuple[str, str]]

#: as cards are sold: an "80 GB" one has 80 of these, and 86 of 10^9 bytes
_GIB = 1 << 30
#: from here on a temperature is worth a colour; the alerts' own limits (`mlhub.runner.alerts.RULES`)
WARM, HOT = 85, 95
#: percent of memory in use from which on it is
FULL = 95
#: columns between two parts of the row
_EDGE = 3


class Meters:
    """Remembers what it has shown: a number that only trembles stays as it is."""

    def __init__(self) -> None:
        self._shown: dict[str, float] = {}

    def words(self, reading: Reading, room: int) -> Words:
        """Texts with colours of `Look`, as many as fit `room` columns, the more important first to be kept."""
        if reading.error:
            return [("meters failed", "bad")]
        gpus = [card.gpu for card in reading.cards]
        trouble = _trouble(reading)
        host = self._host(reading)
        choices = [
            [*map(self._one, gpus), *host, *trouble],
            [*self._all(gpus), *host, *trouble],
            [*self._all(gpus), *trouble],
            trouble,
        ]
        return next((words for words in choices if _columns(words) <= room), [])

    def _still(self, name: str, value: float | None, by: float) -> int | None:
        """`value` rounded, or what was shown if it has moved by less than `by`. 0 and 100 are always told."""
        if value is None:
            return None
        shown = self._shown.get(name)
        if shown is None or abs(value - shown) >= by or (value in (0, 100) and shown != value):
            self._shown[name] = shown = value
        return round(shown)

    def _one(self, gpu: Gpu) -> tuple[str, str]:
        name = f"GPU{gpu.index}"
        busy = self._still(f"{name} busy", gpu.utilization, 2)
        heat = self._still(f"{name} heat", gpu.temperature, 2)
        parts = [name, _percent(busy)]
        if not gpu.memory.unified:  # else it is the machine's, which is told of once
            parts.append(self._memory(name, gpu.memory.used, gpu.memory.total))
        if heat is not None:
            parts.append(f"{heat}C")
        return " ".join(parts), heat_colour(gpu.temperature)

    def _all(self, gpus: list[Gpu]) -> Words:
        if not gpus:
            return []
        told = [gpu.utilization for gpu in gpus if gpu.utilization is not None]
        busy = self._still("all busy", sum(told) / len(told) if told else None, 2)
        hottest = max((gpu.temperature for gpu in gpus if gpu.temperature is not None), default=None)
        heat = self._still("all heat", hottest, 2)
        own = [gpu.memory for gpu in gpus if not gpu.memory.unified]
        parts = [f"{len(gpus)} GPU", _percent(busy)]
        if own:
            used, total = sum(memory.used or 0 for memory in own), sum(memory.total or 0 for memory in own)
            parts.append(self._memory("all", used, total))
        if heat is not None:
            parts.append(f"max {heat}C" if len(gpus) > 1 else f"{heat}C")
        return [(" ".join(parts), heat_colour(hottest))]

    def _memory(self, name: str, used: int | None, total: int | None) -> str:
        if used is None or not total:
            return "–"
        return f"{self._still(f'{name} memory', used / _GIB, 1)}/{round(total / _GIB)}G"

    def _host(self, reading: Reading) -> Words:
        total = reading.memory.total
        share = 100 * reading.memory_used / total if total else None
        cpu, ram = self._still("cpu", reading.cpu, 4), self._still("ram", share, 1)
        told = [
            f"{name} {value:2d}" if value is not None else f"{name}  –" for name, value in (("CPU", cpu), ("RAM", ram))
        ]
        return [(" ".join(told), "warn" if share is not None and share >= FULL else "text")]


def heat_colour(temperature: int | None) -> str:
    """The colour's name for a temperature in °C."""
    heat = temperature or 0
    return "bad" if heat >= HOT else "warn" if heat >= WARM else "text"


def _percent(value: int | None) -> str:
    return " –%" if value is None else f"{value:2d}%"


def _trouble(reading: Reading) -> Words:
    """What must not be overlooked."""
    found: Words = []
    if reading.lost:
        found.append((f"{len(reading.lost)} GPU lost" if reading.cards else "GPUs gone", "bad"))
    for alert in reading.alerts:
        if alert["name"] == "disk" and reading.disk is not None:
            found.append((f"disk {size(reading.disk.free)}", "bad" if alert["severity"] == "fail" else "warn"))
    return found


def _columns(words: Words) -> int:
    return sum(width(text) + _EDGE for text, _ in words)
