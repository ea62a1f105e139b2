"""`mlhub ls` and `stop`: the runs there are. One run alone: `mlhub.cli.show`."""

from __future__ import annotations

from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.errors import MlhubError
    from mlhub.store.runs import Run


def ls(
    count: Annotated[int, typer.Option("-n", help="How many, newest first.", min=1)] = 20,
    filter: Annotated[str, typer.Option("--filter", metavar="QUERY", help="Only the runs that QUERY means.")] = "",  # noqa: A002
    json: Annotated[bool, typer.Option("--json", help="Print an array of runs as JSON.")] = False,
) -> int:
    """List runs, newest first.

    \b
    mlhub ls            the newest 20
    mlhub ls -n 100 --json
    mlhub ls --filter "status:failed started<2d cfg.training.lr>=1e-3 -name:test"
    mlhub ls --filter "val/map_64>0.5 tag:paper"    see mlhub help query
    """
    import sys
    from itertools import islice

    from mlhub.cli.filters import parse_filter
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json_array, say
    from mlhub.runner.reconcile import listed

    query = parse_filter(filter)  # a wrong one is said at once
    hub = open_hub()
    active = hub.refresh()
    newest = hub.store.each_newest(query.bound if query else None, page=_PAGE if query else min(count, _PAGE))
    every = (listed(hub.store, run, active) for run in newest)
    meant = islice(query.each(every) if query else every, min(count, sys.maxsize))
    if json:
        emit_json_array(run.to_json() for run in meant)
        return 0
    found = list(meant)
    if not found:
        say("no run is meant by the filter" if hub.store.newest(1) else "no runs yet; start one: mlhub run quickstart")
        return 0
    _print_runs(found)
    return 0


def _print_runs(found: list[Run]) -> None:
    from mlhub.adapters import HASHING
    from mlhub.cli.out import Column, say, status_word, table
    from mlhub.compare.shown import main_metric, short_name
    from mlhub.runner.reconcile import elapsed
    from mlhub.text import duration, local_time, number

    metrics = [main_metric(run) if run.kind in _TRAINED else "" for run in found]
    named = {name for name in metrics if name}
    title = next(iter(named)) if len(named) == 1 else "metric" if named else HASHING.metric
    heads = [  # what tells runs apart and how they stand is always there; where the terminal is narrow, the rest is not
        Column("id", right=True),
        Column("status"),
        Column("name", flex=True, middle=True, least=24, most=40, rank=1),
        Column("kind", spare=1),
        Column("step", right=True, spare=3),
        Column(short_name(title, _METRIC), right=True),
        Column("started", right=True, spare=5),
        Column("took", right=True, spare=2),
        Column("note", flex=True, least=10, spare=4),
    ]
    rows = []
    for run, metric in zip(found, metrics, strict=True):
        steps = [step for entry in run.summary.values() if isinstance(step := entry.get("step"), int)]
        rows.append(
            [
                str(run.id),
                run.status,
                run.name,
                run.kind,
                number(max(steps, default=None)),
                _of_metric(run, metric, named=len(named) > 1),
                local_time(run.started_at or run.created_at),
                duration(elapsed(run)),
                _note(run),
            ]
        )
    lines = table(heads, rows)
    say(lines[0])
    for run, line in zip(found, lines[1:], strict=True):
        say(line.replace(run.status, status_word(run.status), 1))


#: rows that are read at once
_PAGE = 500
#: kinds of runs of which a list shows a metric: an evaluation has hundreds, and none stands for it
_TRAINED = ("train", "command")
#: columns of a metric's name, as on the screen
_METRIC = 14


def _of_metric(run: Run, name: str, *, named: bool) -> str:
    """The metric's last value, with its name where the column holds several."""
    from mlhub.compare.shown import short_name
    from mlhub.text import number

    last = number(run.summary.get(name, {}).get("last"))
    return f"{short_name(name, _METRIC)} {last}" if named and name else last


def _note(run: Run) -> str:
    """What deserves a word in a list: its condition, alerts and attempt while it is active, afterwards the reason."""
    again = [f"attempt {run.attempt}"] if run.attempt > 1 and run.active else []
    if not run.active:
        count = len(run.orphans)
        left = [f"{count} process{'es' if count > 1 else ''} left behind"] if count else []
        return ", ".join((*left, *([run.reason] if run.reason and run.status != "completed" else [])))
    texts = [str(alert.get("text")) for alert in run.alerts if alert.get("name") != "stalled"]
    return ", ".join((*([run.condition] if run.condition else []), *texts, *again))


def stop(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", show_default=False)] = None,
    grace: Annotated[float | None, typer.Option(help="Seconds between TERM and KILL.", min=0)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> int:
    """Stop runs: TERM, upon which a training saves a checkpoint; after the grace KILL to whatever is left.

    \b
    mlhub stop calm-otter
    mlhub stop 3 4 --grace 60    both at once; mlhub resume continues them
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say, tell
    from mlhub.cli.run import check_grace
    from mlhub.errors import MlhubError
    from mlhub.runner.ending import stop_all, told
    from mlhub.runner.reconcile import refresh, settle
    from mlhub.text import one_line

    check_grace(grace)
    hub = open_hub()
    found: list[Run] = []
    errors: list[MlhubError] = []
    for ref in dict.fromkeys(runs or ["@last"]):  # one that can't be found must not keep the others running
        try:
            found.append(refresh(hub.store, hub.store.find(ref)))
        except MlhubError as error:
            errors.append(error)
    stopped = []
    for run, trouble in zip(found, stop_all(hub.store, found, grace), strict=True):
        errors += [trouble] if trouble else []
        stopped.append(settle(hub.store, run) if run.active else run)
        if not json and not trouble:
            say(f"run {run.id}  {one_line(run.name)}  {told(run, stopped[-1])}")
    for trouble in errors:
        tell(f"error: {one_line(trouble.message)}")
        tell(f"hint:  {one_line(trouble.hint)}")
    hub.refresh()
    if json:
        emit_json([run.to_json() for run in stopped])
    return int(bool(errors))
