"""What commands print: one JSON document, tables that fit the terminal, talk on stderr. Cells are cleaned here."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from mlhub.text import fit, fit_middle, one_line, pad, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


def emit_json(document: object) -> None:
    """The one JSON document of a `--json` command."""
    import msgspec

    raw = msgspec.json.format(msgspec.json.encode(document), indent=2)
    sys.stdout.flush()
    sys.stdout.buffer.write(raw + b"\n")  # JSON is UTF-8, whatever the locale says
    sys.stdout.flush()


def emit_json_array(items: Iterable[object]) -> None:
    """The same document for an array of any length: each item is written as it comes, and let go.

    One that is not long is written when its last item is there: where that fails, nothing stands on stdout.
    """
    import msgspec

    sys.stdout.flush()
    out, parts, size = sys.stdout.buffer, [b"["], 0
    for item in items:
        raw = msgspec.json.format(msgspec.json.encode(item), indent=2).replace(b"\n", b"\n  ")
        parts += [b"\n  " if not size else b",\n  ", raw]
        size += len(raw)
        if len(parts) > _TOGETHER:
            out.writelines(parts)
            parts.clear()
    out.writelines([*parts, b"\n]\n" if size else b"]\n"])
    sys.stdout.flush()


#: parts of a document that are kept before they are written
_TOGETHER = 1000


def say(text: str = "") -> None:
    """A line for people who asked for no JSON, on stdout."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """Talk beside the data, on stderr."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)  # noqa: T201


def put(path: Path, document: bytes) -> None:
    """Write a file whole or not at all. Raises MlhubError."""
    from mlhub.errors import MlhubError
    from mlhub.files import replace_bytes

    try:
        replace_bytes(path, document)
    except OSError as error:
        raise MlhubError(
            f"{path}: {error.strerror or error}", "Name a file in a folder that can be written."
        ) from error


def columns() -> int:
    """Width to write for: the terminal's, or 80 in a pipe."""
    if text := os.environ.get("COLUMNS"):
        return int(text) if text.isdigit() and int(text) > 0 else 80
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        return 80


def coloured() -> bool:
    """Whether stdout is a terminal that wants colour."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


#: our own signs, where the terminal has letters only
_LETTERS = str.maketrans(
    {"★": "*", "●": "*", "↑": "^", "↓": "v", "–": "-", "…": "~", "±": "+-", "→": "->", "∞": "inf", "·": "|", "≤": "<="}
)


def lettered(text: str) -> str:
    """`text` in ASCII: our signs as letters, all else that has none as question marks, as wide as it was."""
    return "".join(sign if sign.isascii() else "?" * width(sign) for sign in text.translate(_LETTERS))


_STATUS_COLOURS = {"running": "32", "completed": "36", "failed": "31", "cancelled": "33", "queued": "90"}


def status_word(status: str) -> str:
    """A status in its colour, where colour is wanted."""
    code = _STATUS_COLOURS.get(status)
    return f"\x1b[{code}m{status}\x1b[0m" if code and coloured() else status


#: longer ones are cut like cells: some are names of metrics, which may be of any length
_LONGEST_TITLE = 16
#: what a column that shrinks keeps where nothing is left to leave out
_NARROWEST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column, as wide as its cells need, at most `most`.

    `flex`: shrinks, down to `least`, when the table is too wide, those of a low `rank` before the others. Its cells are
    cut at their end, at their beginning (`path`), or between (`middle`: the end tells names apart that begin alike).
    `spare`: left out where there is still no room, the lowest first; 0 is never left out.
    """

    title: str
    right: bool = False
    flex: bool = False
    least: int = _NARROWEST
    most: int | None = None
    path: bool = False
    middle: bool = False
    rank: int = 0
    spare: int = 0


def table(heads: Sequence[Column], rows: Sequence[Sequence[str]], *, total: int | None = None) -> list[str]:
    """Lines of a table without frames, as wide as it needs, at most `total`; cells and titles cleaned, cut to fit."""
    lines = [[one_line(cell) for cell in row] for row in ([head.title for head in heads], *rows)]
    needs = [min(max(width(row[i]) for row in lines), head.most or 1 << 30) for i, head in enumerate(heads)]
    widths = _shared(heads, needs, [width(title) for title in lines[0]], total or columns())
    return [
        "  ".join(pad(_cut(row[i], wide, heads[i]), wide, right=heads[i].right) for i, wide in widths.items()).rstrip()
        for row in lines
    ]


def _cut(text: str, columns: int, head: Column) -> str:
    return fit_middle(text, columns) if head.middle else fit(text, columns, keep_end=head.path)


def _shared(heads: Sequence[Column], needs: list[int], titles: list[int], total: int) -> dict[int, int]:
    """The width of each column that stays, by its place."""
    spare = sorted((head.spare, i) for i, head in enumerate(heads) if head.spare)
    kept = list(range(len(heads)))
    for _, place in [(0, -1), *spare]:
        kept = [i for i in kept if i != place]
        widths, excess = _shrunk(heads, needs, titles, kept, total, [head.least for head in heads])
        if excess <= 0:
            return widths
    return _shrunk(heads, needs, titles, kept, total, [_NARROWEST] * len(heads))[0]


def _shrunk(
    heads: Sequence[Column], needs: list[int], titles: list[int], kept: list[int], total: int, least: list[int]
) -> tuple[dict[int, int], int]:
    """The widths of the columns that are kept, shrunk as far as they may; and by how much that is still too wide."""
    widths = {i: needs[i] for i in kept}
    excess = sum(widths.values()) + 2 * (len(kept) - 1) - total
    for i in sorted((i for i in kept if heads[i].flex), key=lambda i: (heads[i].rank, -needs[i])):
        cut = min(max(0, excess), max(0, widths[i] - max(least[i], min(titles[i], _LONGEST_TITLE))))
        widths[i] -= cut
        excess -= cut
    return widths, excess
