"""`mlhub run`: start a training from a preset, or any command, detached."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.runner.submit import Request
    from mlhub.store.runs import Run


_LONGEST_GRACE = 7 * 86_400


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
    words: Annotated[list[str] | None, typer.Argument(metavar="[PRESET [KEY=VALUE]...]", show_default=False)] = None,
    name: Annotated[str | None, typer.Option(help="A name of your own, else one is made.")] = None,
    group: Annotated[str | None, typer.Option(help="The group (experiment) it belongs to.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="A tag; may be given again.")] = None,
    grace: Annotated[float, typer.Option(help="Seconds between TERM and KILL when it is stopped.", min=0)] = 10.0,
    wait: Annotated[
        bool, typer.Option("--wait", help="Return when it has ended; exit 0 only if it completed.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show its log until it has ended.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be run; start nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> int:
    """Start a run: from a preset, or any command behind `--`. It returns at once; the run goes on without it.

    \b
    mlhub run quickstart                          a preset that ships with mlhub
    mlhub run configs/mine.yaml training.seed=2   your own, one key changed
    mlhub run --name base -f quickstart           named, its log followed
    mlhub run -- python train.py --epochs 3       any command
    """
    from mlhub.errors import UsageError

    check_grace(grace)
    if follow and json:
        raise UsageError("--follow and --json both want stdout", "Use --wait --json, or --follow alone.")
    request = _request(context.meta.get("mlhub.command", ()), words or [], name, group, tuple(tag or ()), grace)
    if dry_run:
        return _show_plan(request, as_json=json)
    from mlhub.cli.hub import open_hub
    from mlhub.runner.preflight import check
    from mlhub.runner.submit import submit

    hub = open_hub()
    if request.config is not None:
        check(request.config, hub.home)
    started = submit(hub.store, request)
    return announce(hub, started, wait=wait, follow=follow, as_json=json)


def _request(
    command: tuple[str, ...], words: list[str], name: str | None, group: str | None, tags: tuple[str, ...], grace: float
) -> Request:
    """What the words ask for. Raises UsageError, ConfigError or NotFoundError."""
    from mlhub.errors import NotFoundError, UsageError
    from mlhub.runner.submit import Request

    for label, text in (("--name", name), ("--group", group), *(("--tag", tag) for tag in tags)):
        check_word(label, text)
    if command and words:
        raise UsageError(f"both a preset ({words[0]}) and a command behind --", "Give one of them.")
    if command:
        return Request(command=command, name=name, group=group, tags=tags, grace=grace)
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
        code=Path(__file__).parents[1],
        name=name,
        group=group,
        tags=tags,
        preset=preset,
        config=load_config(preset, words[1:]),
        grace=grace,
    )


def check_word(label: str, text: str | None) -> None:
    """A name is typed, listed and matched: no control characters, nothing that reads as an id, an option or @last."""
    from mlhub.errors import UsageError
    from mlhub.text import one_line

    if text is None:
        return
    if (
        not text
        or one_line(text) != text
        or not text.isprintable()
        or text[0] in "-@"
        or len(text) > 100
        or "/" in text
        or "," in text
    ):
        raise UsageError(
            f"{label} {one_line(text)!r}: not usable", "Up to 100 letters and signs, no / or comma, not - or @ first."
        )
    if label == "--name" and text.isdigit():
        raise UsageError(f"{label} {text}: a number would be read as a run's id", "Put a letter in it.")


def check_grace(seconds: float | None) -> None:
    """A number of seconds that can be waited for: "inf" and "nan" would come out as none at all, and KILL at once."""
    from mlhub.errors import UsageError

    if seconds is not None and not 0 <= seconds <= _LONGEST_GRACE:
        raise UsageError(f"--grace {seconds:g}: not a time to wait", f"Give 0 to {_LONGEST_GRACE} seconds (a week).")


def _show_plan(request: Request, *, as_json: bool) -> int:
    import shlex

    import msgspec

    from mlhub.cli.out import emit_json, say
    from mlhub.runner.spec import redact_command
    from mlhub.settings import Settings
    from mlhub.store.store import next_id

    home = Settings.load().to_home()
    folder = home.run(next_id(home)).root
    if as_json:
        config = msgspec.to_builtins(request.config) if request.config else {}
        emit_json(
            {"config": config, "command": redact_command(request.command), "cwd": str(request.cwd), "dir": str(folder)}
        )
        return 0
    if request.config is not None:
        say(f"# {request.preset}, resolved")
        say(request.config.to_yaml())
    say(f"command  {shlex.join(redact_command(request.command))}")
    say(f"cwd      {request.cwd}")
    say(f"folder   {folder}")
    say("dry run: nothing was started")
    return 0


def announce(hub: Hub, run: Run, *, wait: bool, follow: bool, as_json: bool) -> int:
    """Say what was started, and stay with it as long as was asked. The exit status."""
    from mlhub.cli.logs import follow_run, wait_for
    from mlhub.cli.out import emit_json, say
    from mlhub.text import one_line

    if not as_json:
        say(f"run {run.id}  {run.name}  {run.status}")
        if not (wait or follow):
            say(f"  log    mlhub logs -f {run.name}")
            say(f"  state  mlhub show {run.name}")
            say(f"  stop   mlhub stop {run.name}")
    sys.stdout.flush()
    if follow:
        run = follow_run(hub, run)
    elif wait:
        run = wait_for(hub, run)
    if as_json:
        emit_json(run.to_json())
    elif wait or follow:
        say(f"run {run.id}  {run.name}  {run.status}" + (f": {one_line(run.reason)}" if run.reason else ""))
    return 0 if run.status == "completed" or not (wait or follow) else 1
