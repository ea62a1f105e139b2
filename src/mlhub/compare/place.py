"""`--at`: the place of a run whose values are compared. Only the words; `mlhub.curves.at` looks values up."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from mlhub.errors import UsageError
from mlhub.text import one_line

Kind = Literal["last", "best", "min", "max", "step", "epoch", "best of"]

_NUMBER = re.compile(r"(-?\d[\d_]*(?:\.\d+)?)([kM]?)")
_SCALES = {"": 1, "k": 1000, "M": 1_000_000}
_HINT = "There are step=1000, epoch=3, best:METRIC, min:METRIC, max:METRIC; last, best, min, max: each metric's own."


class Place(NamedTuple):
    """`number`: of a step or an epoch. `metric` and its way (None: as its name or the config says): of `best of`."""

    kind: Kind
    number: float = 0.0
    metric: str = ""
    way: Literal["max", "min"] | None = None

    @property
    def in_summary(self) -> bool:
        """Whether the summary of a run says it all, and no file need be read."""
        return self.kind in ("last", "best", "min", "max")


def parse_place(text: str) -> Place:
    """Raises UsageError for what is no place."""
    word = text.strip()
    if word in ("last", "best", "min", "max"):
        return Place(word)  # type: ignore[arg-type]  # just those
    head, sign, rest = word.partition("=")
    if sign and head in ("step", "epoch"):
        match = _NUMBER.fullmatch(rest)
        if match is None:
            raise UsageError(f"--at {one_line(text)}: not a number", _HINT)
        return Place("step" if head == "step" else "epoch", float(match[1].replace("_", "")) * _SCALES[match[2]])
    head, sign, rest = word.partition(":")
    if sign and head in ("best", "min", "max") and rest:
        return Place("best of", metric=rest, way=None if head == "best" else "min" if head == "min" else "max")
    raise UsageError(f"--at {one_line(text)}: no such place", _HINT)
