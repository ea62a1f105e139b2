"""Which indexes there are to search, read from their folders in a thread. Not searching: `mlhub.tui.search.client`."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlhub.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mlhub.paths import Home


@dataclass(frozen=True, slots=True)
class IndexAbout:
    """What its `index.json` says of an index; `problem`: why it can't be searched."""

    run: int
    name: str
    folder: Path
    dataset: str = "–"
    bits: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()
    items: int = 0
    texts: int = 0
    problem: str = ""

    def count(self, to: str) -> int:
        return self.items if to == "image" else self.texts


class Shelf:
    """The indexes of the runs asked for, in their order. `version` rises when they were read anew."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.version = 0
        self.indexes: tuple[IndexAbout, ...] = ()
        #: modules that searching needs and that are not installed
        self.missing: tuple[str, ...] = ()
        self._asked: tuple[tuple[int, str], ...] | None = None
        self._lock = threading.Lock()
        self._reading = self._again = False
        self._ended = False

    def want(self, runs: Sequence[tuple[int, str]]) -> None:
        """Ids and names of completed index runs, the newest first."""
        if tuple(runs) == self._asked:
            return
        self._asked = tuple(runs)
        self.look_again()

    def look_again(self) -> None:
        """Read them: an index may have been damaged or made anew."""
        with self._lock:
            self._again = True
            if self._reading:
                return
            self._reading = True
        threading.Thread(target=self._read, name="indexes", daemon=True).start()

    def close(self) -> None:
        self._ended = True

    def _read(self) -> None:
        from mlhub.adapters import HASHING

        while True:
            with self._lock:
                if not self._again or self._ended:
                    self._reading = False
                    return
                self._again = False
            indexes = tuple(read_about(run, name, self._home.run(run).index) for run, name in self._asked or ())
            missing = tuple(HASHING.missing())
            if (indexes, missing) != (self.indexes, self.missing) or not self.version:
                self.indexes, self.missing = indexes, missing
                self.version += 1


def read_about(run: int, name: str, folder: Path) -> IndexAbout:
    """What an index is, or what is wrong with it as far as can be seen without opening it."""
    name = one_line(name)
    try:
        tree = json.loads((folder / "index.json").read_bytes())
    except FileNotFoundError:
        return IndexAbout(run, name, folder, problem="its folder is gone")
    except (OSError, ValueError, RecursionError):
        return IndexAbout(run, name, folder, problem="damaged: index.json can't be read")
    try:
        about = IndexAbout(
            run, name, folder, one_line(str(tree["data"]["name"])), tuple(int(bits) for bits in tree["bits"]),
            tuple(one_line(str(word)) for word in tree["languages"]), int(tree["items"]), int(tree["texts"]),
            _problem(folder, tree),
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return IndexAbout(run, name, folder, problem="damaged: index.json is not an index's")
    return about


def _problem(folder: Path, tree: dict[str, Any]) -> str:
    for name in ("codes.npy", "vectors.npy", "items.jsonl"):
        if not (folder / name).is_file():
            return f"damaged: {name} is missing"
    if not os.path.isfile(str(tree["model"]["checkpoint"])):
        return "its checkpoint is gone"
    return ""
