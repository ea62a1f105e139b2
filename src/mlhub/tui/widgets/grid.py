"""Where the columns of a table stand for the width there is, and which are in sight. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


#: cells that a flexible column has beyond its width before gaps are wide
_MORE = 4


@dataclass(frozen=True, slots=True)
class Column:
    """`width` in cells; 0: as wide as what was seen in it. A flexible one also gets what is left."""

    key: str
    title: str
    width: int = 0
    right: bool = False
    flex: bool = False


class Place(NamedTuple):
    """Where a column stands: `x` from the left of the frozen ones, or of those that scroll."""

    nth: int
    column: Column
    x: int
    width: int
    frozen: bool


class Grid(NamedTuple):
    """`edge`: where the frozen columns end; `whole`: how wide the others are; `gap`: between two; `inner`: for all."""

    places: tuple[Place, ...] = ()
    gap: int = 1
    edge: int = 0
    whole: int = 0
    inner: int = 1

    @property
    def room(self) -> int:
        """Cells for those that scroll."""
        return max(1, self.inner - self.edge)

    def clamp(self, left: int) -> int:
        """How far it may be scrolled."""
        return max(0, min(left, self.whole - self.room))

    def shift(self, left: int, by: int) -> int:
        """Scrolled by a column, forward or back."""
        stops = [place.x for place in self.places if not place.frozen]
        if by > 0:
            return self.clamp(next((x for x in stops if x > left), left))
        return next((x for x in reversed(stops) if x < left), 0)

    def showing(self, left: int, index: int) -> int:
        """Scrolled no further than needed for a column to be in sight."""
        place = next((place for place in self.places if place.nth == index), None)
        if place is None or place.frozen:
            return left
        return min(place.x, max(left, place.x + place.width - self.room))

    def spans(self, left: int) -> Iterator[tuple[Place, int, int]]:
        """Each column in sight, from where to where; one that would be cut off on the left is not."""
        for place in self.places:
            x = place.x if place.frozen else self.edge + place.x - left
            if x < self.inner and (place.frozen or x >= self.edge):
                yield place, x, min(self.inner, x + place.width)


def lay_out(columns: Sequence[Column], wides: list[int], inner: int, frozen: int) -> Grid:
    """Place columns of these widths; the flexible ones share what is left, and go before wide gaps."""
    flexible = [index for index, column in enumerate(columns) if column.flex]
    gap = 2 if sum(wides) + 2 * (len(wides) - 1) + _MORE * len(flexible) <= inner else 1
    spare = max(0, inner - sum(wides) - gap * max(0, len(wides) - 1))
    for nth, index in enumerate(flexible):
        wides[index] += spare // len(flexible) + (nth < spare % len(flexible))
    places: list[Place] = []
    x = edge = 0
    for index, (column, wide) in enumerate(zip(columns, wides, strict=True)):
        if index == frozen:
            edge, x = x, 0
        places.append(Place(index, column, x, wide, index < frozen))
        x += wide + gap
    if len(columns) <= frozen:
        return Grid(tuple(places), gap, x, 0, inner)
    return Grid(tuple(places), gap, edge, max(0, x - gap), inner)
