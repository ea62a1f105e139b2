"""Is a data set fit to be trained on? Every image there and whole, duplicates, leaks between splits, captions.

`Finding`s, each a kind with its count and a few examples. What breaks a training or makes its figures lies is an error;
the rest is for the reader to judge. Nothing is changed.
"""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING, Any

import msgspec

from mlhub.data import place
from mlhub.data.checking import alike, pictures
from mlhub.data.checking.said import Said, examples
from mlhub.data.items import ITEMS, SPLITS, Tally, inside, require_own_ids
from mlhub.errors import MlhubError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mlhub.data.items import Item, Stored
    from mlhub.data.prepare import Progress
    from mlhub.paths import Home

PARTS = ("images", "duplicates", "leaks", "captions")
#: examples of a finding that are kept, and of captions that are looked up again
_KEPT, _SHOWN = 1000, 5
#: bits in which two pictures may differ and still look alike
RADIUS = 2


class Finding(msgspec.Struct):
    """Something found: so many of a kind, a few of them in words, and whether it breaks a training."""

    kind: str
    what: str
    error: bool
    count: int = 0
    examples: list[str] = msgspec.field(default_factory=list)

    def note(self, example: str) -> None:
        self.count += 1
        if len(self.examples) < _KEPT:
            self.examples.append(example)


class Report(msgspec.Struct):
    """What a check saw and found."""

    name: str
    fingerprint: str
    items: int
    checked: list[str]
    findings: list[Finding]

    @property
    def broken(self) -> bool:
        return any(finding.error for finding in self.findings)


def parts_of(only: str, skip: str) -> list[str]:
    """The parts that are asked for. Raises UsageError for a word that is none."""
    for words in (only, skip):
        for word in filter(None, words.split(",")):
            if word not in PARTS:
                raise UsageError(f"{word}: no part of a check", f"There are {', '.join(PARTS)}.")
    chosen = only.split(",") if only else list(PARTS)
    return [part for part in PARTS if part in chosen and part not in skip.split(",")]


def check(
    home: Home, stored: Stored, parts: Iterable[str], progress: Progress, *, workers: int = 0, radius: int = RADIUS
) -> Report:
    """Look at the parts that are asked for. Raises MlhubError for what can't even be read."""
    wanted = list(parts)
    tally, said = Tally(), Said()
    for item in stored:
        tally.add(item)
        if "captions" in wanted:
            said.add(item)
    require_own_ids(stored.folder / ITEMS, tally)
    findings: list[Finding] = []
    if {"images", "duplicates", "leaks"} & set(wanted):
        findings += _images(home, stored, wanted, tally.items, progress, workers, radius)
    if "captions" in wanted:
        findings += _captions(stored, said)
    return Report(stored.name, tally.fingerprint, tally.items, wanted, [one for one in findings if one.count])


def _images(
    home: Home, stored: Stored, wanted: list[str], total: int, progress: Progress, workers: int, radius: int
) -> list[Finding]:
    import numpy as np

    broken = Finding("images", "images that are missing or can't be decoded", error=True)
    hashes, splits, rows = array("q"), bytearray(), array("q")
    cache = place.folder(home, stored.name).with_name(f".{stored.name}.check")
    seen = pictures.looked(_tasks(stored), cache, workers or os.cpu_count() or 1)
    for row, (item, found) in enumerate(zip(stored, seen, strict=True)):
        if found.why:
            broken.note(f"{item.id}: {item.image}: {found.why}")
        else:
            hashes.append(found.hash)
            splits.append(SPLITS.index(item.split))
            rows.append(row)
        if row % 64 == 0 or row + 1 == total:
            progress(row + 1, total, "looking at images")
    alike_groups = alike.groups(np.frombuffer(hashes, np.int64), radius) if hashes else []
    groups = [[rows[one] for one in group] for group in alike_groups]
    by_row = {rows[one]: splits[one] for group in alike_groups for one in group}
    return [*([broken] if "images" in wanted else []), *_alike(stored, wanted, groups, by_row)]


def _tasks(stored: Stored) -> Iterator[pictures.Task | pictures.Seen]:
    for item in stored:
        try:
            yield pictures.task_of(inside(stored.root, item), item.digest)
        except MlhubError:
            yield pictures.Seen("a link that leads out of the folder")


def _alike(stored: Stored, wanted: list[str], groups: list[list[int]], splits: dict[int, int]) -> list[Finding]:
    """Pictures that look alike: whether they are the same file's content is looked at, as only that is certain."""
    same = Finding("duplicates", "pictures that are there more than once", error=False)
    near = Finding("duplicates", "groups of pictures that look alike", error=False)
    leaks = Finding("leaks", "pictures that are in more than one split", error=True)
    close = Finding("leaks", "groups of pictures that look alike, in different splits", error=False)
    chosen = {row for group in groups for row in group}
    items = {row: item for row, item in enumerate(stored) if row in chosen} if chosen else {}
    for group in groups:
        by_content: dict[str, list[int]] = {}
        for row in group:
            by_content.setdefault(_content(stored, items[row]), []).append(row)
        for rows in by_content.values():
            if len(rows) > 1:
                across = len({splits[row] for row in rows}) > 1
                (leaks if across else same).note(_named(items, rows))
        if len(by_content) > 1:
            across = len({splits[row] for row in group}) > 1
            (close if across else near).note(_named(items, group))
    return [
        *([same, near] if "duplicates" in wanted else []),
        *([leaks, close] if "leaks" in wanted else []),
    ]


def _content(stored: Stored, item: Item) -> str:
    import hashlib

    if item.digest:
        return item.digest
    try:
        with inside(stored.root, item).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, MlhubError):
        return item.id


def _named(items: dict[int, Item], rows: list[int]) -> str:
    names = [f"{items[row].id} ({items[row].split})" for row in rows[:4]]
    return ", ".join(names) + (f" and {len(rows) - 4} more" if len(rows) > 4 else "")


def _captions(stored: Stored, said: Said) -> list[Finding]:
    bare = Finding("captions", "items without a caption", error=False, count=said.bare)
    hashes = said.twice()
    twice = Finding("captions", "captions that are said of different things", error=False, count=len(hashes))
    twice.examples = [f"{text} ({', '.join(ids)})" for text, ids in examples(stored, hashes, _SHOWN)]
    return [bare, twice]


def to_json(report: Report) -> dict[str, Any]:
    """The report as a document."""
    made: dict[str, Any] = msgspec.to_builtins(report)
    return made | {"ok": not report.broken}
