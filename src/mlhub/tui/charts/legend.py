"""Whose curves have which colour, on one row; or, for one chart alone, a row a run with its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from mlhub.curves.axes import Scale, read_at
from mlhub.text import fit, number, pad, width
from mlhub.tui import theme

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.curves.axes import Curve
    from mlhub.tui.theme import Look

_NAME = 22
#: of the values of `values_of`
HEADINGS = ("at", "value", "last", "min", "max", "epoch")


class Entry(NamedTuple):
    """A run: its name (clean), its colour, and its values under the headings of the legend."""

    name: str
    colour: str
    values: tuple[str, ...] = ()


class Legend(Widget):
    """`show` says what stands there."""

    DEFAULT_CSS = "Legend { height: 1; }"
    can_focus = False

    def __init__(self) -> None:
        super().__init__()
        self._shown: tuple[object, ...] = ()
        self._entries: tuple[Entry, ...] = ()
        self._headings: tuple[str, ...] = ()
        self._words = ""

    def show(self, entries: Sequence[Entry], words: str = "", headings: Sequence[str] = ()) -> None:
        """Runs and, at the right, `words` (clean); with `headings` a row for each run."""
        look: Look = self.app.look  # type: ignore[attr-defined]
        shown = (tuple(entries), words, tuple(headings), look.name)
        if shown != self._shown:
            self._shown = shown
            self._entries, self._words, self._headings = tuple(entries), words, tuple(headings)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        look: Look = self.app.look  # type: ignore[attr-defined]
        wide = self.size.width
        parts = self._row(y, look, wide) if self._headings else self._one(look, wide)
        return Strip([Segment(text, style) for text, style in parts if text]).adjust_cell_length(wide, look.plain)

    def _one(self, look: Look, wide: int) -> list[tuple[str, Style]]:
        names = sum(width(entry.name) + 4 for entry in self._entries)
        words = fit(self._words, max(0, wide - names - 1, wide // 2))
        room = wide - width(words) - 1
        dot = theme.glyph(("●", "*"))
        each = max(6, room // max(1, len(self._entries)) - 4)
        parts: list[tuple[str, Style]] = []
        for index, entry in enumerate(self._entries):
            text = f"{dot} {fit(entry.name, each)}  "
            if width(text) > room:
                parts.append((fit(f"+{len(self._entries) - index}", max(0, room)), look.quiet))
                room -= width(parts[-1][0])
                break
            room -= width(text)
            parts.append((text, Style(color=entry.colour, bgcolor=look.back)))
        return [*parts, (" " * (room + 1), look.plain), (words, look.quiet)]

    def _row(self, y: int, look: Look, wide: int) -> list[tuple[str, Style]]:
        """The headings, then a row a run; where there are more runs than rows, the last says how many."""
        room = max(8, min(_NAME, wide - 10 * len(self._headings)))
        each = max(1, min(12, (wide - room - 2) // len(self._headings)))
        if y == 0:
            texts = [pad(fit(word, each - 1), each, right=True) for word in self._headings]
            return [(pad(fit(self._words, room + 2), room + 2) + "".join(texts), look.quiet)]
        index = y - 1
        more = len(self._entries) - (self.size.height - 1)
        if more > 0 and y == self.size.height - 1:
            return [(f"  … and {more + 1} more", look.quiet)]
        if index >= len(self._entries):
            return []
        entry = self._entries[index]
        dot = theme.glyph(("●", "*"))
        texts = [pad(fit(value, each - 1), each, right=True) for value in entry.values]
        colour = Style(color=entry.colour, bgcolor=look.back)
        return [(pad(f"{dot} {fit(entry.name, room - 1)}", room + 2), colour), ("".join(texts), look.plain)]


def values_of(curve: Curve | None, scale: Scale) -> tuple[str, ...]:
    """A run's row in the table of a chart that stands alone."""
    if curve is None:
        return tuple("–" for _ in HEADINGS)
    here = read_at(curve, scale)
    last = read_at(curve, Scale())
    points = curve.series.points
    known = points.value[points.value == points.value]
    epoch = next((int(number) for step, number in reversed(curve.epochs) if here and step <= here.step), None)
    return (
        "–" if here is None or curve.by_time else number(int(here.step)),
        "–" if here is None else here.words,
        "–" if last is None else last.words,
        *((number(float(known.min())), number(float(known.max()))) if len(known) else ("–", "–")),
        number(epoch),
    )
