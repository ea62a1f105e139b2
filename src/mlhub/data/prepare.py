"""Find a data set in the home, or make it there. Not how one is built: `mlhub.data.emoji`.

A set is made in a temporary folder beside its place and renamed when whole, under a lock: two at once are safe, and one
killed midway leaves a hidden folder that the next one removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable

from mlhub.data import emoji
from mlhub.data.items import ABOUT, Dataset
from mlhub.errors import MlhubError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.paths import Home

#: done, total, what is being done; a remark, where total is 0
Progress = Callable[[int, int, str], None]

_BUILDERS: dict[str, Callable[[Path, Progress], None]] = {"emoji": emoji.build}


def known() -> tuple[str, ...]:
    """Names of the data sets that `prepare` can make."""
    return tuple(_BUILDERS)


def find(name: str, home: Home) -> Dataset:
    """The prepared data set of that name. Raises NotFoundError naming the command that makes it."""
    folder = _folder(name, home)
    if not (folder / ABOUT).is_file():
        raise _not_prepared(name, folder)
    dataset = Dataset.open(folder)
    if dataset.name != name:
        raise MlhubError(
            f"{folder / ABOUT}: names the data set {dataset.name!r}, and its folder {name!r}", "Give both one name."
        )
    return dataset


def check(name: str, home: Home) -> None:
    """Whether a training could have that data set: it is prepared, or can be made here. Raises MlhubError if not.

    A look at two files; what is in a prepared set is read by the training.
    """
    folder = _folder(name, home)
    if (folder / ABOUT).is_file():
        return
    if name not in _BUILDERS:
        raise _not_prepared(name, folder)
    emoji.find_packages()


def prepare(
    name: str, home: Home, progress: Progress = lambda _done, _total, _text: None, *, force: bool = False
) -> Dataset:
    """The data set of that name, made if it is missing or damaged, or if that is forced.

    A set that mlhub can't make is only found (`check_images` looks into it). Raises MlhubError if it can't be made.
    """
    folder = _folder(name, home)
    if name not in _BUILDERS:
        if force:
            raise MlhubError(f"--force: mlhub did not make data set {name}, and can't", _how(name, folder))
        return find(name, home)
    home.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(home.data / f".{name}.lock"):
        if folder.exists() and not force:
            try:
                dataset = find(name, home)
                check_images(dataset)
            except MlhubError as error:
                progress(0, 0, f"data set {name} is damaged and made anew ({error.message})")
            else:
                return dataset
        for leftover in home.data.glob(f".{name}.*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)
        _make(name, folder, progress)
    return Dataset.open(folder)


def check_images(dataset: Dataset, progress: Progress = lambda _done, _total, _text: None) -> None:
    """Raise MlhubError naming the first item whose image is missing or damaged. Reads every image that has a digest."""
    for done, item in enumerate(dataset.items, 1):
        dataset.check_image(item)
        if done % 1000 == 0 or done == len(dataset.items):
            progress(done, len(dataset.items), "checking images")


def _make(name: str, folder: Path, progress: Progress) -> None:
    temporary = folder.with_name(f".{name}.{uuid.uuid4().hex[:12]}.tmp")
    temporary.mkdir(mode=0o700)
    try:
        _BUILDERS[name](temporary, progress)
        if folder.exists():  # damaged or not wanted, or we would not be here
            folder.rename(folder.with_name(f".{name}.{uuid.uuid4().hex[:12]}.old.tmp"))
        temporary.rename(folder)
    except OSError as error:
        raise MlhubError(f"data set {name} could not be written: {error}", f"Make room in {folder.parent}.") from error
    finally:
        for leftover in folder.parent.glob(f".{name}.*.tmp"):
            shutil.rmtree(leftover, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that ends with the process. The file stays: removing it would let two processes hold two locks."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _folder(name: str, home: Home) -> Path:
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise MlhubError(f"{name!r} is not the name of a data set", f"Data sets mlhub makes: {', '.join(_BUILDERS)}.")
    return home.dataset(name)


def _not_prepared(name: str, folder: Path) -> NotFoundError:
    return NotFoundError(f"data set {name} is not prepared", _how(name, folder))


def _how(name: str, folder: Path) -> str:
    if name in _BUILDERS:
        return f"Type: mlhub data prepare {name}"
    return (
        f"mlhub can't make {name} by itself (only {', '.join(_BUILDERS)}): put {ABOUT}, items.jsonl and the images "
        f"into {folder}; docs/data.md shows the form."
    )
