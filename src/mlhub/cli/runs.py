"""`mlhub ls`, `show`, `stop`: the runs there are."""

from __future__ import annotations

from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.errors import MlhubError
    from mlhub.query import Query
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
    from itertools import islice

    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.runner.reconcile import listed

    query = _parse_filter(filter)  # a wrong one is said at once
    hub = open_hub()
    active = hub.refresh()
    newest = hub.store.each_newest() if query else hub.store.newest(count)
    every = (listed(hub.store, run, active) for run in newest)
    found = list(islice(query.each(every), count) if query else every)
    if json:
        emit_json([run.to_json() for run in found])
        return 0
    if not found:
        say("no run is meant by the filter" if hub.store.newest(1) else "no runs yet; start one: mlhub run quickstart")
        return 0
    _print_runs(found)
    return 0


def _parse_filter(text: str) -> Query | None:
    """None without one, so that a plain list loads no language. Raises UsageError for a wrong one."""
    if not text.strip():
        return None
    from mlhub.errors import UsageError
    from mlhub.query import QueryError, parse

    try:
        return parse(text)
    except QueryError as error:
        raise UsageError(error.message, error.hint) from None


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


def show(
    run: Annotated[str, typer.Argument(metavar="[RUN]", show_default=False)] = "@last",
    json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> int:
    """Show one run: status and its cause, command, metrics.

    \b
    mlhub show               the newest
    mlhub show calm-otter --json
    """
    from msgspec.structs import replace

    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json
    from mlhub.runner.alerts import read_active
    from mlhub.runner.reconcile import listed, refresh

    hub = open_hub()
    named = hub.store.find(run)
    active = hub.refresh()
    found = refresh(hub.store, listed(hub.store, hub.store.reload(named), active))
    found = replace(found, alerts=read_active(hub.home.run(found.id)))  # some stay with a run that has ended
    if json:
        emit_json(found.to_json() | extra_json(hub, found))
        return 0
    _print_run(hub, found)
    return 0


def extra_json(hub: Hub, run: Run) -> dict[str, object]:
    """What its files say beside the row: what to do next, what it kept, and an evaluation's protocol."""
    from mlhub import artifacts
    from mlhub.runner.advice import advice
    from mlhub.runner.folder import protocol_of
    from mlhub.runner.imported import origin

    paths = hub.home.run(run.id)
    protocol: dict[str, object] = {"protocol": protocol_of(paths)} if run.kind == "eval" else {}
    source = origin(paths)
    imported: dict[str, object] = {"imported": source.to_json()} if source else {}
    kept = [artifact.to_json() for artifact in artifacts.read(paths.root)]
    return {"advice": advice(run, paths), "artifacts": kept} | imported | protocol


def _print_run(hub: Hub, run: Run) -> None:
    import shlex

    from mlhub.cli.out import Column, say, status_word, table
    from mlhub.runner.advice import advice
    from mlhub.runner.folder import read_spec
    from mlhub.runner.reconcile import elapsed
    from mlhub.text import clean, duration, fit, local_time, number, one_line

    spec = read_spec(hub.home.run(run.id))
    command = spec.get("command")
    git = spec.get("git")
    facts = [
        ("status", status_word(run.status) + (f" ({one_line(run.condition)})" if run.condition else "")),
        ("reason", run.reason and one_line(run.reason)),
        ("advice", one_line(advice(run, hub.home.run(run.id)) or "")),
        *(("alert", one_line(f"{local_time(alert.get('at'))} {alert.get('text')}")) for alert in run.alerts),
        ("left", run.orphans and f"processes {', '.join(map(str, run.orphans))}; mlhub stop {run.name} ends them"),
        ("attempt", run.attempt > 1 and str(run.attempt)),
        ("after", ", ".join(map(str, run.after))),
        ("gpus", ", ".join(map(str, run.gpus)) or (run.gpus_wanted and f"{run.gpus_wanted} wanted")),
        ("retries", run.retries and f"{run.retries} left"),
        ("kind", run.kind),
        ("group", run.group and one_line(run.group)),
        ("tags", one_line(", ".join(run.tags))),
        ("project", run.project and one_line(run.project)),
        ("adapter", run.adapter and one_line(run.adapter)),
        ("preset", run.preset and one_line(run.preset)),
        ("started", local_time(run.started_at)),
        ("took", run.started_at and duration(elapsed(run))),
        ("pid", run.pid and f"{run.pid} (supervisor {run.supervisor_pid}) on {one_line(run.host)}"),
        ("command", fit(one_line(shlex.join(map(str, command))), _COMMAND) if isinstance(command, list) else None),
        ("code", _code_line(git) if isinstance(git, dict) else None),
        ("source", _source(spec.get("imported"))),
        ("folder", run.dir),
    ]
    say(f"run {run.id}  {one_line(run.name)}")
    facts[-1:-1] = [("note" * (not i), line) for i, line in enumerate(clean(run.note or "").splitlines())]
    for label, fact in facts:
        if fact:
            say(f"  {label:<8} {fact}")
    if run.summary:
        say()
        heads = [Column("metric", flex=True), *(Column(head, right=True) for head in ("last", "min", "max", "step"))]
        rows = [
            [name, *(number(entry.get(key)) for key in ("last", "min", "max", "step"))]
            for name, entry in sorted(run.summary.items())
        ]
        for line in table(heads, rows[:_METRICS]):
            say(line)
        if len(rows) > _METRICS:
            say(f"… {len(rows) - _METRICS} more: mlhub show {run.name} --json")
    _print_artifacts(hub, run)


def _print_artifacts(hub: Hub, run: Run) -> None:
    from mlhub import artifacts
    from mlhub.cli.out import Column, say, table
    from mlhub.text import number, size

    found = artifacts.read(hub.home.run(run.id).root)
    if not found:
        return
    say()
    heads = [Column("artifact", flex=True), Column("kind"), Column("step", right=True), Column("size", right=True)]
    rows = [[one.name, one.kind, number(one.step), size(one.bytes), one.file] for one in found[-_ARTIFACTS:]]
    for line in table([*heads, Column("file", flex=True)], rows):
        say(line)
    if len(found) > _ARTIFACTS:
        say(f"… the newest {_ARTIFACTS} of {len(found)}: mlhub show {run.name} --json")


#: columns of a command shown to people; --json has all of it
_COMMAND = 1000
#: rows of metrics shown to people; an evaluation has hundreds, and its log shows them as tables
_METRICS = 80
#: artifacts shown to people
_ARTIFACTS = 20


def _source(imported: object) -> str | None:
    """Where an imported run came from."""
    from mlhub.text import one_line

    return one_line(f"{imported.get('kind')}, {imported.get('path')}") if isinstance(imported, dict) else None


def _code_line(git: dict[str, object]) -> str:
    from mlhub.text import one_line

    commit = str(git.get("commit") or "no commit yet")[:12]
    branch = f" on {git['branch']}" if git.get("branch") else ""
    return one_line(f"{commit}{' + changes' if git.get('dirty') else ''}{branch} in {git.get('root')}")


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
