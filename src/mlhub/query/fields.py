"""What a word of a query means: which of a run's fields, metrics or keys it asks, and how it compares them."""

from __future__ import annotations

import re
from fnmatch import translate
from typing import TYPE_CHECKING

from mlhub.query.values import compare, find_config, find_metric, real_number, seconds, to_number, took
from mlhub.query.words import QueryError
from mlhub.store.runs import ACTIVE, ENDED, step_of
from mlhub.text import closest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mlhub.query.words import Test, Word
    from mlhub.store.runs import Run

_SPANS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


def test_of(word: Word) -> Test:
    if not word.operator:
        return _free(word.text)
    if word.operator.startswith("!"):
        opposite = _field_test(word, word.operator[1:])
        return lambda run, now: not opposite(run, now)
    return _field_test(word, word.operator)


def _free(text: str) -> Test:
    wanted = text.lower()

    def test(run: Run, now: float) -> bool:  # noqa: ARG001
        words = (run.name, run.group, *run.tags, run.kind, run.status, getattr(run, "note", None))
        return wanted == str(run.id) or any(wanted in word.lower() for word in words if word)

    return test


#: fields that are one word, matched whole; and those that are texts, matched by what they contain
_WORDS: dict[str, Callable[[Run], Iterable[str | None]]] = {
    "kind": lambda run: (run.kind,),
    "group": lambda run: (run.group,),
    "tag": lambda run: run.tags,
    "signal": lambda run: (run.signal,),
    "project": lambda run: (getattr(run, "project", None),),
    "adapter": lambda run: (getattr(run, "adapter", None),),
}
_TEXTS: dict[str, Callable[[Run], Iterable[str | None]]] = {
    "name": lambda run: (run.name,),
    "host": lambda run: (run.host,),
    "note": lambda run: (getattr(run, "note", None),),
    "preset": lambda run: (run.preset,),
    "reason": lambda run: (run.reason,),
    "condition": lambda run: (run.condition,),
    "alert": lambda run: [str(alert.get(key)) for alert in run.alerts for key in ("name", "text")],
}
_NUMBERS: dict[str, Callable[[Run], Iterable[float | None]]] = {
    "id": lambda run: (run.id,),
    "attempt": lambda run: (run.attempt,),
    "exit": lambda run: (run.exit_code,),
    "gpu": lambda run: run.gpus,
    "gpus": lambda run: (len(run.gpus) or run.gpus_wanted,),
    "priority": lambda run: (run.priority,),
    "alerts": lambda run: (len(run.alerts),),
    "step": lambda run: (step_of(run),),
}
_MOMENTS: dict[str, Callable[[Run], str | None]] = {
    "created": lambda run: run.created_at,
    "started": lambda run: run.started_at,
    "ended": lambda run: run.ended_at,
}
ALIASES = {
    "state": "status",
    "tags": "tag",
    "age": "created",
    "exit_code": "exit",
    "steps": "step",
    "experiment": "group",
}
#: what is asked by `:`, and what is compared
TEXT_FIELDS = (*_WORDS, *_TEXTS, "status", "has")
NUMBER_FIELDS = (*_NUMBERS, *_MOMENTS, "took")
FIELDS = (*TEXT_FIELDS, *NUMBER_FIELDS, "cfg")


def _field_test(word: Word, operator: str) -> Test:
    name = ALIASES.get(word.field.lower(), word.field.lower())
    if name == "status":
        return _status(word, operator)
    if name in _WORDS or name in _TEXTS:
        texts = _WORDS.get(name) or _TEXTS[name]
        test = _text_test(word, operator, contains=name in _TEXTS)
        return lambda run, now: any(test(text) for text in texts(run) if text)  # noqa: ARG005
    if name in _NUMBERS:
        values, meets = _NUMBERS[name], _number_test(word, operator)
        return lambda run, now: any(meets(value) for value in values(run) if value is not None)  # noqa: ARG005
    if name in _MOMENTS:
        return _moment_test(word, operator, _MOMENTS[name])
    if name == "has":
        return lambda run, now: word.value in run.summary or find_config(run.config, word.value) is not None  # noqa: ARG005
    return _took_test(word, operator) if name == "took" else _value_test(word, operator)


def _took_test(word: Word, operator: str) -> Test:
    wanted = span(word)

    def test(run: Run, now: float) -> bool:
        lasted = took(run, now)
        return lasted is not None and compare(lasted, operator, wanted)

    return test


def _status(word: Word, operator: str) -> Test:
    known = (*ACTIVE, *ENDED)
    for part in _parts(word):
        if operator not in ":=~" or not any(status.startswith(part) for status in (*known, "active", "ended")):
            raise QueryError(f"no status {word.value}{closest(part, list(known))}", word.value_at)
    meant = statuses_of(word)
    return lambda run, now: run.status in meant  # noqa: ARG005


def _parts(word: Word) -> list[str]:
    return [part.strip().lower() for part in word.value.split(",") if part.strip()]


def statuses_of(word: Word) -> set[str]:
    """Those that a word means, or its beginning: what is typed is looked at while it is typed."""
    known, wanted = (*ACTIVE, *ENDED), _parts(word)
    meant = {status for status in known for part in wanted if status.startswith(part)}
    meant |= {*ACTIVE} if "active" in wanted else set()
    return meant | ({*ENDED} if "ended" in wanted else set())


def _text_test(word: Word, operator: str, *, contains: bool) -> Callable[[str], bool]:
    if operator not in ":=~":
        raise QueryError(f"{word.field} is text: use : = ~", word.value_at - len(operator))
    if operator == "=":
        whole = word.value.lower()
        return lambda text: text.lower() == whole
    tests = [_pattern(part.lower(), operator == "~", contains) for part in word.value.split(",") if part]
    if not tests:
        raise QueryError(f"nothing after {word.field}{operator}", word.value_at)
    return lambda text: any(test(text.lower()) for test in tests)


def _pattern(wanted: str, anywhere: bool, contains: bool) -> Callable[[str], bool]:
    if any(sign in wanted for sign in "*?["):
        match = re.compile(translate(f"*{wanted}*" if anywhere else wanted)).match
        return lambda text: match(text) is not None
    if anywhere or contains:
        return lambda text: wanted in text
    return lambda text: text == wanted


def _number_test(word: Word, operator: str) -> Callable[[float], bool]:
    wanted = (
        [_number(part, word) for part in word.value.split(",")] if operator in ":=" else [_number(word.value, word)]
    )
    if operator == "~":
        raise QueryError(f"{word.field} is a number: use = < > <= >=", word.value_at - 1)
    return lambda value: any(compare(value, operator, one) for one in wanted)


def _number(text: str, word: Word) -> float:
    found = to_number(text)
    if found is None:
        raise QueryError(f"expected a number after {word.field}{word.operator}", word.value_at)
    return found


def span(word: Word) -> float:
    """`90s`, `2h`, `1h30m` in seconds; a number alone is seconds."""
    text = word.value.strip().lower()
    parts = _SPAN.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * _SPANS[unit] for number, unit in parts)
    seconds = to_number(text)
    if seconds is None or text[-1:].isalpha():
        raise QueryError(f"expected a time such as 30m, 2h, 3d after {word.field}{word.operator}", word.value_at)
    return seconds


def _moment_test(word: Word, operator: str, read: Callable[[Run], str | None]) -> Test:
    """`started<2h`: less than two hours ago. `started>2026-11-20`: after that day has ended; `:` on that day."""
    if operator == "~":
        raise QueryError(f"{word.field} is a time: use < > <= >= :", word.value_at - 1)
    if re.match(r"\d{4}-", word.value):
        return _day_test(word, operator, read)
    wanted = span(word)

    def test(run: Run, now: float) -> bool:
        moment = seconds(read(run))
        return moment is not None and compare(now - moment, "<=" if operator in ":=" else operator, wanted)

    return test


def _day_test(word: Word, operator: str, read: Callable[[Run], str | None]) -> Test:
    wanted = seconds(word.value)
    if wanted is None:
        raise QueryError("expected a day such as 2026-11-20 or 2026-11-20T14:00", word.value_at)
    day = 86400.0 if len(word.value) <= len("2026-11-20") else 60.0

    def test(run: Run, now: float) -> bool:  # noqa: ARG001
        moment = seconds(read(run))
        if moment is None:
            return False
        if operator in ":=":
            return wanted <= moment < wanted + day
        return compare(moment, operator, wanted + (day if operator in (">", "<=") else 0.0))

    return test


def _value_test(word: Word, operator: str) -> Test:
    """A metric, or a key of the configuration: what is compared is looked for in both, unless it says `cfg.`."""
    prefix, _, rest = word.field.partition(".")
    only_config = prefix.lower() in ("cfg", "config") and rest
    path = rest if only_config else word.field
    if operator in ":~" and not only_config and "." not in path and "/" not in path and to_number(word.value) is None:
        raise QueryError(f"no field {word.field}{closest(word.field.lower(), list(FIELDS))}", word.at)
    number = to_number(word.value)
    if operator in (">", ">=", "<", "<=") and number is None:
        raise QueryError(f"expected a number after {word.field}{operator}", word.value_at)
    text_test = _text_test(word, operator, contains=True) if operator in ":=~" else None

    def test(run: Run, now: float) -> bool:  # noqa: ARG001
        if not only_config and (metric := find_metric(run, path)) is not None:
            return number is not None and operator != "~" and compare(metric, operator, number)
        return _meets(find_config(run.config, path), operator, number, text_test)

    return test


def _meets(value: object, operator: str, number: float | None, text_test: Callable[[str], bool] | None) -> bool:
    """Whether a value of the configuration meets a comparison; of a list, whether one of them does."""
    if isinstance(value, list):
        return any(_meets(one, operator, number, text_test) for one in value if not isinstance(one, list))
    real = real_number(value)
    if real is not None and number is not None and operator != "~":
        return compare(real, operator, number)
    if value is None or isinstance(value, dict) or text_test is None:
        return False
    return text_test("true" if value is True else "false" if value is False else str(value))
