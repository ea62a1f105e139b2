"""`mlhub eval` and `mlhub index`: jobs on a trained checkpoint, each a run of its own, waited for unless detached."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.store.runs import Run

_Run = Annotated[str, typer.Argument(metavar="[RUN]", show_default=False)]
_Checkpoint = Annotated[str, typer.Option(help="best, last or a file.")]
_Detach = Annotated[bool, typer.Option("--detach", help="Return at once.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the run of the job as JSON.")]


def evaluate(
    run: _Run = "@last",
    checkpoint: _Checkpoint = "best",
    name: Annotated[str | None, typer.Option(help="A name for the evaluation's run.")] = None,
    detach: _Detach = False,
    json: _Json = False,
) -> int:
    """Evaluate a trained run on its held-out items: mAP and recall of the codes at every length, beside baselines.

    \b
    mlhub eval                  the newest training, its best checkpoint
    mlhub eval calm-otter --checkpoint last --json
    """
    return _job("eval", run, checkpoint, name, detach=detach, as_json=json)


def index(
    run: _Run = "@last",
    checkpoint: _Checkpoint = "best",
    name: Annotated[str | None, typer.Option(help="A name for the index's run.")] = None,
    detach: _Detach = False,
    json: _Json = False,
) -> int:
    """Encode the data set of a trained run, so that `mlhub search` can answer.

    \b
    mlhub index                 the newest training, its best checkpoint
    mlhub index calm-otter --checkpoint last
    """
    code = _job("index", run, checkpoint, name, detach=detach, as_json=json)
    if code == 0 and not json and not detach:
        from mlhub.cli.out import say

        say('search it: mlhub search "a dog"')
    return code


def _job(kind: str, ref: str, checkpoint: str, name: str | None, *, detach: bool, as_json: bool) -> int:
    from mlhub.adapters import HASHING
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json
    from mlhub.cli.run import announce
    from mlhub.cli.show import extra_json
    from mlhub.runner.kinds import find_hashing
    from mlhub.runner.names import check_word
    from mlhub.runner.preflight import check_packages
    from mlhub.runner.submit import Request, submit

    check_word("--name", name)
    hub = open_hub()
    trained = find_hashing(hub.store, ref)
    file = _checkpoint(hub, trained, checkpoint)
    check_packages()
    request = Request(
        command=HASHING.command(kind, "--checkpoint", str(file)),
        kind=kind,
        code=Path(__file__).parents[1],
        name=name,
        group=trained.group,
        detail={"run": trained.id, "checkpoint": str(file)},
    )
    started = submit(hub.store, request, max_runs=hub.settings.max_runs)
    if not as_json:
        return announce(hub, started, wait=False, follow=not detach, as_json=False)
    from mlhub.cli.wait import until_ended

    ended = started if detach else until_ended(hub, started)
    emit_json(ended.to_json() | extra_json(hub, ended))
    return 0 if detach or ended.status == "completed" else 1


def _checkpoint(hub: Hub, run: Run, which: str) -> Path:
    """The file of `best`, `last` or a path. Raises NotFoundError with what to do."""
    from mlhub.adapters import checkpoint_file
    from mlhub.errors import MlhubError, NotFoundError
    from mlhub.runner.kinds import is_hashing
    from mlhub.runner.reconcile import refresh
    from mlhub.text import one_line

    if which not in ("best", "last"):
        file = Path(os.path.expanduser(which)).absolute()
        if not file.is_file():
            raise NotFoundError(
                f"checkpoint {which}: no such file", "Give best, last or the path of a .safetensors file."
            )
        return file
    if not is_hashing(run):
        raise MlhubError(
            f"run {run.id} ({one_line(run.name)}) {_what(hub, run)}: only trainings of mlhub's own presets are read",
            'Theirs: mlhub ls --filter "kind:train adapter:hashing"; or leave RUN out: the newest of them',
        )
    file = checkpoint_file(hub.home.run(run.id).checkpoints, which)
    if not file.is_file():
        run = refresh(hub.store, run)
        hint = "Wait for its first validation." if run.active else f"See why: mlhub logs {run.name}"
        raise NotFoundError(f"run {run.id} ({run.name}, {run.status}) has no {which} checkpoint", hint)
    return file


def _what(hub: Hub, run: Run) -> str:
    """What a run is that is no training of ours, as the end of "run 3 (name) …"."""
    from mlhub.runner.imported import origin
    from mlhub.text import one_line

    if (source := origin(hub.home.run(run.id))) is not None:
        return f"was imported from {one_line(source.kind)}"
    if run.kind != "train":
        return f"is of kind {one_line(run.kind)}"
    return f"was trained by {one_line(run.adapter)}" if run.adapter else "was captured from a command"
