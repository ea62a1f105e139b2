"""What tests of the search share: a home with an index of pictures, searched by `fake_search.py`."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from mlhub.runner.reconcile import refresh
from mlhub.runner.submit import Request, submit
from mlhub.store.store import Store
from mlhub.tui.search.client import SearchClient
from tests.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.paths import Home

FAKE = Path(__file__).parent / "fake_search.py"
COLOURS = ("red", "green", "blue", "black", "white", "orange")


def fake(monkeypatch) -> None:
    """Have clients start the fake program."""

    def command(_: SearchClient, index: Path) -> Sequence[str]:
        return (sys.executable, str(FAKE), str(index))

    monkeypatch.setattr(SearchClient, "command", command)


def make_index(folder: Path, pictures: int = 24) -> Path:
    """What a folder of an index holds, as far as the screen looks at it."""
    (folder / "images").mkdir(parents=True)
    for number in range(pictures):
        Image.new("RGB", (8, 8), COLOURS[number % len(COLOURS)]).save(folder / "images" / f"{number:02}.png")
    for name in ("codes.npy", "vectors.npy", "items.jsonl", "best.safetensors"):
        (folder / name).write_bytes(b"-")
    about = {
        "format": 1, "bits": [16, 32, 64], "languages": ["en", "ko"], "items": 99, "texts": 120,
        "data": {"name": "shapes"}, "model": {"checkpoint": str(folder / "best.safetensors"), "run": "1"},
    }  # fmt: skip
    (folder / "index.json").write_text(json.dumps(about))
    return folder


def index_run(home: Home, name: str = "an-index") -> Path:
    """A completed run of kind index; its index's folder."""
    with closing(Store.open(home)) as store:
        run = submit(store, Request(command=("true",), kind="index", name=name))
        wait_until(lambda: refresh(store, store.find(name)).status == "completed")
    return make_index(home.run(run.id).index)
