"""What SQLite can be asked of a word of a query before a run is read: never less than the word means.

Beside `mlhub.query.fields`, which says exactly what it means: a word that is not here costs time, never an answer.
"""

from __future__ import annotations

import math
import re
import time
from typing import TYPE_CHECKING

from mlhub.query.fields import ALIASES, FIELDS, span, statuses_of
from mlhub.query.values import seconds, to_number
from mlhub.store import bounds

if TYPE_CHECKING:
    from collections.abc import Callable

    from mlhub.query.words import Word
    from mlhub.store.bounds import Bound

#: the columns of fields that are texts, numbers and times
_TEXTS = {
    "name": "name", "kind": "kind", "group": "group_name", "tag": "tags", "signal": "signal", "project": "project",
    "adapter": "adapter", "host": "host", "note": "note", "preset": "preset", "reason": "reason",
    "condition": "condition",
}  # fmt: skip
_NUMBERS = {"id": "id", "attempt": "attempt", "exit": "exit_code", "priority": "priority"}
_MOMENTS = {"created": "created_at", "started": "started_at", "ended": "ended_at"}
_FREE = ("name", "group_name", "tags", "kind", "status", "note")


def bound_of(word: Word) -> Bound | None:
    """Of a word that `fields.test_of` took; None: each run must be looked at."""
    if not word.operator:
        own = [bounds.number("id", "=", [int(word.text)])] if _is_id(word.text) else []
        return bounds.either([bounds.holds(_FREE, [word.text]), *own])
    name = ALIASES.get(word.field.lower(), word.field.lower())
    if word.operator.startswith("!") or (name in FIELDS and name not in _COLUMNS):
        return None
    return _BY_KIND.get(name, _value)(_COLUMNS.get(name, ""), word)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16


def _text(column: str, word: Word) -> Bound | None:
    words = [word.value] if word.operator == "=" else [part for part in word.value.split(",") if part]
    if word.operator != "=" and any(sign in word.value for sign in "*?["):
        return None
    return bounds.holds([column], words)


def _moment(column: str, word: Word) -> Bound | None:
    """`started<2h`: later than two hours ago; `started>2026-11-20`: later than that day."""
    on_day = re.match(r"\d{4}-", word.value) is not None
    at = seconds(word.value) if on_day else time.time() - span(word)
    if at is None or not math.isfinite(at):
        return None
    later = word.operator in ((">", ">=") if on_day else ("<", "<=", ":", "="))
    if on_day and word.operator in ":=":
        return bounds.moment(column, at, at)
    return bounds.moment(column, at, math.inf) if later else bounds.moment(column, -math.inf, at)


def _number(column: str, word: Word) -> Bound | None:
    wanted = [to_number(part) for part in word.value.split(",")]
    return bounds.number(column, word.operator, [one for one in wanted if one is not None])


def _status(column: str, word: Word) -> Bound:
    return bounds.among(column, statuses_of(word))


def _value(_: str, word: Word) -> Bound | None:
    prefix, _, rest = word.field.partition(".")
    only_config = prefix.lower() in ("cfg", "config") and bool(rest)
    wanted = to_number(word.value)
    if wanted is None:
        return None
    return bounds.value(rest if only_config else word.field, word.operator, wanted, metrics=not only_config)


_COLUMNS = {**_TEXTS, **_NUMBERS, **_MOMENTS, "status": "status"}
_BY_KIND: dict[str, Callable[[str, Word], Bound | None]] = {
    **dict.fromkeys(_TEXTS, _text), **dict.fromkeys(_NUMBERS, _number), **dict.fromkeys(_MOMENTS, _moment),
    "status": _status,
}  # fmt: skip
