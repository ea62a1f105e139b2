"""A run's folder as a whole: what it says about the run, its removal, and rows made anew from it.

Bounded reads: a folder may have been damaged or come from somewhere else.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import Any

import msgspec

from mlhub.runner import record
from mlhub.store.runs import Run
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.paths import Home, RunPaths
    from mlhub.store.store import Store

_LIMIT = 8 << 20


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if there is none that can be read."""
    try:
        tree = json.loads(record.read_bytes(str(path), _LIMIT) or b"")
        json.dumps(tree, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        return {}
    return tree if isinstance(tree, dict) else {}


def read_spec(paths: RunPaths) -> dict[str, Any]:
    """`spec.json`."""
    return read_json(paths.spec)


def protocol_of(paths: RunPaths) -> str | None:
    """Name and version of the protocol an evaluation was made by."""
    protocol = read_json(paths.artifacts / "eval.json").get("protocol")
    name = protocol.get("name") if isinstance(protocol, dict) else protocol
    return name if isinstance(name, str) else None


def remove(store: Store, run: Run) -> None:
    """Remove an ended run: the folder out of the way, its bytes, the row last, so that a retry finishes what was begun.

    The bytes first, because the database can't be written on a full disk.
    """
    paths = store.home.run(run.id)
    targets = linked_folders(store.home, run.id)
    hidden = store.home.runs / f".removed-{run.id}"
    if paths.root.is_dir() and not paths.root.is_symlink():
        if hidden.exists():
            shutil.rmtree(hidden)
        paths.root.rename(hidden)
    for folder in (hidden, *targets):
        if folder.is_dir():
            shutil.rmtree(folder)
    store.delete(run)


def linked_folders(home: Home, run_id: int) -> list[Path]:
    """The run's own folders below MLHUB_CHECKPOINT_DIR and MLHUB_LOG_DIR, if its links lead there; never another's."""
    paths = home.run(run_id)
    return [
        root / str(run_id)
        for link, root in ((paths.checkpoints, home.checkpoints), (paths.log, home.logs))
        if root is not None and link.is_symlink() and link.resolve().is_relative_to(root.resolve() / str(run_id))
    ]


def numbered(folder: Path) -> list[int]:
    """The numbers, rising, that name entries of a folder as mlhub writes them; none if there is no such folder."""
    if not folder.is_dir():
        return []
    names = [entry.name for entry in folder.iterdir() if re.fullmatch("[1-9][0-9]{0,17}", entry.name)]
    return sorted(map(int, names))


def rebuild(store: Store) -> int:
    """Put back a row for each run folder that has none, by what its files say; how many were put back.

    Rows come back as queued or running and are settled by the next reader, as any active run is.
    """
    known = store.ids()
    restored = 0
    for run_id in numbered(store.home.runs):
        folder = store.home.run(run_id).root
        if run_id in known or folder.is_symlink() or not folder.is_dir():
            continue
        run = _run_of(store, run_id)
        # two folders may say one name: one of a run that was removed and named anew, say
        restored += store.restore(run) or store.restore(msgspec.structs.replace(run, name=f"{run.name}-{run.id}"))
    return restored


def _run_of(store: Store, run_id: int) -> Run:
    """The row a folder stands for, still to be settled."""
    paths = store.home.run(run_id)
    spec = read_spec(paths)
    config, tags = spec.get("config"), spec.get("tags")
    return Run(
        id=run_id,
        name=_text(spec, "name") or f"run-{run_id}",
        kind=_text(spec, "kind") or "command",
        status="queued",
        group=_text(spec, "group"),
        tags=[one_line(tag) for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else [],
        preset=_text(spec, "preset"),
        created_at=_text(spec, "created_at") or "1970-01-01T00:00:00.000Z",
        host=_text(spec, "host") or "unknown",
        attempt=max(numbered(paths.root / "attempts"), default=1),
        config=config if isinstance(config, dict) else {},
    )


def _text(spec: dict[str, Any], key: str) -> str | None:
    value = spec.get(key)
    return one_line(value) if isinstance(value, str) else None


def set_aside(home: Home) -> Path | None:
    """Rename a damaged database, so that a new one can be made; its new name, or None if it is sound.

    Raises StoreError for one that is only busy, newer than this mlhub or out of reach.
    """
    from mlhub.errors import DamagedError
    from mlhub.store.store import Store

    if not home.database.exists():
        return None
    try:
        store = Store.open(home)
        sound = store.check() == "ok"
        store.close()
    except DamagedError:
        sound = False
    if sound:
        return None
    aside = home.database.with_name(f"mlhub.db.damaged-{int(home.database.stat().st_mtime)}")
    home.database.rename(aside)
    for suffix in ("-wal", "-shm"):  # they belong to the old file
        home.database.with_name(home.database.name + suffix).unlink(missing_ok=True)
    return aside
