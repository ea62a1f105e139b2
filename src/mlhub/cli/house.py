"""`mlhub rm` and `mlhub gc`: what is thrown away, and what else can be freed."""

from __future__ import annotations

from typing import Annotated

import typer


def rm(
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the removed ids as JSON.")] = False,
) -> int:
    """Remove ended runs: the row and the folder, checkpoints included.

    \b
    mlhub rm calm-otter
    """
    import sys

    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.errors import MlhubError
    from mlhub.runner.folder import remove
    from mlhub.runner.reconcile import refresh
    from mlhub.text import one_line

    hub = open_hub()
    found = [refresh(hub.store, hub.store.find(ref)) for ref in dict.fromkeys(runs)]
    for run in found:
        if run.active:
            raise MlhubError(
                f"run {run.id} ({one_line(run.name)}) is {run.status}", f"Stop it first: mlhub stop {run.name}"
            )
    if sys.stdin.isatty() and not yes and not json:
        names = ", ".join(one_line(run.name) for run in found)
        typer.confirm(f"Remove {names} and everything in the folder{'s' if len(found) > 1 else ''}?", abort=True)
    for run in found:
        remove(hub.store, run)
        if not json:
            say(f"removed run {run.id} ({one_line(run.name)})")
    if json:
        emit_json({"removed": [run.id for run in found]})
    return 0
