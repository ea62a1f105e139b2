"""Make a prepared set of what its source says: JSONL, images put where they belong, one item an image.

Streaming, and resumable: what is done is noted every second beside the file that grows, and another attempt reads the
source again, passes over what was done, and goes on. Of a scattered format the parts of an image are first gathered in
an SQLite file. The set appears whole, by a rename. How a form is read: `mlhub.data.formats`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from contextlib import suppress

import msgspec

from mlhub.data import formats, place
from mlhub.data.cleaning import Cleaner
from mlhub.data.formats.base import Part, Reading, Source
from mlhub.data.gather import Gathering
from mlhub.data.items import (
    ABOUT,
    ITEMS,
    About,
    Item,
    Tally,
    read_about,
    read_items,
    require_own_ids,
    stamp,
    write_about,
)
from mlhub.data.registry import mark, stamp_of
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from mlhub.data.prepare import Progress
    from mlhub.paths import Home

_NOTE, _GATHER = "progress.json", "gather.db"
#: seconds between notes of how far it is
_EVERY = 1.0


class Note(msgspec.Struct):
    """How far a preparation is: of which source, how many parts are done, and how long the file of items then was."""

    key: str
    parts: int = 0
    bytes: int = 0
    items: int = 0
    skipped: int = 0  # of images and splits; what could not even be read is counted again by each attempt
    bare: int = 0
    held: bool = False
    images: int = 0  # bytes of them


def convert(home: Home, name: str, source: Source, progress: Progress, *, skip_bad: bool = False) -> About:
    """Make the set, or go on with making it. Under the set's lock. Raises MlhubError; what was done is kept."""
    folder = place.making(home, name)
    try:
        about = _read_about(folder) or Conversion(folder, name, source, progress, skip_bad=skip_bad).run()
        place.swap_in(home, name, folder)
    except OSError as error:
        raise MlhubError(
            f"data set {name} could not be written: {error.strerror or error}",
            f"Make room in {folder.parent}; what is done is kept. Then: mlhub data prepare {name}",
        ) from error
    return about


def _read_about(folder: Path) -> About | None:
    """Of a set that is whole, whose maker was killed before it could be put in its place."""
    return read_about(folder / ABOUT) if (folder / ABOUT).is_file() else None


class Conversion:
    """One attempt to make one set in a folder of its own."""

    def __init__(self, folder: Path, name: str, source: Source, progress: Progress, *, skip_bad: bool) -> None:
        self.folder, self.name, self.source, self.progress = folder, name, source, progress
        self.form = formats.load(source.kind)
        self.reading = Reading(skip_bad, tell=self._tell)
        self.total = sum(size for _, size, _ in _files(source))
        self.note = self._begin(_key(source, skip_bad=skip_bad))
        self.stamp = stamp_of(source)  # before it is read: what changes meanwhile is not what was read
        self.refused = Reading(skip_bad, skipped=self.note.skipped)
        self.cleaner = Cleaner(source, folder, self.refused)
        self.cleaner.held |= self.note.held
        self.cleaner.bytes = self.note.images
        self._noted = self._told = time.monotonic()

    def run(self) -> About:
        path = self.folder / ITEMS
        if self.note.parts:
            self.progress(0, 0, f"goes on behind {self.note.items} items of an earlier attempt")
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(self.note.bytes)
            file.seek(self.note.bytes)
            self._read(file)
        return self._finish(path)

    def _begin(self, key: str) -> Note:
        """Where an earlier attempt at the same source was; from the beginning, if there is none."""
        try:
            note = msgspec.json.decode((self.folder / _NOTE).read_bytes(), type=Note)
            if note.key == key and (self.folder / ITEMS).stat().st_size >= note.bytes:
                return note
        except (OSError, msgspec.DecodeError):
            pass
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700, parents=True)
        (self.folder / ITEMS).touch()
        self._write_note(Note(key))
        return Note(key)

    def _read(self, file: BinaryIO) -> None:
        parts = self.form.read(self.source, self.reading)
        if not self.form.scattered:
            self._write(parts, file, self.note.parts)
            return
        gathering = Gathering(self.folder / _GATHER)
        try:
            gathering.gather(parts)
            self.note.parts = 0  # from here on parts are whole images: where writing them ended is not kept
            file.truncate(0)
            file.seek(0)
            self.note.items = self.note.bare = self.refused.skipped = self.cleaner.bytes = 0
            self._write(gathering, file, 0)
        finally:
            gathering.close()

    def _write(self, parts: Iterable[Part], file: BinaryIO, behind: int) -> None:
        """Write the items of the parts behind those that were written before."""
        number = 0
        for number, part in enumerate(parts, 1):
            if number <= behind:
                continue
            if (item := self._item(part)) is not None:
                file.write(msgspec.json.encode(item) + b"\n")
                self.note.items += 1
            if time.monotonic() - self._noted > _EVERY:
                self._keep(number, file)
        self._keep(number, file)

    def _item(self, part: Part) -> Item | None:
        if self.source.kind == "images" and not part.labels and not any(part.captions.values()):
            part.labels = [os.path.basename(self.source.paths[0])]  # pictures of which only their folder says something
        found = self.cleaner.item(part)
        if found is None:
            return None
        if not any(found.captions.values()) and not found.labels:
            self.note.bare += 1
            return None
        return found

    def _keep(self, parts: int, file: BinaryIO) -> None:
        file.flush()
        self._noted = time.monotonic()
        if self.form.scattered:
            return  # gathered parts are noted beside them, in one transaction
        self.note.parts, self.note.bytes = parts, file.tell()
        self.note.skipped, self.note.held, self.note.images = (
            self.refused.skipped, self.cleaner.held, self.cleaner.bytes,
        )  # fmt: skip
        self._write_note(self.note)

    def _write_note(self, note: Note) -> None:
        temporary = self.folder / f".{_NOTE}"
        temporary.write_bytes(msgspec.json.encode(note))
        temporary.replace(self.folder / _NOTE)

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told > 0.2:
            self._told = now
            what = f"{self.note.items} items" if self.note.items else "reading"
            self.progress(min(self.reading.done, self.total), self.total, what)

    def _finish(self, path: Path) -> About:
        """Count what was made, see that it can be used, and write what says that it is whole."""
        tally = Tally()
        for item in read_items(path):
            tally.add(item)
        self._remarks()
        if not tally.items:
            raise MlhubError(f"data set {self.name}: no item came of it", self._why_none())
        require_own_ids(path, tally)
        root = "" if self.cleaner.held else self.source.images
        facts = tally.facts(stamp(path), self.cleaner.bytes)
        about = About(self.name, source=mark(self.source), root=root, stamp=self.stamp, facts=facts)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        write_about(self.folder, about)
        for left in (_NOTE, _GATHER):
            with suppress(FileNotFoundError):
                (self.folder / left).unlink()
        return about

    def _remarks(self) -> None:
        if self.note.bare:
            self.progress(0, 0, f"left out: {self.note.bare} images with no caption and no label")
        if skipped := self.reading.skipped + self.refused.skipped:
            self.progress(0, 0, f"skipped: {skipped} that can't be taken (--skip-bad), the first of them:")
            for line in (self.reading.first + self.refused.first)[:20]:
                self.progress(0, 0, f"  {line}")

    def _why_none(self) -> str:
        if self.note.bare:
            return f"All {self.note.bare} images are without a caption and a label: caption them."
        return "See that the source holds what it should, and that --kind and -o are right: mlhub data add --help"


def _files(source: Source) -> Iterator[tuple[str, int, int]]:
    """Path, size and time of every file that is named, and of those right below a folder that is."""
    for name in source.paths:
        paths: Iterable[str] = [name]
        if os.path.isdir(name):
            yield name, 0, os.stat(name).st_mtime_ns
            with os.scandir(name) as entries:
                paths = sorted(entry.path for entry in entries)
        for path in paths:
            try:
                found = os.stat(path)
            except OSError:
                continue
            if os.path.isfile(path):
                yield path, found.st_size, found.st_mtime_ns
            elif path != name:
                yield path, 0, found.st_mtime_ns  # a folder that gained or lost a file has another time


def _key(source: Source, *, skip_bad: bool) -> str:
    """Tells whether an earlier attempt was at the same thing."""
    digest = hashlib.sha256(msgspec.json.encode([source, skip_bad, 1]))
    for line in _files(source):
        digest.update(repr(line).encode())
    return digest.hexdigest()
