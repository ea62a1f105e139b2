"""Folder trees as a whole: how much they take, and their removal. A run can leave a tree of any depth behind.

Links are never followed, permissions that its owner took away from himself are put back, and nothing recurses: a tree
may be deeper than Python's stack and longer than the longest path.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

#: st_blocks counts these, whatever the file system's own are
_BLOCK = 512


def size(path: Path) -> int:
    """Bytes on disk of a file or folder with all that is in it; a file with several names counts once, a link itself.

    What can't be looked at counts as nothing.
    """
    total = 0
    seen: set[tuple[int, int]] = set()
    waiting = [os.fspath(path)]
    while waiting:
        current = waiting.pop()
        with suppress(OSError, ValueError):
            found = os.lstat(current)
            if (found.st_dev, found.st_ino) in seen:
                continue
            seen.add((found.st_dev, found.st_ino))
            total += found.st_blocks * _BLOCK
            if stat.S_ISDIR(found.st_mode):
                waiting += [os.path.join(current, name) for name in os.listdir(current)]
    return total


def erase(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it; nothing there is no error. Raises OSError.

    Folders are drawn up to the top one by one and emptied there, so that no path grows.
    """
    top = os.fspath(path)
    with suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.lstat(top).st_mode):
            os.unlink(top)
            return
        number, tag = 0, os.urandom(4).hex()  # an erasure that died half-way has left names of its own
        while folders := _empty(top):
            for name in folders:
                inner = os.path.join(top, name)
                for deeper in _empty(inner):
                    number += 1
                    os.rename(os.path.join(inner, deeper), os.path.join(top, f".{tag}.{number}"))
                os.rmdir(inner)
        os.rmdir(top)


def _empty(folder: str) -> list[str]:
    """Remove a folder's files; the names of the folders in it, which may be moved by their owner from now on."""
    with suppress(OSError):
        os.chmod(folder, 0o700)
    folders = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            folders.append(entry.name)
            with suppress(OSError):
                os.chmod(entry.path, 0o700)
    return folders
