"""`mlhub show`: one run, as JSON; as text: `mlhub.cli.show_text`."""

from __future__ import annotations

from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.store.runs import Run


def show(
    run: Annotated[str, typer.Argument(metavar="[RUN]", show_default=False)] = "@last",
    json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> int:
    """Show one run: status and its cause, command, config, model, checkpoints, metrics.

    \b
    mlhub show               the newest
    mlhub show calm-otter --json
    """
    from msgspec.structs import replace

    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json
    from mlhub.cli.show_text import print_run
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
    print_run(hub, found)
    return 0


def extra_json(hub: Hub, run: Run) -> dict[str, object]:
    """What its files say beside the row: what to do next, what it kept and saved, and an evaluation's protocol."""
    from mlhub import artifacts
    from mlhub.runner.advice import advice
    from mlhub.runner.captured import read_model, read_saved
    from mlhub.runner.folder import protocol_of
    from mlhub.runner.imported import origin

    paths = hub.home.run(run.id)
    protocol: dict[str, object] = {"protocol": protocol_of(paths)} if run.kind == "eval" else {}
    source = origin(paths)
    imported: dict[str, object] = {"imported": source.to_json()} if source else {}
    kept = [artifact.to_json() for artifact in artifacts.read(paths.root)]
    trained = {"model": read_model(paths), "checkpoints": [saved.to_json() for saved in read_saved(paths)]}
    return {"advice": advice(run, paths), "artifacts": kept} | trained | imported | protocol
