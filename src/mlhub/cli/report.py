"""`mlhub report`: one file about runs, for people who have no mlhub. What is in it is `mlhub.report`'s."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mlhub.cli.compared import At, Baseline, Filter, Groups, Metrics, Runs  # noqa: TC001 - Typer reads the annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.cli.compared import Asked
    from mlhub.report.contents import Contents

#: bytes at a file's beginning in which a report says that it is one
_HEAD = 4096


def report(
    runs: Runs = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", metavar="FILE", help="Else report.html.")] = None,
    title: Annotated[str, typer.Option(metavar="TEXT", help="The page's title.")] = "",
    group: Groups = None,
    filter: Filter = "",  # noqa: A002
    baseline: Baseline = None,
    metric: Metrics = None,
    at: At = "last",
    charts: Annotated[int, typer.Option(metavar="N", min=0, max=200, help="At most N charts.")] = 8,
    query: Annotated[list[str] | None, typer.Option(metavar="TEXT", help="Ask the indexes this (repeatable).")] = None,
    samples: Annotated[bool, typer.Option("--samples/--no-samples", help="Retrieval samples of indexes.")] = True,
    md: Annotated[bool, typer.Option("--md", help="Markdown: sentences and tables, no curves.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is no report.")] = False,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Show it in the browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print where it is and what it is about, as JSON.")] = False,
) -> int:
    """Write a report on runs: one file with tables, curves, config, environment and retrieval samples.

    The file needs nothing else: no network, no mlhub. Without RUN it is about the newest group, else the newest five.

    \b
    mlhub report calm-otter brave-newt -o report.html
    mlhub report 3 4 5 --title "Seeds of the baseline" --metric 'val/*' --open
    mlhub report @last --query "a dog" --query 강아지
    mlhub report 3 4 --md -o - | gh issue comment 7 --body-file -
    """
    from mlhub.cli.compared import Asked
    from mlhub.cli.out import emit_json, put, say, tell
    from mlhub.errors import UsageError
    from mlhub.report.markdown import to_markdown
    from mlhub.report.page import to_html
    from mlhub.text import one_line, size

    target = output or Path("report.md" if md else "report.html")
    if json and str(target) == "-":
        raise UsageError("--json and -o - both want stdout", "Use one of them.")
    if str(target) != "-":
        check_target(target, force=force)
    asked = Asked(tuple(runs or ()), tuple(group or ()), filter, baseline, tuple(metric or ()), at)
    found = _gather(asked, title, 0 if md else charts, query or [], samples=samples and not md)
    text = to_markdown(found) if md else to_html(found)
    data = text.encode(errors="replace")
    if str(target) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return 0
    put(target, data)
    if json:
        emit_json({"file": str(target.absolute()), "bytes": len(data), "runs": [part.run.id for part in found.parts],
                   "summary": list(found.summary), "left_out": list(found.limits)})  # fmt: skip
    else:
        say(f"{one_line(str(target))}: {len(found.parts)} run{'s' * found.several}, {size(len(data))}")
        for words in found.limits:
            tell(f"not in it: {words}")
    if show:
        _show(target)
    return 0


def _gather(asked: Asked, title: str, charts: int, queries: Sequence[str], *, samples: bool) -> Contents:
    """Choose and compare the runs as `mlhub compare` does, and read what a report shows of them."""
    from mlhub.cli.compare_made import narrow
    from mlhub.cli.compare_runs import choose
    from mlhub.cli.out import tell
    from mlhub.errors import NotFoundError
    from mlhub.report.gather import Compared, Wishes, gather

    chosen = narrow(choose(asked), asked)
    runs = chosen.found.runs
    if not runs:
        raise NotFoundError("no run is meant, so there is nothing to report", "`mlhub ls` shows the runs there are.")
    made = [run for run in chosen.hub.store.each_newest() if run.kind == "index" and run.status == "completed"]
    compared = Compared(
        chosen.found,
        chosen.verdict.sentences,
        {one.name: one.ids for one in chosen.sheet.subjects if len(one.ids) > 1},
        chosen.verdict.metric,
        deltas=(len(runs) == 2 and not chosen.found.only_seeds) or (asked.baseline is not None and len(runs) > 1),
        made=made if samples else [],
    )
    return gather(chosen.hub.home, compared, Wishes(title, charts, queries, samples), tell)


def check_target(path: Path, *, force: bool) -> None:
    """Raises MlhubError if the file is there and no report of ours, unless `force`; or if it can't be written."""
    from mlhub.errors import MlhubError
    from mlhub.text import one_line

    name = one_line(str(path))
    if path.is_dir():
        raise MlhubError(f"{name} is a folder", "Name a file: -o report.html")
    if not path.parent.is_dir():
        raise MlhubError(f"{name}: its folder does not exist", f"mkdir -p {one_line(str(path.parent))}")
    if path.exists() and not path.is_file():
        raise MlhubError(f"{name} is no regular file", "Name a file, or -o - for stdout.")
    if force or not path.exists() or is_report(path):
        return
    raise MlhubError(f"{name} is there already and is no report of mlhub's", "Name another file, or --force.")


def is_report(path: Path) -> bool:
    """Whether a file says of itself that it is a report, or is empty. Reports are made to be made again."""
    from mlhub.errors import MlhubError

    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 200))
            tail = file.read()
    except OSError as error:
        raise MlhubError(f"{path}: {error.strerror or error}", "Name a file that can be written.") from error
    return not head or b'name="generator" content="mlhub report' in head or b"_Made by mlhub " in tail


def _show(path: Path) -> None:
    import webbrowser

    from mlhub.cli.out import tell

    if not webbrowser.open(path.absolute().as_uri()):
        tell("no browser could be started; open the file yourself")
