"""`mlhub data check`: is a set fit to be trained on?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from mlhub.data.check import Report
    from mlhub.data.items import Stored

#: lines that are shown of what the schema refuses
_SHOWN = 20
#: examples of a finding
_FEW = 5


def check(
    name: Annotated[str, typer.Argument(metavar="[DATASET]", help="The data set.")] = "emoji",
    only: Annotated[str, typer.Option(metavar="PARTS", help="Only these: images, duplicates, leaks, captions.")] = "",
    skip: Annotated[str, typer.Option(metavar="PARTS", help="Not these.")] = "",
    radius: Annotated[int, typer.Option(metavar="N", min=0, max=3, help="Bits by which look-alikes may differ.")] = 2,
    workers: Annotated[int, typer.Option(metavar="N", min=0, help="Processes (default: one a core).")] = 0,
    schema: Annotated[bool, typer.Option("--schema", help="Hold each line against the JSON Schema instead.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> int:
    """Check a data set: images there and whole, duplicates, leaks between splits, captions said twice.

    Exit status 1 if something breaks a training or makes its figures lie. What was looked at is kept: a check that is
    killed goes on where it was, and one of an unchanged set takes a moment.

    \b
    mlhub data check coco
    mlhub data check coco --only images,leaks
    mlhub data check birds --schema
    """
    from mlhub.cli.hub import open_home
    from mlhub.cli.out import emit_json
    from mlhub.cli.progress import Progress
    from mlhub.data import check as checks
    from mlhub.data.prepare import find_stored

    home = open_home()
    parts = checks.parts_of(only, skip)
    stored = find_stored(name, home)
    if schema:
        return _schema(stored, as_json=json)
    progress = Progress()
    try:
        report = checks.check(home, stored, parts, progress, workers=workers, radius=radius)
    finally:
        progress.end()
    if json:
        emit_json(checks.to_json(report))
    else:
        _print(report)
    return int(report.broken)


def _print(report: Report) -> None:
    from mlhub.cli.out import columns, say
    from mlhub.text import fit, one_line

    for finding in report.findings:
        say(f"{'error' if finding.error else 'note'}: {finding.count} {finding.what}")
        for example in finding.examples[:_FEW]:
            say(fit(f"  {one_line(example)}", columns()))
        if finding.count > _FEW:
            say(f"  and {finding.count - _FEW} more: see --json")
    state = "not fit to be trained on" if report.broken else "fit to be trained on"
    say(one_line(f"looked at {', '.join(report.checked)} of {report.items} items"))
    say(one_line(f"{report.name} is {state}"))
    if report.broken:
        say("mend them, or leave them out of the source; then:")
        say(one_line(f"  mlhub data prepare {report.name} --force"))


def _schema(stored: Stored, *, as_json: bool) -> int:
    from mlhub.cli.out import emit_json, say
    from mlhub.data.items import ITEMS
    from mlhub.data.schema import violations
    from mlhub.text import one_line

    found = 0
    shown: list[str] = []
    for line in violations(stored.folder / ITEMS):
        found += 1
        if len(shown) < _SHOWN:
            shown.append(line)
    if as_json:
        emit_json({"name": stored.name, "ok": not found, "violations": found, "examples": shown})
        return int(found > 0)
    for line in shown:
        say(one_line(line))
    say(f"{stored.name}: {found or 'no'} violations of the schema")
    return int(found > 0)
