"""Keeping house: what can be freed, and freeing it. First a plan, each line with its size and reason; then, if told to.

Nothing of a run that is active, or of which a process lives, is touched; `best` and `last` checkpoints always stay.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field

from mlhub.errors import UsageError
from mlhub.runner import archive, identity, leftovers, lock, segments, trash, tree
from mlhub.runner.folder import linked_folders, numbered
from mlhub.runner.kinds import is_hashing
from mlhub.runner.reconcile import refresh
from mlhub.text import duration, one_line, seconds_between

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.paths import Home, RunPaths
    from mlhub.settings import Settings
    from mlhub.store.runs import Run
    from mlhub.store.store import Store

KINDS = ("trash", "checkpoints", "states", "temporary", "databases", "logs", "metrics")

_DAY = 86400.0
#: a database that was damaged may still hold what its folders don't: it is kept so long
_DATABASE_DAYS = 30.0
#: a temporary file that young may be one that another host is writing
_TEMPORARY_SECONDS = 3600.0
#: a smaller file takes no less as columns
_WORTH = 16 << 10
_RUNNER_UP = re.compile(r"step-\d{1,18}\.[A-Za-z0-9.]{1,20}", re.ASCII)
#: the two forms in which `mlhub.files` and `mlhub.runner.record` name what they are writing; the number is the pid
_TEMPORARY = re.compile(r"\..+\.(\d{1,10})|.+\.(\d{1,10})\.tmp", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """Something that can be freed. `bytes`: what it takes on disk now; what is compressed frees most of that."""

    kind: str
    what: str
    why: str
    bytes: int
    paths: tuple[Path, ...]
    run: int | None = None


@dataclass(frozen=True, slots=True)
class Ages:
    """From how many days on something may go, or be compressed."""

    trash: float
    logs: float
    metrics: float
    databases: float = _DATABASE_DAYS

    @classmethod
    def of(cls, settings: Settings, older_than: float | None = None, in_trash: float | None = None) -> Ages:
        """Those of the settings, or `older_than` for all; `in_trash` for the trash alone."""
        if older_than is not None:
            ages = cls(older_than, older_than, older_than, older_than)
        else:
            ages = cls(settings.trash_days, settings.compress_log_days, settings.compact_days)
        return ages if in_trash is None else cls(in_trash, ages.logs, ages.metrics, ages.databases)


@dataclass(slots=True)
class Plan:
    """What can be freed, and what could be if something were installed."""

    items: list[Item] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def plan(store: Store, ages: Ages, kinds: tuple[str, ...] = KINDS) -> Plan:
    """Look at the whole home; nothing is changed."""
    found = Plan()
    rows = store.newest(1 << 62)
    finders = {"trash": _trash, "databases": _databases}
    for kind, find in finders.items():
        if kind in kinds:
            found.items += find(store, ages)
    needed = {os.path.realpath(word) for run in rows if isinstance(word := run.config.get("checkpoint"), str)}
    for run in _over(store, rows):
        paths = store.home.run(run.id)
        if "checkpoints" in kinds:
            found.items += _runners_up(store.home, run, needed)
        if "states" in kinds:
            found.items += _states(store.home, run)
        if "temporary" in kinds:
            found.items += _temporary(run, [paths.root, *_folders(paths)])
            found.items += _orders(run, paths)
        if "logs" in kinds:
            found.items += _logs(store.home, run, ages)
        if "metrics" in kinds:
            found.items += _metrics(run, paths, ages)
    if "temporary" in kinds:
        found.items += _temporary(None, [store.home.root])
    _leave_out_metrics(found)
    return found


def free(store: Store, item: Item) -> int:
    """Free one thing of a plan, unless its run was started again meanwhile; the bytes that freed.

    Raises OSError, MlhubError.
    """
    run = None if item.run is None else store.get(item.run)
    if item.run is not None and (run is None or run.active):
        return 0
    if run is not None and item.kind == "metrics":
        refresh(store, run)  # what the row says of them is complete before they are packed
    if run is not None and item.kind == "logs":
        return segments.compress_all(store.home.run(run.id), store.home.logs)
    before = sum(map(tree.size, item.paths))
    if run is not None and item.kind == "metrics":
        return before - _compact(store, run, item.paths)
    for path in item.paths:
        tree.erase(path)
    return before


def _compact(store: Store, run: Run, paths: tuple[Path, ...]) -> int:
    """Make files of metrics compact, and nobody may start the run meanwhile; the bytes they take then."""
    held = lock.take(str(store.home.run(run.id).archive_lock))
    try:
        found = store.get(run.id)
        if held is not None and found is not None and not found.active:
            for path in paths:
                archive.compact(path)
    finally:
        if held is not None:
            os.close(held)
    return sum(tree.size(path if path.exists() else archive.packed(path)) for path in paths)


def _over(store: Store, rows: list[Run]) -> Iterator[Run]:
    """The runs that have ended and of which nothing lives; whose folder is one, and no link to somewhere."""
    alive = leftovers.living_tokens()
    for run in rows:
        paths = store.home.run(run.id)
        if run.active or paths.root.is_symlink() or not paths.root.is_dir():
            continue
        if not (alive and alive.keys() & leftovers.tokens(paths)):
            yield run


def _trash(store: Store, ages: Ages) -> Iterator[Item]:
    home = store.home
    known = store.ids()
    for entry in trash.entries(home):
        age = time.time() - entry.trashed
        if entry.id in known:  # a removal or a restoration that was cut short: who began it will end it
            continue
        if age >= ages.trash * _DAY:
            why = f"removed {_ago(age)}"
            yield Item("trash", _name(entry.id, entry.name), why, entry.size(), (*entry.linked, entry.path))
    rests = list(home.runs.glob(f"{trash.REMOVED}*")) if home.runs.is_dir() else []
    for root in (home.checkpoints, home.logs):
        place = trash.linked_trash(home, root) if root is not None else None
        if place is not None and place.is_dir() and not place.is_symlink():
            rests += [path for path in place.iterdir() if not os.path.lexists(trash.folder_of(home) / path.name)]
    for path in rests:
        yield Item("trash", one_line(path.name), "a removal that was cut short", tree.size(path), (path,))


def _databases(store: Store, ages: Ages) -> Iterator[Item]:
    for path in sorted(store.home.root.glob("mlhub.db.damaged-*")):
        found = path.lstat()
        age = time.time() - max(found.st_mtime, found.st_ctime)
        if stat.S_ISREG(found.st_mode) and age >= ages.databases * _DAY:
            yield Item("databases", one_line(path.name), f"damaged, set aside {_ago(age)}", tree.size(path), (path,))


def _checkpoints(home: Home, run: Run) -> list[os.DirEntry[str]]:
    """The files in a run's own folder of checkpoints, wherever that is."""
    folder = home.run(run.id).checkpoints
    if folder.is_symlink():
        folder = next((f for f in linked_folders(home, run.id) if f.parent == home.checkpoints), folder)
    if folder.is_symlink() or not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return sorted((entry for entry in entries if entry.is_file(follow_symlinks=False)), key=lambda e: e.name)


def _runners_up(home: Home, run: Run, needed: set[str]) -> Iterator[Item]:
    """`step-N` of our own trainings, where best or last is kept beside them and no index or evaluation is of them."""
    files = _checkpoints(home, run) if is_hashing(run) else []
    if not any(entry.name in ("best.safetensors", "last.safetensors") for entry in files):
        return
    needed_here = {os.path.splitext(path)[0] for path in needed}
    spare = [
        home.run(run.id).checkpoints / entry.name
        for entry in files
        if _RUNNER_UP.fullmatch(entry.name) and os.path.splitext(os.path.realpath(entry.path))[0] not in needed_here
    ]
    if spare:
        count = len({path.stem for path in spare})
        why = f"{count} runner{'s' * (count > 1)}-up; best and last stay"
        yield _item("checkpoints", run, why, spare)


def _states(home: Home, run: Run) -> Iterator[Item]:
    spare = [entry for entry in _checkpoints(home, run) if entry.name in _STATES] if run.status == "completed" else []
    if spare:
        why = "state for resuming, and it completed"
        yield _item("states", run, why, [home.run(run.id).checkpoints / entry.name for entry in spare])


#: the full training state, which only `mlhub resume` needs
_STATES = ("state.pt",)


def _folders(paths: RunPaths) -> list[Path]:
    """Where our programs write in a run's folder; artifacts are the user's."""
    attempts = [paths.attempt(number).root for number in numbered(paths.root / "attempts")]
    return [*attempts, paths.checkpoints, paths.index]


def _temporary(run: Run | None, folders: list[Path]) -> Iterator[Item]:
    spare = []
    for folder in folders:
        if folder.is_symlink() or not folder.is_dir():
            continue
        with suppress(OSError):
            spare += [path for path in folder.iterdir() if is_left_over(path)]
    if spare:
        why = "half-written, and the writer is gone"
        yield _item("temporary", run, why, spare) if run else _of_home(why, spare)


def _orders(run: Run, paths: RunPaths) -> Iterator[Item]:
    """What a kill left of an order: it holds an environment, and nothing starts it any more."""
    found = [paths.attempt(number).order for number in numbered(paths.root / "attempts")]
    if not run.retries and (spare := [path for path in found if path.is_file()]):
        yield _item("temporary", run, "what was to be started, and has ended", spare)


def _of_home(why: str, spare: list[Path]) -> Item:
    return Item("temporary", f"{len(spare)} in the home", why, sum(map(tree.size, spare)), tuple(spare))


def is_left_over(path: Path) -> bool:
    """Whether a file is what a writer of ours left when it died an hour ago or earlier."""
    match = _TEMPORARY.fullmatch(path.name)
    if match is None:
        return False
    found = path.lstat()
    pid = int(match[1] or match[2])
    process = identity.find_process(pid)
    old = time.time() - found.st_mtime >= _TEMPORARY_SECONDS
    return stat.S_ISREG(found.st_mode) and old and (process is None or process.dead)


def _metrics(run: Run, paths: RunPaths, ages: Ages) -> Iterator[Item]:
    age = seconds_between(run.ended_at, None)
    if age is None or age < ages.metrics * _DAY:
        return
    spare = [path for path in (paths.metrics, paths.system) if _regular(path) and tree.size(path) >= _WORTH]
    if spare:
        yield _item("metrics", run, f"ended {_ago(age)}; compressed, nothing is lost", spare)


def _leave_out_metrics(found: Plan) -> None:
    """Without pyarrow nothing is made compact, which is said once."""
    kept = [item for item in found.items if item.kind != "metrics"]
    if len(kept) < len(found.items) and not archive.available():
        found.notes.append("metrics of old runs could be made compact: pip install 'mlhub[archive]'")
        found.items = kept


def _logs(home: Home, run: Run, ages: Ages) -> Iterator[Item]:
    age = seconds_between(run.ended_at, None)
    if age is None or age < ages.logs * _DAY:
        return
    log = home.run(run.id).log
    if log.is_symlink():
        log = next((folder / log.name for folder in linked_folders(home, run.id) if folder.parent == home.logs), log)
    if _regular(log) and tree.size(log) >= _WORTH:
        yield _item("logs", run, f"ended {_ago(age)}; compressed, nothing is lost", [log])


def _regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def _item(kind: str, run: Run, why: str, paths: list[Path]) -> Item:
    return Item(kind, _name(run.id, run.name), why, sum(map(tree.size, paths)), tuple(paths), run.id)


def _name(run_id: int, name: str) -> str:
    return f"run {run_id} ({one_line(name)})"


def _ago(seconds: float) -> str:
    days = int(seconds / _DAY)
    return f"{days} day{'s' * (days > 1)} ago" if days else f"{duration(seconds)} ago"


def check_kinds(words: str) -> tuple[str, ...]:
    """The kinds that `--only` names. Raises UsageError."""
    kinds = tuple(word.strip() for word in words.split(",") if word.strip())
    if wrong := [word for word in kinds if word not in KINDS]:
        raise UsageError(f"--only: no such thing: {one_line(wrong[0])}", f"There are: {', '.join(KINDS)}.")
    return kinds or KINDS
