"""A report as one page of HTML: the order of its parts, and what a browser is told it may do (nothing but show it).

Every text goes through `html.el`, which escapes it. Style and script are ours, in the files beside this one, and are
the only ones the page's Content-Security-Policy lets run: by their digests.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from mlhub import __version__
from mlhub.report import charts, tables
from mlhub.report.html import Child, Html, el, esc, fold, join, section, swatch, table
from mlhub.text import one_line, size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mlhub.compare.code import CodeDifference
    from mlhub.report.contents import Answers, Contents, Hit, RunPart, Samples, Shown

#: by which a file is known as one of ours, which may be written over
GENERATOR = "mlhub report"
#: letters of a diff that a page shows
_DIFF = 200_000


def to_html(found: Contents) -> str:
    """The whole page."""
    style, script = (Path(__file__).with_name(name).read_text("utf-8") for name in ("style.css", "script.js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head = join([
        el("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{esc(policy)}">'),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="generator", content=f"{GENERATOR} {__version__}"),
        el("meta", name="referrer", content="no-referrer"),
        el("title", found.title),
        Html(f"<style>{style}</style>"),
    ])  # fmt: skip
    parts = [part for part in _sections(found) if part is not None]
    nav = el("nav", *(el("a", title, href=f"#{name}") for name, title, _ in parts), aria_label="Parts of this report")
    about = f"{found.made_at} · {len(found.parts)} run{'s' * found.several} · mlhub {__version__}"
    top = el("header", el("h1", found.title), el("div", about, class_="quiet"), nav)
    summary = el("div", *(el("p", sentence) for sentence in found.summary), class_="summary")
    body = [top, summary, *(section(name, title, *inside) for name, title, inside in parts), _footer(found)]
    if found.charts:
        data = charts.data_of(found.charts)
        body.append(Html(f'<script type="application/json" id="chart-data">{data}</script><script>{script}</script>'))
    return f'<!doctype html>\n<html lang="en"><head>{head.text}</head>\n<body>{join(body).text}</body></html>\n'


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _sections(found: Contents) -> Iterator[tuple[str, str, list[Child]]]:
    """Name, title and contents of each part that has something to show."""
    more = len(found.comparison.metrics) > len(found.main)
    folded = [fold(f"All {len(found.comparison.metrics)} metrics", table(tables.all_metrics(found)))] if more else []
    yield "results", "Results", [table(tables.results(found)), *folded]
    if found.charts:
        yield "curves", "Curves", _curves(found)
    yield "parameters", "Parameters", _parameters(found)
    yield "ends", "How they ended" if found.several else "How it ended", [table(tables.ends(found))]
    if found.samples:
        yield "samples", "Retrieval samples", [one for samples in found.samples for one in _samples(samples)]
    if any(part.artifacts for part in found.parts):
        yield "artifacts", "Logged artifacts", [one for part in found.parts for one in _artifacts(part)]
    yield "environment", "Code and environment", _environment(found)
    if any(part.log.lines for part in found.parts):
        yield "logs", "Last words of the logs", [_log(part) for part in found.parts if part.log.lines]


def _curves(found: Contents) -> list[Child]:
    keys = [
        el("li", swatch(part.mark), one_line(part.run.name), data_run=part.run.id)
        for part in found.parts
        if any(line.run == part.run.id for chart in found.charts for line in chart.lines)
    ]
    smooth = el("input", id="smooth", type="range", min=0, max=95, value=0)
    tools = el(
        "div",
        el("label", "smoothing", smooth, el("span", "off", id="smooth-words")),
        el("label", el("input", id="log-y", type="checkbox"), "logarithmic"),
        el("label", el("input", id="by-time", type="checkbox"), "by time"),
        class_="tools",
    )
    figures = [charts.draw(chart, index) for index, chart in enumerate(found.charts)]
    return [el("ul", *keys, class_="legend"), tools, el("div", *figures, class_="grid2")]


def _parameters(found: Contents) -> list[Child]:
    inside: list[Child] = []
    if found.several:
        differs = bool(found.comparison.config)
        inside.append(table(tables.parameters(found)) if differs else el("p", "All runs have the same configuration."))
    for part in found.parts:
        if part.config:
            words = "Full configuration" + (f" of {one_line(part.run.name)}" if found.several else "")
            inside.append(fold(_named(part, words), el("pre", part.config)))
    return inside or [el("p", "No configuration is on record: what was set stands in the command.", class_="quiet")]


def _named(part: RunPart, words: str) -> Html:
    return join([swatch(part.mark), words])


def _samples(samples: Samples) -> Iterator[Child]:
    yield el("p", samples.words, class_="quiet")
    for answer in samples.answers:
        if answer.problem:
            yield el("p", swatch(answer.mark), f"{answer.name}: no samples. {answer.problem} ({answer.about})")
    for query in samples.queries:
        if not any(query in answer.hits for answer in samples.answers):
            continue
        yield el("div", f"“{query}”", class_="query")
        for answer in samples.answers:
            if query in answer.hits:
                yield _answer(answer, answer.hits[query])
    yield el("p", "; ".join(f"{answer.name}: {answer.about}" for answer in samples.answers), class_="quiet")


def _answer(answer: Answers, hits: object) -> Html:
    tiles = [_tile(hit) for hit in hits] if isinstance(hits, list) else []
    who = el("div", swatch(answer.mark), answer.name, class_="who")
    return el("div", who, el("ol", *tiles, class_="hits"), class_="answer")


def _tile(hit: Hit) -> Html:
    picture = el("img", src=hit.picture, alt=hit.caption, loading="lazy") if hit.picture else el(
        "span", "no picture", class_="none"
    )  # fmt: skip
    about = el("small", f"{'✓ ' if hit.right else ''}{hit.score:.3f}, {hit.distance} bits")
    return el("li", picture, el("p", hit.caption), about, class_="right" if hit.right else None)


def _artifacts(part: RunPart) -> Iterator[Child]:
    if not part.artifacts:
        return
    yield el("h3", swatch(part.mark), one_line(part.run.name))
    pictures = [_picture(one) for one in part.artifacts if one.kind == "image"]
    if pictures:
        yield el("div", *pictures, class_="pictures")
    for one in part.artifacts:
        if one.kind == "table":
            from mlhub.report.html import Cell, Table

            rows = [[Cell(text) for text in row] for row in one.rows if row]
            words = ", ".join(filter(None, (one.name, one.about, one.words)))
            yield table(Table(words, [Cell(head) for head in one.columns], rows))
        elif one.kind == "text":
            yield fold(f"{one.name} ({one.about})", el("pre", one.words))
    files = [el("li", one.name, " ", el("span", one.about, class_="quiet")) for one in part.artifacts
             if one.kind == "file"]  # fmt: skip
    if files:
        yield el("ul", *files, class_="plain")


def _picture(one: Shown) -> Html:
    words: list[Child] = [el("b", one.name), " ", el("span", one.about, class_="quiet")]
    if one.words:
        words += [el("br"), one.words]
    return el("figure", el("img", src=one.picture, alt=one.words or one.name, loading="lazy"), el("figcaption", *words))


def _environment(found: Contents) -> list[Child]:
    inside: list[Child] = [table(one) for one in tables.environment(found)]
    if found.several:
        packages = tables.differing_packages(found)
        known = any(part.spec.get("packages") for part in found.parts)
        same = "All runs had the same packages." if known else "No packages are on record."
        inside.append(table(packages) if packages else el("p", same))
        inside += _code(found)
    for part in found.parts:
        patch = part.spec.get("git", {}).get("diff") if isinstance(part.spec.get("git"), dict) else None
        if isinstance(patch, str) and patch and not found.several:
            inside.append(fold("Uncommitted changes", diff(patch)))
    return inside


def _code(found: Contents) -> Iterator[Child]:
    """Runs whose code differs from the baseline's, each difference once."""
    if not found.against:
        return
    groups: dict[int, tuple[CodeDifference, list[str]]] = {}
    for one in found.against:
        groups.setdefault(id(one.code), (one.code, []))[1].append(one_line(found.part(one.run).run.name))
    baseline = one_line(found.part(found.comparison.baseline or 0).run.name)
    for code, names in groups.values():
        who = ", ".join(names)
        notes = [el("p", note, class_="quiet") for note in code.notes]
        if code.how == "same" or (code.how == "trees" and not code.files):
            yield el("p", f"The code of {who} is the same as that of {baseline}.")
            yield from notes
        elif code.how == "unknown":
            yield from notes
        else:
            count = (
                f"{len(code.files)} file{'s' * (len(code.files) > 1)}" if code.how == "trees" else "uncommitted changes"
            )
            yield fold(f"Code: {baseline} → {who} ({count})", *notes, diff(code.text))


def diff(text: str) -> Html:
    """A unified diff, line by line in its colours."""
    kinds = {"+": "a", "-": "d", "@": "h"}
    shown = text[:_DIFF]
    lines = [el("span", line or " ", class_=kinds.get(line[:1])) if line[:1] in kinds else Html(esc(line))
             for line in shown.split("\n")]  # fmt: skip
    left = f"\n… {len(text) - _DIFF} characters more: mlhub diff shows them" if len(text) > _DIFF else ""
    return el("pre", Html("\n".join(line.text for line in lines)), left)


def _log(part: RunPart) -> Html:
    left = f" (after {size(part.log.left)} more)" if part.log.left else ""
    return fold(_named(part, f"{one_line(part.run.name)}: the last {len(part.log.lines)} lines{left}"),
                el("pre", "\n".join(part.log.lines)))  # fmt: skip


def _footer(found: Contents) -> Html:
    inside: list[Child] = []
    if found.limits:
        inside += [
            el("p", "Not in this report:"),
            el("ul", *(el("li", words) for words in found.limits), class_="plain"),
        ]
    inside.append(
        el("p", f"Made by mlhub {__version__} on {found.made_at}. This file needs no network and sends nothing.")
    )
    return el("footer", *inside)
