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


def read_regular(path: Path) -> bytes:
    """All of a file. Raises OSError also for a pipe or a device, which would be waited for for ever."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return file.read()


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
