"""Find a data set in the home, or make it there. Not how one is made: `mlhub.data.emoji`, `mlhub.data.convert`.

A set is made in a folder beside its place and renamed when whole, under a lock: two at once are safe, and one killed
midway is gone on with (a registered set) or made anew (a built-in one).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from mlhub.data import emoji, place, registry
from mlhub.data.items import ABOUT, ITEMS, Dataset, Stored, Tally, stamp, write_about
from mlhub.errors import MlhubError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.paths import Home

#: done, total, what is being done; a remark, where total is 0
Progress = Callable[[int, int, str], None]

_BUILDERS: dict[str, Callable[[Path, Progress], None]] = {"emoji": emoji.build}


def _silent(_done: int, _total: int, _text: str) -> None: ...


def known() -> tuple[str, ...]:
    """Names of the data sets that are made of installed packages."""
    return tuple(_BUILDERS)


def find(name: str, home: Home) -> Dataset:
    """The prepared data set of that name, in memory. Raises NotFoundError naming the command that makes it."""
    find_stored(name, home)
    return Dataset.open(place.folder(home, name))


def find_stored(name: str, home: Home) -> Stored:
    """The prepared data set of that name, unread. Raises NotFoundError naming the command that makes it."""
    folder = place.folder(home, name)
    if not (folder / ABOUT).is_file():
        raise _not_prepared(name, home)
    stored = Stored.open(folder)
    if stored.name != name:
        raise MlhubError(
            f"{folder / ABOUT}: names the data set {stored.name!r}, and its folder {name!r}", "Give both one name."
        )
    return stored


def check(name: str, home: Home) -> None:
    """Whether a training could have that data set: it is prepared, or can be made here. Raises MlhubError if not.

    A look at two files; what is in a prepared set is read by the training.
    """
    if (place.folder(home, name) / ABOUT).is_file():
        return
    if name not in _BUILDERS:
        raise _not_prepared(name, home)
    emoji.find_packages()


def prepare(name: str, home: Home, progress: Progress = _silent, *, force: bool = False) -> Dataset:
    """The data set of that name for a training, in memory; a built-in one is made if it is missing or damaged.

    A registered one is only found: what a training reads does not change because it was started again.
    """
    if name in _BUILDERS:
        return build(name, home, progress, force=force)
    if force:
        raise MlhubError(f"--force: mlhub did not make data set {name}, and can't", _how(name, home))
    return find(name, home)


def make(name: str, home: Home, progress: Progress = _silent, *, force: bool = False, skip_bad: bool = False) -> Stored:
    """The prepared set of that name, made if it is missing, registered anew since, or if that is forced.

    One that mlhub can't make is only found. Raises MlhubError; what was done of a registered set is kept.
    """
    if name in _BUILDERS:
        build(name, home, progress, force=force)
        return find_stored(name, home)
    source = registry.read(home, name)
    if source is None:
        if force:
            raise MlhubError(f"--force: mlhub did not make data set {name}, and can't", _how(name, home))
        return find_stored(name, home)
    from mlhub.data.convert import convert

    with place.locked(home, name):
        if force or not is_current(name, home):
            if force:
                shutil.rmtree(place.making(home, name), ignore_errors=True)
            convert(home, name, source, progress, skip_bad=skip_bad)
    return find_stored(name, home)


def is_current(name: str, home: Home) -> bool:
    """Whether a set is prepared, of what it is registered as, as that is now."""
    source = registry.read(home, name)
    try:
        return source is None or registry.is_made_of(find_stored(name, home).about, source)
    except MlhubError:
        return False


def build(name: str, home: Home, progress: Progress = _silent, *, force: bool = False) -> Dataset:
    """A built-in set, made if it is missing or damaged, or if that is forced."""
    folder = place.folder(home, name)
    with place.locked(home, name):
        if folder.exists() and not force:
            try:
                dataset = find(name, home)
                check_images(dataset)
            except MlhubError as error:
                progress(0, 0, f"data set {name} is damaged and made anew ({error.message})")
            else:
                return dataset
        _make(name, home, progress)
    return Dataset.open(folder)


def check_images(dataset: Dataset, progress: Progress = _silent) -> None:
    """Raise MlhubError naming the first item whose image is missing or damaged. Reads every image that has a digest."""
    for done, item in enumerate(dataset.items, 1):
        dataset.check_image(item)
        if done % 1000 == 0 or done == len(dataset.items):
            progress(done, len(dataset.items), "checking images")


def _make(name: str, home: Home, progress: Progress) -> None:
    folder = place.making(home, name)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        _BUILDERS[name](folder, progress)
        note_facts(folder)
        place.swap_in(home, name, folder)
    except OSError as error:
        raise MlhubError(f"data set {name} could not be written: {error}", f"Make room in {folder.parent}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def note_facts(folder: Path) -> None:
    """Have `dataset.json` say what is in the set, so that it can be listed without reading it. Raises OSError."""
    from msgspec.structs import replace

    stored, tally, size = Stored.open(folder), Tally(), 0
    for item in stored:
        tally.add(item)
        size += os.stat(stored.image_path(item)).st_size
    write_about(folder, replace(stored.about, facts=tally.facts(stamp(folder / ITEMS), size)))


def _not_prepared(name: str, home: Home) -> NotFoundError:
    return NotFoundError(f"data set {name} is not prepared", _how(name, home))


def _how(name: str, home: Home) -> str:
    from mlhub.data import catalogue

    if name in _BUILDERS or place.source_file(home, name).exists():
        return f"Type: mlhub data prepare {name}"
    if name in catalogue.NAMES:
        return f"mlhub data show {name} tells how to fetch it; then: mlhub data add {name} FOLDER"
    return (
        f"Say what it is made of: mlhub data add {name} PATH; or put {ABOUT}, {ITEMS} and the images into "
        f"{place.folder(home, name)}: docs/data.md shows the form."
    )
