"""Bounds: conditions that SQLite can put to rows before they become runs. Rough: they let through more than is meant.

What a list asks of 100,000 runs is answered by reading the few that can be meant; who asks, looks at each of those
itself, exactly. So a bound never leaves out a run that is meant: where SQLite and Python may disagree (letters beyond
ASCII, the last digit of a number, a number written as text), the row is let through. The language is `mlhub.query`.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: what SQLite finds wherever Python's `in` does: printable ASCII that JSON doesn't spell otherwise
_PLAIN = re.compile(r"[ !#-\[\]-~]+")
#: parts of a metric's name or of a key that need no escape in a path within JSON
_KEY = re.compile(r"[A-Za-z0-9_/@ +-]+(?:\.[A-Za-z0-9_/@ +-]+)*")
_BEYOND_ASCII = "'*[^' || char(1) || '-' || char(127) || ']*'"
#: how far SQLite's reading of a decimal may be from Python's, relative
_DIGITS = 1e-9
#: more of them take SQLite longer than they save, and it bears only so many within each other
_MOST = 100
_DEEPEST = 3
#: seconds: no zone is farther from another
_SLACK = 2 * 86400.0


class Bound(NamedTuple):
    """A condition in SQL, with a `?` for each of `values`."""

    text: str
    values: tuple[str | float, ...] = ()


def holds(columns: Sequence[str], words: Sequence[str]) -> Bound | None:
    """One of the columns holds one of the words somewhere, in capitals or not."""
    if not words or not all(_PLAIN.fullmatch(word) for word in words):
        return None
    parts = [Bound(f"instr(lower({column}), ?)", (word.lower(),)) for column in columns for word in words]
    return either([*parts, *(Bound(f"{column} GLOB {_BEYOND_ASCII}") for column in columns)])


def among(column: str, values: Iterable[str]) -> Bound:
    """The column has one of these values."""
    kept = tuple(sorted(values))
    return Bound(f"{column} IN ({', '.join('?' * len(kept))})", kept)


def number(column: str, operator: str, wanted: Sequence[float]) -> Bound | None:
    """A column of numbers compares so with one of those that are wanted."""
    return either([_compared(column, operator, one) for one in wanted])


def moment(column: str, least: float, most: float) -> Bound | None:
    """A column of times, as UTC text, is between these, in seconds since 1970; to some days, as zones go."""
    days = [_day(least - _SLACK), _day(most + _SLACK)]
    kept = [(sign, day) for sign, day in zip((">=", "<="), days, strict=True) if day]
    if not kept:
        return None
    text = " AND ".join(f"{column} {sign} ?" for sign, _ in kept)
    odd = f"{column} NOT GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"
    return either([Bound(text, tuple(day for _, day in kept)), Bound(odd)])


def _day(seconds: float) -> str:
    """Empty for what is beyond the calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d") if seconds > 0 else ""
    except (ValueError, OverflowError, OSError):
        return ""


def value(name: str, operator: str, wanted: float, *, metrics: bool) -> Bound | None:
    """A metric does, or what the configuration has at a dotted path, which may have dots in its keys."""
    parts = name.split(".")
    if not _KEY.fullmatch(name) or len(parts) > _DEEPEST:
        return None
    splits = [[parts[0]]]
    for part in parts[1:]:
        splits = [new for one in splits for new in ([*one, part], [*one[:-1], f"{one[-1]}.{part}"])]
    places = [("config", "$" + "".join(f'."{key}"' for key in split)) for split in splits]
    if metrics:
        places.append(("summary", f'$."{name}".last'))
        head, _, statistic = name.rpartition(".")
        places += [("summary", f'$."{head}".{statistic}')] if statistic in ("last", "min", "max", "step") else []
    return either([_within(column, place, operator, wanted) for column, place in places])


def _within(column: str, place: str, operator: str, wanted: float) -> Bound | None:
    """What is there, and is no number, may be one in words; what is no JSON will be told when it is read."""
    compared = _compared(f"json_extract({column}, ?)", operator, wanted)
    if compared is None:
        return None
    text = (
        f"CASE WHEN NOT json_valid({column}) THEN 1 WHEN json_type({column}, ?) IN ('integer', 'real')"
        f" THEN {compared.text} ELSE json_type({column}, ?) IS NOT NULL END"
    )
    return Bound(text, (place, place, *compared.values, place))


def _compared(what: str, operator: str, wanted: float) -> Bound | None:
    if not math.isfinite(wanted):
        return None
    room = abs(wanted) * _DIGITS
    match operator:
        case ">" | ">=":
            return Bound(f"{what} >= ?", (wanted - room,))
        case "<" | "<=":
            return Bound(f"{what} <= ?", (wanted + room,))
        case ":" | "=":
            return Bound(f"{what} BETWEEN ? AND ?", (wanted - room, wanted + room))
    return None


def both(bounds: Iterable[Bound | None]) -> Bound | None:
    """All of them that there are: what is not bounded is looked at afterwards."""
    return _joined([one for one in bounds if one is not None], " AND ")


def either(bounds: Iterable[Bound | None]) -> Bound | None:
    """One of them; nothing, if one is none."""
    kept = [*bounds]
    known = [one for one in kept if one is not None]
    return _joined(known, " OR ") if len(known) == len(kept) else None


def _joined(bounds: Sequence[Bound], word: str) -> Bound | None:
    values = tuple(value for one in bounds for value in one.values)
    if not bounds or len(bounds) > _MOST or len(values) > _MOST:
        return None
    if len(bounds) == 1:
        return bounds[0]
    return Bound(word.join(f"({one.text})" for one in bounds), values)


def settled(bound: Bound) -> tuple[str, dict[str, str | float]]:
    """The bound as a condition with named values, of rows that say all; others change as they are read, and pass."""
    names = iter(range(len(bound.values)))
    text = re.sub(r"\?", lambda _: f":bound{next(names)}", bound.text)
    named = {f"bound{place}": value for place, value in enumerate(bound.values)}
    return f"(summary_done = 0 OR status IN ('queued', 'running') OR ({text}))", named
