r"""What a program prints as records: a line that is a JSON object with a whole "step" is one, of the numbers in it.

    {"step": 50, "epoch": 1, "train/loss": 0.45, "val": {"map": 0.5}}  ->  train/loss and val.map at step 50

Pure: bytes in, records out. A progress bar's `\r` ends a line too, colours do not count, and what a bar left before the
object on its line (`… 5/10 [00:01<00:01, 9.5it/s]`) is passed over. Everything else is no record: text, lists and truth
values are left out, other lines altogether. Which bytes of which log, and where the records go: `mlhub.runner.follow`.
"""

from __future__ import annotations

import json
import re

from mlhub.records import PLACE, read_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

#: a longer line is no record
LONGEST = 1 << 20
_END = re.compile(rb"[\r\n]+")
_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
#: the end of what tqdm draws: time, speed, bracket
_BAR = re.compile(rb"\[[^\[\]]{0,20}\d\d:\d\d[^\[\]]{0,200}\]\s*")
_KEY = b'"step"'
#: seconds since 1970 that a clock may have shown, and the same in milliseconds
_TIMES = (10**8, 10**11)
_DEEPEST = 8


def cut(data: bytes) -> int:
    """How many of these bytes are whole lines."""
    return max(data.rfind(b"\n"), data.rfind(b"\r")) + 1


def first(data: bytes) -> int:
    """Where the line after the first begins; 0 if the first has no end."""
    found = _END.search(data)
    return found.end() if found else 0


def records(data: bytes, seconds: float) -> Iterator[dict[str, object]]:
    """The records among whole lines; `seconds` is the time of those that tell none."""
    if _KEY not in data:
        return
    for line in _END.split(data):
        if _KEY in line and len(line) <= LONGEST and (found := record(line, seconds)):
            yield found


def record(line: bytes, seconds: float) -> dict[str, object] | None:
    """The record that a line is; None if it is none, or has no number beside its place."""
    line = (_ESCAPE.sub(b"", line) if b"\x1b" in line else line).strip()
    if not line.endswith(b"}"):
        return None
    begin = line.find(b"{")
    before = line[max(0, begin - 300) : begin]
    if before and not _BAR.fullmatch(before[before.rfind(b"[") :]):
        return None
    line = line[begin:]
    try:
        tree = json.loads(line, parse_int=_int)
    except (ValueError, RecursionError):
        return None
    step = _whole(tree.get("step")) if isinstance(tree, dict) else None
    if step is None:
        return None
    place: dict[str, object] = {"step": step}
    epoch = read_number(tree.get("epoch"))
    if epoch is not None and abs(epoch) < 1 << 62:  # and no NaN
        place["epoch"] = int(epoch) if epoch.is_integer() else epoch
    values = dict(_numbers(tree, "", 0))
    return {**place, "time": _time(tree.get("time"), seconds), **values} if values else None


def _int(digits: str) -> int | None:
    """None for what no float can hold either: Python refuses to read thousands of digits."""
    return int(digits) if len(digits) < 310 else None


def _numbers(tree: dict[str, object], before: str, depth: int) -> Iterator[tuple[str, object]]:
    """Names and numbers of an object; of one within it, the names joined by dots."""
    for key, value in tree.items():
        if not key:
            continue  # as `mlhub.log` refuses it
        name = before + key
        if isinstance(value, dict):
            if depth < _DEEPEST:
                yield from _numbers(value, f"{name}.", depth + 1)
        elif name not in PLACE and read_number(value) is not None and _is_text(name):
            yield name, value


def _is_text(name: str) -> bool:
    """Half of a surrogate pair is none."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(value: object) -> int | None:
    number = read_number(value) if not isinstance(value, str) else None
    if number is None or not number.is_integer() or abs(number) >= 1 << 62:
        return None
    return int(value)  # type: ignore[call-overload, no-any-return]  # exactly, if it was an int


def _time(value: object, seconds: float) -> float:
    """The line's own time, where it is one; a clock that began with the script is none."""
    number = read_number(value) if not isinstance(value, str) else None
    least, most = _TIMES
    if number is None or not least <= abs(number) < most * 1000 or number < 0:
        return seconds
    return number if number < most else number / 1000
