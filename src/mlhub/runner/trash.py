"""The trash: a removed run's folder and row, kept for some days or freed at once. What else is freed: `runner.house`.

`<home>/trash/<id>-<name>/` is the run's folder as it was, with its row as `row.json`. Its folders of checkpoints and
logs elsewhere go to `.trash/<home>/<id>-<name>` beside the others there: a rename never leaves its file system. Where
they lie follows from the settings and the name alone, never from what is written in a run's folder.

The row goes last when a run is removed and comes first when it is brought back: after a death at any step the same
command finishes what was begun.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import msgspec

from mlhub.errors import MlhubError, NotFoundError, StoreError
from mlhub.paths import RunPaths
from mlhub.runner import order, record, tree
from mlhub.runner.folder import linked_folders, numbered, read_json, row_of
from mlhub.store.runs import ENDED, Run
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.paths import Home
    from mlhub.store.store import Store

_ROW = "row.json"
_ENTRY = re.compile(r"([1-9][0-9]{0,17})-(.*)", re.ASCII | re.DOTALL)
#: of an emptied run whose row is still there
REMOVED = ".removed-"


@dataclass(frozen=True, slots=True)
class Entry:
    """A run in the trash: its folder, its folders elsewhere, and when it came here (seconds since 1970)."""

    id: int
    name: str
    path: Path
    linked: tuple[Path, ...]
    trashed: float

    def size(self) -> int:
        """Bytes on disk."""
        return sum(tree.size(path) for path in (self.path, *self.linked))


def folder_of(home: Home) -> Path:
    return home.root / "trash"


def taken(home: Home, run_id: int) -> bool:
    """Whether a folder of that id is there already, in the trash too: such an id is not to be given out."""
    roots = (home.runs, home.checkpoints, home.logs)
    return any(root is not None and os.path.lexists(root / str(run_id)) for root in roots) or any(
        entry_id == run_id for entry_id, _ in _names(home)
    )


def last_id(home: Home) -> int:
    """The highest id that any folder of a run has, in the trash too; 0 if there is none."""
    roots = (root for root in (home.runs, home.checkpoints, home.logs) if root is not None)
    return max(
        (*(max(numbered(root), default=0) for root in roots), *(run_id for run_id, _ in _names(home))), default=0
    )


def _names(home: Home) -> list[tuple[int, Path]]:
    """Id and folder of what is in the trash, oldest run first."""
    try:
        folders = list(folder_of(home).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    found = [(int(match[1]), folder) for folder in folders if (match := _ENTRY.fullmatch(folder.name))]
    return sorted((run_id, folder) for run_id, folder in found if folder.is_dir() and not folder.is_symlink())


def entries(home: Home) -> list[Entry]:
    """What is in the trash, oldest run first."""
    return [_entry(home, run_id, folder) for run_id, folder in _names(home)]


def _entry(home: Home, run_id: int, folder: Path) -> Entry:
    about = read_json(folder / _ROW)
    row = record.part(about, "row")
    when = record.real(about, "trashed")
    return Entry(
        id=run_id,
        name=one_line(record.text(row, "name")) or one_line(folder.name.partition("-")[2]),
        path=folder,
        linked=tuple(place for root in _roots(home) if os.path.lexists(place := _place(home, root, folder.name))),
        trashed=when if when is not None and 0 < when < 1 << 33 else folder.lstat().st_ctime,
    )


def _roots(home: Home) -> list[Path]:
    """The folders of checkpoints and logs elsewhere, each once."""
    return list(dict.fromkeys(root for root in (home.checkpoints, home.logs) if root is not None))


def linked_trash(home: Home, root: Path) -> Path:
    """The home's trash beside its runs' folders below `root`, which other homes may share."""
    import hashlib  # loads OpenSSL, and most homes keep everything below themselves

    return root / ".trash" / hashlib.sha256(os.fsencode(home.root)).hexdigest()[:12]


def _place(home: Home, root: Path, name: str) -> Path:
    return linked_trash(home, root) / name


def find(home: Home, ref: str) -> Entry:
    """The run in the trash that a user named by id or name (the newest of that name). Raises NotFoundError."""
    known = entries(home)
    found = [entry for entry in known if ref in (str(entry.id), entry.path.name)]
    found = found or [entry for entry in known if entry.name == ref]
    if not found:
        raise NotFoundError(f"no run {one_line(ref)!r} in the trash", "`mlhub rm --list` shows what is in it.")
    return found[-1]


def move(store: Store, run: Run) -> Entry | None:
    """Put an ended run into the trash; None if there was no folder left to keep.

    Raises MlhubError, the run being as it was, if the disk has no room even for that or the run was started anew.
    """
    with _alone(store.home):
        store.reload(run)
        return _move(store, run)


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """One at a time: a second removal of the same run must not take the first one's way for a failure, and undo it."""
    descriptor = os.open(home.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _move(store: Store, run: Run) -> Entry | None:
    home = store.home
    folder = home.run(run.id).root
    if folder.is_dir() and not folder.is_symlink():
        target = folder_of(home) / f"{run.id}-{_safe(run.name)}"
        try:
            _write_row(folder, run)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            for linked in linked_folders(home, run.id):
                _rename(linked, _place(home, linked.parent, target.name))
            folder.rename(target)
        except OSError as error:
            _put_back(home, run.id, target)
            raise _no_room(run, error) from error
    entry = next((_entry(home, run_id, path) for run_id, path in _names(home) if run_id == run.id), None)
    try:
        done = store.delete(run) or store.get(run.id) is None
    except StoreError as error:  # no room for that either, or the database is busy
        _put_back(home, run.id, entry.path if entry else None)
        raise StoreError(error.message, f"mlhub rm {one_line(run.name)} --purge frees its folder first.") from error
    if not done:
        _put_back(home, run.id, entry.path if entry else None)
        raise _started_again(run)
    if entry is not None:
        order.forget(
            RunPaths(entry.path), *numbered(entry.path / "attempts")
        )  # it holds an environment, and nothing retries what was removed
    return entry


def _safe(name: str) -> str:
    """A run's name as part of a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60] or "_"


def _write_row(folder: Path, run: Run) -> None:
    row = {key: value for key, value in msgspec.to_builtins(run).items() if key not in ("dir", "summary")}
    record.write_json(str(folder / _ROW), {"trashed": time.time(), "row": row})


def _rename(source: Path, target: Path) -> None:
    """Move a folder; what lies at `target` is a rest of one that a death cut short, and `source` is gone already."""
    if os.path.lexists(source):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        source.rename(target)


def _put_back(home: Home, run_id: int, target: Path | None) -> None:
    """Undo `move`, as far as it can be done."""
    folder = home.run(run_id).root
    with suppress(OSError):
        if target is not None and target.is_dir() and not os.path.lexists(folder):
            target.rename(folder)
        (folder / _ROW).unlink(missing_ok=True)
    if target is None:
        return
    for root in _roots(home):
        with suppress(OSError):
            if not os.path.lexists(root / str(run_id)):
                _rename(_place(home, root, target.name), root / str(run_id))


def _no_room(run: Run, error: OSError) -> MlhubError:
    return MlhubError(
        f"run {run.id} can't be moved to the trash: {error.strerror}",
        f"mlhub rm {one_line(run.name)} --purge removes it at once, for good.",
    )


def _started_again(run: Run) -> MlhubError:
    return MlhubError(f"run {run.id} was started again meanwhile", f"Stop it first: mlhub stop {run.id}")


def purge_run(store: Store, run: Run) -> int:
    """Remove an ended run for good; bytes freed. The bytes go first: the database can't be written on a full disk."""
    with _alone(store.home):
        if store.reload(run).active:
            raise _started_again(run)
        return _purge_run(store, run)


def _purge_run(store: Store, run: Run) -> int:
    home = store.home
    folder, hidden = home.run(run.id).root, home.runs / f"{REMOVED}{run.id}"
    linked = linked_folders(home, run.id)
    if os.path.lexists(folder):
        tree.erase(hidden)
        folder.rename(hidden)
    freed = sum(_erase(path) for path in (*linked, hidden))
    freed += sum(purge(entry) for entry in entries(home) if entry.id == run.id)
    store.delete(run)
    return freed


def purge(entry: Entry) -> int:
    """Free what is in the trash of one run; bytes freed."""
    return sum(_erase(path) for path in (*entry.linked, entry.path))


def _erase(path: Path) -> int:
    freed = tree.size(path)
    tree.erase(path)
    return freed


def restore(store: Store, entry: Entry) -> tuple[Run, list[str]]:
    """Bring a run back, named `name-id` if its name is taken; the run, and what could not be brought back, in words."""
    with _alone(store.home):
        return _restore(store, entry)


def _restore(store: Store, entry: Entry) -> tuple[Run, list[str]]:
    home = store.home
    folder = home.run(entry.id).root
    if os.path.lexists(folder):
        raise MlhubError(f"{folder} is in the way", "Move it away, then restore again.")
    run = store.get(entry.id) or _add_row(store, entry)
    home.runs.mkdir(mode=0o700, exist_ok=True)
    left = []
    for root in _roots(home):
        source, target = _place(home, root, entry.path.name), root / str(entry.id)
        if not os.path.lexists(source):
            continue
        if os.path.lexists(target):
            left.append(f"{target} is in the way of {source}")
        else:
            source.rename(target)
    entry.path.rename(folder)
    with suppress(OSError):
        (folder / _ROW).unlink(missing_ok=True)
    if run.active:
        from mlhub.runner.reconcile import settle

        run = settle(store, run)
    return run, left


def _add_row(store: Store, entry: Entry) -> Run:
    """The row as it was kept or, where that can't be read, as the folder tells it. It is not retried by itself."""
    run = _kept_row(entry) or row_of(entry.path, entry.id)
    run = msgspec.structs.replace(run, retries=0)
    for name in (run.name, f"{run.name}-{run.id}"):
        if store.restore(msgspec.structs.replace(run, name=name)):
            break
    else:
        raise MlhubError(
            f"both {one_line(run.name)} and {one_line(run.name)}-{run.id} are taken", "Remove one of them."
        )
    return store.reload(run)


def _kept_row(entry: Entry) -> Run | None:
    row = record.part(read_json(entry.path / _ROW), "row")
    try:
        run = msgspec.convert({**(row or {}), "id": entry.id, "dir": "", "summary": {}, "summary_offset": 0}, Run)
    except msgspec.ValidationError:
        return None
    return msgspec.structs.replace(run, name=one_line(run.name) or f"run-{run.id}") if run.status in ENDED else None
