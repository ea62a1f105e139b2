"""`mlhub compare`: runs beside each other: who is best, by how much, and what was done differently.

Which runs, and which of their values, is `compare_made`'s to find; curves are `compare_plot`'s; what is said of them
all is `mlhub.compare`'s.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer reads the annotations
from typing import Annotated, Any

import typer

from mlhub.cli.compared import At, Baseline, Filter, Groups, Metrics, Runs  # noqa: TC001 - Typer reads the annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.cli.compare_made import Chosen
    from mlhub.cli.compared import Asked
    from mlhub.compare.fold import Folded

_COLOURS = {"best": "1;32", "good": "32", "bad": "31", "quiet": "2", "head": "1"}
_FORMATS = ("csv", "md", "html", "json")
#: of more subjects than `_MOST_ROWS` nobody reads a table on a terminal: so many are shown, and who is best of all
_MOST_ROWS, _ROWS = 1000, 100


def compare(
    runs: Runs = None,
    group: Groups = None,
    filter: Filter = "",  # noqa: A002
    baseline: Baseline = None,
    metric: Metrics = None,
    at: At = "last",
    all_metrics: Annotated[bool, typer.Option("--all-metrics", help="All metrics, not only the main ones.")] = False,
    all_params: Annotated[bool, typer.Option("--all-params", help="Also parameters that don't differ.")] = False,
    seeds: Annotated[
        bool | None, typer.Option("--seeds/--no-seeds", help="Runs that differ in their seed alone as mean ± sd.")
    ] = None,
    sort: Annotated[str | None, typer.Option(metavar="METRIC|KEY", help="Best first, or by a parameter.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Annotated[int | None, typer.Option(help="At most so many, after sorting.", min=1)] = None,
    vertical: Annotated[bool, typer.Option("--vertical", help="One value a line, however wide it is.")] = False,
    plot: Annotated[bool, typer.Option("--plot", help="Draw curves; METRICs to draw stand among the RUNs.")] = False,
    png: Annotated[Path | None, typer.Option(metavar="FILE", help="Curves as a picture.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Curves as a drawing.")] = None,
    x: Annotated[str, typer.Option(metavar="step|epoch|relative|time", help="What curves are drawn over.")] = "step",
    smooth: Annotated[float, typer.Option(help="Smooth curves: 0 to 1.", min=0, max=1)] = 0.0,
    log_y: Annotated[bool, typer.Option("--log-y", help="A logarithmic y axis.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="A row a run, as CSV.")] = False,
    md: Annotated[bool, typer.Option("--md", help="A Markdown table.")] = False,
    html: Annotated[bool, typer.Option("--html", help="One HTML file, sorted by a click.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Instead of stdout.")] = None,
) -> int:
    """Compare runs: what differs, whose metrics are best, and by how much. Without RUN: the newest group, else the
    newest five.

    A best value has a ★; an arrow says which way a metric is good. Only parameters that differ are shown.

    \b
    mlhub compare                               the newest group
    mlhub compare base otter --baseline base    two runs, how far apart they are
    mlhub compare --group sweep-3 --sort val/acc --limit 5
    mlhub compare --filter tag:paper --metric 'val/*' --at best:val/acc
    mlhub compare 3 4 --plot val/acc train/loss --smooth 0.6
    mlhub compare --group sweep-3 --md -o table.md --png curves.png
    """
    from mlhub.cli.compared import Asked

    form = _form(output, csv=csv, md=md, html=html, json=json)
    asked = Asked(
        tuple(runs or ()), tuple(group or ()), filter, baseline, tuple(metric or ()), at, all_params, seeds, sort,
        reverse, limit, plot or bool(png) or bool(svg), all_metrics,
    )  # fmt: skip
    _check(form, plot=plot, x=x)
    from mlhub.cli.compare_made import narrow
    from mlhub.cli.compare_runs import choose

    chosen = narrow(choose(asked), asked)
    document = _write(chosen, asked, form, vertical=vertical)
    _emit(document, output)
    if asked.curves:
        from mlhub.cli.compare_plot import draw, save

        if plot:
            draw(chosen, x=x, smoothing=smooth, log_y=log_y)
        for path in (png, svg):
            if path is not None:
                save(chosen, path, svg=path is svg, x=x, smoothing=smooth, log_y=log_y)
    return 0


def _form(output: Path | None, **flags: bool) -> str:
    """Which form is asked for: by a flag, or by the ending of the file. Raises UsageError for two."""
    from mlhub.errors import UsageError

    wanted = [name for name, given in flags.items() if given]
    if len(wanted) > 1:
        raise UsageError(f"--{wanted[0]} and --{wanted[1]}: one document at a time", "Give one of them.")
    ending = output.suffix.lstrip(".").lower() if output else ""
    return wanted[0] if wanted else ending if ending in _FORMATS else "text"


def _check(form: str, *, plot: bool, x: str) -> None:
    from mlhub.errors import UsageError

    if plot and form != "text":
        raise UsageError(f"--plot draws on the terminal, --{form} is for other programs", "Use --png FILE beside it.")
    if x not in ("step", "epoch", "relative", "time"):
        raise UsageError(f"--x {x}: no such axis", "There are: step, epoch, relative, time.")


def _write(chosen: Chosen, asked: Asked, form: str, *, vertical: bool) -> bytes:
    """The document, ready to be written."""
    found, verdict = chosen.found, chosen.verdict
    if form == "json":
        import msgspec

        tree = to_json(chosen, asked)
        return msgspec.json.format(msgspec.json.encode(tree), indent=2) + b"\n"
    from mlhub.compare.fold import fold

    every = asked.all_metrics or bool(asked.metrics)
    folded = fold(chosen.sheet, found, verdict.metric, every_metric=every, every_parameter=asked.all_params)
    if form == "text":
        return _text(chosen, folded, vertical=vertical, limited=bool(asked.limit)).encode(errors="replace")
    from mlhub.cli.out import tell
    from mlhub.compare import tables
    from mlhub.runner.reconcile import elapsed

    if form == "html":
        title = f"{len(found.runs)} runs compared"
        notes = (*chosen.notes, *folded.own, *folded.left)
        return tables.to_html(folded.sheet, title, verdict.sentences, notes).encode(errors="replace")
    if form == "md":
        notes = (*folded.own, *folded.left, *chosen.notes)
        return tables.to_markdown(folded.sheet, verdict.sentences, notes).encode(errors="replace")
    for sentence in (*verdict.sentences, *chosen.notes):
        tell(sentence)
    return tables.to_csv(found, elapsed).encode(errors="replace")


def to_json(chosen: Chosen, asked: Asked) -> dict[str, Any]:
    """The contract's shape, and beside it what the values are of, who is best over all, and what is to be known."""
    from mlhub.compare.render import to_json as compared

    verdict = chosen.verdict
    steps = {str(run_id): step for run_id, step in chosen.steps.items()}
    return {
        **compared(chosen.found),
        "at": {"place": asked.at, "steps": steps},
        "protocols": {str(run_id): name for run_id, name in chosen.protocols.items()},
        "verdict": {"metric": verdict.metric, "run": verdict.run, "sentences": list(verdict.sentences)},
        "notes": list(chosen.notes),
    }


def _text(chosen: Chosen, folded: Folded, *, vertical: bool, limited: bool) -> str:
    """What a person reads: the answer, what it is of, the table, what isn't in it."""
    from textwrap import wrap

    from mlhub.cli.out import coloured, columns, lettered
    from mlhub.compare.layout import LETTERS, Signs, lay_out
    from mlhub.text import unicode_works

    if not chosen.found.runs:
        return "no run is meant; mlhub ls shows the runs there are, mlhub run starts one\n"
    works = unicode_works()
    colour = coloured()

    def wrapped(sentences: Sequence[str]) -> list[str]:
        return [line for said in sentences for line in wrap(said, columns(), subsequent_indent="  ")]

    sheet = folded.sheet
    notes = list(chosen.notes)
    if not limited and (count := len(sheet.subjects)) > _MOST_ROWS:
        sheet = sheet.take(range(_ROWS))
        notes.append(f"{count} are too many for a table: the first {_ROWS} are shown; --limit N or --csv shows more")
    lines = [*wrapped((*chosen.verdict.sentences, *notes)), ""]
    sheet = sheet if works else sheet.spelt(lettered)
    for row in lay_out(sheet, columns(), Signs() if works else LETTERS, vertical=vertical):
        shown = "".join(_painted(text, style) if colour else text for text, style in row)
        lines.append(shown if colour else shown.rstrip())
    below = wrapped((*folded.own, *folded.left))
    lines += ["", *below] if below else []
    text = "\n".join(lines) + "\n"
    return text if works else lettered(text)


def _painted(text: str, style: str) -> str:
    code = _COLOURS.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text


def _emit(document: bytes, output: Path | None) -> None:
    import sys

    from mlhub.cli.out import tell

    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(document)
        sys.stdout.flush()
        return
    from mlhub.cli.out import put

    put(output, document)
    tell(f"written: {output}")
