"""`mlhub queue`: what waits, for what and in which order; pausing it, moving in it, and watching over it."""

from __future__ import annotations

import time
from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.store.runs import Run

app = typer.Typer(
    rich_markup_mode=None,
    help="""Show what waits, and in which order it will start.

\b
mlhub queue                        what waits, and for what
mlhub queue move calm-otter        to the front
mlhub queue pause                  start nothing more; what runs goes on
mlhub queue resume                 go on
""",
)

_WATCH_SECONDS = 5.0


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Print the queue as JSON.")] = False,
) -> None:
    if context.invoked_subcommand is not None:
        return
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json

    hub = open_hub()
    _tick(hub)
    if json:
        emit_json(_document(hub))
    else:
        _print(hub)


def _tick(hub: Hub) -> None:
    """Whatever else, look: a queue that is shown is one that goes on."""
    from mlhub.runner.queue import tick

    tick(hub.store, max_runs=hub.settings.max_runs)


def _document(hub: Hub) -> dict[str, object]:
    import socket

    host = socket.gethostname()
    state = hub.store.queue_state(host)
    active = [run.id for run in hub.store.active() if run.host == host and not run.waiting]
    return {
        "host": host,
        "paused": state.paused,
        "reason": state.reason if state.paused else None,
        "limit": hub.settings.max_runs or None,
        "active": active,
        "waiting": [run.to_json() for run in hub.store.waiting(host)],
    }


def _print(hub: Hub) -> None:
    import socket

    from mlhub.cli.out import Column, say, table
    from mlhub.text import local_time, one_line

    host = socket.gethostname()
    state, waiting = hub.store.queue_state(host), hub.store.waiting(host)
    active = sum(run.host == host and not run.waiting for run in hub.store.active())
    limit = f" of {hub.settings.max_runs}" if hub.settings.max_runs else ""
    say(f"{active}{limit} active, {len(waiting)} waiting")
    if state.paused:
        say(f"PAUSED: {one_line(state.reason or 'by hand')}; mlhub queue resume goes on")
    if others := hub.store.waiting_elsewhere(host):
        hosts = ", ".join(sorted({one_line(run.host) for run in others}))
        say(f"{len(others)} more on {hosts}, started from there; mlhub queue adopt HOST takes them over")
    if not waiting:
        return
    heads = [Column("id", right=True), Column("name", flex=True), Column("prio", right=True)]
    heads += [Column("gpus", right=True), Column("queued", right=True), Column("note", flex=True, least=16)]
    for line in table(heads, [_row(run, local_time(run.created_at)) for run in waiting]):
        say(line)


def _row(run: Run, since: str) -> list[str]:
    again = f"attempt {run.attempt}, " if run.attempt > 1 else ""
    return [str(run.id), run.name, str(run.priority), str(run.gpus_wanted or "–"), since, again + (run.condition or "")]


@app.command()
def pause(
    reason: Annotated[str | None, typer.Argument(metavar="[REASON]", show_default=False)] = None,
) -> None:
    """Start nothing more from the queue; what runs goes on. `mlhub run` itself still starts where there is room.

    \b
    mlhub queue pause "driver update at noon"
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import say
    from mlhub.runner.queue import set_paused
    from mlhub.text import one_line

    hub = open_hub()
    set_paused(hub.store, paused=True, reason=one_line(reason)[:200] if reason else None)
    _tick(hub)
    say("queue paused; mlhub queue resume goes on")


@app.command()
def resume() -> None:
    """Go on starting what waits.

    \b
    mlhub queue resume
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import say
    from mlhub.runner.queue import set_paused, tick

    hub = open_hub()
    set_paused(hub.store, paused=False, reason=None)
    started = tick(hub.store, max_runs=hub.settings.max_runs)
    say(f"queue goes on: {len(started)} started")
    _print(hub)


@app.command()
def move(
    run: Annotated[str, typer.Argument(metavar="RUN", show_default=False)],
    before: Annotated[str | None, typer.Option(metavar="RUN", help="To just before this one.")] = None,
    last: Annotated[bool, typer.Option("--last", help="To the end.")] = False,
) -> None:
    """Move a waiting run: to the front, to the end, or before another. Its priority becomes its new neighbours'.

    \b
    mlhub queue move calm-otter
    mlhub queue move calm-otter --before swift-fox
    """
    from mlhub.cli.hub import open_hub
    from mlhub.errors import MlhubError, UsageError
    from mlhub.runner import queue

    if before is not None and last:
        raise UsageError("both --before and --last", "Give one of them.")
    hub = open_hub()
    found = hub.store.find(run)
    if not found.waiting:
        raise MlhubError(f"run {found.id} ({found.name}) is not waiting: {found.status}", "mlhub queue shows what is.")
    other = hub.store.find(before) if before is not None else None
    if other is not None and other.id == found.id:
        raise UsageError(f"run {found.id} can't stand before itself", "Name another run.")
    if not queue.move(hub.store, found, before=other, last=last):
        raise MlhubError(f"run {found.id} ({found.name}) has just started", f"mlhub show {found.name}")
    _tick(hub)
    _print(hub)


@app.command()
def adopt(host: Annotated[str, typer.Argument(metavar="HOST", show_default=False)]) -> None:
    """Let runs that wait on another host wait here: after this machine, or container, got another name.

    \b
    mlhub queue adopt old-name
    """
    import socket

    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import say
    from mlhub.runner.order import write_facts
    from mlhub.text import one_line

    hub = open_hub()
    count = hub.store.adopt(host, socket.gethostname())
    for run in hub.store.waiting(socket.gethostname()):
        write_facts(hub.home.run(run.id), run)
    _tick(hub)
    say(f"{count} taken over from {one_line(host)}")
    _print(hub)


@app.command()
def drain() -> None:
    """Pause the queue and wait until everything that runs has ended: before an update or a reboot.

    \b
    mlhub queue drain && sudo reboot
    """
    import socket

    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import say, tell
    from mlhub.runner.queue import set_paused
    from mlhub.runner.reconcile import refresh_active

    hub = open_hub()
    set_paused(hub.store, paused=True, reason="drained")
    left = -1
    try:
        while True:
            refresh_active(hub.store)
            running = [r for r in hub.store.active() if not r.waiting and r.host == socket.gethostname()]
            if len(running) != left:
                left = len(running)
                names = ", ".join(run.name for run in running[:4]) + (" …" if left > 4 else "")
                tell(f"waiting for {left} run{'s' if left != 1 else ''}: {names}" if left else "nothing runs")
            if not running:
                break
            time.sleep(0.5)
    except KeyboardInterrupt:
        tell("the queue stays paused, and what runs goes on; mlhub queue resume")
        raise typer.Exit(130) from None
    say("queue drained and paused; mlhub queue resume goes on")


@app.command()
def watch(
    interval: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.5, max=86_400)] = _WATCH_SECONDS,
) -> None:
    """Look after the queue until Ctrl-C. It needs no watching where runs end by themselves or somebody looks;
    this is for GPUs that other people free. `mlhub doctor --unit` prints a systemd unit for it.

    \b
    mlhub queue watch --interval 30
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import tell
    from mlhub.errors import StoreError, UsageError
    from mlhub.runner.queue import tick
    from mlhub.text import one_line

    if not interval >= 0.5:  # "nan"
        raise UsageError(f"--interval {interval}: not a time to wait", "Give 0.5 to 86400 seconds.")
    hub = open_hub()
    tell(f"watching the queue every {interval:g} s; Ctrl-C ends the watching, not the runs")
    try:
        while True:
            try:
                for run in tick(hub.store, max_runs=hub.settings.max_runs):
                    tell(f"started run {run.id}  {one_line(run.name)}")
            except StoreError as error:  # a full disk or a busy database is no reason to stop looking
                tell(f"error: {one_line(error.message)}")
                hub = open_hub()  # it may have been replaced
            time.sleep(interval)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
