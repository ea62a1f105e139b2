"""Write a file whole or not at all: under another name in the same folder, then renamed. Read one without waiting.

Not durable against power loss. The supervisor has its own (`mlhub.runner.record`), which syncs and needs the standard
library alone.
"""

from __future__ import annotations

import errno
import json
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO


def open_regular(path: Path) -> BinaryIO:
    """A file to read. Raises OSError also for a pipe or a device, which would be waited for for ever, and a folder."""
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


def read_regular(path: Path, limit: int = -1) -> bytes:
    """All of a regular file, or its first `limit` bytes. Raises OSError, also for what is none."""
    with open_regular(path) as file:
        return file.read(limit)


def replace_bytes(path: Path, data: bytes) -> None:
    """Put `data` in the place of `path`, whose folder exists. Raises OSError and leaves `path` as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, tree: object, *, default: Callable[[object], object] | None = None) -> None:
    """`replace_bytes` of a JSON document; `default` says what JSON can't, as for `json.dumps`."""
    text = json.dumps(tree, ensure_ascii=False, indent=1, default=default) + "\n"
    replace_bytes(path, text.encode())
