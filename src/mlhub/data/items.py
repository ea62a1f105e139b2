"""A data set on disk: `items.jsonl` (one image with its captions a line), `dataset.json` (its name) and the images.

Not where data sets are made (`mlhub.data.prepare`) or turned into tensors (`mlhub.hashing.data`).
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Literal

import msgspec

from mlhub.errors import MlhubError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

ITEMS = "items.jsonl"
ABOUT = "dataset.json"

Split = Literal["train", "val", "test"]


class Item(msgspec.Struct, frozen=True):
    """One image with what is said about it. `image` is relative to the data set's folder.

    `concept` names what is pictured: items of one concept are the same thing drawn or photographed differently.
    `labels` decide what is relevant under label protocols; `category`, wider, is for the reader. `digest` is the
    image's sha256.
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


class About(msgspec.Struct, frozen=True):
    """What `dataset.json` says."""

    name: str
    version: int = 1
    license: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The items of one data set, in their order on disk. `fingerprint` hashes their content, whatever the order."""

    name: str
    folder: Path
    items: tuple[Item, ...]
    fingerprint: str

    @classmethod
    def open(cls, folder: Path) -> Dataset:
        """Read and check a folder. Raises NotFoundError, or MlhubError naming file and line."""
        about = _read_about(folder / ABOUT)
        items = tuple(_read_items(folder / ITEMS))
        if not items:
            raise MlhubError(f"{folder / ITEMS}: holds no items", f"Make it anew: mlhub data prepare {about.name}")
        return cls(about.name, folder, items, fingerprint(items))

    def select(self, split: Split) -> tuple[Item, ...]:
        return tuple(item for item in self.items if item.split == split)

    def image_path(self, item: Item) -> Path:
        """Absolute path of an item's image. Raises MlhubError if a link leads it out of the folder."""
        path = (self.folder / item.image).absolute()
        if not os.path.realpath(path).startswith(os.path.join(os.path.realpath(self.folder), "")):
            raise MlhubError(
                f"{item.id}: image {item.image} leads out of {self.folder}",
                "Put the image there; the data set's folder as a whole may be a link.",
            )
        return path

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


def fingerprint(items: tuple[Item, ...]) -> str:
    """sha256 over the items in the order of their ids: content, image digests and splits; 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for item in sorted(items, key=lambda item: item.id):
        digest.update(msgspec.json.encode(item, order="sorted"))
        digest.update(b"\n")
    return digest.hexdigest()


def write_items(folder: Path, about: About, items: tuple[Item, ...]) -> None:
    """Write both files of a data set into a folder that nobody reads yet."""
    encoder = msgspec.json.Encoder()
    (folder / ITEMS).write_bytes(b"".join(encoder.encode(item) + b"\n" for item in items))
    (folder / ABOUT).write_bytes(msgspec.json.format(encoder.encode(about), indent=1) + b"\n")


def _read_about(path: Path) -> About:
    try:
        return msgspec.json.decode(path.read_bytes(), type=About)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"{path.parent}: no data set here ({ABOUT} is missing)", "mlhub data ls shows what there is."
        ) from None
    except (OSError, msgspec.DecodeError) as error:
        raise MlhubError(f"{path}: can't be read: {error}", "Mend the file or make the data set anew.") from None


def _read_items(path: Path) -> list[Item]:
    decoder = msgspec.json.Decoder(Item)
    items: list[Item] = []
    seen: dict[str, int] = {}
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise MlhubError(f"{path}: can't be read: {error.strerror}", "Make the data set anew.") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            item = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise MlhubError(
                f"{path}:{number}: not an item: {error}", "Mend the line or make the data set anew."
            ) from None
        if problem := _problem(item):
            raise MlhubError(f"{path}:{number}: {item.id or 'an item'}: {problem}", "Mend the line or take it out.")
        if item.id in seen:
            raise MlhubError(
                f"{path}:{number}: {item.id}: the same id as line {seen[item.id]}", "Give each item its own."
            )
        seen[item.id] = number
        items.append(item)
    return items


def _problem(item: Item) -> str:
    """What is wrong with an item by itself, or nothing."""
    if not item.id:
        return "no id"
    name = item.image
    if not name or name.startswith("/") or "\\" in name or "\0" in name or ".." in name.split("/"):
        return f"image {name!r} is not a path inside the data set's folder"
    if not any(item.captions.values()):
        return "no caption"
    if any(not caption.strip() for captions in item.captions.values() for caption in captions):
        return "an empty caption"
    return ""
