"""A run's folder as a whole: what it says about the run, and rows made anew from it. Its removal: `runner.trash`.

Bounded reads: a folder may have been damaged or come from somewhere else.
"""

from __future__ import annotations

import json
import os
import re
from typing import Any

import msgspec

from mlhub.arguments import of_command, words_of
from mlhub.paths import RunPaths
from mlhub.runner import labels, record
from mlhub.runner.kinds import kind_of
from mlhub.store.runs import Run
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from mlhub.paths import Home
    from mlhub.store.store import Store

_LIMIT = 8 << 20
#: a folder with a greater number is not one of ours
_MOST_ATTEMPTS = 10_000


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


def said_beside(paths: RunPaths, config: Mapping[str, Any]) -> dict[str, Any]:
    """What a run's command line says and its configuration doesn't; for comparing runs, as dotted keys.

    Of a run without a configuration all; of one that has what its program told of itself the words without a name.
    """
    if config and not record.part(read_json(paths.capture), "parameters"):
        return {}
    command = read_spec(paths).get("command")
    argv = [str(word) for word in command] if isinstance(command, list) else []
    return words_of(config, argv) if config else of_command(argv)


def read_surroundings(paths: RunPaths) -> dict[str, Any]:
    """`spec.json`, with the packages that the run's own process said it has in place of the guess, where it did."""
    found = record.part(read_json(paths.capture), "packages")
    return read_spec(paths) | ({"packages": found} if found else {})


def protocol_of(paths: RunPaths) -> str | None:
    """Name and version of the protocol an evaluation was made by."""
    protocol = read_json(paths.artifacts / "eval.json").get("protocol")
    name = protocol.get("name") if isinstance(protocol, dict) else protocol
    return name if isinstance(name, str) else None


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

    Rows come back as queued and are settled by the next reader, as any active run is.
    """
    known = store.ids()
    restored = 0
    waits = False
    for run_id in numbered(store.home.runs):
        folder = store.home.run(run_id).root
        if run_id in known or folder.is_symlink() or not folder.is_dir():
            continue
        run = row_of(folder, run_id)
        # two folders may say one name: one of a run that was removed and named anew, say
        names = (run.name, f"{run.name}-{run.id}", f"run-{run.id}-{os.urandom(4).hex()}")
        waits = waits or run.waiting
        restored += any(store.restore(msgspec.structs.replace(run, name=name)) for name in names)
    if waits:  # whether the queue was paused stood in the database alone
        from mlhub.runner.queue import set_paused

        set_paused(store, paused=True, reason="the database was made anew")
    return restored


def row_of(folder: Path, run_id: int) -> Run:
    """The row that a run's folder stands for, still to be settled: spec.json, queue.json and the attempts tell."""
    paths = RunPaths(folder)
    spec, facts = read_spec(paths), read_json(paths.queue)
    config = spec.get("config")
    tags, note = labels.told(read_json(paths.labels), spec.get("tags"))
    attempt = max((number for number in numbered(folder / "attempts") if number <= _MOST_ATTEMPTS), default=1)
    next_one = min(record.whole(facts, "attempt") or 1, attempt + 1)
    waiting = facts.get("waiting") is True and not paths.attempt(next_one).launch.exists()
    return Run(
        id=run_id,
        name=_text(spec, "name") or f"run-{run_id}",
        kind=kind_of(_text(spec, "kind") or "command", read_json(paths.capture)),
        status="queued",
        group=_text(spec, "group"),
        tags=tags,
        note=note,
        adapter=_text(spec, "adapter"),
        project=_text(spec, "project"),
        preset=_text(spec, "preset"),
        created_at=_text(spec, "created_at") or "1970-01-01T00:00:00.000Z",
        host=_text(facts, "host") or _text(spec, "host") or "unknown",
        attempt=max(attempt, next_one) if waiting else attempt,
        config=config if isinstance(config, dict) else {},
        priority=_bounded(facts, "priority", -(10**9)),
        place=record.real(facts, "place"),
        after=_numbers(facts, "after", 1),
        gpus_wanted=_bounded(facts, "gpus_wanted", 0),
        gpus=_numbers(facts, "gpus", 0),
        slots=_bounded(facts, "slots", 0),
        waiting=waiting,
        retries=_bounded(facts, "retries", 0),
    )


def _text(spec: dict[str, Any], key: str) -> str | None:
    value = spec.get(key)
    return one_line(value) if isinstance(value, str) else None


def _bounded(facts: dict[str, Any], key: str, least: int) -> int:
    """A whole number of queue.json, within what a queue can mean; 0 for anything else."""
    value = record.whole(facts, key)
    return value if value is not None and least <= value <= 10**9 else 0


def _numbers(facts: dict[str, Any], key: str, least: int) -> list[int]:
    """A short list of whole numbers of queue.json: ids of runs or of GPUs."""
    found = facts.get(key)
    if not isinstance(found, list) or len(found) > 1000:
        return []
    return [number for number in found if type(number) is int and least <= number < 1 << 62]


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
