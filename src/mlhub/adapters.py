"""Adapters: how a preset becomes a command line, and which metric matters. Data, not classes. Built in: `hashing`."""

from __future__ import annotations

import sys
from dataclasses import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Adapter:
    """The programs of one kind of training code, as module names, and the metric a list shows."""

    name: str
    programs: dict[str, str]  # kind of run -> module
    needs: tuple[str, ...]  # modules that must be importable
    extra: str  # the extra of mlhub that brings them
    metric: str

    def command(self, kind: str, *arguments: str) -> tuple[str, ...]:
        """The argument list that runs `kind`. `-P` keeps a torch.py in the user's folder from being taken for torch."""
        return (sys.executable, "-P", "-m", self.programs[kind], *arguments)

    def missing(self) -> list[str]:
        """Modules it needs that are not installed; nothing is imported to find out."""
        from importlib.util import find_spec

        return [module for module in self.needs if find_spec(module) is None]


HASHING = Adapter(
    name="hashing",
    programs={
        "train": "mlhub.hashing.train",
        "eval": "mlhub.hashing.evaluate",
        "index": "mlhub.hashing.index",
        "search": "mlhub.hashing.search",
    },
    needs=("torch", "lightning", "open_clip", "faiss", "safetensors"),
    extra="hashing",
    metric="val/map_64",
)


def checkpoint_file(checkpoints: Path, which: str) -> Path:
    """`best` or `last` of a run's checkpoints folder."""
    return checkpoints / f"{which}.safetensors"
