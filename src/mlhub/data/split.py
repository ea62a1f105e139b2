"""Deal the items of a prepared set into train, val and test. One image never sits on both sides.

Items that share an image (its path or its digest) are dealt together, whatever else groups them; memory is some tens of
bytes an item. The new split appears by a rename: a kill leaves the old one or the new one.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mlhub.data import place
from mlhub.data.items import ITEMS, SPLITS, Split, Tally, stamp, write_about
from mlhub.data.prepare import find_stored
from mlhub.errors import MlhubError, UsageError
from mlhub.text import closest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from mlhub.data.items import Item, Stored
    from mlhub.paths import Home

    Dealt = NDArray[Any]

By = Literal["image", "concept", "category", "style"]
BY: tuple[By, ...] = ("image", "concept", "category", "style")
_FIXED = ("emoji",)


def ratio_of(text: str) -> tuple[float, float, float]:
    """`80/10/10` (train/val/test), or `90/10` (train/test), as shares of one. Raises UsageError."""
    try:
        numbers = [float(part) for part in text.split("/")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3) or not all(0 <= number < 1e9 for number in numbers) or not sum(numbers):
        raise UsageError(f"--ratio {text}: not TRAIN/VAL/TEST or TRAIN/TEST", "Such as --ratio 80/10/10")
    train, val, test = numbers if len(numbers) == 3 else (numbers[0], 0.0, numbers[1])
    total = sum(numbers)
    return train / total, val / total, test / total


def by_ratio(stored: Stored, shares: tuple[float, float, float], seed: int, by: By) -> Dealt:
    """The split of each item, as its place in SPLITS, uint8 [n].

    Groups come in the order of a hash of the seed and one of their ids, and fill train, then val, then test: each
    within a group of its share, and the same for the same items, whatever their order.
    """
    import numpy as np

    columns = [array("q") for _ in range(3)]
    draws = array("Q")
    for item in stored:
        for column, key in zip(columns, (*_image(item), hash(_group(item, by))), strict=True):
            column.append(key)
        draw = hashlib.blake2b(f"{seed}/{item.id}".encode(), digest_size=8).digest()
        draws.append(int.from_bytes(draw, "big"))
    groups = together([np.frombuffer(column, np.int64) for column in columns])
    count = int(groups.max()) + 1
    first = np.full(count, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(first, groups, np.frombuffer(draws, np.uint64))
    sizes = np.bincount(groups, minlength=count)
    order = np.argsort(_mixed(first), kind="stable")
    middle = np.cumsum(sizes[order]) - sizes[order] / 2  # where the middle of a group falls, there it belongs
    bounds = np.cumsum(shares)[:2] * len(groups)
    dealt = np.empty(count, np.uint8)
    dealt[order] = np.searchsorted(bounds, middle, side="right")
    found: Dealt = dealt[groups]
    return found


def _mixed(draws: Dealt) -> Dealt:
    """Draws made even again (the last step of SplitMix64): the least of many is small, and large groups would train."""
    import numpy as np

    draws = (draws ^ (draws >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    draws = (draws ^ (draws >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Dealt = draws ^ (draws >> np.uint64(31))
    return mixed


def _image(item: Item) -> tuple[int, int]:
    """What two items of one image have in common, as hashes of this process: one of both is enough."""
    return hash(posixpath.normpath(item.image)), hash(item.digest) if item.digest else hash(("", item.id))


def require_whole(stored: Stored, dealt: Dealt) -> None:
    """Raise MlhubError naming two items of one image that are dealt to different splits."""
    import numpy as np

    columns = array("q"), array("q")
    for item in stored:
        for column, key in zip(columns, _image(item), strict=True):
            column.append(key)
    groups = together([np.frombuffer(column, np.int64) for column in columns])
    least = np.full(int(groups.max()) + 1, len(SPLITS), np.uint8)
    np.minimum.at(least, groups, dealt)
    torn = dealt != least[groups]
    if not torn.any():
        return
    second = int(torn.argmax())
    first = int(((groups == groups[second]) & ~torn).argmax())
    names = {number: item.id for number, item in enumerate(stored) if number in (first, second)}
    raise MlhubError(
        f"{names[first]} would be in {SPLITS[dealt[first]]} and {names[second]} in {SPLITS[dealt[second]]}, "
        f"and they are one image, or joined by others that are",
        "Name all of them for one split, or split by --ratio, which keeps them together.",
    )


def together(columns: list[Dealt]) -> Dealt:
    """Number of the group of each row, from 0: rows that agree in any column, directly or by way of others."""
    import numpy as np

    labels = np.arange(len(columns[0]))
    while True:
        before = labels.copy()
        for column in columns:
            _, inverse = np.unique(column, return_inverse=True)
            least = np.full(inverse.max() + 1, len(labels))
            np.minimum.at(least, inverse, labels)
            labels = least[inverse]
        if (labels == before).all():
            numbers: Dealt = np.unique(labels, return_inverse=True)[1]
            return numbers


def _group(item: Item, by: By) -> str:
    return (item.key if by == "concept" else getattr(item, by)) or item.id


def by_field(stored: Stored, field: str, values: Mapping[str, Split]) -> Dealt:
    """By what a field of the items says: `values` of it go where they say, all else to train. Raises UsageError."""
    import numpy as np

    if field not in ("style", "category", "concept", "label", "split"):
        raise UsageError(f"--field {field}: no field to split by", "There are style, category, concept, label, split.")
    found = bytearray()
    seen: Counter[str] = Counter()
    for item in stored:
        mine = item.labels if field == "label" else (getattr(item, field),)
        seen.update(mine)
        sides = {SPLITS.index(values[value]) for value in mine if value in values}
        if len(sides) > 1:
            raise UsageError(f"--values: {item.id} has labels of several splits", "Give its labels one split.")
        found.append(max(sides, default=0))
    for value in values:
        if value not in seen:
            near = closest(value, list(seen))
            raise UsageError(f"--values {value}: no item has it as {field}{near}", "mlhub data show NAME says more.")
    return np.frombuffer(bytes(found), np.uint8)


def by_file(stored: Stored, path: Path, all_as: Split | None) -> Dealt:
    """By a file of `id SPLIT` lines (tab, comma or blank between), or of ids that are all of one split.

    Items it does not name keep theirs. Raises MlhubError for a line that is none, or an id that no item has.
    """
    import numpy as np

    wanted: dict[str, Split] = {}
    for name, split in _lines(path, all_as):
        if wanted.setdefault(name, split) != split:
            raise MlhubError(f"{path}: {name} is there twice, as {wanted[name]} and {split}", "Name it once.")
    found = bytearray()
    for item in stored:
        found.append(SPLITS.index(wanted.pop(item.id, item.split)))
    if wanted:
        raise MlhubError(
            f"{path}: {len(wanted)} ids that no item has, such as {next(iter(wanted))}",
            "Name items by the ids that mlhub data preview --json shows.",
        )
    return np.frombuffer(bytes(found), np.uint8)


def _lines(path: Path, all_as: Split | None) -> Iterator[tuple[str, Split]]:
    from mlhub.data.formats.base import Reading

    for number, line in Reading().lines(path):
        if not line.strip() or (number == 1 and line.replace(" ", "") in ("id,split", "id\tsplit")):
            continue
        if all_as:
            yield line.strip(), all_as
            continue
        sign = next((sign for sign in ("\t", ",", " ") if sign in line), "\t")
        name, _, split = line.rpartition(sign)
        split = split.strip()
        if split not in SPLITS:
            raise MlhubError(f"{path}:{number}: not an id and a split", f"Splits are {', '.join(SPLITS)}.")
        yield name.strip().strip('"'), split


def apply(
    home: Home, name: str, deal: Callable[[Stored], Dealt], *, dry: bool = False
) -> tuple[dict[str, int], dict[str, int]]:
    """Give the items of a set new splits: the counts before and after. Raises MlhubError; then nothing has changed."""
    if name in _FIXED:
        raise MlhubError(
            f"{name} keeps its split: what is known of its figures depends on it",
            f"Split a copy: mlhub data export {name} FILE.jsonl, then mlhub data add NAME FILE.jsonl",
        )
    with place.locked(home, name):
        stored = find_stored(name, home)
        before = stored.facts().splits
        if not before:
            raise MlhubError(f"data set {name} holds no items", f"Make it anew: mlhub data prepare {name} --force")
        dealt = deal(stored)
        require_whole(stored, dealt)
        after: dict[str, int] = {split: int((dealt == number).sum()) for number, split in enumerate(SPLITS)}
        after = {split: count for split, count in after.items() if count}
        if not after.get("train"):
            raise MlhubError("no item would be left to train on", "Choose other shares or values.")
        if not dry:
            try:
                _rewrite(stored, (SPLITS[number] for number in dealt))
            except OSError as error:
                raise MlhubError(
                    f"{stored.folder}: {error.strerror or error}", "Make room; the split is as it was."
                ) from error
    return before, after


def _rewrite(stored: Stored, splits: Iterable[Split]) -> None:
    path = stored.folder / ITEMS
    temporary = stored.folder / f".{ITEMS}.new"  # under the lock: one that a killed process left is written over
    tally = Tally()
    try:
        with temporary.open("wb") as file:
            for item, split in zip(stored, splits, strict=True):
                changed = tally.add(msgspec.structs.replace(item, split=split))
                file.write(msgspec.json.encode(changed) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        images = stored.facts().images
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    # killed before this, the counts are made anew by whoever asks: they are those of another file
    write_about(stored.folder, msgspec.structs.replace(stored.about, facts=tally.facts(stamp(path), images)))
