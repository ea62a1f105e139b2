"""WebDataset: tars in which the files of one sample share a name (`000.jpg`, `000.txt`, `000.json`).

Also what img2dataset leaves: a folder of tars, beside each of which a Parquet or JSON file may lie, which isn't read. A
member that is a link, a device, or whose name leads out is refused; nothing is unpacked by name.
"""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import IO, Any

from mlhub.data.formats import fields
from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_PICTURES = ("jpg", "jpeg", "png", "webp", "bmp", "gif", "tif", "tiff")
_TEXTS = ("txt", "caption", "text")
#: bytes of a member at most
_LARGEST = 200_000_000
_SPLITS = ("train", "val", "validation", "test")


def _recognise(path: Path, head: bytes) -> bool:
    if path.is_dir():
        return any(path.glob("*.tar"))
    return head[257:262] == b"ustar" or path.suffix == ".tar"


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    for name in source.paths:
        path = Path(name)
        for file in sorted(path.glob("*.tar")) if path.is_dir() else [path]:
            yield from _read_tar(file, source, reading)


class _Counted:
    """A file whose reading is counted."""

    def __init__(self, file: IO[bytes], reading: Reading) -> None:
        self._file, self._reading = file, reading

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._reading.advance(len(data))
        return data


def _read_tar(path: Path, source: Source, reading: Reading) -> Iterator[Part]:
    split = next((split for split in _SPLITS if split in path.stem.replace("_", "-").split("-")), "")
    sample: dict[str, Any] = {}
    key = ""
    try:
        with reading.open(path) as raw, tarfile.open(fileobj=_Counted(raw, reading), mode="r|*") as tar:  # type: ignore[call-overload]
            for member in tar:
                if not _is_taken(member, path, reading):
                    continue
                stem, suffix = _parted(member.name)
                if stem != key and sample:
                    yield from _part(sample, key, path, source, split, reading)
                    sample = {}
                key = stem
                if (file := tar.extractfile(member)) is not None:
                    sample[suffix] = file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise MlhubError(f"{path}: the tar is torn: {error}", "Fetch it again.") from None
    if sample:
        yield from _part(sample, key, path, source, split, reading)


def _is_taken(member: tarfile.TarInfo, path: Path, reading: Reading) -> bool:
    where = f"{path}: {member.name}"
    if member.isdir():
        return False
    if not member.isreg():
        reading.bad(where, "a link or a device, not a file")
    elif member.name.startswith("/") or ".." in member.name.split("/"):
        reading.bad(where, "its name leads out of the tar")
    elif member.size > _LARGEST:
        reading.bad(where, f"larger than {_LARGEST // 10**6} MB")
    else:
        return True
    return False


def _parted(name: str) -> tuple[str, str]:
    """`a/000.en.txt` → `a/000`, `en.txt`: as WebDataset has it, by the first dot of the last name."""
    folder, _, last = name.removeprefix("./").rpartition("/")
    stem, _, suffix = last.partition(".")
    return f"{folder}/{stem}" if folder else stem, suffix.lower()


def _part(
    sample: dict[str, bytes], key: str, path: Path, source: Source, split: str, reading: Reading
) -> Iterator[Part]:
    where = f"{path}: {key}"
    suffix = next((suffix for suffix in _PICTURES if suffix in sample), "")
    if not suffix:
        reading.bad(where, "a sample without a picture")
        return
    row: Any = {}
    if "json" in sample:
        try:
            row = json.loads(sample["json"])
        except (ValueError, RecursionError) as error:
            reading.bad(f"{path}: {key}.json", f"not JSON: {error}")
            return
    if not isinstance(row, dict):
        row = {}
    part = fields.part(row, source, where)
    part.image, part.split = f"{key}.{suffix}", part.split or split
    part.id = part.id or key
    for name, data in sample.items():
        _add_text(part, name, data, source)
    data = sample[suffix]
    part.data = lambda: data
    yield part


def _add_text(part: Part, name: str, data: bytes, source: Source) -> None:
    """A member that is a caption (`txt`, `ko.txt`), a class or none of them."""
    *before, kind = name.split(".")
    text = data.decode("utf-8", "replace")
    if kind in _TEXTS:
        language = before[-1] if before and before[-1] in fields.LANGUAGES else source.option("language", "en")
        mine = part.captions.setdefault(language, [])
        mine += [line for line in text.splitlines() if line.strip() and line not in mine]
    elif kind == "cls" and text.strip():
        part.labels.append(text.strip())


_OPTIONS = {"language": fields.OPTIONS["language"]}
FORMAT = Format("webdataset", "WebDataset tars", _recognise, _read, images=lambda _: "", options=_OPTIONS)
