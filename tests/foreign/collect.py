"""What tests of readers share: a sink that keeps everything, and the samples."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from mlhub.foreign.find import copy, find

SAMPLES = Path(__file__).parent / "samples"


@dataclass
class Collected:
    """Everything a reader gave, in order."""

    metrics: list[dict[str, object]] = field(default_factory=list)
    marks: list[tuple[int, float]] = field(default_factory=list)
    machine: list[dict[str, object]] = field(default_factory=list)
    text: str = ""
    told: list[str] = field(default_factory=list)

    def metric(self, record: dict[str, object]) -> None:
        self.metrics.append(record)

    def mark(self, step: int, time: float) -> None:
        self.marks.append((step, time))

    def system(self, record: dict[str, object]) -> None:
        self.machine.append(record)

    def output(self, text: str) -> None:
        self.text += text

    def tell(self, text: str) -> None:
        self.told.append(text)

    def values(self, name: str) -> list[object]:
        """Of one metric, in order."""
        return [record[name] for record in self.metrics if name in record]


def find_all(path: Path, **options):
    """What lies below `path`, and what was told."""
    told: list[str] = []
    return find(path, told.append, lambda _: None, **options), told


def read_one(path: Path):
    """The facts and records of the only run below `path`."""
    [source], _ = find_all(path)
    collected = Collected()
    return copy(source, collected), collected
