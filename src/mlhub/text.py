"""How outside text, numbers and times are shown. A string that came from a file passes `clean` before it is printed."""

from __future__ import annotations

import os
import re
import unicodedata
from datetime import UTC, datetime
from functools import lru_cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: C0 (but tab and newline), DEL, C1, bidirectional controls, zero-width joiners and marks, selectors of an emoji's look
#: (skin too: what follows would shift), separators of lines, blanks that look like nothing, halves of surrogate pairs
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u034f\u061c\u115f\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U0001f3fb-\U0001f3ff\U000e0000-\U000e0fff]"
)
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
#: whole escape sequences (CSI, OSC and its like up to their end, two-byte ones), so that no half of one is left as text
_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x9b[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)

#: characters of one column each: Latin, dashes, arrows, lines, blocks and bullets, braille; curves are made of these
_NARROW = re.compile("[ -~\u00a0-\u00ff\u2010-\u2027\u2190-\u21ff\u2500-\u25cf\u2800-\u28ff]*")


def clean(text: str, *, colours: bool = False) -> str:
    """`text` without escape sequences and control characters; SGR colours are kept if asked for.

    A carriage return that isn't part of a line's end becomes a line break, so that a progress bar reads as lines.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not colours:
        return _CONTROL.sub("", _ESCAPE.sub("", text))
    parts: list[str] = []
    end = 0
    for match in _COLOUR.finditer(text):
        parts += (clean(text[end : match.start()]), match.group())
        end = match.end()
    return "".join((*parts, clean(text[end:])))


def one_line(text: str) -> str:
    """`clean`, with tabs and line breaks as single spaces."""
    return " ".join(clean(text).split())


def width(text: str) -> int:
    """Columns of a terminal that `text` takes; text is clean."""
    if text.isascii() or _NARROW.fullmatch(text):
        return len(text)
    return sum(_cell(character) for character in text)


@lru_cache(4096)
def _cell(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Mc", "Cf") or "\u1160" <= character <= "\u11ff":
        return 0  # marks, and the vowels and ends of Korean syllables written in parts
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, columns: int, *, keep_end: bool = False) -> str:
    """`text` cut to at most `columns`, an ellipsis where something was cut: its end, or, of a path, its beginning."""
    if width(text) <= columns:
        return text
    kept: list[str] = []
    left = columns - 1
    for character in reversed(text) if keep_end else text:
        left -= _cell(character)
        if left < 0:
            break
        kept.append(character)
    if columns <= 0:
        return ""
    return "…" + "".join(reversed(kept)) if keep_end else "".join(kept) + "…"


def fit_middle(text: str, columns: int) -> str:
    """`text` cut to at most `columns`, an ellipsis in its middle: of names that begin alike, the end tells which."""
    if width(text) <= columns:
        return text
    end = fit(text, columns // 2 + 1, keep_end=True)[1:]
    return fit(text, columns - width(end)) + end


def pad(text: str, columns: int, *, right: bool = False) -> str:
    """`text` filled with spaces to `columns`, on the left if it is to stand at the right."""
    space = " " * (columns - width(text))
    return space + text if right else text + space


def first_few(names: Sequence[str], most: int = 3) -> str:
    """`a, b, c and 4 more`: the first of names that are clean, the others counted."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def number(value: float | str | None) -> str:
    """Four significant digits; a missing value is `–`."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, int):
        return str(value)
    return f"{value:.4g}"


def duration(seconds: float | None) -> str:
    """`8.2s`, `4m 05s`, `1h 02m`, `3d 04h`."""
    if seconds is None or seconds < 0:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02d}m"
    return f"{hours // 24}d {hours % 24:02d}h"


def size(count: float) -> str:
    """Bytes as `512 B`, `1.5 MB`, `80 GB`; powers of 1,000, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def now() -> str:
    """The time as it is stored: UTC, ISO 8601, milliseconds, `Z`."""
    return stamp(datetime.now(UTC).timestamp())


def stamp(seconds: float) -> str:
    """Seconds since 1970 as they are stored."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_between(start: str | None, end: str | None) -> float | None:
    """Seconds from one stored time to another (to now, if there is no end); None if one is no time."""
    first, last = _moment(start), _moment(end) if end else datetime.now(UTC)
    return None if first is None or last is None else (last - first).total_seconds()


def local_time(stored: str | None) -> str:
    """A stored time as the reader's clock shows it: today `14:05`, else `11-23 14:05`."""
    moment = _moment(stored)
    if moment is None:
        return "–"
    return moment.strftime("%H:%M" if moment.date() == datetime.now().astimezone().date() else "%m-%d %H:%M")


def _moment(stored: str | None) -> datetime | None:
    """A stored time on the reader's clock; None for what is none: run folders are outside data."""
    try:
        return datetime.fromisoformat(stored).astimezone() if stored else None
    except (ValueError, OverflowError):
        return None


def closest(word: str, known: list[str]) -> str:
    """`; did you mean X?` for the known word nearest to `word`, or nothing."""
    import difflib

    found = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {found[0]}?" if found else ""


def unicode_works() -> bool:
    """Whether the terminal is told to expect UTF-8; elsewhere braille and blocks come out as escapes."""
    environ = os.environ
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        value = environ.get(name)
        # Python itself puts C.UTF-8 there when LANG leads to C (PEP 538): that tells nothing of the terminal
        if value and not (name == "LC_CTYPE" and value == "C.UTF-8" and environ.get("LANG")):
            return "utf" in value.lower()
    return False
