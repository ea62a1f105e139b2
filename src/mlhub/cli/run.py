"""`mlhub run`: start a training from a preset, or any command, detached."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.runner.submit import Request
    from mlhub.store.runs import Run


#: of priorities; SQLite's and JSON's numbers end somewhere
HIGHEST = 10**6
_LONGEST_GRACE = 7 * 86_400
#: a training saves first, which takes a large model a while
_COMMAND_GRACE, _TRAINING_GRACE = 10.0, 60.0


class RunCommand(TyperCommand):
    """Sets aside what follows `--`, which Typer by itself would mix with the arguments before it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - Typer does not export its type
        """Keep the words behind the first `--` for `run`, and let Typer see the others."""
        if "--" in args:
            split = args.index("--")
            ctx.meta["mlhub.command"] = tuple(args[split + 1 :])
            args = args[:split]
        return super().parse_args(ctx, args)


def run(
    context: typer.Context,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[PRESET|PROJECT:CONFIG [KEY=VALUE]...]", show_default=False)
    ] = None,
    name: Annotated[str | None, typer.Option(help="A name of your own, else one is made.")] = None,
    group: Annotated[str | None, typer.Option(help="The group (experiment) it belongs to.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be given again.")] = None,
    queue: Annotated[bool, typer.Option("--queue", help="Wait for its turn: see mlhub queue.")] = False,
    priority: Annotated[
        int, typer.Option(help="Of waiting runs the highest starts first.", min=-HIGHEST, max=HIGHEST)
    ] = 0,
    after: Annotated[str | None, typer.Option(metavar="RUN[,RUN]", help="Start when these have completed.")] = None,
    gpus: Annotated[int, typer.Option(help="Claim this many free GPUs; wait for them.", min=0)] = 0,
    retries: Annotated[int, typer.Option(help="Resume it so often after a crash.", min=0, max=100)] = 0,
    stop_on_nan: Annotated[bool, typer.Option("--stop-on-nan", help="End it when its loss is not a number.")] = False,
    grace: Annotated[
        float | None, typer.Option(help="Seconds between TERM and KILL on a stop (60 for a preset, else 10).", min=0)
    ] = None,
    venv: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Run the command in this virtual environment.")
    ] = None,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="Run the script with this Python.")] = None,
    cwd: Annotated[Path | None, typer.Option(metavar="DIR", help="Run the command in this folder.")] = None,
    no_capture: Annotated[bool, typer.Option("--no-capture", help="Leave its training alone: record nothing.")] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when it has ended; exit 0 only if it completed.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show its log until it has ended.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run; start nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> int:
    """Start a run: from a preset, of a project, or any command behind `--`. It returns at once; the run goes on.

    \b
    mlhub run quickstart                     a preset that ships with mlhub
    mlhub run mine.yaml training.seed=2      your own, one key changed
    mlhub run --name base -f quickstart      named, its log followed
    mlhub run -- python train.py --epochs 3  any command, a Trainer captured
    mlhub run --venv ../old -- python a.py   in another virtual environment
    mlhub run mine:conf/base.yaml lr=1e-3    a project's config, for its script
    mlhub run mine:train.py -- --epochs 3    a project's script, with arguments
    mlhub run --gpus 2 --after base my.yaml  when base completed, 2 GPUs free
    mlhub run --queue --retries 2 my.yaml    in its turn; resumed after a crash
    """
    check_grace(grace)
    check_follow(follow=follow, json=json)
    _check_values({"--venv": venv, "--python": python, "--cwd": cwd})
    request = _request(context.meta.get("mlhub.command", ()), words or [], name, group, tuple(tag or ()), grace)
    request = replace(request, queue=queue, priority=priority, gpus=gpus, retries=retries, stop_on_nan=stop_on_nan)
    request = _placed(request, venv, python, cwd, capture=not no_capture)
    if dry_run:
        from mlhub.cli.plan import show_plan

        return show_plan(request, as_json=json)
    from mlhub.cli.hub import open_hub
    from mlhub.runner.resume import find_after

    hub = open_hub()
    request = replace(request, after=find_after(hub.store, after))
    return start(hub, request, wait=wait, follow=follow, as_json=json)


def start(hub: Hub, request: Request, *, wait: bool, follow: bool, as_json: bool) -> int:
    """Check, start or queue, and say so: what `run` and `rerun` end in."""
    from mlhub.cli.out import tell
    from mlhub.cli.plan import why_off
    from mlhub.runner.preflight import check
    from mlhub.runner.submit import submit

    check(request.config, hub.home)
    if why := why_off(request):
        tell(f"capture is off{why}")
    started = submit(hub.store, request, max_runs=hub.settings.max_runs)
    return announce(hub, started, wait=wait, follow=follow, as_json=as_json)


def _request(
    command: tuple[str, ...],
    words: list[str],
    name: str | None,
    group: str | None,
    tags: tuple[str, ...],
    grace: float | None,
) -> Request:
    """What the words ask for. Raises UsageError, ConfigError or NotFoundError."""
    from mlhub.errors import NotFoundError, UsageError
    from mlhub.runner.names import check_words
    from mlhub.runner.submit import Request

    check_words(name, group, tags)
    if words and (part := _project_in(words[0])):
        from mlhub.cli.plan import request_of_project

        return request_of_project(*part, words[1:], command, name=name, group=group, tags=tags, grace=grace)
    if command and words:
        raise UsageError(f"both a preset ({words[0]}) and a command behind --", "Give one of them.")
    if command:
        return Request(
            command=command, name=name, group=group, tags=tags, grace=_COMMAND_GRACE if grace is None else grace
        )
    if not words:
        raise UsageError("nothing to run", "mlhub run PRESET.yaml, or mlhub run -- CMD ARG …")
    from mlhub.adapters import HASHING
    from mlhub.config import find_preset, load_config

    try:
        preset = find_preset(words[0])
    except NotFoundError as error:
        raise NotFoundError(error.message, f"{error.hint} A command goes behind --: mlhub run -- CMD ARG …") from None
    return Request(
        command=HASHING.command("train"),
        kind="train",
        adapter=HASHING.name,
        code=Path(__file__).parents[1],
        name=name,
        group=group,
        tags=tags,
        preset=preset,
        config=load_config(preset, words[1:]),
        grace=_TRAINING_GRACE if grace is None else grace,
    )


def _project_in(word: str) -> tuple[str, str] | None:
    if ":" not in word:
        return None
    from mlhub.projects.plan import split

    return split(word)


def _check_values(options: dict[str, Path | str | None]) -> None:
    """Raises UsageError where an option has taken the next one for its value: an empty variable leaves nothing."""
    from mlhub.errors import UsageError

    for option, value in options.items():
        if value is not None and str(value).startswith("-"):
            raise UsageError(f"{option} has no value before {value}", "Give it one; of a shell's variable in quotes.")


def _placed(request: Request, venv: Path | None, python: str | None, cwd: Path | None, *, capture: bool) -> Request:
    """The request in its folder and with its Python. Raises UsageError."""
    from mlhub.capture import find_python, python_of, with_python
    from mlhub.errors import UsageError

    option = "--venv" if venv else "--python" if python else "--cwd" if cwd else None
    if option and request.config is not None and not request.project:
        raise UsageError(f"{option} is for a command behind --; a preset has its own", "Leave it out.")
    if option and request.project:
        raise UsageError(f"{option}: project {request.project} has its own", f"mlhub project set {request.project}")
    if request.project:
        return replace(request, capture=capture)
    if venv and python:
        raise UsageError("both --venv and --python", "Give one of them.")
    if cwd and not cwd.is_dir():
        raise UsageError(f"--cwd {cwd}: no such folder", "Name the folder that the command is to run in.")
    command = request.command
    if venv:
        command = with_python(command, python_of(venv), must=False)
    elif python:
        command = with_python(command, find_python(python), must=True)
    folder = Path(os.path.abspath(cwd)) if cwd else request.cwd
    return replace(request, command=command, cwd=folder, venv=venv, capture=capture)


def check_follow(*, follow: bool, json: bool) -> None:
    """Raises UsageError for two that can't go together."""
    from mlhub.errors import UsageError

    if follow and json:
        raise UsageError("--follow and --json both want stdout", "Use --wait --json, or --follow alone.")


def check_grace(seconds: float | None) -> None:
    """A number of seconds that can be waited for: "inf" and "nan" would come out as none at all, and KILL at once."""
    from mlhub.errors import UsageError

    if seconds is not None and not 0 <= seconds <= _LONGEST_GRACE:
        raise UsageError(f"--grace {seconds:g}: not a time to wait", f"Give 0 to {_LONGEST_GRACE} seconds (a week).")


def announce(hub: Hub, run: Run, *, wait: bool, follow: bool, as_json: bool, log_from: int = 0) -> int:
    """Say what was started, and stay with it as long as was asked (the log from byte `log_from`). The exit status."""
    from mlhub.cli.logs import follow_run
    from mlhub.cli.out import emit_json, say, tell
    from mlhub.cli.wait import until_ended
    from mlhub.text import one_line

    if not as_json:
        say(f"run {run.id}  {run.name}  {run.status}" + (f" ({one_line(run.condition)})" if run.condition else ""))
        if run.waiting and os.environ.get("MLHUB_NOTIFY"):
            tell("note: a run that waits keeps no MLHUB_NOTIFY; for its notices put notify = … in config.toml")
        if run.waiting and not (wait or follow):
            say("  queue  mlhub queue")
            say(f"  stop   mlhub stop {run.name}")
        elif not (wait or follow):
            say(f"  log    mlhub logs -f {run.name}")
            say(f"  state  mlhub show {run.name}")
            say(f"  stop   mlhub stop {run.name}")
    sys.stdout.flush()
    if follow:
        run = follow_run(hub, run, start=log_from)
    elif wait:
        run = until_ended(hub, run)
    if as_json:
        emit_json(run.to_json())
    elif wait or follow:
        say(f"run {run.id}  {run.name}  {run.status}" + (f": {one_line(run.reason)}" if run.reason else ""))
    return 0 if run.status == "completed" or not (wait or follow) else 1
