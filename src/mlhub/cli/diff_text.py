"""What `mlhub diff` writes for people: a heading a section, `-` for A, `+` for B, `~` for what both have and differs.

Every text from outside is cleaned here. What differs was found before: `mlhub.cli.diff`.
"""

from __future__ import annotations

from typing import Any

from mlhub.cli.out import coloured, columns
from mlhub.compare.render import delta_text, metric_text, value_text
from mlhub.text import clean, duration, fit, local_time, one_line, pad, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mlhub.cli.diff import Found
    from mlhub.compare.code import CodeDifference
    from mlhub.compare.pairs import Difference
    from mlhub.store.runs import Run

_RED, _GREEN, _CYAN, _BOLD, _DIM = "31", "32", "36", "1", "2"
#: metrics and parameters shown; an evaluation has hundreds, and --json all of them
_MOST = 100
#: lines of code shown while other sections follow: a file of data that came in would bury these
_LINES = 1000


def lines(found: Found, sections: Sequence[str], *, stat: bool) -> Iterator[str]:
    """All of it, a section after the other."""
    yield _paint(_RED, f"- A  {_about(found.a)}")
    yield _paint(_GREEN, f"+ B  {_about(found.b)}")
    for name in sections:
        yield ""
        if name in found.pairs:
            yield from _pairs(name, found.pairs[name], stat=stat)
        elif name == "metrics":
            yield from _metrics(found, stat=stat)
        elif name == "code" and found.code is not None:
            yield from _code(found.code, stat=stat, most=None if len(sections) == 1 else _LINES)
        elif found.logs is not None:
            yield from _logs(found, stat=stat)


def _about(run: Run) -> str:
    from mlhub.runner.reconcile import elapsed

    facts = [f"run {run.id}", one_line(run.name), run.status, local_time(run.started_at or run.created_at)]
    return fit("  ".join([*facts, duration(elapsed(run))]), columns() - 5)


def _paint(code: str, text: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if text and coloured() else text


def _heading(name: str, about: str) -> str:
    return _paint(_BOLD, f"{name}: {about}")


#: what is not there, as far as that is known
_NOTHING = {"config": "none in either run"}


def _pairs(name: str, pair: Difference, *, stat: bool) -> Iterator[str]:
    """Two mappings: a line a key."""
    # only a configuration has types: 1 is another value than "1" there
    say = value_text if name == "config" else _plain
    if not len(pair):
        same = f"no difference ({pair.same} {_UNITS.get(name, 'values')})"
        same = same if pair.same else _NOTHING.get(name, "nothing on record")
        yield _heading(name, same)
        return
    counts = [(len(pair.changed), "changed"), (len(pair.only_a), "only in A"), (len(pair.only_b), "only in B")]
    yield _heading(name, ", ".join(f"{count} {word}" for count, word in counts if count))
    if stat:
        return
    room = min(32, max((width(one_line(key)) for key in (*pair.changed, *pair.only_a, *pair.only_b)), default=0))
    shown: list[str] = []
    for key, (a, b) in pair.changed.items():
        shown += _changed(one_line(key), a, b, room, say)
    shown += [_paint(_RED, _one("-", key, say(value), room)) for key, value in pair.only_a.items()]
    shown += [_paint(_GREEN, _one("+", key, say(value), room)) for key, value in pair.only_b.items()]
    yield from shown[: 4 * _MOST]
    if len(shown) > 4 * _MOST:
        yield f"  … {len(shown) - 4 * _MOST} lines more: --json"


_UNITS = {"packages": "packages", "environment": "names", "outcome": "facts"}


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever JSON holds
    return one_line(value) if isinstance(value, str) else value_text(value)


def _one(sign: str, key: str, text: str, room: int) -> str:
    return fit(f"{sign} {pad(fit(one_line(key), room), room)}  {text}".rstrip(), max(40, columns()))


def _changed(key: str, a: Any, b: Any, room: int, say: Callable[[Any], str]) -> list[str]:  # noqa: ANN401
    """`~ key  a → b`, or, where that is too wide, the two below each other."""
    if isinstance(a, list) and isinstance(b, list) and all(isinstance(word, str) for word in a + b):
        return [f"~ {key}", *_words(a, b)]
    first, second = say(a), say(b)
    line = f"~ {pad(key, room)}  {first} → {second}"
    if width(line) <= columns():
        return [f"~ {pad(key, room)}  {_paint(_RED, first)} → {_paint(_GREEN, second)}"]
    return [f"~ {key}", _paint(_RED, f"  - {first}"), _paint(_GREEN, f"  + {second}")]


def _words(a: list[str], b: list[str]) -> Iterator[str]:
    """Two command lines: the words that differ, with those between them."""
    import shlex
    from difflib import SequenceMatcher

    for tag, i1, i2, j1, j2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        if tag == "equal":
            yield fit(f"    {one_line(shlex.join(a[i1:i2]))}", max(40, columns()))
            continue
        if i2 > i1:
            yield _paint(_RED, f"  - {one_line(shlex.join(a[i1:i2]))}")
        if j2 > j1:
            yield _paint(_GREEN, f"  + {one_line(shlex.join(b[j1:j2]))}")


def _metrics(found: Found, *, stat: bool) -> Iterator[str]:
    comparison = found.metrics
    if comparison is None:
        return
    differing = [metric for metric in comparison.metrics if metric.varies or len(metric.values) < 2]
    if not differing:
        count = len(comparison.metrics)
        yield _heading("metrics", f"no difference ({count} metrics)" if count else "none in either run")
        return
    yield _heading("metrics", f"{len(differing)} of {len(comparison.metrics)} differ in their last value")
    if stat:
        return
    from mlhub.cli.out import Column, table

    heads = [Column("  metric", flex=True, least=12), Column("A", right=True), Column("B", right=True),
             Column("B − A", right=True), Column("of A", right=True), Column("")]  # fmt: skip
    rows = []
    for metric in differing[:_MOST]:
        delta = metric.delta(found.b.id, found.a.id)
        word = "" if delta is None or delta.better is None else "better" if delta.better else "worse"
        texts = [metric_text(metric.values.get(run.id)) for run in (found.a, found.b)]
        share = delta_text(delta, percent=True) if delta and metric.in_percent(found.a.id) else ""
        rows.append([metric.name, *texts, delta_text(delta, percent=False) or "–", share or "–", word])
    for place, line in enumerate(table(heads, rows, total=max(40, columns()) - 2)):
        text = f"  {line}" if place else line
        yield _paint({"better": _GREEN, "worse": _RED}.get(rows[place - 1][-1], ""), text) if place else text
    if len(differing) > _MOST:
        yield f"  … {len(differing) - _MOST} more: --json"


def _code(code: CodeDifference, *, stat: bool, most: int | None) -> Iterator[str]:
    yield _heading("code", _code_head(code))
    for note in code.notes:
        yield f"  {one_line(note)}"
    yield from _untracked(code)
    if code.files:
        room = min(60, max(width(one_line(file.path)) for file in code.files))
        for file in code.files[:_MOST]:
            count = "binary" if file.added is None else f"+{file.added} −{file.removed}"
            yield f"  {pad(fit(one_line(file.path), room, keep_end=True), room)}  {count}"
        if len(code.files) > _MOST:
            yield f"  … {len(code.files) - _MOST} files more: --json"
    if stat:
        return
    shown = list(painted(code.text))
    yield from shown[:most]
    if most is not None and len(shown) > most:
        yield f"  … {len(shown) - most} lines more: --only code"


def _code_head(code: CodeDifference) -> str:
    if code.how == "same":
        return "no difference (one commit, the same uncommitted changes)"
    if code.how == "trees":
        if not code.files:
            return "no difference"
        added, removed = (
            sum(numbers) for numbers in zip(*((file.added or 0, file.removed or 0) for file in code.files), strict=True)
        )
        return f"{len(code.files)} file{'s' * (len(code.files) > 1)}, +{added} −{removed}"
    if code.how == "patches":
        return "the uncommitted changes differ" if code.text else "the uncommitted changes are the same"
    return "not known"


def _untracked(code: CodeDifference) -> Iterator[str]:
    """Files git did not know, of which only the names are on record."""
    sides = [set(names) for names in code.untracked]
    for sign, colour, names in (("-", _RED, sides[0] - sides[1]), ("+", _GREEN, sides[1] - sides[0])):
        for name in sorted(names)[:_MOST]:
            yield _paint(colour, f"{sign} untracked: {one_line(name)}")
    if both := len(sides[0] & sides[1]):
        yield f"  {both} untracked file{'s' * (both > 1)} in both; what is in them is not on record"


def painted(text: str) -> Iterator[str]:
    """The lines of a unified diff, clean, in git's colours where colour is wanted."""
    colours = {"+": _GREEN, "-": _RED, "@": _CYAN}
    for line in text.removesuffix("\n").split("\n") if text else ():
        shown = clean(line).replace("\n", " ")
        head = line.startswith(("diff --git ", "--- ", "+++ "))
        yield _paint(_BOLD if head else colours.get(line[:1], ""), shown)


def _logs(found: Found, *, stat: bool) -> Iterator[str]:
    logs = found.logs
    if logs is None:
        return
    if logs.lines:
        yield _heading("logs", f"{logs.only_a} lines only in A, {logs.only_b} only in B")
    else:
        yield _heading("logs", "no difference")
    for word in found.words:
        yield f"  {word}"
    for line in () if stat else logs.lines:
        yield _paint({"+": _GREEN, "-": _RED, "@": _CYAN}.get(line[:1], ""), line)
