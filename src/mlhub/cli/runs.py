"""`mlhub ls`, `show`, `stop`: the runs there are."""

from __future__ import annotations

from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.store.runs import Run


def ls(
    count: Annotated[int, typer.Option("-n", help="How many, newest first.", min=1)] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print an array of runs as JSON.")] = False,
) -> int:
    """List runs, newest first.

    \b
    mlhub ls            the newest 20
    mlhub ls -n 100 --json
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.runner.reconcile import glance, refresh_active

    hub = open_hub()
    refresh_active(hub.store)
    found = [glance(hub.store, run) for run in hub.store.newest(count)]
    if json:
        emit_json([run.to_json() for run in found])
        return 0
    if not found:
        say("no runs yet; start one: mlhub run quickstart")
        return 0
    _print_runs(found)
    return 0


def _print_runs(found: list[Run]) -> None:
    from mlhub.adapters import HASHING
    from mlhub.cli.out import Column, say, status_word, table
    from mlhub.text import duration, local_time, number, seconds_between

    heads = [
        Column("id", right=True),
        Column("status"),
        Column("name", flex=True),
        Column("kind"),
        Column("step", right=True),
        Column(HASHING.metric, right=True),
        Column("started", right=True),
        Column("took", right=True),
        Column("note", flex=True, least=10),
    ]
    rows = []
    for run in found:
        metric = run.summary.get(HASHING.metric, {})
        steps = [step for entry in run.summary.values() if isinstance(step := entry.get("step"), int)]
        rows.append(
            [
                str(run.id),
                run.status,
                run.name,
                run.kind,
                number(max(steps, default=None)),
                number(metric.get("last")),
                local_time(run.started_at or run.created_at),
                duration(seconds_between(run.started_at, run.ended_at)) if run.started_at else "–",
                run.condition or (run.reason if run.status != "completed" else None) or "",
            ]
        )
    lines = table(heads, rows)
    say(lines[0])
    for run, line in zip(found, lines[1:], strict=True):
        say(line.replace(run.status, status_word(run.status), 1))


def show(
    run: Annotated[str, typer.Argument(metavar="[RUN]", show_default=False)] = "@last",
    json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> int:
    """Show one run: status and its cause, command, metrics.

    \b
    mlhub show               the newest
    mlhub show calm-otter --json
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json
    from mlhub.runner.reconcile import refresh

    hub = open_hub()
    found = refresh(hub.store, hub.store.find(run))
    if json:
        emit_json(found.to_json() | extra_json(hub, found))
        return 0
    _print_run(hub, found)
    return 0


def extra_json(hub: Hub, run: Run) -> dict[str, object]:
    """What only one kind of run has: an evaluation's protocol."""
    from mlhub.runner.folder import protocol_of

    return {"protocol": protocol_of(hub.home.run(run.id))} if run.kind == "eval" else {}


def _print_run(hub: Hub, run: Run) -> None:
    import shlex

    from mlhub.cli.out import Column, say, status_word, table
    from mlhub.runner.folder import read_spec
    from mlhub.text import duration, local_time, number, one_line, seconds_between

    spec = read_spec(hub.home.run(run.id))
    command = spec.get("command")
    git = spec.get("git")
    facts = [
        ("status", status_word(run.status) + (f" ({run.condition})" if run.condition else "")),
        ("reason", run.reason and one_line(run.reason)),
        ("kind", run.kind),
        ("group", run.group and one_line(run.group)),
        ("tags", one_line(", ".join(run.tags))),
        ("preset", run.preset and one_line(run.preset)),
        ("started", local_time(run.started_at)),
        ("took", duration(seconds_between(run.started_at, run.ended_at))),
        ("pid", run.pid and f"{run.pid} (supervisor {run.supervisor_pid}) on {one_line(run.host)}"),
        ("command", one_line(shlex.join(map(str, command))) if isinstance(command, list) else None),
        ("code", _code_line(git) if isinstance(git, dict) else None),
        ("folder", run.dir),
    ]
    say(f"run {run.id}  {one_line(run.name)}")
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


#: rows of metrics shown to people; an evaluation has hundreds, and its log shows them as tables
_METRICS = 80


def _code_line(git: dict[str, object]) -> str:
    from mlhub.text import one_line

    commit = str(git.get("commit") or "no commit yet")[:12]
    return one_line(f"{commit}{' + changes' if git.get('dirty') else ''} in {git.get('root')}")


def stop(
    runs: Annotated[list[str] | None, typer.Argument(metavar="[RUN]...", show_default=False)] = None,
    grace: Annotated[float | None, typer.Option(help="Seconds between TERM and KILL.", min=0)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> int:
    """Stop runs: TERM to the whole process group, after the grace KILL to whatever is left of it.

    \b
    mlhub stop calm-otter
    mlhub stop 3 4 --grace 60
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say, tell
    from mlhub.cli.run import check_grace
    from mlhub.errors import MlhubError
    from mlhub.runner.reconcile import refresh
    from mlhub.text import one_line

    check_grace(grace)
    hub = open_hub()
    stopped = []
    failed = False
    for ref in runs or ["@last"]:  # one that can't be found or stopped must not keep the others running
        try:
            run = hub.store.find(ref)
            stopped.append(_stop_one(hub, refresh(hub.store, run), grace))
        except MlhubError as error:
            failed = True
            tell(f"error: {one_line(error.message)}")
            tell(f"hint:  {one_line(error.hint)}")
            continue
        if not json:
            say(_stop_line(run, stopped[-1]))
    if json:
        emit_json([run.to_json() for run in stopped])
    return int(failed)


def _stop_line(before: Run, after: Run) -> str:
    from mlhub.text import one_line

    if not before.active:
        return f"run {after.id}  {after.name}  had ended already: {after.status}"
    return f"run {after.id}  {after.name}  {after.status}" + (f": {one_line(after.reason)}" if after.reason else "")


def _stop_one(hub: Hub, run: Run, grace: float | None) -> Run:
    import getpass

    from mlhub.errors import MlhubError
    from mlhub.runner.reconcile import FOLDER_GONE, settle
    from mlhub.runner.stop import stop as stop_process

    if not run.active:
        return run
    if run.condition == FOLDER_GONE:  # and with it the proof of who is who
        raise MlhubError(f"run {run.id} runs, but {FOLDER_GONE}", f"Tell its supervisor: kill {run.supervisor_pid}")
    stop_process(hub.home.run(run.id), run.attempt, grace, getpass.getuser())
    return settle(hub.store, run)
