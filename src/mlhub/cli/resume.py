"""`mlhub resume` and `mlhub rerun`: an ended run's next attempt, and a new run from what an old one was."""

from __future__ import annotations

from typing import Annotated

import typer

from mlhub.cli.run import HIGHEST

_Wait = Annotated[bool, typer.Option("--wait", help="Return when it has ended; exit 0 only if it completed.")]
_Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show its log until it has ended.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the run as JSON.")]
_Queue = Annotated[bool, typer.Option("--queue", help="Wait for its turn: see mlhub queue.")]
_Retries = Annotated[int, typer.Option(help="Resume it so often after a crash.", min=0, max=100)]


def resume(
    run: Annotated[str, typer.Argument(metavar="[RUN]", show_default=False)] = "@last",
    queue: _Queue = False,
    retries: _Retries = 0,
    priority: Annotated[
        int | None, typer.Option(help="Of waiting runs the highest starts first.", min=-HIGHEST, max=HIGHEST)
    ] = None,
    gpus: Annotated[int | None, typer.Option(help="Claim this many free GPUs (default: as before).", min=0)] = None,
    wait: _Wait = False,
    follow: _Follow = False,
    json: _Json = False,
) -> int:
    """Continue a failed or stopped run, as its next attempt: its program goes on from its last checkpoint.

    It gets the environment of this shell, as a new run would; --retries keep the one it was started with.

    \b
    mlhub resume                    the newest run
    mlhub resume calm-otter -f
    mlhub resume 12 --queue --retries 3
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import tell
    from mlhub.cli.run import announce, check_follow
    from mlhub.runner.resume import code_changed
    from mlhub.runner.resume import resume as start_again

    check_follow(follow=follow, json=json)
    hub = open_hub()
    found = hub.store.find(run)
    hub.refresh()
    log = hub.home.run(found.id).log
    begins = log.stat().st_size if log.exists() else 0
    done = start_again(
        hub.store,
        hub.store.reload(found),
        queue=queue,
        retries=retries,
        priority=priority,
        gpus=gpus,
        max_runs=hub.settings.max_runs,
    )
    if done.ended:
        tell(f"ended what its last attempt had left behind: {', '.join(map(str, done.ended))}")
    for other in done.dropped:
        tell(f"it waits no more for run {other.id} ({other.name}), which {other.status}")
    if changed := code_changed(hub.home.run(found.id)):
        tell(f"warning: the code has changed since it was started: {changed}")
    if not json:
        tell(f"attempt {done.run.attempt}")
    return announce(hub, done.run, wait=wait, follow=follow, as_json=json, log_from=begins)


def rerun(
    run: Annotated[str, typer.Argument(metavar="RUN", show_default=False)],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", show_default=False)] = None,
    name: Annotated[str | None, typer.Option(help="A name of your own, else one is made.")] = None,
    group: Annotated[str | None, typer.Option(help="The group it belongs to (default: the old run's).")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag beside the old run's; may be given again.")] = None,
    queue: _Queue = False,
    priority: Annotated[
        int, typer.Option(help="Of waiting runs the highest starts first.", min=-HIGHEST, max=HIGHEST)
    ] = 0,
    after: Annotated[str | None, typer.Option(metavar="RUN[,RUN]", help="Start when these have completed.")] = None,
    gpus: Annotated[int | None, typer.Option(help="Claim this many free GPUs (default: as before).", min=0)] = None,
    retries: _Retries = 0,
    wait: _Wait = False,
    follow: _Follow = False,
    json: _Json = False,
) -> int:
    """Start a new run from the recorded configuration of an old one, some keys changed; warn if the code changed.

    \b
    mlhub rerun calm-otter training.batch_size=32
    mlhub rerun 12 training.seed=2 --name twelve-b
    """
    from dataclasses import replace

    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import tell
    from mlhub.cli.run import check_follow, start
    from mlhub.runner.names import check_words
    from mlhub.runner.reconcile import refresh
    from mlhub.runner.resume import code_changed, find_after, rerun_request

    check_follow(follow=follow, json=json)
    check_words(name, group, tag)
    hub = open_hub()
    found = refresh(hub.store, hub.store.find(run))
    request = rerun_request(hub.store, found, overrides or [])
    request = replace(
        request,
        name=name,
        group=group or request.group,
        tags=tuple(dict.fromkeys((*request.tags, *(tag or ())))),
        queue=queue,
        priority=priority,
        after=find_after(hub.store, after),
        gpus=request.gpus if gpus is None else gpus,
        retries=retries,
    )
    if changed := code_changed(hub.home.run(found.id)):
        tell(f"warning: the code has changed since run {found.id}: {changed}")
    return start(hub, request, wait=wait, follow=follow, as_json=json)
