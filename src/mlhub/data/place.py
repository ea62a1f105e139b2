"""Where the files of a data set lie in the home, and the lock of whoever changes it. Nothing of what is in them.

data/NAME/               the prepared set, whole: it appears and goes by a rename
data/NAME.source.json    what it is made of, if it was registered
data/.NAME.lock          held by whoever makes or changes the set, for as long as the process lives
data/.NAME.preparing/    a set being made; what another attempt continues from
data/.NAME.HEX.tmp/      a set on its way out
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import uuid

from mlhub.errors import MlhubError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlhub.paths import Home

_SOURCE = ".source.json"
#: of a name that is given: it becomes the name of files, and a word on command lines
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,99}")


def folder(home: Home, name: str) -> Path:
    """The folder of a set. Raises MlhubError for what would lead elsewhere."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise MlhubError(f"{name!r} is not the name of a data set", "mlhub data ls shows their names.")
    return home.dataset(name)


def check_new(name: str) -> None:
    """Raise MlhubError if a set can't be called that."""
    if not _NAME.fullmatch(name) or name.endswith(_SOURCE):
        raise MlhubError(f"{name!r} can't be the name of a data set", "Letters, digits and _ . + - make a name.")


def source_file(home: Home, name: str) -> Path:
    return folder(home, name).with_name(f"{name}{_SOURCE}")


def making(home: Home, name: str) -> Path:
    """Where the set is being made."""
    return folder(home, name).with_name(f".{name}.preparing")


def names(home: Home) -> list[str]:
    """Every set that is prepared, registered or begun."""
    found: set[str] = set()
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(home.data) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.name.endswith(_SOURCE):
                found.add(entry.name.removesuffix(_SOURCE))
            elif entry.is_dir():
                found.add(entry.name)
    return sorted(found)


@contextlib.contextmanager
def locked(home: Home, name: str) -> Iterator[None]:
    """Hold a set's lock, which ends with the process; wait for whoever has it.

    The file stays: removing it would let two processes hold two locks.
    """
    fd = _lock_file(home, name)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def is_locked(home: Home, name: str) -> bool:
    """Whether somebody makes or changes the set at this moment. Looks, and makes nobody wait."""
    path = folder(home, name).with_name(f".{name}.lock")
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def swap_in(home: Home, name: str, made: Path) -> None:
    """Put a folder that is whole in the place of the set; the one before is removed. Raises OSError."""
    target = folder(home, name)
    if target.exists() or target.is_symlink():
        target.rename(target.with_name(f".{name}.{uuid.uuid4().hex[:12]}.tmp"))
    made.rename(target)
    sweep(home, name)


def sweep(home: Home, name: str) -> None:
    """Remove what killed processes left of earlier sets. Under the lock."""
    for left in folder(home, name).parent.glob(f".{glob_escape(name)}.*.tmp"):
        if left.is_symlink():
            left.unlink(missing_ok=True)
        else:
            shutil.rmtree(left, ignore_errors=True)


def glob_escape(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _lock_file(home: Home, name: str) -> int:
    path = folder(home, name).with_name(f".{name}.lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MlhubError(f"{path}: {error.strerror}", "Make room, or make the folder writable.") from error
