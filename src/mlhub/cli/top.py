"""`mlhub top`: the live screen, or its text form. What is drawn is `mlhub.tui`'s."""

from __future__ import annotations

from typing import Annotated

import typer


def top(
    run: Annotated[str | None, typer.Argument(metavar="[RUN]", show_default=False)] = None,
) -> int:
    """Watch runs live.

    \b
    mlhub top                the screen; ? shows the keys, q leaves
    mlhub top calm-otter     with this run's curves
    """
    from mlhub.cli.hub import open_hub
    from mlhub.tui.start import start

    hub = open_hub()
    focus = hub.store.find(run).id if run else None
    hub.store.close()
    start(hub.home, hub.settings, focus)
    return 0
