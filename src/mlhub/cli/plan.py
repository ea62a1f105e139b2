"""What `mlhub run` is about to start: a project's request, and the plan that --dry-run shows."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from mlhub.runner.submit import Request


def request_of_project(
    project: str,
    what: str,
    words: Sequence[str],
    behind: Sequence[str],
    **fields: Any,  # noqa: ANN401 - of a Request
) -> Request:
    """The request that `PROJECT:WHAT` means; what is to be said of it goes to stderr. Raises MlhubError."""
    from pathlib import Path

    from mlhub.capture import with_python
    from mlhub.cli.out import tell
    from mlhub.projects.plan import plan
    from mlhub.runner.submit import Request
    from mlhub.settings import Settings
    from mlhub.text import one_line

    made = plan(Settings.load().to_home(), project, what, words, behind)
    for note in made.notes:
        tell(f"note: {one_line(note)}")
    command = made.command if what else with_python(made.command, Path(made.python), must=False)
    if fields.get("grace") is None:
        fields["grace"] = made.adapter.grace
    return Request(
        command=command,
        kind="train" if what else "command",
        cwd=Path(made.project.folder),
        venv=made.venv,
        config=made.config,
        preset=made.preset,
        adapter=made.adapter.name,
        project=made.project.name,
        invocation=made.invocation,
        **fields,
    )


def show_plan(request: Request, *, as_json: bool) -> int:
    """What would be run, and nothing started."""
    import shlex

    from mlhub.adapters.template import place
    from mlhub.cli.out import emit_json, say
    from mlhub.redact import redact_command
    from mlhub.settings import Settings
    from mlhub.store.store import next_id
    from mlhub.text import one_line

    home = Settings.load().to_home()
    folder = home.run(next_id(home)).root
    command = redact_command(place(request.command, folder))
    if as_json:
        config = request.config.tree() if request.config is not None else {}
        plan: dict[str, object] = {"config": config, "command": command, "cwd": str(request.cwd)}
        plan |= {"venv": _venv(request), "capture": _captured(request)}
        plan |= {"adapter": request.adapter, "project": request.project}
        emit_json(plan | {"dir": str(folder)})
        return 0
    if request.config is not None:
        say(f"# {request.preset}, resolved")
        say(_text(request))
    if request.project:
        say(f"project  {one_line(request.project)} (adapter {request.adapter})")
    say(f"command  {one_line(shlex.join(command))}")
    say(f"cwd      {one_line(str(request.cwd))}")
    if request.venv:
        say(f"venv     {one_line(str(_venv(request)))}")
    say(f"capture  {'on' if _captured(request) else 'off'}{why_off(request)}")
    say(f"folder   {folder}")
    say("dry run: nothing was started")
    return 0


def _text(request: Request) -> str:
    from mlhub.text import clean

    return clean(request.config.to_yaml()) if request.config is not None else ""


def _venv(request: Request) -> str | None:
    folder: Path | None = request.venv
    return str(folder.absolute()) if folder else None


def _captured(request: Request) -> bool:
    from mlhub.capture import ignored_by, is_own

    return request.capture and not is_own(request.command) and ignored_by(request.command) is None


def why_off(request: Request) -> str:
    """What keeps the capture that is wanted from the command, after a colon; "" if nothing does."""
    from mlhub.capture import ignored_by

    option = ignored_by(request.command) if request.capture else None
    return f": python {option} does not look at PYTHONPATH" if option else ""
