"""Flickr30k and Flickr8k as token files (`1000092795.jpg#0`, tab, caption), and as the table with `|` between."""

from __future__ import annotations

import re
from pathlib import Path

from mlhub.data.formats.base import Format, Part, Reading, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(r"([^\t#]+)#(?:\w+#)?\d+\t(.*)")
_HEADER = re.compile(rb"image_name\s*\|\s*comment_number\s*\|\s*comment")


def _recognise(_path: Path, head: bytes) -> bool:
    first = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
    return bool(_TOKEN.fullmatch(first) or _HEADER.match(head.removeprefix(b"\xef\xbb\xbf")))


def _read(source: Source, reading: Reading) -> Iterator[Part]:
    language = source.option("language", "en")
    for name in source.paths:
        path = Path(name)
        for number, line in reading.lines(path):
            if not line.strip() or (number == 1 and _HEADER.match(line.encode())):
                continue
            image, text = _parted(line)
            if not image:
                reading.bad(f"{path}:{number}", "not NAME.jpg#N, tab, caption")
                continue
            yield Part(
                image, {language: [text]}, elsewhere=(f"flickr30k-images/{image}", f"images/{image}",
                f"flickr30k_images/{image}"), where=f"{path}:{number}",
            )  # fmt: skip


def _parted(line: str) -> tuple[str, str]:
    if match := _TOKEN.fullmatch(line):
        return match[1].strip(), match[2]
    cells = line.split("|", 2)
    return (cells[0].strip(), cells[2].strip()) if len(cells) == 3 else ("", "")


FORMAT = Format(
    "flickr30k", "Flickr30k token files", _recognise, _read, scattered=True,
    options={"language": "the captions' language (default: en)"},
)  # fmt: skip
