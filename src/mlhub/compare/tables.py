"""A sheet for other programs: Markdown for forges, one HTML file for browsers, CSV for spreadsheets and data frames.

Outside text is escaped in each by its own rules. HTML sorts by a click without a script: each column has a radio button
that turns on the order which every row has written on it.
"""

from __future__ import annotations

import csv
import io
import math
from html import escape
from typing import Any

from mlhub.compare.render import MISSING, escaped, facts, safe_cell, value_text
from mlhub.text import one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mlhub.compare.comparison import Comparison
    from mlhub.compare.sheet import Line, Sheet
    from mlhub.store.runs import Run

#: more runs than this stand as rows of a Markdown table
_ACROSS = 6
_ARROWS = {"max": " ↑", "min": " ↓"}


def to_markdown(sheet: Sheet, sentences: Sequence[str] = (), notes: Sequence[str] = ()) -> str:
    """A table that forges show: the best value bold, the delta to the baseline behind each.

    `sentences` stand above it, `notes` below.
    """
    names = [escaped(one.name) for one in sheet.subjects]
    heads = [escaped(line.name) + _ARROWS.get(line.way or "", "") for line in sheet.lines]
    cells = [[_markdown_cell(line, place) for line in sheet.lines] for place in range(len(names))]
    if len(names) <= _ACROSS:
        rows = [["", *names], *([head, *(row[at] for row in cells)] for at, head in enumerate(heads))]
    else:
        rows = [["run", *heads], *([name, *row] for name, row in zip(names, cells, strict=True))]
    rows.insert(1, ["---"] * len(rows[0]))
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    above = "".join(f"{escaped(words)}\n\n" for words in sentences)
    return above + table + ("\n" if notes else "") + "".join(f"- {escaped(words)}\n" for words in notes)


def _markdown_cell(line: Line, place: int) -> str:
    cell = line.cells[place]
    text = f"**{escaped(cell.text)}**" if cell.best else escaped(cell.text)
    return f"{text} ({escaped(cell.delta)})" if cell.delta else text


def to_csv(found: Comparison, took: Callable[[Run], float | None]) -> str:
    """A row a run, as data frames like it: facts, parameters, metrics. Numbers in full, missing ones empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    says = [(name, say) for name, say in facts(took) if name != "took"]
    own = ["id", "name", *(name for name, _ in says), "took_seconds"]
    metrics = [metric.name for metric in found.metrics]
    taken = {*own, *metrics}
    heads = [*own, *(f"config.{key}" if key in taken else key for key in found.config), *metrics]
    writer.writerow([safe_cell(one_line(head)) for head in heads])
    for run in found.runs:
        row: list[object] = [run.id, one_line(run.name)]
        row += ["" if (text := say(run)) == MISSING else text for _, say in says]
        row.append("" if (seconds := took(run)) is None else round(seconds, 3))
        row += [_plain(values[run.id]) if run.id in values else "" for values in found.config.values()]
        row += ["" if (value := metric.values.get(run.id)) is None else repr(value) for metric in found.metrics]
        writer.writerow(map(safe_cell, row))
    return out.getvalue()


def _plain(value: Any) -> str:  # noqa: ANN401 - whatever a configuration holds
    return one_line(value) if isinstance(value, str) else value_text(value)


_STYLE = """
:root { color-scheme: light dark; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem; }
.verdict { font-size: 16px; margin: 0 0 .3rem; }
.notes { color: GrayText; margin: 0 0 1rem; }
.scroll { overflow-x: auto; }
table, thead, tbody { display: contents; }
.grid { display: grid; width: max-content; }
tr { display: grid; grid-column: 1 / -1; grid-template-columns: subgrid;
  border-bottom: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
th, td { padding: .25rem .7rem; text-align: right; font-variant-numeric: tabular-nums; font-weight: normal;
  white-space: nowrap; max-width: 28rem; overflow: hidden; text-overflow: ellipsis; }
th:first-child { text-align: left; font-weight: 600; position: sticky; left: 0; background: Canvas; }
thead tr { order: -1; } thead th { font-weight: 600; }
.config { color: color-mix(in srgb, currentColor 75%, transparent); }
.best { font-weight: 700; } .good { color: #178043; } .bad { color: #c0392b; } small { margin-left: .4em; }
input { position: absolute; opacity: 0; } label { cursor: pointer; } label:hover { text-decoration: underline; }
input:focus-visible + span, input:checked + span { text-decoration: underline; }
"""


def to_html(sheet: Sheet, title: str, sentences: Sequence[str] = (), notes: Sequence[str] = ()) -> str:
    """One document that needs nothing else: a row a run, sorted by a click on a column's head, without a script."""
    rules = [f"body:has(#s{at}:checked) tbody tr {{ order: var(--s{at}); }}" for at in range(len(sheet.lines))]
    orders = [_order(sheet, line) for line in sheet.lines]
    out = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n',
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
        f"<title>{escape(title)}</title>\n<style>{_STYLE}",
        f".grid {{ grid-template-columns: repeat({len(sheet.lines) + 1}, auto); }}\n",
        "\n".join(rules),
        "\n</style>\n",
        *(f'<p class="verdict">{escape(sentence)}</p>\n' for sentence in sentences),
        *(f'<p class="notes">{escape(note)}</p>\n' for note in notes),
        '<div class="scroll"><div class="grid"><table>\n<thead><tr>',
        '<th><label><input type="radio" name="sort" checked><span>run</span></label></th>',
    ]
    for at, line in enumerate(sheet.lines):
        head = escape(line.name) + _ARROWS.get(line.way or "", "")
        out.append(
            f'<th class="{line.section}"><label title="{escape(line.name)}"><input type="radio" name="sort" id="s{at}">'
            f"<span>{head}</span></label></th>"
        )
    out.append("</tr></thead>\n<tbody>\n")
    for place, subject in enumerate(sheet.subjects):
        style = ";".join(f"--s{at}:{order[place]}" for at, order in enumerate(orders))
        out.append(f'<tr style="{style}"><th>{escape(subject.name)}</th>')
        out += [_html_cell(line, place) for line in sheet.lines]
        out.append("</tr>\n")
    out.append("</tbody>\n</table></div></div>\n</html>\n")
    return "".join(out)


def _html_cell(line: Line, place: int) -> str:
    cell = line.cells[place]
    delta = f'<small class="{ {True: "good", False: "bad"}.get(cell.better, "") }">{escape(cell.delta)}</small>'  # type: ignore[arg-type]
    kind = f"{line.section} best" if cell.best else line.section
    text = f"★ {escape(cell.text)}" if cell.best else escape(cell.text)
    return f'<td class="{kind}" title="{escape(cell.text)}">{text}{delta if cell.delta else ""}</td>'


def _order(sheet: Sheet, line: Line) -> list[int]:
    """The place of each subject when sorted by a line: a metric's best first, missing ones last."""
    metric = next((one for name, one in sheet.values.items() if one_line(name) == line.name), None)

    def key(place: int) -> tuple[bool, float, str]:
        text = line.cells[place].text
        if line.section == "metric" and metric is not None:
            value = metric.values.get(place, math.nan)
            return math.isnan(value), -value if metric.direction == "max" else value, ""
        try:
            return text == MISSING, float(text), ""
        except ValueError:
            return text == MISSING, math.inf, text.lower()

    ranks = [0] * len(sheet.subjects)
    for rank, place in enumerate(sorted(range(len(sheet.subjects)), key=key)):
        ranks[place] = rank
    return ranks
