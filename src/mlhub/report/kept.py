"""What a run logged beside numbers, as far as a page has room: pictures made small, tables, texts, names of files."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mlhub import artifacts
from mlhub.compare.render import metric_text, value_text
from mlhub.errors import MlhubError
from mlhub.report.contents import Shown
from mlhub.report.pictures import LARGE, data_uri
from mlhub.text import clean, one_line, size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.artifacts import Artifact

#: artifacts of a run, rows and columns of a table, letters of a text and of a cell
_MOST, _ROWS, _COLUMNS, _LETTERS, _CELL = 24, 50, 12, 8000, 200


def read(folder: str | os.PathLike[str]) -> tuple[list[Shown], int]:
    """What is shown of a run's artifacts, the newest of each name, and how many are left out."""
    found = artifacts.read(folder)
    newest = {(one.kind, one.name): one for one in found}
    order = {"image": 0, "table": 1, "text": 2, "file": 3}
    chosen = sorted(newest.values(), key=lambda one: order.get(one.kind, 9))
    return [_show(one) for one in chosen[:_MOST]], len(found) - min(len(chosen), _MOST)


def _show(one: Artifact) -> Shown:
    words = [*([f"step {one.step}"] if one.step is not None else []), size(one.bytes)]
    if one.time is not None:
        words.append(_day(one.time))
    name, about = one_line(one.name), ", ".join(words)
    try:
        if one.kind == "image":
            return Shown("image", name, about, picture=data_uri(one.path, LARGE), words=one_line(one.caption or ""))
        if one.kind == "table":
            columns, rows = artifacts.read_table(one.path)
            left = f"{len(rows) - _ROWS} more rows" if len(rows) > _ROWS else ""
            heads = [one_line(column)[:_CELL] for column in columns[:_COLUMNS]]
            return Shown("table", name, about, columns=heads, rows=[_row(row) for row in rows[:_ROWS]], words=left)
        if one.kind == "text":
            return Shown("text", name, about, words=_text(one.path))
    except MlhubError as error:
        return Shown("file", name, f"{about}; can't be shown: {one_line(error.message)}")
    except (OSError, ValueError, RecursionError):
        return Shown("file", name, f"{about}; can't be shown: it is damaged or too large")
    return Shown("file", name, f"{one_line(one.file)}, {about}")


def _row(row: Sequence[object]) -> list[str]:
    return [_cell(value) for value in row[:_COLUMNS]]


def _cell(value: object) -> str:
    if isinstance(value, float):
        return metric_text(value)
    return one_line(value)[:_CELL] if isinstance(value, str) else value_text(value)[:_CELL]


def _text(path: str) -> str:
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        data = file.read(4 * _LETTERS)
    text = clean(data.decode(errors="replace"))
    return text[:_LETTERS] + (" …" if len(text) > _LETTERS or len(data) == 4 * _LETTERS else "")


def _day(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "at an unknown time"
