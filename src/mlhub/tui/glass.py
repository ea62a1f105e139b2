"""What stands on the terminal now, cell by cell, so that of each picture only what differs is written.

Textual 8.2 writes every part that a widget refreshed, each piece with all of its colours and a reset behind it. Here a
cell that already stands there isn't written again, and a colour is said once. Over SSH those are most of the bytes.
What is drawn is others' work; only what came through `difference` is known to stand there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len, get_character_cell_size
from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from mlhub.tui import theme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

#: as many cells that stand there already are written again rather than stepped over: a step takes four bytes
_GAP = 3
#: signs that stand in words everywhere, for terminals that are not told to expect UTF-8: changed in all that is
#: written, in what users wrote too, as there these would be seen as something else; other letters of theirs stay
PLAIN_SIGNS = str.maketrans({"–": "-", "—": "-", "…": "~", "·": ".", "×": "x", "±": "+", "°": "o", "─": "-", "│": "|"})


class Written(CompositorUpdate):
    """An update that is made out already."""

    def __init__(self, text: str) -> None:
        self.text = text

    def render_segments(self, console: Console) -> str:  # noqa: ARG002
        return self.text


class Pen(NamedTuple):
    """The parameters of SGR in three parts."""

    attributes: frozenset[str]
    ink: str
    paper: str


@lru_cache(1024)
def _pen(ansi: str) -> Pen:
    attributes, ink, paper = set(), "", ""
    words = ansi.split(";") if ansi else []
    while words:
        word = words.pop(0)
        if word in ("38", "48"):
            taken = 4 if words[0] == "2" else 2
            word, words = ";".join((word, *words[:taken])), words[taken:]
        number = int(word.partition(";")[0])
        if number in (38, 39) or 30 <= number <= 37 or 90 <= number <= 97:
            ink = word
        elif number in (48, 49) or 40 <= number <= 47 or 100 <= number <= 107:
            paper = word
        else:
            attributes.add(word)
    return Pen(frozenset(attributes), ink if ink != "39" else "", paper if paper != "49" else "")


@lru_cache(4096)
def _turn(before: str, after: str) -> str:
    """The sequence that makes one pen of another; both as Rich writes them."""
    old, new = _pen(before), _pen(after)
    if old == new:
        return ""
    if not after:
        return "\x1b[0m"
    if old.attributes - new.attributes:
        return f"\x1b[0;{after}m"
    words = sorted(new.attributes - old.attributes)
    if new.ink != old.ink:
        words.append(new.ink or "39")
    if new.paper != old.paper:
        words.append(new.paper or "49")
    return f"\x1b[{';'.join(words)}m"


class Glass:
    """The terminal's cells: letters and pens by row; None: what stands there isn't known; "": a wide letter's rest."""

    def __init__(self) -> None:
        self._signs = {} if theme.unicode_works() else PLAIN_SIGNS
        self._size = (0, 0)
        self._letters: list[list[str | None]] = []
        self._pens: list[list[str]] = []

    def forget(self) -> None:
        """Somebody else has written, or the terminal has another size: everything is to be written again."""
        self._size = (0, 0)

    def difference(self, update: CompositorUpdate, size: tuple[int, int], console: Console) -> str:
        """What to write so that `update` stands there; all of it is taken to be written."""
        if not isinstance(update, ChopsUpdate | LayoutUpdate):
            self.forget()
            return update.render_segments(console)
        if size != self._size:
            columns, rows = self._size = size
            self._letters = [[None] * columns for _ in range(rows)]
            self._pens = [[""] * columns for _ in range(rows)]
        writer = _Writer(self._letters, self._pens, self._signs, console)
        for x, y, strip in _parts(update):
            if 0 <= y < size[1] and x < size[0]:
                writer.put(x, y, strip.crop(0, size[0] - x) if x + strip.cell_length > size[0] else strip)
        return writer.end()


def _parts(update: ChopsUpdate | LayoutUpdate) -> Iterator[tuple[int, int, Strip]]:
    """Pieces of lines and where they begin, from above and from the left."""
    if isinstance(update, LayoutUpdate):
        for y, line in enumerate(update.strips, update.region.y):
            x = update.region.x
            for strip in line:
                yield x, y, strip
                x += strip.cell_length
        return
    for y, x1, x2 in update.spans:
        for end, (x, piece) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            left, right = max(x, x1), min(end, x2)
            if piece is not None and left < right:
                yield left, y, piece.crop(left - x, right - x)


class Job(NamedTuple):
    """A letter to be written."""

    x: int
    y: int
    letter: str
    ansi: str
    wide: bool


class _Writer:
    """Collects what is to be written for one difference, and notes at once that it stands there."""

    def __init__(
        self, letters: list[list[str | None]], pens: list[list[str]], signs: dict[int, str], console: Console
    ) -> None:
        self._letters, self._pens, self._signs, self._console = letters, pens, signs, console
        self._system = console._color_system or ColorSystem.TRUECOLOR  # noqa: SLF001 - as Strip.render does
        self._jobs: list[Job] = []
        self._pictures: list[str] = []

    def end(self) -> str:
        """From above and from the left, or one colour after the other: whichever is shorter."""
        texts = [self._in_order(self._jobs)]
        order: dict[str, int] = {}
        for job in self._jobs:
            order.setdefault(job.ansi, len(order))
        if 1 < len(order) < len(self._jobs):
            texts.append(self._in_order(sorted(self._jobs, key=lambda job: order[job.ansi])))
        return "".join((*self._pictures, min(texts, key=len)))

    def put(self, x: int, y: int, strip: Strip) -> None:
        segments = list(strip)
        if any(control or "\x1b" in text for text, _, control in segments):
            self._as_it_is(x, y, strip)
            return
        letters, pens = self._letters[y], self._pens[y]
        for text, style, _ in segments:
            ansi = "" if style is None else Strip.render_ansi(style, self._system)
            cells = list(text) if text.isascii() else _cells(text.translate(self._signs))
            if x + len(cells) > len(letters):  # Rich and we differ on how wide something odd is
                cells = cells[: max(0, len(letters) - x)]
            end = x + len(cells)
            if letters[x:end] != cells or pens[x:end].count(ansi) != len(cells):
                self._compare(x, y, cells, ansi)
            x = end

    def _compare(self, x: int, y: int, cells: list[str], ansi: str) -> None:
        letters, pens = self._letters[y], self._pens[y]
        after = [*cells[1:], " "]
        for place, (letter, rest) in enumerate(zip(cells, after, strict=True), x):
            wide = rest == ""
            stands = letters[place] == letter and pens[place] == ansi
            if letter == "" or (stands and (not wide or letters[place + 1 : place + 2] == [""])):
                continue
            self._jobs.append(Job(place, y, letter, ansi, wide))
            self._stand(place, y, letter, ansi, wide=wide)

    def _stand(self, x: int, y: int, letter: str, ansi: str, *, wide: bool) -> None:
        """Note that it was written; of a wide letter that was written over in part nothing is known."""
        letters, pens = self._letters[y], self._pens[y]
        after = x + 1 + wide
        if letters[x] == "" and x:
            letters[x - 1] = None
        if after < len(letters) and letters[after] == "":
            letters[after] = None
        letters[x], pens[x] = letter, ansi
        if wide and x + 1 < len(letters):
            letters[x + 1], pens[x + 1] = "", ansi

    def _in_order(self, jobs: list[Job]) -> str:
        found: list[str] = []
        pen, at = "", (-1, -1)
        for x, y, letter, ansi, wide in jobs:
            if at != (x, y):
                found.append(self._way(at, x, y, pen))
            if ansi != pen:
                found.append(_turn(pen, ansi))
                pen = ansi
            found.append(letter)
            # how far a letter beyond ASCII moves the cursor is the terminal's to say, but for lines, blocks and braille
            at = (x + 1, y) if len(letter) == 1 and not wide and _moves_by_one(letter) else (-1, -1)
        return "".join((*found, "\x1b[0m") if pen else found)

    def _way(self, at: tuple[int, int], x: int, y: int, pen: str) -> str:
        """How the cursor gets to a cell: over what stands between, by steps, or straight."""
        begin = at[0]
        if at[1] != y or begin > x:
            return f"\x1b[{y + 1};{x + 1}H"
        between = self._letters[y][begin:x]
        if len(between) <= _GAP and self._pens[y][begin:x].count(pen) == len(between):
            text = "".join(letter or "\xff" for letter in between)
            if text.isascii():
                return text
        return f"\x1b[{x - begin}C" if x - begin > 1 else "\x1b[C"

    def _as_it_is(self, x: int, y: int, strip: Strip) -> None:
        """A strip that speaks to the terminal by itself: a picture by its own protocol."""
        self._pictures.append(f"\x1b[{y + 1};{x + 1}H{strip.render(self._console)}")
        end = min(len(self._letters[y]), x + max(1, strip.cell_length))
        self._letters[y][x:end] = [None] * (end - x)


def _moves_by_one(letter: str) -> bool:
    return (
        letter <= "\u00ff"
        or "\u2010" <= letter <= "\u2027"
        or "\u2190" <= letter <= "\u25ff"
        or "\u2800" <= letter <= "\u28ff"
    )


@lru_cache(4096)
def _cells(text: str) -> list[str]:
    """A text's cells, as many as Rich counts: each letter with its marks, and an empty one behind each wide letter."""
    found = _letters(text)
    missing = cell_len(text) - len(found)
    if missing < 0:
        del found[missing:]
        if found and get_character_cell_size(found[-1][0] if found[-1] else " ") == 2:
            found[-1] = " "  # half of it has room
    return found + [" "] * missing


def _letters(text: str) -> list[str]:
    found: list[str] = []
    for letter in text:
        width = get_character_cell_size(letter)
        if width == 0:
            place = len(found) - 1
            while place > 0 and found[place] == "":
                place -= 1
            if found:
                found[place] += letter
            continue
        found += (letter,) if width == 1 else (letter, "")
    return found
