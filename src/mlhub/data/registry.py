"""Which data sets there are, what each is made of, and in which state it is. Not their making: `mlhub.data.prepare`.

A set is registered by `data/NAME.source.json`; one that was put into `data/NAME/` by hand needs none.
"""

from __future__ import annotations

import hashlib
import os
import stat
import uuid
from dataclasses import dataclass
from typing import Literal

import msgspec

from mlhub.data import place
from mlhub.data.formats.base import Source
from mlhub.data.items import ABOUT, Facts, Stored
from mlhub.errors import MlhubError, NotFoundError, UsageError
from mlhub.files import read_regular, replace_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mlhub.data.items import About
    from mlhub.paths import Home

#: `ready` to be trained on; `raw`: registered, and to be prepared; `preparing`; `missing`: neither; `broken`: can't be
#: read; `changed`: ready, and registered anew since
Status = Literal["ready", "raw", "preparing", "missing", "broken", "changed"]
#: what mlhub makes of packages that are installed
BUILT_IN = ("emoji",)


@dataclass(frozen=True, slots=True)
class State:
    """A data set as `mlhub data ls` has it."""

    name: str
    status: Status
    kind: str = ""
    detail: str = ""
    facts: Facts | None = None


def add(
    home: Home,
    name: str,
    paths: Sequence[Path],
    *,
    kind: str | None = None,
    images: Path | None = None,
    options: Mapping[str, str] | None = None,
    force: bool = False,
) -> Source:
    """Register a set: look at what it is made of, and note it. Nothing is read to its end, nothing is copied.

    Raises UsageError, NotFoundError, or MlhubError for what is of no form we know.
    """
    place.check_new(name)
    if name in BUILT_IN:
        raise UsageError(f"{name} is built in, and needs no source", f"Type: mlhub data prepare {name}")
    source = _source(name, [path.expanduser().absolute() for path in paths], kind, images, dict(options or {}))
    file = place.source_file(home, name)
    if file.exists() and not force and read(home, name) != source:
        raise UsageError(f"data set {name} is registered already", "Name it otherwise, or put --force.")
    if not file.exists() and home.dataset(name).exists() and not force:
        raise UsageError(
            f"data set {name} is there already, put there by hand", "Name it otherwise; --force prepares over it."
        )
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        replace_bytes(file, msgspec.json.format(msgspec.json.encode(source), indent=1) + b"\n")
    except OSError as error:
        raise MlhubError(f"{file}: {error.strerror}", "Make room, or make the folder writable.") from error
    return source


def _source(name: str, paths: list[Path], kind: str | None, images: Path | None, options: dict[str, str]) -> Source:
    from mlhub.data import catalogue, formats

    if len(paths) == 1 and paths[0].is_dir() and name in catalogue.NAMES and kind is None:
        return catalogue.source(name, paths[0], images, options)
    found = {formats.load(kind).name if kind else formats.detect(path).name for path in paths}
    if len(found) > 1:
        raise UsageError(
            f"the paths are of several forms: {', '.join(sorted(found))}", "Register each as a set of its own."
        )
    form = formats.load(found.pop())
    for path in paths:
        if not path.exists():
            raise NotFoundError(f"{path}: no such file or folder", "Name the file or folder as it was got.")
    for key in options:
        if key not in form.options:
            raise UsageError(
                f"-o {key}: {form.name} has no such option", f"It has: {', '.join(form.options) or 'none'}."
            )
    if images is not None and not images.is_dir():
        raise NotFoundError(f"--images {images}: no such folder", "Name the folder that the images' paths begin at.")
    root = str(images.expanduser().absolute()) if images else form.images(paths[0])
    return Source(form.name, tuple(map(str, paths)), root, options)


def read(home: Home, name: str) -> Source | None:
    """What a set is made of; None if it was not registered. Raises MlhubError."""
    file = place.source_file(home, name)
    try:
        return msgspec.json.decode(read_regular(file), type=Source)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MlhubError(f"{file}: can't be read: {error}", f"Register it anew: mlhub data add {name} PATH") from None


def names(home: Home) -> list[str]:
    """Every set there is or could be: those of the home, the built-in, and those whose fetching is described."""
    from mlhub.data import catalogue

    return sorted({*place.names(home), *BUILT_IN, *catalogue.NAMES})


def state(home: Home, name: str) -> State:
    """In which state a set is. A look at files; a set that was edited by hand is read through for its counts."""
    try:
        source = read(home, name)
        kind = source.kind if source else "built in" if name in BUILT_IN else ""
        if place.is_locked(home, name):
            return State(name, "preparing", kind)
        folder = place.folder(home, name)
        if (folder / ABOUT).is_file():
            stored = Stored.open(folder)
            changed = source is not None and not is_made_of(stored.about, source)
            return State(name, "changed" if changed else "ready", kind, "", stored.facts())
        if source is None:
            return State(name, "missing", kind)
        gone = [path for path in (*source.paths, source.images) if path and not os.path.exists(path)]
        if gone:
            return State(name, "missing", kind, f"{gone[0]}: no such file or folder")
        return State(name, "raw", kind)
    except MlhubError as error:
        return State(name, "broken", "", error.message)


def mark(source: Source) -> str:
    """What `dataset.json` says of where a set came from: its form, and which files."""
    options = "".join(f" {key}={value}" for key, value in sorted(source.options.items()))
    images = f" images={source.images}" if source.images else ""
    return f"{source.kind}{options}: {', '.join(source.paths)}{images}"


def stamp_of(source: Source) -> str:
    """Tells whether the files and folders that are named are as they were, by size and time; empty if one is gone.

    A look at those alone: a file that changed deep in a folder is not seen.
    """
    digest = hashlib.sha256()
    for path in source.paths:
        try:
            found = os.stat(path)
        except OSError:
            return ""
        digest.update(f"{found.st_size if not stat.S_ISDIR(found.st_mode) else 0} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def is_made_of(about: About, source: Source) -> bool:
    """Whether a set was made of that source, as it is now; one whose files are gone stays what it was made of."""
    return about.source == mark(source) and (about.stamp == (now := stamp_of(source)) or not now)


def remove(home: Home, name: str) -> None:
    """Forget a set and remove what mlhub made of it; what it was made of stays. Raises NotFoundError, MlhubError."""
    folder, file = place.folder(home, name), place.source_file(home, name)
    working = place.making(home, name)
    if not any(map(os.path.lexists, (folder, file, working))):
        raise NotFoundError(f"no data set {name}", "mlhub data ls shows what there is.")
    if place.is_locked(home, name):
        raise MlhubError(f"data set {name} is being prepared", "Wait for it, or stop that run: mlhub ls")
    with place.locked(home, name):
        try:
            file.unlink(missing_ok=True)
            folder.with_name(f".{name}.check").unlink(missing_ok=True)
            for path in (folder, working):
                if os.path.lexists(path):  # out of sight at once: a set half removed would look like a damaged one
                    path.rename(path.with_name(f".{name}.{uuid.uuid4().hex[:12]}.tmp"))
        except OSError as error:
            raise MlhubError(f"{folder}: can't be removed: {error.strerror}", "Mend the folder's rights.") from error
        place.sweep(home, name)
