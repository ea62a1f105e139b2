"""Event files of TensorBoard and Lightning's CSV logs that a run writes: which are its own, and their newest records.

Its own are those in its folder; event files that one of its processes made (their names end in its pid) or holds open,
below the folders they work in; and, in `lightning_logs` of those, what was written since the run began, if no other run
works in the same folder. Of the two kinds the first that was found is taken. How the files are read is
`mlhub.foreign`'s; that nothing is taken twice `mlhub.runner.follow`'s.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

from mlhub.runner import identity, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.paths import RunPaths
    from mlhub.runner.follow import Book
    from mlhub.runner.record import Tree

#: seconds since 1970, host, and, with most writers, pid and a number
_EVENTS = re.compile(r"events\.out\.tfevents\.(\d{9,11})\.(.+)")
_CSV = "metrics.csv"
_LIGHTNING = "lightning_logs"
#: how deep is looked below a working folder, and at how many entries and files
_DEEPEST, _MOST_ENTRIES, _MOST_FILES, _MOST_PIDS = 6, 4000, 64, 64
#: of the run's own folder, what mlhub or a checkpoint fills
_NOT_IN = frozenset(("attempts", "checkpoints", "logs", "artifacts", "index"))
#: clocks of file systems are coarse
_SLACK = 2.0


def is_captured(paths: RunPaths) -> bool:
    """Whether the capture of Lightning records the metrics of this run already."""
    known = record.read_json(str(paths.root / "capture.json")) or {}
    return known.get("metrics", "trainer" in known) is True


def find(paths: RunPaths, launched: Path, cwd: str, pids: set[int]) -> list[str]:
    """Files of the run, those seen first first. `launched` is a file from when it began, `pids` its processes."""
    with suppress(OSError):
        began = os.stat(launched).st_mtime - _SLACK
        found = [*_of_folder(str(paths.root), began, _NOT_IN)]
        open_files, folders = _of_processes(pids)
        found += [path for path in open_files if _is_new(path, began)]
        for folder in dict.fromkeys((cwd, *folders)):
            if os.path.isabs(folder):
                found += _of_working(folder, began, pids)
        return [*dict.fromkeys(found)][:_MOST_FILES]
    return []


def take(book: Book, found: list[str], parts: int) -> tuple[bool, bool]:
    """Append what is new in these files and in those known; whether anything was, and whether there may be more."""
    known = book.files()
    kind = _kind((known or found)[0])
    chosen = [path for path in dict.fromkeys((*known, *found)) if _kind(path) == kind][:_MOST_FILES]
    taken = rest = False
    for path in chosen:
        for _ in range(parts):
            part = _read(path, book.place(path))
            if part is None:
                break
            records, place = part
            before = _before(book, path)
            place |= {"before": before, "attempt": book.attempt}
            book.add(path, place, _finished(records, before, path))
            taken = taken or bool(records)
        else:
            rest = True
    return taken, rest


def _kind(path: str) -> str:
    return "csv" if path.endswith(f"/{_CSV}") else "events"


def _read(path: str, place: Tree) -> tuple[list[Tree], Tree] | None:
    """The next records of a file and the place behind them; None if there are none now, or none that can be read."""
    from mlhub.foreign import lightning_csv, tensorboard

    if place.get("broken") is True:
        return None
    try:
        if _kind(path) == "events":
            offset = max(0, record.whole(place, "offset") or 0)
            found, after = tensorboard.read(Path(path), offset)
            return None if after == offset else (found, {"offset": after})
        rows = place.get("rows")
        numbers = isinstance(rows, list) and len(rows) == len(lightning_csv.START) and all(type(n) is int for n in rows)
        start = lightning_csv.Place(*rows) if numbers and isinstance(rows, list) else lightning_csv.START
        found, end = lightning_csv.read(Path(path), start)
    except tensorboard.CorruptError:
        return [], {**place, "broken": True}
    except OSError:
        return None  # removed, or not ours to read any more
    return None if end == start else (found, {"rows": list(end)})


def _before(book: Book, path: str) -> str:
    """What the metrics of a file are called by: nothing for the folder of an attempt's first file, else the folder."""
    if "before" in book.place(path):
        return record.text(book.place(path), "before")
    new = {"before": "", "attempt": book.attempt}
    first = next((other for other in book.files() if new.items() <= book.place(other).items()), None)
    folder = os.path.dirname(path)
    if first is None or os.path.dirname(first) == folder:
        return ""
    inner = os.path.relpath(folder, os.path.dirname(first))
    return (os.path.basename(folder) if inner.startswith("..") else inner) + "/"


def _finished(records: list[Tree], before: str, path: str) -> list[Tree]:
    """Records as they are appended: with a time, and the folder's name before those of the metrics."""
    from mlhub.records import PLACE

    with suppress(OSError):
        seconds = round(min(time.time(), os.stat(path).st_mtime), 3)
        made = []
        for entry in records:
            place: Tree = {name: entry[name] for name in ("step", "epoch") if name in entry}
            values = {before + name: value for name, value in entry.items() if name not in PLACE}
            if values and isinstance(place.get("step"), int):
                made.append({**place, "time": entry.get("time", seconds), **values})
        return made
    return []


def _of_processes(pids: set[int]) -> tuple[list[str], list[str]]:
    """Event files that processes hold open, and the folders they work in."""
    files, folders = [], []
    for pid in sorted(pids)[:_MOST_PIDS]:
        with suppress(OSError):
            folders.append(os.readlink(f"/proc/{pid}/cwd"))
            for number in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    path = os.readlink(f"/proc/{pid}/fd/{number}")
                    if _EVENTS.fullmatch(os.path.basename(path)):
                        files.append(path)
    return files, folders


def _of_folder(top: str, began: float, closed: frozenset[str] = frozenset()) -> Iterator[str]:
    """Event files and CSV logs in a folder and a few levels below, written since the run began."""
    for folder, names in _walk(top, began, closed):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if (name == _CSV or _EVENTS.fullmatch(name)) and _is_new(path, began):
                yield path


def _of_working(cwd: str, began: float, pids: set[int]) -> list[str]:
    """Of the files below a working folder those that are certainly the run's."""
    found = []
    for folder, names in _walk(cwd, began):
        for name in sorted(names):
            match = _EVENTS.fullmatch(name)
            path = os.path.join(folder, name)
            made = match and int(match[1]) >= began - 1 and any(f".{pid}." in f".{match[2]}." for pid in pids)
            if made and _is_new(path, began):
                found.append(path)
    logs = os.path.join(cwd, _LIGHTNING)
    if os.path.isdir(logs):
        lone = [path for path in _of_folder(logs, began) if path not in found and _kind(path) == "csv"]
        if lone and not _others_work_in(cwd, pids):
            found += lone
    return found


def _walk(top: str, began: float, closed: frozenset[str] = frozenset()) -> Iterator[tuple[str, list[str]]]:
    """Folders and the names of their files, breadth first; no names of one where none has come since `began`.

    Links and folders called as in `closed` are not followed. One without folders, in which nothing has changed, is not
    read: it may hold a data set.
    """
    waiting, left = [(top, 0)], _MOST_ENTRIES
    for folder, depth in waiting:
        with suppress(OSError):
            here = os.stat(folder)
            fresh = here.st_mtime >= began
            if not stat.S_ISDIR(here.st_mode) or (not fresh and here.st_nlink == 2):
                continue
            names, folders = [], []
            with os.scandir(folder) as entries:
                for entry in entries:
                    left -= 1
                    if left < 0:
                        return
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif fresh:
                        names.append(entry.name)
            if depth < _DEEPEST:
                kept = (name for name in folders if name[0] != "." and name not in closed)
                waiting += [(os.path.join(folder, name), depth + 1) for name in sorted(kept)]
            yield folder, names


def _is_new(path: str, began: float) -> bool:
    with suppress(OSError):
        here = os.lstat(path)
        return stat.S_ISREG(here.st_mode) and here.st_mtime >= began
    return False


def _others_work_in(cwd: str, pids: set[int]) -> bool:
    """Whether a process of another run works in this folder: then nobody knows whose a log there is."""
    own = {identity.read_token(pid) for pid in pids} - {None, ""}
    for process in identity.all_processes():
        with suppress(OSError):
            if process.pid not in pids and not process.dead and os.readlink(f"/proc/{process.pid}/cwd") == cwd:
                token = identity.read_token(process.pid)
                if token and ":" not in token and token not in own:
                    return True
    return False
