"""What a user sticks on a run afterwards: tags and a note. `labels.json` in its folder is the truth, the row a copy.

A run that was never labelled has no such file: the tags it was started with stand in `spec.json`.
"""

from __future__ import annotations

from typing import Any

from mlhub.errors import StoreError, UsageError
from mlhub.files import write_json
from mlhub.text import clean, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlhub.store.runs import Run
    from mlhub.store.store import Store

#: tags a run may have, and those that are read of a folder from elsewhere
_MOST_TAGS, _MOST_READ = 100, 1000
#: characters of a note
LONGEST_NOTE = 10_000


def change_tags(store: Store, run: Run, add: Sequence[str] = (), remove: Sequence[str] = ()) -> Run:
    """Give the run tags and take some away; what is in both is taken away. The run as it then is.

    Raises UsageError for what can't be a tag, StoreError if it can't be written; then nothing has changed.
    """
    from mlhub.runner.names import check_word  # with it comes OpenSSL, which no list of runs needs

    for word in add:
        check_word("tag", word)
    with store.transaction():
        run = store.reload(run)
        tags = [tag for tag in dict.fromkeys((*run.tags, *add)) if tag not in remove]
        if len(tags) > max(_MOST_TAGS, len(run.tags)):
            raise UsageError(f"run {run.id} would have {len(tags)} tags", f"{_MOST_TAGS} are the most; remove some.")
        return run if tags == run.tags else _write(store, run, tags, run.note)


def change_note(store: Store, run: Run, text: str) -> Run:
    """Write another note on the run, of one or several lines; an empty one takes it away. The run as it then is.

    Raises UsageError for one that is too long, StoreError if it can't be written; then nothing has changed.
    """
    note = clean_note(text)
    if note and len(note) > LONGEST_NOTE:
        raise UsageError(f"a note of {len(note)} characters", f"{LONGEST_NOTE} are the most; a file takes more.")
    with store.transaction():
        run = store.reload(run)
        return run if note == run.note else _write(store, run, run.tags, note)


def clean_note(text: str) -> str | None:
    """The text as it is kept: no control characters, no blanks around it; None if nothing is left."""
    unicode = text.encode(errors="replace").decode()
    return "\n".join(line.rstrip() for line in clean(unicode).expandtabs(4).strip().splitlines()) or None


def _write(store: Store, run: Run, tags: list[str], note: str | None) -> Run:
    """The file, then the row, within a transaction: one writer at a time."""
    paths = store.home.run(run.id)
    try:
        write_json(paths.labels, {"version": 1, "tags": tags, "note": note})
    except OSError as error:
        gone = not paths.root.is_dir()
        hint = f"mlhub rm {run.id} removes what is left of it." if gone else "Make room, or the folder writable."
        raise StoreError(
            f"run {run.id}: {'its folder is gone' if gone else error.strerror}; nothing was changed", hint
        ) from error
    store.set_labels(run, tags, note)
    return store.reload(run)


def told(tree: dict[str, Any], started_with: object) -> tuple[list[str], str | None]:
    """Tags and note as `labels.json` tells them; `started_with` are the tags in `spec.json`. All of it is data."""
    found = tree.get("tags", started_with)
    tags = (
        [word for tag in found[:_MOST_READ] if isinstance(tag, str) and (word := one_line(tag))]
        if isinstance(found, list)
        else []
    )
    note = tree.get("note")
    return tags, clean_note(note[:LONGEST_NOTE]) if isinstance(note, str) else None
