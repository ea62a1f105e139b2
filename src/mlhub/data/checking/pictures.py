"""Decode every image of a set, in as many processes as there are cores; what was seen is kept for the next time.

Kept by path, size and time of the file in an SQLite file beside the set: a check that is killed goes on, and one of a
set that did not change takes a look at each file. What is seen: whether it decodes, its size, a difference hash of 64
bits (dHash; N. Krawetz, "Kind of Like That", hackerfactor.com, 2013) by which pictures that look alike are found.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sqlite3
import stat
import warnings
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from multiprocessing import get_context
from typing import TYPE_CHECKING, NamedTuple

from mlhub.errors import MlhubError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path

#: images given to a process at once: fewer cost more than decoding them
_CHUNK = 64
#: pixels of an image from which on it isn't decoded: 30,000 x 30,000
_LARGEST = 900_000_000


class Seen(NamedTuple):
    """What is known of an image file. `why`: empty, or what is wrong with it."""

    why: str
    hash: int = 0
    width: int = 0
    height: int = 0
    digest: str = ""


#: path, size, time in nanoseconds, and the sha256 it should have
Task = tuple[str, int, int, str]


def look(tasks: list[Task]) -> list[Seen]:
    """Decode some images: what a worker does."""
    return [_look(path, digest) for path, _, _, digest in tasks]


def _look(path: str, digest: str) -> Seen:
    from PIL import Image

    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # our own bound, below
    found = ""
    try:
        if digest:
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != digest:
                return Seen("another image than when the set was made", digest=found)
        with Image.open(path) as image:
            width, height = image.size
            if width * height > _LARGEST:
                return Seen(f"too large: {width}x{height}", 0, width, height, found)
            image.draft("L", (256, 256))  # a JPEG is decoded small: every block of it is read all the same
            grey = image.convert("L").resize((9, 8), Image.Resampling.BOX)
    except Exception as error:  # what decoders raise for a torn file is anybody's guess
        return Seen(f"can't be decoded: {' '.join(str(error).split())[:120] or type(error).__name__}", digest=found)
    return Seen("", _hash(grey.tobytes()), width, height, found)


def _hash(grey: bytes) -> int:
    """DHash of 9 x 8 pixels: whether each is brighter than the one to its right. As a signed number of 64 bits."""
    value = 0
    for row in range(0, 72, 9):
        for column in range(8):
            value = value << 1 | (grey[row + column] > grey[row + column + 1])
    return value - (1 << 64) if value >> 63 else value


class Kept:
    """What was seen of files, by path."""

    def __init__(self, path: Path) -> None:
        try:
            self._open(path)
        except sqlite3.DatabaseError:  # torn, or no database: only time is lost
            path.unlink(missing_ok=True)
            self._open(path)

    def _open(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS seen (path TEXT PRIMARY KEY, size, time, why, hash, width, height, digest)"
        )

    def get(self, task: Task) -> Seen | None:
        row = self._database.execute("SELECT * FROM seen WHERE path = ?", (task[0],)).fetchone()
        if row is None or row[1:3] != task[1:3] or (task[3] and row[7] != task[3]):
            return None
        return Seen(*row[3:])

    def put(self, tasks: list[Task], seen: list[Seen]) -> None:
        rows = [(*task[:3], *one) for task, one in zip(tasks, seen, strict=True)]
        self._database.execute("BEGIN")
        self._database.executemany("INSERT OR REPLACE INTO seen VALUES (?,?,?,?,?,?,?,?)", rows)
        self._database.execute("COMMIT")

    def close(self) -> None:
        self._database.close()


def task_of(path: Path, digest: str) -> Task | Seen:
    """The task of a file, or what is wrong with it at first sight."""
    try:
        found = os.stat(path)
    except OSError as error:
        return Seen("missing" if isinstance(error, FileNotFoundError) else error.strerror or "can't be read")
    if not stat.S_ISREG(found.st_mode):
        return Seen("not a file")
    if not found.st_size:
        return Seen("empty")
    return str(path), found.st_size, found.st_mtime_ns, digest


def looked(tasks: Iterable[Task | Seen], cache: Path, workers: int) -> Iterator[Seen]:
    """What each file is, in their order. Raises MlhubError if the workers die, or if there is no room."""
    _require_pillow()
    context = get_context("spawn")
    with closing(Kept(cache)) as kept, ProcessPoolExecutor(workers, context, initializer=_worker) as pool:
        ahead: deque[tuple[list[Seen | None], list[Task], Future[list[Seen]] | None]] = deque()
        try:
            for some in _chunks(tasks):
                known = [one if isinstance(one, Seen) else kept.get(one) for one in some]
                new = [one for one, seen in zip(some, known, strict=True) if seen is None and not isinstance(one, Seen)]
                ahead.append((known, new, pool.submit(look, new) if new else None))
                if len(ahead) > 4 * workers:
                    yield from _finished(*ahead.popleft(), kept)
            while ahead:
                yield from _finished(*ahead.popleft(), kept)
        except BrokenProcessPool:
            raise MlhubError(
                "a process that decodes images was killed", "For want of memory? Try again with --workers 1."
            ) from None
        except sqlite3.Error as error:
            raise MlhubError(f"{cache}: {error}", "Make room on the disk of the data sets.") from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _finished(
    known: list[Seen | None], new: list[Task], future: Future[list[Seen]] | None, kept: Kept
) -> Iterator[Seen]:
    seen = future.result() if future else []
    if new:
        kept.put(new, seen)
    fresh = iter(seen)
    for one in known:
        yield one if one is not None else next(fresh)


def _chunks(tasks: Iterable[Task | Seen]) -> Iterator[list[Task | Seen]]:
    some: list[Task | Seen] = []
    for task in tasks:
        some.append(task)
        if len(some) == _CHUNK:
            yield some
            some = []
    if some:
        yield some


def _worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever waits for us, who then ends us


def _require_pillow() -> None:
    try:
        import PIL  # noqa: F401
    except ImportError:
        raise MlhubError("Pillow is not installed", "pip install 'mlhub[images]'") from None
