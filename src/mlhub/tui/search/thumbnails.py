"""Pictures for the screen, decoded in a thread into strips of cells and kept as long as there is room.

A view says which it shows (`want`), the first ones first, and draws what `get` gives. Half blocks in 24 bits or 256
colours; where there are no blocks or no colours, characters of more or less ink. Reading files is `mlhub.picture`.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from mlhub import picture
from mlhub.errors import MlhubError
from mlhub.tui import theme
from mlhub.tui.search import graphics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL.Image import Image

    from mlhub.picture import Pixel
    from mlhub.tui.theme import Look

Mode = Literal["24bit", "256", "shade", "ascii", "pixels"]

#: cells that are kept: some two thousand tiles, or ten pictures as large as a large terminal
_CELLS = 200_000
_INK = {"shade": " ░▒▓█", "ascii": " .:-=+*#%@"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A picture in a size: `width` x `height` cells, `whole` with its sides' ratio kept."""

    path: Path
    width: int
    height: int
    mode: Mode
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """Lines of cells, as many and as wide as the picture is; or `reason`, in a few words, why there are none.

    In mode `pixels` it is an `image` instead, for `mlhub.tui.search.graphics`.
    """

    lines: tuple[Strip, ...] = ()
    width: int = 0
    reason: str = ""
    image: Image | None = None


def mode_of(look: Look) -> Mode:
    """How pictures can be drawn in this terminal; the theme for slow lines takes the shorter codes."""
    if not theme.unicode_works():
        return "ascii"
    if os.environ.get("NO_COLOR"):
        return "shade"
    return "24bit" if picture.true_colour() and not look.ansi else "256"


class Thumbnails:
    """The latest wishes, and what was decoded. `version` rises with each picture that is there."""

    def __init__(self) -> None:
        self.version = 0
        self._wishes: tuple[Wanted, ...] = ()
        self._kept: OrderedDict[Wanted, Thumbnail] = OrderedDict()
        self._cells = 0
        self._lock = threading.Lock()
        self._more = threading.Event()
        self._ended = False
        self._thread: threading.Thread | None = None

    def want(self, wishes: Sequence[Wanted]) -> None:
        """What is to be seen, in place of what was."""
        self._wishes = tuple(wishes)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="pictures", daemon=True)
            self._thread.start()
        self._more.set()

    def get(self, wanted: Wanted) -> Thumbnail | None:
        """The picture, if it is decoded."""
        with self._lock:
            found = self._kept.get(wanted)
            if found is not None:
                self._kept.move_to_end(wanted)
        return found

    def forget_reasons(self) -> None:
        """Try again those that could not be shown: a file may be back."""
        with self._lock:
            for wanted in [wanted for wanted, kept in self._kept.items() if kept.reason]:
                del self._kept[wanted]
                self._cells -= wanted.width * wanted.height
        self._more.set()

    def close(self) -> None:
        self._ended = True
        self._more.set()

    def _work(self) -> None:
        while True:
            self._more.wait()
            self._more.clear()
            while (wanted := self._next()) is not None:
                self._keep(wanted, draw(wanted))
            if self._ended:
                return

    def _next(self) -> Wanted | None:
        if self._ended:
            return None
        with self._lock:
            return next((wish for wish in self._wishes if wish not in self._kept), None)

    def _keep(self, wanted: Wanted, drawn: Thumbnail) -> None:
        with self._lock:
            self._kept[wanted] = drawn
            self._cells += wanted.width * wanted.height
            while self._cells > _CELLS and len(self._kept) > 1:
                old, _ = self._kept.popitem(last=False)
                self._cells -= old.width * old.height
        self.version += 1


def draw(wanted: Wanted) -> Thumbnail:
    """Decode one; whatever is wrong with it is its reason."""
    try:
        if wanted.mode == "pixels" and (cell := graphics.cell()):
            image = picture.load(wanted.path, wanted.width * cell[0], wanted.height * cell[1], whole=True)
            return Thumbnail(width=-(-image.width // cell[0]), image=image)
        rows = picture.read(wanted.path, wanted.width, 2 * wanted.height, whole=wanted.whole)
    except MlhubError as error:
        return Thumbnail(reason=error.message)
    except Exception as error:  # house rule 5: no picture must end the thread; it says what it was
        return Thumbnail(reason=f"can't be shown: {type(error).__name__}")
    if len(rows) % 2:
        rows.append(rows[-1])
    line = _ink if wanted.mode in _INK else _blocks
    lines = tuple(line(rows[y], rows[y + 1], wanted.mode) for y in range(0, len(rows), 2))
    return Thumbnail(lines, len(rows[0]))


def _blocks(upper: list[Pixel], lower: list[Pixel], mode: Mode) -> Strip:
    """Half blocks; cells that look alike share a segment, as their colours cost most of the bytes."""
    pairs = zip(upper, lower, strict=True)
    colours = ((picture.cube(a), picture.cube(b)) for a, b in pairs) if mode == "256" else ((a, b) for a, b in pairs)
    line = []
    for (above, below), same in groupby(colours):
        count = sum(1 for _ in same)
        line.append(Segment((" " if above == below else "▀") * count, _style(above, below)))
    return Strip(line, len(upper))


@lru_cache(4096)
def _style(above: Pixel | int, below: Pixel | int) -> Style:
    return Style(color=None if above == below else _colour(above), bgcolor=_colour(below))


def _colour(value: Pixel | int) -> Color:
    return Color.from_ansi(value) if isinstance(value, int) else Color.from_rgb(*value)


def _ink(upper: list[Pixel], lower: list[Pixel], mode: Mode) -> Strip:
    """Dark as ink on paper, whatever the terminal's background is."""
    letters = _INK[mode]
    most = len(letters) - 1
    text = "".join(
        letters[max(0, min(most, round((225 - (sum(a) + sum(b)) / 6) / 180 * most)))]
        for a, b in zip(upper, lower, strict=True)
    )
    return Strip([Segment(text, Style())], len(text))
