"""A data set on disk: `items.jsonl` (one image with its captions a line), `dataset.json` (its name) and the images.

`Stored` reads it line by line, whatever its size; `Dataset` holds it in memory, for training. Not where data sets are
made (`mlhub.data.prepare`, `mlhub.data.convert`) or turned into tensors (`mlhub.hashing.data`).
"""

from __future__ import annotations

import hashlib
import os
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from mlhub.errors import MlhubError, NotFoundError
from mlhub.files import open_regular, replace_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ITEMS = "items.jsonl"
ABOUT = "dataset.json"

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
#: bytes of a line at most: a torn file without line ends is refused before it fills the memory
_LONGEST = 1 << 24


class Item(msgspec.Struct, frozen=True):
    """One image with what is said about it. `image` is relative to the data set's image folder.

    `concept` names what is pictured: items of one concept are the same thing drawn or photographed differently.
    `labels` decide what is relevant under label protocols; an item has a caption or a label. `category`, wider, is for
    the reader. `digest` is the image's sha256.
    """

    id: str
    image: str
    captions: dict[str, tuple[str, ...]]
    labels: tuple[str, ...] = ()
    concept: str = ""
    style: str = ""
    split: Split = "train"
    digest: str = ""
    category: str = ""

    @property
    def key(self) -> str:
        """The concept; an item without one is one by itself."""
        return self.concept or self.id


class Facts(msgspec.Struct, frozen=True):
    """What is known of the whole set without reading it, as long as `items.jsonl` has this size and time."""

    size: int
    mtime_ns: int
    items: int
    fingerprint: str
    splits: dict[str, int] = {}
    captions: dict[str, int] = {}
    images: int = 0  # bytes of them when the set was made; 0: nobody looked


class About(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `dataset.json` says. `root`: the absolute folder of the images, where it is not the set's own."""

    name: str
    version: int = 1
    license: str = ""
    source: str = ""
    root: str = ""
    stamp: str = ""  # of the source's files, when the set was made of them
    facts: Facts | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """A data set that is read as often as it is walked over, in its order on disk, and never held in memory."""

    name: str
    folder: Path
    about: About

    @classmethod
    def open(cls, folder: Path) -> Stored:
        """Read what a folder says of itself, not its items. Raises NotFoundError, or MlhubError naming the file."""
        about = read_about(folder / ABOUT)
        return cls(about.name, folder, about)

    @property
    def root(self) -> Path:
        """The folder that the images' paths begin at, and never leave."""
        return Path(self.about.root) if self.about.root else self.folder

    def __iter__(self) -> Iterator[Item]:
        """The items, each checked by itself. Raises MlhubError naming file and line."""
        return read_items(self.folder / ITEMS)

    def image_path(self, item: Item) -> Path:
        """Absolute path of an item's image. Raises MlhubError if a link leads it out of the image folder."""
        return inside(self.root, item)

    def facts(self) -> Facts:
        """Counts and fingerprint: as noted when the set was made, or, if the file is another by now, by reading it."""
        noted, now = self.about.facts, stamp(self.folder / ITEMS)
        if noted and (noted.size, noted.mtime_ns) == now:
            return noted
        tally = Tally()
        for item in self:
            tally.add(item)
        return tally.facts(now)


@dataclass(frozen=True, slots=True)
class Dataset:
    """The items of one data set, in their order on disk. `fingerprint` hashes their content, whatever the order."""

    name: str
    folder: Path
    items: tuple[Item, ...]
    fingerprint: str
    images: Path | None = None

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Read and check a folder. Raises NotFoundError, or MlhubError naming file and line."""
        stored = Stored.open(folder)
        tally = Tally()
        items = tuple(tally.add(item) for item in stored)
        if not items:
            raise MlhubError(f"{folder / ITEMS}: holds no items", f"Make it anew: mlhub data prepare {stored.name}")
        require_own_ids(folder / ITEMS, tally)
        return cls(stored.name, folder, items, tally.fingerprint, stored.root)

    @property
    def trained_on(self) -> str:
        """What a training on it that is to be gone on with must agree in."""
        return self.fingerprint

    def select(self, split: Split) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.split == split)

    def image_path(self, item: Item) -> Path:
        """Absolute path of an item's image. Raises MlhubError if a link leads it out of the image folder."""
        return inside(self.images or self.folder, item)

    def check_image(self, item: Item) -> None:
        """Raise MlhubError if an item's image is missing, empty, or not the one that `digest` names."""
        path = self.image_path(item)
        hint = "Put it back, or take the item out of the set."
        if not path.is_file():
            raise MlhubError(f"{item.id}: {path}: no such image", hint)
        try:
            with path.open("rb") as file:
                damaged = (
                    hashlib.file_digest(file, "sha256").hexdigest() != item.digest if item.digest else not file.read(1)
                )
        except OSError as error:
            raise MlhubError(f"{item.id}: {path}: can't be read: {error.strerror}", hint) from None
        if damaged:
            raise MlhubError(f"{item.id}: {path}: the image is damaged, or another than when the set was made", hint)


class Tally:
    """Counts over items that pass by: 8 bytes an item, which is what it takes to see an id that comes twice.

    The fingerprint is the sum of the items' sha256 modulo 2^256: the same in any order, and made while items pass
    (MSet-Add-Hash of Clarke et al., ASIACRYPT 2003). It tells data sets apart; it is no signature.
    """

    def __init__(self) -> None:
        self.items = 0
        self.splits: dict[str, int] = {}
        self.captions: dict[str, int] = {}
        self.ids = array("q")
        self._sum = 0

    def add(self, item: Item) -> Item:
        """Count an item; the item."""
        self.items += 1
        self.ids.append(hash(item.id))  # of this process: compared here alone
        self.splits[item.split] = self.splits.get(item.split, 0) + 1
        for language, texts in item.captions.items():
            self.captions[language] = self.captions.get(language, 0) + len(texts)
        self._sum += int.from_bytes(hashlib.sha256(msgspec.json.encode(item, order="sorted")).digest(), "big")
        return item

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits."""
        return f"{self._sum % (1 << 256):064x}"

    def twice(self) -> set[int]:
        """Hashes of ids that may be there more than once; mostly none, for certain none that is there once."""
        import numpy as np

        values = np.sort(np.frombuffer(self.ids, dtype=np.int64)) if self.ids else np.zeros(0, np.int64)
        return set(values[1:][values[1:] == values[:-1]].tolist())

    def facts(self, stamp: tuple[int, int], images: int = 0) -> Facts:
        """What was counted, of a file of that size and time."""
        captions = dict(sorted(self.captions.items(), key=lambda pair: -pair[1]))
        splits: dict[str, int] = {split: self.splits[split] for split in SPLITS if split in self.splits}
        return Facts(*stamp, self.items, self.fingerprint, splits, captions, images)


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of a file. Raises MlhubError."""
    try:
        found = path.stat()
    except OSError as error:
        raise MlhubError(f"{path}: can't be read: {error.strerror}", "Make the data set anew.") from None
    return found.st_size, found.st_mtime_ns


def require_own_ids(path: Path, tally: Tally) -> None:
    """Raise MlhubError naming both lines if an id of that file comes twice."""
    if not (suspects := tally.twice()):
        return
    seen: dict[str, int] = {}
    for number, item in numbered_items(path):
        if hash(item.id) not in suspects:
            continue
        if item.id in seen:
            raise MlhubError(
                f"{path}:{number}: {item.id}: the same id as line {seen[item.id]}", "Give each item its own."
            )
        seen[item.id] = number


def fingerprint(items: Iterable[Item]) -> str:
    """Of the items' content (captions, image digests, splits, …), whatever their order; 64 hexadecimal digits."""
    tally = Tally()
    for item in items:
        tally.add(item)
    return tally.fingerprint


def inside(root: Path, item: Item) -> Path:
    """Absolute path of an item's image below `root`. Raises MlhubError if a link leads it out of there."""
    path = (root / item.image).absolute()
    if not os.path.realpath(path).startswith(os.path.join(os.path.realpath(root), "")):
        raise MlhubError(
            f"{item.id}: image {item.image} leads out of {root}",
            "Put the image there; the data set's folder as a whole may be a link.",
        )
    return path


def write_items(folder: Path, about: About, items: tuple[Item, ...]) -> None:
    """Write both files of a data set into a folder that nobody reads yet."""
    (folder / ITEMS).write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))
    write_about(folder, about)


def write_about(folder: Path, about: About) -> None:
    """Write `dataset.json`. Raises OSError."""
    replace_bytes(folder / ABOUT, msgspec.json.format(msgspec.json.encode(about), indent=1) + b"\n")


def read_about(path: Path) -> About:
    """What a `dataset.json` says. Raises NotFoundError, or MlhubError naming the file."""
    try:
        with open_regular(path) as file:
            return msgspec.json.decode(file.read(), type=About)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"{path.parent}: no data set here ({ABOUT} is missing)", "mlhub data ls shows what there is."
        ) from None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MlhubError(f"{path}: can't be read: {error}", "Mend the file or make the data set anew.") from None


def read_items(path: Path) -> Iterator[Item]:
    """The items of a file, one after another. Raises MlhubError naming file and line."""
    for _, item in numbered_items(path):
        yield item


def numbered_items(path: Path) -> Iterator[tuple[int, Item]]:
    """The items of a file, with the number of their line. Raises MlhubError naming file and line."""
    decoder = msgspec.json.Decoder(Item)
    try:
        with open_regular(path) as file:
            number = 0
            while line := file.readline(_LONGEST):
                number += 1
                if line.strip():
                    yield number, _item(path, number, line, decoder)
    except OSError as error:
        raise MlhubError(f"{path}: can't be read: {error.strerror}", "Make the data set anew.") from None


def _item(path: Path, number: int, line: bytes, decoder: msgspec.json.Decoder[Item]) -> Item:
    try:
        item = decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MlhubError(f"{path}:{number}: not an item: {error}", "Mend the line or make the data set anew.") from None
    if problem := problem_of(item):
        raise MlhubError(f"{path}:{number}: {item.id or 'an item'}: {problem}", "Mend the line or take it out.")
    return item


def problem_of(item: Item) -> str:
    """What is wrong with an item by itself, or nothing."""
    if not item.id:
        return "no id"
    if not is_inside(item.image):
        return f"image {item.image!r} is not a path inside the data set's folder"
    if not any(item.captions.values()) and not item.labels:
        return "no caption, and no label"
    if any(not caption.strip() for captions in item.captions.values() for caption in captions):
        return "an empty caption"
    return ""


def is_inside(name: str) -> bool:
    """Whether a relative path, as it is written, stays below its folder."""
    return not (not name or name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"))
