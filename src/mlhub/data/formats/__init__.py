"""The forms in which data sets are distributed, a module each with one `FORMAT`. `detect` finds out which one it is.

The order is that of asking: who is more certain comes first.
"""

from __future__ import annotations

from importlib import import_module

from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.files import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.data.formats.base import Format

#: kind -> the module that reads it
KINDS = {
    "mirflickr": "mirflickr",
    "nuswide": "nuswide",
    "webdataset": "webdataset",
    "karpathy": "karpathy",
    "coco": "coco",
    "aihub": "aihub",
    "flickr30k": "flickr30k",
    "cc3m": "cc3m",
    "huggingface": "huggingface",
    "parquet": "parquet",
    "csv": "csv",
    "jsonl": "jsonl",
    "images": "pictures",
}
_HEAD = 1 << 16


def load(kind: str) -> Format:
    """The format of that name. Raises UsageError."""
    if kind not in KINDS:
        raise UsageError(f"--kind {kind}: no such form of data sets", f"There are: {', '.join(KINDS)}.")
    found: Format = import_module(f"mlhub.data.formats.{KINDS[kind]}").FORMAT
    return found


def detect(path: Path) -> Format:
    """The format of a file or folder. Raises NotFoundError if there is none, MlhubError if it is of no form we know."""
    if not path.exists():
        raise NotFoundError(f"{path}: no such file or folder", "Name the file or folder of the data set as it was got.")
    head = b""
    if not path.is_dir():
        try:
            with open_regular(path) as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise MlhubError(f"{path}: can't be read: {error.strerror}", "Name a regular file or a folder.") from None
        if not head:
            raise MlhubError(f"{path}: is empty", "Fetch it again.")
    for kind in KINDS:
        if (found := load(kind)).recognise(path, head):
            return found
    raise MlhubError(f"{path}: of no form that mlhub knows", f"Say which it is: --kind {'|'.join(KINDS)}")
