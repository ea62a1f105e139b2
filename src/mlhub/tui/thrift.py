"""What goes to the terminal when parts of the screen have changed: those parts, and not what stands left of them.

Textual 8.2 writes each changed part from its widget's left edge on, once for each part of a line (`ChopsUpdate`, whose
own note says that it is to crop). Over SSH those are most of the bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.control import Control
from textual._compositor import ChopsUpdate, Compositor

if TYPE_CHECKING:
    from rich.console import Console


class Parts(ChopsUpdate):
    """The changed spans of lines, cut at both ends."""

    def render_segments(self, console: Console) -> str:
        found: list[str] = []
        at = (-1, -1)
        for y, x1, x2 in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                left, right = max(x, x1), min(end, x2)
                if strip is None or left >= right:
                    continue
                if at != (left, y):
                    found.append(Control.move_to(left, y).segment.text)
                found.append(strip.crop(left - x, right - x).render(console))
                at = (right, y)
        return "".join(found)


class Thrifty(Compositor):
    """Textual's, with less to write."""

    def render_partial_update(self) -> ChopsUpdate | None:
        update = super().render_partial_update()
        return None if update is None else Parts(update.chops, update.spans, update.chop_ends)
