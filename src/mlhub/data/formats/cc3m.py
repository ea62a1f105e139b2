"""Conceptual Captions as distributed: caption, tab, address; no header. The pictures are fetched by the user.

`names`: what they were called by whoever fetched them. `row`: the number of the line from 0 (`000000012.jpg`, as
img2dataset does); `url`: the last part of the address; `sha`: sha256 of the address. Any of jpg, png, webp is found.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from urllib.parse import urlsplit

from mlhub.data.formats.base import Format, Part, Reading, Source
from mlhub.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_LINE = re.compile(rb"[^\t\r\n]+\thttps?://[^\t\r\n]+")
_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


def _recognise(_path: Path, head: bytes) -> bool:
    return bool(_LINE.match(head.removeprefix(b"\xef\xbb\xbf")))


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    names = source.option("names", "row")
    if names not in ("row", "url", "sha"):
        raise UsageError(f"-o names={names}: row, url or sha", "How whoever fetched the pictures called them.")
    for name in source.paths:
        path = Path(name)
        split = "val" if "valid" in path.name.lower() else ""
        for number, line in reading.lines(path):
            if not line.strip():
                continue
            caption, _, url = line.partition("\t")
            if not url.startswith(("http://", "https://")):
                reading.bad(f"{path}:{number}", "not caption, tab, address")
                continue
            stem = _stem(names, number - 1, url)
            yield Part(
                f"{stem}{_SUFFIXES[0]}",
                {source.option("language", "en"): [caption]},
                id=stem,
                split=split,
                elsewhere=tuple(f"{stem}{suffix}" for suffix in (*_SUFFIXES[1:], "")),
                where=f"{path}:{number}",
            )


def _stem(names: str, row: int, url: str) -> str:
    if names == "row":
        return f"{row:09}"
    if names == "sha":
        return hashlib.sha256(url.encode()).hexdigest()
    return Path(urlsplit(url).path).stem or "index"


FORMAT = Format(
    "cc3m", "Conceptual Captions", _recognise, _read,
    options={"names": "row, url or sha: how the fetched pictures are called", "language": "the captions' language"},
)  # fmt: skip
