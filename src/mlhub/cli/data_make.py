"""`mlhub data prepare`: make a set ready. A registered one by a run of its own, the built-in one at once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.paths import Home


def prepare(
    name: Annotated[str, typer.Argument(metavar="[DATASET]", help="The data set.")] = "emoji",
    force: Annotated[bool, typer.Option("--force", help="Make it anew, whatever is there.")] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out, count and list what can't be taken.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; the run goes on.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")] = False,
) -> int:
    """Make a data set ready. One that is whole is left alone.

    A registered set is made by a run of kind prepare: it survives the terminal, and goes on where it was if it is
    killed and started again.

    \b
    mlhub data prepare emoji      built from installed packages, no download
    mlhub data prepare birds      its source as JSONL; Ctrl-C leaves it going on
    mlhub data prepare birds --skip-bad --detach
    """
    from mlhub.cli.hub import open_home
    from mlhub.data import registry
    from mlhub.data.prepare import is_current

    home = open_home()
    if registry.read(home, name) is not None and (force or not is_current(name, home)):
        return _by_run(home, name, force=force, skip_bad=skip_bad, detach=detach, as_json=json)
    return _at_once(home, name, force=force, as_json=json)


def _at_once(home: Home, name: str, *, force: bool, as_json: bool) -> int:
    """What is there, or what takes seconds: its images are looked at."""
    from mlhub.cli.out import emit_json, say
    from mlhub.cli.progress import Progress
    from mlhub.data.prepare import check_images, find, known, make
    from mlhub.text import one_line

    progress = Progress()
    try:
        stored = make(name, home, progress, force=force)
        if name not in known():  # those it makes were checked by the making
            check_images(find(name, home), progress)
    finally:
        progress.end()
    if as_json:
        emit_json(_made(home, name))
        return 0
    say(one_line(f"data set {stored.name}: {stored.facts().items} items in {stored.folder}"))
    return 0


def _by_run(home: Home, name: str, *, force: bool, skip_bad: bool, detach: bool, as_json: bool) -> int:
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.cli.run import announce
    from mlhub.cli.wait import until_ended
    from mlhub.data import place
    from mlhub.data.__main__ import STEPS
    from mlhub.errors import MlhubError
    from mlhub.runner.submit import Request, submit

    if place.is_locked(home, name):
        raise MlhubError(f"data set {name} is being prepared", 'See: mlhub ls --filter "kind:prepare status:running"')
    hub = open_hub()
    flags = [*(["--force"] if force else []), *(["--skip-bad"] if skip_bad else [])]
    request = Request(
        command=(sys.executable, "-m", "mlhub.data", name, *flags),
        kind="prepare",
        code=Path(__file__).parents[1],
        detail={"dataset": name, "max_steps": STEPS},
        capture=False,
    )
    started = submit(hub.store, request, max_runs=hub.settings.max_runs)
    if not as_json:
        code = announce(hub, started, wait=False, follow=not detach, as_json=False)
        if code == 0 and not detach and is_ready(home, name):
            say(f"look at it: mlhub data preview {name}")
        return code
    ended = started if detach else until_ended(hub, started)
    emit_json(_made(home, name) | {"run": ended.to_json()})
    return 0 if detach or ended.status == "completed" else 1


def is_ready(home: Home, name: str) -> bool:
    from mlhub.data import registry

    return registry.state(home, name).status == "ready"


def _made(home: Home, name: str) -> dict[str, Any]:
    from mlhub.cli.data import row
    from mlhub.data import registry

    return row(home, registry.state(home, name))
