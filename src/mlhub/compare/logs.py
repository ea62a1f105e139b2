"""Two logs beside each other, where what always differs counts as equal: times, rates, addresses, progress bars.

Pure: bytes in, lines out. Which bytes, and that of a gigabyte only head and tail are looked at, is the caller's.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import NamedTuple

from mlhub.text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: lines of a side that are compared; of more the first and the last half
MOST = 20_000
#: a longer line is cut
_LONGEST = 2000
_CONTEXT = 2

#: what always differs, in this order: each becomes a word
_ALWAYS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "‹time›"),
    (re.compile(r"\b\d{4}[-/]\d\d[-/]\d\d\b"), "‹date›"),
    (re.compile(r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +\w{3} +\d+\b"), "‹date›"),
    (re.compile(r"\b\d{1,3}:\d\d(?::\d\d)?(?:[.,]\d+)?\b"), "‹time›"),
    (re.compile(r"\b0x[0-9a-fA-F]{4,}\b"), "‹address›"),
    (re.compile(r"\b(?i:pid|process|port|thread)[ =:#]*\d+\b"), "‹process›"),
    (re.compile(r"/tmp/[\w.+-]+"), "‹temporary›"),  # noqa: S108 - looked for, not written
    (re.compile(r"\b\d+(?:\.\d+)? ?(?:it|s|steps?|samples?|batch(?:es)?|img|images|tok(?:ens)?|[kMG]?i?B|[kMG])/"
                r"(?:s(?:ec(?:ond)?)?|it|step|epoch|batch)\b"), "‹rate›"),
    (re.compile(r"(?:\b\d+d )?(?:\b\d+h )?(?:\b\d+m )?\b\d+(?:\.\d+)? ?(?:ms|us|µs|ns|s|secs?|seconds|min|minutes|m|h|"
                r"hours)\b"), "‹duration›"),
    (re.compile(r"[▏▎▍▌▋▊▉█━╸╺─#=>]{4,}"), "‹bar›"),
)  # fmt: skip
#: decimal fractions: losses and their like, which the metrics' own section compares
_FRACTION = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)(?![\w.])")


class LogDifference(NamedTuple):
    """Lines of a unified diff without a head, clean text; how many lines each side has alone."""

    lines: tuple[str, ...]
    only_a: int
    only_b: int


def differ(
    a: Sequence[str], b: Sequence[str], *, exact: bool = False, own: Sequence[Sequence[str]] = ()
) -> LogDifference:
    """What differs between the lines of two logs. `exact`: every letter counts.

    `own`: for each side words that mean the run itself (its name, its folder), which count as equal.
    """
    words = [*own, (), ()]
    keys = [
        list(lines) if exact else [_key(line, words[side]) for line in lines]
        for side, lines in enumerate((a, b))
    ]  # fmt: skip
    start, end = (max(0, count - _CONTEXT) for count in _edges(*keys))
    middle = [keys[0][start : len(a) - end], keys[1][start : len(b) - end]]
    found: list[str] = []
    counts = [0, 0]
    for group in SequenceMatcher(None, middle[0], middle[1]).get_grouped_opcodes(_CONTEXT):
        found.append(f"@@ line {start + group[0][1] + 1} of A, {start + group[0][3] + 1} of B @@")
        for tag, *places in group:
            i1, i2, j1, j2 = (start + place for place in places)
            if tag == "equal":
                found += [f" {line}" for line in a[i1:i2]]
                continue
            counts[0], counts[1] = counts[0] + i2 - i1, counts[1] + j2 - j1
            found += [*(f"-{line}" for line in a[i1:i2]), *(f"+{line}" for line in b[j1:j2])]
    return LogDifference(tuple(found), *counts)


def _edges(a: Sequence[str], b: Sequence[str]) -> tuple[int, int]:
    """How many lines are equal at the beginning, and at the end of the rest."""
    least = min(len(a), len(b))
    start = next((index for index in range(least) if a[index] != b[index]), least)
    rest = least - start
    return start, next((index for index in range(rest) if a[-1 - index] != b[-1 - index]), rest)


def _key(line: str, own: Sequence[str]) -> str:
    """The line as it is compared."""
    for word in own:
        line = line.replace(word, "‹run›")
    for pattern, word in _ALWAYS:
        line = pattern.sub(word, line)
    return " ".join(_FRACTION.sub("‹number›", line).split())


def to_lines(data: bytes) -> list[str]:
    r"""The lines of a log, clean; of a line that was redrawn (`\r`, as progress bars do) what stood there last."""
    found = []
    for raw in data.decode(errors="replace").replace("\r\n", "\n").split("\n"):
        last = raw.rstrip("\r").rpartition("\r")[2]
        found.append(clean(last)[:_LONGEST].rstrip())
    while found and not found[-1]:
        found.pop()
    return found


def shortened(lines: list[str], most: int = MOST) -> tuple[list[str], int]:
    """The first and the last half of too many lines, and how many are left out between them."""
    left = max(0, len(lines) - most)
    return (lines, 0) if not left else ([*lines[: most // 2], *lines[-(most // 2) :]], left)
