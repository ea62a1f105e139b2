"""Lines of JSON records as columns and back, byte for byte. Plain lists: the file is `runner.archive`'s business.

A column has one kind: whole numbers, numbers (with NaN and the infinities), text, or JSON as text for all else. A line
that its columns would not give back as it is stands in the last column too, whole; one in the spelling of the fast
encoder of `mlhub.records` has a mark there.
"""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

#: name of the last column: lines that the others would not give back
LINE = "mlhub:line"
#: stands there for a line in msgspec's spelling
_OTHER = b""
#: more keys are no metrics: theirs is the last column
_MOST = 1000
#: these come first, as the writers put them
_FIRST = ("step", "epoch", "attempt", "time")
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}

#: as `mlhub.records` writes without and with msgspec
_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode
_encode_other = json.JSONEncoder(separators=(",", ":"), check_circular=False, ensure_ascii=False).encode


class Column(NamedTuple):
    """A key of the records, and of which kind its values are: `int`, `float`, `text` or `json`."""

    key: str
    kind: str


def find_columns(lines: Iterable[bytes]) -> list[Column]:
    """The columns that these lines need, in the order in which their keys appear."""
    kinds: dict[str, set[str]] = {}
    for line in lines:
        for key, value in (_record(line) or {}).items():
            if key in kinds or (len(kinds) < _MOST and key != LINE):
                kinds.setdefault(key, set()).add(_kind(value))
    order = [key for key in _FIRST if key in kinds] + [key for key in kinds if key not in _FIRST]
    return [Column(key, _common(kinds[key])) for key in order]


def _record(line: bytes) -> dict[str, Any] | None:
    """The object of a line; None if there is none, or one whose text no file of columns would take."""
    try:
        tree = json.loads(line)
        if not isinstance(tree, dict):
            return None
        json.dumps(tree, ensure_ascii=False).encode()  # half a surrogate pair
    except (ValueError, RecursionError):
        return None
    return tree


def _kind(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return "word" if value in _WORDS else "text"
    if isinstance(value, float):
        return "float"
    if isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63:
        return "int"
    return "json"


def _common(kinds: set[str]) -> str:
    """The one kind that a column of such values has."""
    kinds = kinds - {"nothing"}
    if kinds == {"int"}:
        return "int"
    if kinds and kinds <= {"int", "float", "word"}:
        return "float"
    return "text" if kinds and kinds <= {"text", "word"} else "json"


def split(lines: list[bytes], columns: list[Column]) -> list[list[Any]]:
    """A list of values a column, None where a line has none, and one of the lines that `join` could not give back."""
    heads, others = _heads(columns), _heads(columns, _encode_other)
    found: list[list[Any]] = [[] for _ in columns]
    rest: list[bytes | None] = []
    for line in lines:
        values = _values(_record(line), columns)
        for place, value in zip(found, values, strict=True):
            place.append(value)
        if _line(values, heads) == line:
            rest.append(None)
        else:
            rest.append(_OTHER if _line(values, others, _spell_other) == line else line)
    return [*found, rest]


def _values(record: dict[str, Any] | None, columns: list[Column]) -> list[Any]:
    if record is None:
        return [None] * len(columns)
    return [_value(record[column.key], column.kind) if column.key in record else None for column in columns]


def _value(value: Any, kind: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """`value` as its column takes it."""
    if kind == "json":
        return _encode(value)
    if kind == "float" and value is not None:
        return _WORDS[value] if isinstance(value, str) else float(value)
    return value


def join(values: list[list[Any]], columns: list[Column]) -> Iterator[bytes]:
    """The lines, as they were; `values` as `split` gave them."""
    heads, others = _heads(columns), _heads(columns, _encode_other)
    for *row, line in zip(*values, strict=True):
        if line is None:
            yield _line(row, heads)
        else:
            yield line or _line(row, others, _spell_other)


def _heads(columns: list[Column], encode: Callable[[str], str] = _encode) -> list[tuple[str, str]]:
    """What stands before each column's value in a line, and the column's kind."""
    return [(f"{encode(column.key)}:", column.kind) for column in columns]


def _line(values: list[Any], heads: list[tuple[str, str]], spell: Callable[[object], str] = _encode) -> bytes:
    """The line that `mlhub.records` would have written for these values."""
    pairs = zip(heads, values, strict=True)
    return (
        "{" + ",".join(head + _text(value, kind, spell) for (head, kind), value in pairs if value is not None) + "}\n"
    ).encode()


def _text(value: Any, kind: str, spell: Callable[[object], str]) -> str:  # noqa: ANN401 - an int, a float or a str
    if kind == "json":
        return str(value)
    if kind == "float" and not math.isfinite(value):
        return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'
    return spell(value)


def _spell_other(value: object) -> str:
    """A number as msgspec spells it: 0.00003 for 3e-05, 1e16 for 1e+16."""
    text = _encode_other(value)
    if not isinstance(value, float) or "e" not in text:
        return text
    digits, _, exponent = text.partition("e")
    if exponent == "-05":
        sign = "-" if digits.startswith("-") else ""
        return f"{sign}0.0000{digits.lstrip('-').replace('.', '')}"
    return f"{digits}e{int(exponent)}"
