"""A data set on disk: `items.jsonl` (one image with its captions a line), `dataset.json` (its name) and the images.

Not where data sets are made (`mlhub.data.prepare`) or turned into tensors (`mlhub.hashing.data`).
"""

from __future__ import annotations

import hashlib
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
    `digest` is the image's sha256.
    """

    id: str
    image: str
    captions: dict[str, tuple[str, ...]]
    labels: tuple[str, ...] = ()
    concept: str = ""
    style: str = ""
    split: Split = "train"
    digest: str = ""


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
        """Absolute path of an item's image, always below the folder (checked when the set was read)."""
        return (self.folder / item.image).absolute()


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
