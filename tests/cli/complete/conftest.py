"""A home for completion: runs of every kind, and names that shells, completion scripts and SQL could stumble over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mlhub.settings import Settings
from mlhub.store.store import Store
from mlhub.text import now

if TYPE_CHECKING:
    from pathlib import Path

#: each may be a name: what shells, completion scripts and SQL could stumble over
HOSTILE = [
    "with blanks in",
    "a:b:c",
    "it's",
    'say "hi"',
    "$HOME-`id`-$(id)",
    "x;touch pwned",
    "star*?[a]{b}",
    "back\\slash",
    "개-é",
    "100%",
    "k=v",
    "#tag & more",
    "!bang",
    "~tilde",
]


def add(store: Store, name: str, status: str = "completed", **more: object) -> None:
    store.add(name=name, created_at=now(), host="here", **({"kind": "train"} | more))  # type: ignore[arg-type]
    run = store.find("@last")
    if status not in ("queued", "running"):
        store.finish(run, status=status, ended_at=now(), exit_code=0, signal=None, reason=None)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a few runs of every kind."""
    root = tmp_path_factory.mktemp("complete") / "home"
    root.mkdir(mode=0o700)
    store = Store.open(Settings.load({"MLHUB_HOME": str(root)}).to_home())
    add(store, "base", group="wide nets", tags=("paper", "two words"), config={"model": {"width": 64, "deep": True}})
    run = store.find("base")
    summary = {"val/map_64": {"last": 0.5, "step": 9}, "loss\x1b[31m": {"last": 1}, "val/loss": {"last": 0.25}}
    store.set_summary(run, summary, 1, done=True)
    add(store, "broken", "failed", tags=("old",))
    add(store, "codes", kind="index")
    add(store, "still", "queued")
    for name in HOSTILE:
        add(store, name)
    store.close()
    (root / "config.toml").write_text('[aliases]\nbest = "ls --filter \'tag:paper\'"\nqm = "queue move"\n')
    return root
