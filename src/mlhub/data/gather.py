"""Put the parts of one image together, wherever in a source they stand: in an SQLite file, so that memory stays flat.

What was gathered and how many parts that was are written in one transaction: a killed process goes on where it was.
"""

from __future__ import annotations

import sqlite3

import msgspec

from mlhub.data.formats.base import Part
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

#: images put together in memory before they are written
_TOGETHER = 20_000
_TABLES = """
CREATE TABLE IF NOT EXISTS images (place INTEGER PRIMARY KEY, image TEXT UNIQUE, part BLOB);
CREATE TABLE IF NOT EXISTS done (parts INTEGER);
"""


class Gathering:
    """The images of a source, each one part."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        # a process that is killed loses nothing; a machine that loses power may have to begin again
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("PRAGMA cache_size=-32000")
        self._database.executescript(_TABLES)
        self._decoder = msgspec.msgpack.Decoder(Part)
        self._encoder = msgspec.msgpack.Encoder()

    def gather(self, parts: Iterable[Part]) -> None:
        """Put parts together, behind those that an earlier attempt did. Raises MlhubError if there is no room."""
        try:
            self._gather(parts)
        except sqlite3.Error as error:
            raise MlhubError(
                f"gathering captions by image: {error}", "Make room on the disk of the data sets, and prepare again."
            ) from error

    def _gather(self, parts: Iterable[Part]) -> None:
        row = self._database.execute("SELECT max(parts) FROM done").fetchone()
        behind: int = row[0] or 0
        known: dict[str, Part] = {}
        number = 0
        for number, part in enumerate(parts, 1):
            if number <= behind:
                continue
            key = part.key or part.image
            if key in known:
                join(known[key], part)
            else:
                known[key] = part
            if len(known) >= _TOGETHER:
                self._keep(known, number)
                known = {}
        self._keep(known, number)

    def _keep(self, known: dict[str, Part], parts: int) -> None:
        run = self._database.execute
        run("BEGIN")
        for image, part in known.items():
            row = run("SELECT place, part FROM images WHERE image = ?", (image,)).fetchone()
            if row is None:
                run("INSERT INTO images (image, part) VALUES (?, ?)", (image, self._encoder.encode(part)))
            else:
                whole = self._decoder.decode(row[1])
                join(whole, part)
                run("UPDATE images SET part = ? WHERE place = ?", (self._encoder.encode(whole), row[0]))
        run("DELETE FROM done")
        run("INSERT INTO done VALUES (?)", (parts,))
        run("COMMIT")

    def __iter__(self) -> Iterator[Part]:
        """Each image once, in the order in which they first came."""
        for (part,) in self._database.execute("SELECT part FROM images ORDER BY place"):
            yield self._decoder.decode(part)

    def close(self) -> None:
        self._database.close()


def join(whole: Part, part: Part) -> None:
    """Add what `part` says to `whole`; what both say once (a split, an id) stays as it came first."""
    for language, texts in part.captions.items():
        mine = whole.captions.get(language, [])
        whole.captions = {**whole.captions, language: [*mine, *(text for text in texts if text not in mine)]}
    if part.labels:
        whole.labels = [*whole.labels, *(label for label in part.labels if label not in whole.labels)]
    for field in ("id", "split", "concept", "style", "category", "digest"):
        if not getattr(whole, field):
            setattr(whole, field, getattr(part, field))
    whole.elsewhere = whole.elsewhere or part.elsewhere
