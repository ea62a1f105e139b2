"""A report as Markdown, for a forge's issue or notes: sentences and tables, without curves and pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlhub import __version__
from mlhub.compare.render import escaped
from mlhub.report import tables
from mlhub.text import one_line

if TYPE_CHECKING:
    from mlhub.report.contents import Contents
    from mlhub.report.html import Cell, Table


def to_markdown(found: Contents) -> str:
    """The whole text."""
    blocks = [f"# {escaped(found.title)}", *(escaped(sentence) for sentence in found.summary)]
    chosen: list[tuple[str, Table | None]] = [("Results", tables.results(found))]
    if found.comparison.config and found.several:
        chosen.append(("Parameters", tables.parameters(found)))
    chosen += [("How they ended", tables.ends(found)), *(("Environment", one) for one in tables.environment(found)),
               ("Packages that differ", tables.differing_packages(found))]  # fmt: skip
    if len(found.comparison.metrics) > len(found.main):
        chosen.append(("All metrics", tables.all_metrics(found)))
    for title, one in chosen:
        if one is not None:
            blocks += [f"## {title}", escaped(one.caption), _table(one)]
    if found.limits:
        blocks += ["Not in this report:", "\n".join(f"- {escaped(words)}" for words in found.limits)]
    blocks.append(f"_Made by mlhub {__version__} on {escaped(found.made_at)}._")
    return "\n\n".join(blocks) + "\n"


def _table(found: Table) -> str:
    lines = [_line(found.heads), "|" + "|".join("---:" if head.number else "---" for head in found.heads) + "|"]
    return "\n".join([*lines, *(_line(row) for row in found.rows)])


def _line(cells: list[Cell]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(cell: Cell) -> str:
    text = escaped(one_line(cell.text))  # a pipe may end at a terminal
    shown = f"**{text}**" if cell.best else text
    return f"{shown} ({escaped(one_line(cell.note))})" if cell.note else shown
