"""Write a file whole or not at all: under another name in the same folder, then renamed.

Not durable against power loss. The supervisor has its own (`mlhub.runner.record`), which syncs and needs the standard
library alone.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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
