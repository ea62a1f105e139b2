"""NUS-WIDE as distributed: image list, 81 files of ground truth, tags; 269,648 images.

All files say one line an image, in one order, and are read side by side. `labels=21` keeps the 21 most frequent
concepts, as MITH and most papers on hashing do, and the images that have one of them.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.errors import MlhubError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TAGS = ("NUS_WID_Tags/All_Tags.txt", "All_Tags.txt", "Tags/All_Tags.txt")


def _recognise(path: Path, head: bytes) -> bool:
    return not head and path.is_dir() and _find(path, "Imagelist.txt") is not None


def _find(path: Path, name: str) -> Path | None:
    """A file of that name, however its letters are, in the folder or a folder of it."""
    for place in (path, *sorted(entry for entry in path.iterdir() if entry.is_dir())):
        for entry in place.iterdir():
            if entry.name.lower() == name.lower() and entry.is_file():
                return entry
    return None


def _truth(path: Path) -> list[Path]:
    for place in ("Groundtruth/AllLabels", "AllLabels", "groundtruth/AllLabels"):
        if found := sorted((path / place).glob("Labels_*.txt")):
            return found
    raise MlhubError(f"{path}: no Groundtruth/AllLabels/Labels_*.txt", "Unpack Groundtruth.zip there.")


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    for name in source.paths:
        path = Path(name)
        files = _most_frequent(_truth(path), source.option("labels", "81"))
        yield from _read_folder(path, files, reading)


def _most_frequent(files: list[Path], count: str) -> list[Path]:
    if count not in ("21", "81"):
        raise UsageError(f"-o labels={count}: 21 or 81", "How many of the concepts are labels.")
    if count == "81" or len(files) <= 21:
        return files
    counts = {file: file.read_bytes().count(b"1") for file in files}
    return sorted(sorted(files, key=lambda file: -counts[file])[:21])


def _read_folder(path: Path, files: list[Path], reading: Reading) -> Iterator[Part]:
    listed = _find(path, "Imagelist.txt")
    assert listed is not None  # noqa: S101 - or it would not be of this form
    labels = [file.stem.removeprefix("Labels_") for file in files]
    held_out = _test_images(path, reading)
    tags = next((path / name for name in _TAGS if (path / name).is_file()), None)
    some = len(files) < len(_truth(path))
    with ExitStack() as stack:
        truth = [stack.enter_context(file.open("rb")) for file in files]
        said = reading.lines(tags) if tags else None
        for number, line in reading.lines(listed):
            row = [file.readline().strip() for file in truth]
            words = _words(next(said, (0, ""))[1]) if said else ""
            image = line.strip().replace("\\", "/")
            where = f"{listed}:{number}"
            if not all(value in (b"0", b"1") for value in row):
                reading.bad(where, "the ground truth has no 0 or 1 for it: files of other lengths")
                continue
            mine = [label for label, value in zip(labels, row, strict=True) if value == b"1"]
            if some and not mine:
                continue
            yield Part(
                image, {"en": [words]} if words else {}, mine, id=Path(image).stem, where=where,
                split="test" if image in held_out else "",
                elsewhere=(f"Flickr/{image}", f"images/{image}", Path(image).name),
            )  # fmt: skip


def _test_images(path: Path, reading: Reading) -> frozenset[str]:
    """The images of the distributed test list: 107,859 names."""
    file = _find(path, "TestImagelist.txt")
    return frozenset(line.strip().replace("\\", "/") for _, line in reading.lines(file)) if file else frozenset()


def _words(line: str) -> str:
    """Of a line of tags, which begins with the number of the photograph, the tags."""
    first, _, rest = line.strip().partition(" ")
    return " ".join((rest if first.isdigit() else line).split())


def _images(path: Path) -> str:
    return str(path / "Flickr" if (path / "Flickr").is_dir() else path)


FORMAT = Format(
    "nuswide", "NUS-WIDE", _recognise, _read, images=_images,
    options={"labels": "81 (default), or 21: the most frequent, and images that have one"},
)  # fmt: skip
