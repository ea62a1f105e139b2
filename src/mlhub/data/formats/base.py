"""What every format is made of: `Part` (what a source says of an image), `Source`, `Reading`, `Format`.

A format reads; it writes nothing and decides nothing about the set. That is `mlhub.data.convert`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from mlhub.errors import MlhubError
from mlhub.files import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

#: bytes of a line at most
_LONGEST = 1 << 24


class Part(msgspec.Struct):
    """What a source says of one image: all of it, or, of a scattered format, a part.

    `image`: where the file is below the source's image folder, as the source spells it; `elsewhere`: other places to
    look. Of an image that the source itself holds, `data` gives the bytes when called, and `image` is its name. Splits
    may be spelled anyhow (`restval`, `validation`); captions may hold anything: the converter cleans both. `where`
    names file and line (or record) for what is wrong with it.
    """

    image: str
    captions: dict[str, list[str]] = {}
    labels: list[str] = []
    id: str = ""
    split: str = ""
    concept: str = ""
    style: str = ""
    category: str = ""
    digest: str = ""
    elsewhere: tuple[str, ...] = ()
    key: str = ""  # of a scattered format: parts of one key are put together; empty: those of one image
    data: Any = None  # Callable[[], bytes] | None
    where: str = ""


class Source(msgspec.Struct, frozen=True):
    """What a data set is made of: the files or folders given, and how they are to be read. Paths are absolute."""

    kind: str
    paths: tuple[str, ...]
    images: str = ""  # the folder that images are relative to; empty: the source holds them itself
    options: dict[str, str] = {}  # such as language=ko, caption=COLUMN

    def option(self, name: str, default: str = "") -> str:
        return self.options.get(name, default)


@dataclass
class Reading:
    """One reading of a source: how far it is, in bytes, and what was wrong in it."""

    skip_bad: bool = False
    done: int = 0
    skipped: int = 0
    first: list[str] = field(default_factory=list)  # of what was skipped, the first few
    tell: Callable[[], None] | None = None

    def advance(self, count: int) -> None:
        """So many bytes of the source have been read."""
        self.done += count
        if self.tell:
            self.tell()

    def bad(self, where: str, why: str) -> None:
        """What stands there can't be taken. Raises MlhubError, unless such things are to be skipped and counted."""
        if not self.skip_bad:
            raise MlhubError(f"{where}: {why}", "Mend it, or leave such out: mlhub data prepare NAME --skip-bad")
        self.skipped += 1
        if len(self.first) < 20:
            self.first.append(f"{where}: {why}")

    def lines(self, path: Path) -> Iterator[tuple[int, str]]:
        """The lines of a text in UTF-8, numbered from 1, without a byte-order mark and without their ends.

        A line that is not UTF-8 is `bad`. Raises MlhubError if the file can't be read.
        """
        number = 0
        with self.open(path) as file:
            while raw := file.readline(_LONGEST):
                number += 1
                self.advance(len(raw))
                if number == 1:
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                if raw.startswith((b"\xff\xfe", b"\xfe\xff")) and number == 1:
                    raise MlhubError(
                        f"{path}: is in UTF-16, not UTF-8", f"Type: iconv -f UTF-16 -t UTF-8 {path.name} > NEW"
                    )
                if len(raw) == _LONGEST and not raw.endswith(b"\n"):
                    self.bad(f"{path}:{number}", f"a line longer than {_LONGEST >> 20} MB")
                    self._pass_over_line(file)
                    continue
                try:
                    text = raw.decode("utf-8")
                except UnicodeDecodeError as error:
                    self.bad(f"{path}:{number}:{error.start + 1}", f"not UTF-8 (byte {raw[error.start]:#04x})")
                    continue
                yield number, text.rstrip("\r\n")

    def _pass_over_line(self, file: BinaryIO) -> None:
        while (raw := file.readline(_LONGEST)) and not raw.endswith(b"\n"):
            self.advance(len(raw))
        self.advance(len(raw))

    def open(self, path: Path) -> BinaryIO:
        """A regular file to read; whoever reads it calls `advance`. Raises MlhubError, for a pipe or a device too."""
        try:
            return open_regular(path)
        except OSError as error:
            raise MlhubError(f"{path}: can't be read: {error.strerror}", "Mend the path: mlhub data add") from None


@dataclass(frozen=True, slots=True)
class Format:
    """One way data sets are distributed.

    `recognise(path, head)`: whether a file (with its first 64 kB) or a folder (`head` empty) is of this form; cheap.
    `read(source, reading)`: the parts, streaming. `scattered`: parts of one image may be far apart. `images(path)`:
    the folder of the images if the user names none ("" where the source holds them). `options`: what `--option` takes.
    """

    name: str
    title: str
    recognise: Callable[[Path, bytes], bool]
    read: Callable[[Source, Reading], Iterator[Part]]
    scattered: bool = False
    images: Callable[[Path], str] = lambda path: str(path.parent)
    options: dict[str, str] = field(default_factory=dict)
