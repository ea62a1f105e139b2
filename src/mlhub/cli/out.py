"""What commands print: one JSON document, tables that fit the terminal, talk on stderr. Cells are cleaned here."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

from mlhub.text import fit, one_line, pad, width

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def emit_json(document: object) -> None:
    """The one JSON document of a `--json` command."""
    import msgspec

    raw = msgspec.json.format(msgspec.json.encode(document), indent=2)
    sys.stdout.flush()
    sys.stdout.buffer.write(raw + b"\n")  # JSON is UTF-8, whatever the locale says
    sys.stdout.flush()


def say(text: str = "") -> None:
    """A line for people who asked for no JSON, on stdout."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """Talk beside the data, on stderr."""
    sys.stdout.flush()
    print(text, file=sys.stderr, flush=True)  # noqa: T201


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


@dataclass(frozen=True, slots=True)
class Column:
    """A table's column. `flex`: shrinks, down to `least`, when the table is too wide; `path`: by its beginning."""

    title: str
    right: bool = False
    flex: bool = False
    least: int = 8
    path: bool = False


def table(heads: Sequence[Column], rows: Sequence[Sequence[str]], *, total: int | None = None) -> list[str]:
    """Lines of a table without frames, as wide as it needs, at most `total`; cells and titles cleaned, cut to fit."""
    titles, *cells = [[one_line(cell) for cell in row] for row in ([head.title for head in heads], *rows)]
    widths = [max(width(row[i]) for row in (titles, *cells)) for i in range(len(heads))]
    excess = sum(widths) + 2 * (len(widths) - 1) - (total or columns())
    for index in sorted(range(len(heads)), key=lambda i: -widths[i]):
        if excess > 0 and heads[index].flex:
            least = max(heads[index].least, min(width(titles[index]), _LONGEST_TITLE))
            cut = min(excess, max(0, widths[index] - least))
            widths[index] -= cut
            excess -= cut
    lines = []
    for row in [titles, *cells]:
        line = "  ".join(
            pad(fit(cell, widths[i], keep_end=heads[i].path), widths[i], right=heads[i].right)
            for i, cell in enumerate(row)
        )
        lines.append(line.rstrip())
    return lines
