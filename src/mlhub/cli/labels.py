"""`mlhub tag` and `mlhub note`: what a user sticks on a run afterwards."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.store.runs import Run
    from mlhub.store.store import Store


def tag(
    runs: Annotated[str, typer.Argument(metavar="RUN[,RUN]", show_default=False)],
    tags: Annotated[list[str] | None, typer.Argument(metavar="[TAG]...", show_default=False)] = None,
    remove: Annotated[
        list[str] | None, typer.Option("--remove", "-r", metavar="TAG", help="Take this one away; may be given again.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the runs as JSON.")] = False,
) -> int:
    """Tag runs, take tags away, or show those they have.

    \b
    mlhub tag calm-otter paper fast      two more tags
    mlhub tag 12,13 paper --remove old   two runs at once
    mlhub tag calm-otter                 only show them
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.runner.labels import change_tags
    from mlhub.text import one_line

    hub = open_hub()
    found = _find_all(hub.store, runs)
    if tags or remove:
        found = [change_tags(hub.store, run, tags or (), remove or ()) for run in found]
    if json:
        emit_json([run.to_json() for run in found])
        return 0
    for run in found:
        say(f"run {run.id}  {one_line(run.name)}  {one_line(', '.join(run.tags)) or 'no tags'}")
    return 0


def _find_all(store: Store, words: str) -> list[Run]:
    """The runs that RUN[,RUN] names, each once. Raises NotFoundError, before anything is changed."""
    found = [store.find(word) for part in words.split(",") if (word := part.strip())]
    return list({run.id: run for run in found or [store.find(words)]}.values())


def note(
    run: Annotated[str, typer.Argument(metavar="RUN", show_default=False)],
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", show_default=False)] = None,
    edit: Annotated[bool, typer.Option("--edit", "-e", help="Open it in $VISUAL or $EDITOR.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the run as JSON.")] = False,
) -> int:
    """Write a note on a run, or show the one it has.

    \b
    mlhub note calm-otter "diverges after epoch 3"
    mlhub note calm-otter -e       in your editor
    mlhub note calm-otter          show it
    mlhub note calm-otter ""       take it away
    mlhub note calm-otter - < notes.txt
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json, say
    from mlhub.errors import UsageError
    from mlhub.runner.labels import change_note
    from mlhub.text import clean

    if edit and text is not None:
        raise UsageError("both a text and --edit", "Give one of them.")
    store = open_hub().store
    found = store.find(run)
    if edit:
        text = _edited(found.note or "")
    elif text == "-":
        text = sys.stdin.read()
    if text is not None:
        found = change_note(store, found, text)
    if json:
        emit_json(found.to_json())
    elif found.note:
        say(clean(found.note))
    else:
        say(f"run {found.id} has no note")
    return 0


def _edited(text: str) -> str:
    """The text as the user's editor leaves it. Raises MlhubError if there is none, or it fails."""
    import shlex
    import subprocess
    import tempfile
    from pathlib import Path

    from mlhub.errors import MlhubError

    words = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    with tempfile.TemporaryDirectory(prefix="mlhub-") as folder:
        file = Path(folder) / "note.txt"
        file.write_text(text + "\n" if text else "", encoding="utf-8")
        try:
            code = subprocess.run([*shlex.split(words), str(file)], check=False).returncode
        except (OSError, ValueError) as error:
            raise MlhubError(f"{words}: can't be started ({error})", "Set EDITOR, or give the text itself.") from error
        if code:
            raise MlhubError(f"{words} ended with exit code {code}; the note is as it was", "Try again.")
        return file.read_text(encoding="utf-8", errors="replace")
