"""The search program as one that stays: a line of JSON in, a line of JSON out, so that only the first query waits.

    python -m mlhub.hashing.search --serve --index FOLDER

    in   {"id": 7, "text": "a dog"} or {"id": 7, "image": "/a/cat.png"}, and, if wanted, "to", "k", "bits", "index"
    out  {"event": "opened", "index": {…}}, {"event": "loading", "what": "model"}, {"event": "ready"}, then for each
         request {"id": 7, "answer": {…}} (the contract's `search`) or {"id": 7, "error": {"message", "hint"}}

Another index is opened when a request names its folder; the last few stay open. Nothing a request says ends it: the
end of its input does, and the death of whoever started it. What it has to say besides goes to stderr.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from mlhub.errors import MlhubError, NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from mlhub.hashing.search import Searcher

#: indexes that stay open; a model of the larger kind takes a gigabyte
_OPEN = 2
#: a longer line is no request
_LONGEST = 1 << 20
_PR_SET_PDEATHSIG = 1


class Request(msgspec.Struct, frozen=True):
    """One query. `index`: a folder, in place of the one the program was started with."""

    id: int
    text: str | None = None
    image: str | None = None
    to: Literal["image", "text"] = "image"
    k: int = 10
    bits: int | None = None
    index: str | None = None


def serve(folder: Path) -> None:
    """Answer until the input ends."""
    die_with_parent()
    lines = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints must not come between the answers
    server = _Server(folder, answers)
    try:
        server.open_first()
        for line in _lines(lines):
            server.say(server.answer(line))
    except BrokenPipeError:  # nobody listens any more
        return


class _Server:
    """The open indexes, the one asked last at the end."""

    def __init__(self, folder: Path, answers: BinaryIO) -> None:
        self._first = folder.absolute()
        self._answers = answers
        self._open: dict[Path, tuple[tuple[int, ...], Searcher]] = {}

    def say(self, document: dict[str, Any]) -> None:
        """One line, whole: a pipe may take it in parts."""
        data = memoryview(json.dumps(document).encode() + b"\n")
        while data:
            data = data[self._answers.write(data) :]

    def open_first(self) -> None:
        """Have everything in memory that a query needs; that this index is broken doesn't mean that others are."""
        try:
            searcher = self._searcher(self._first)
            self.say({"event": "opened", "index": about(searcher)})
            self.say({"event": "loading", "what": "model"})
            warm(searcher)
        except MlhubError as error:
            self.say({"event": "failed", "error": _told(error)})
        except Exception as error:  # house rule 5: torch's own; a request will tell it again
            self.say({"event": "failed", "error": _unexpected(error)})
        self.say({"event": "ready"})

    def answer(self, line: bytes) -> dict[str, Any]:
        """The document that answers a line, whatever the line is."""
        number = None
        try:
            tree = json.loads(line)
            if isinstance(tree, dict) and isinstance(tree.get("id"), int):
                number = tree["id"]
            request = msgspec.convert(tree, Request)
            return {"id": request.id, "answer": self._find(request)}
        except (ValueError, RecursionError) as error:  # no JSON, or JSON that is no request
            return {"id": number, "error": {"message": f"not a request: {error}", "hint": ""}}
        except MlhubError as error:
            return {"id": number, "error": _told(error)}
        except Exception as error:  # house rule 5: one query must not take the others with it
            return {"id": number, "error": _unexpected(error)}

    def _find(self, request: Request) -> dict[str, Any]:
        if (request.text is None) == (request.image is None):
            raise UsageError("a request wants text or image, one of them")
        searcher = self._searcher(Path(request.index).absolute() if request.index else self._first)
        how: dict[str, Any] = {"to": request.to, "k": request.k, "bits": request.bits}
        if request.text is not None:
            return searcher.text(request.text, **how).to_json()
        path = Path(str(request.image))
        if not path.is_file():  # a pipe would keep everybody waiting
            raise NotFoundError(f"{path}: no such image", "Name a file with a picture.")
        return searcher.image(path, **how).to_json()

    def _searcher(self, folder: Path) -> Searcher:
        """An open index, opened anew if its folder holds another one now."""
        from mlhub.hashing.search import Searcher

        seen = _identity(folder)
        known, searcher = self._open.pop(folder, (None, None))
        if searcher is None or known != seen:
            if searcher is not None:
                searcher.close()
            searcher = Searcher(folder)
        self._open[folder] = (seen, searcher)
        while len(self._open) > _OPEN:
            self._open.pop(next(iter(self._open)))[1].close()
        return searcher


def about(searcher: Searcher) -> dict[str, Any]:
    """What a client may want to know of an index before it asks."""
    info = searcher.info
    return {
        "folder": str(searcher.folder),
        "dataset": info.data.name,
        "bits": list(info.bits),
        "languages": list(info.languages),
        "items": info.items,
        "texts": info.texts,
        "checkpoint": info.model.checkpoint,
        "run": info.model.run,
    }


def warm(searcher: Searcher) -> None:
    """Load the model and ask once for nothing in particular: the first pass through torch takes longest."""
    import torch

    from mlhub.hashing import program

    program.spare_threads(searcher.encoder)
    if searcher.encoder.config.model.backbone != "tiny":
        torch.set_num_threads(min(4, torch.get_num_threads()))  # beside somebody's training
    searcher.text("a")


def _told(error: MlhubError) -> dict[str, str]:
    return {"message": error.message, "hint": error.hint}


def _unexpected(error: Exception) -> dict[str, str]:
    traceback.print_exc()
    return {"message": f"{type(error).__name__}: {error}", "hint": "This is a mistake of mlhub's or of a library's."}


def _identity(folder: Path) -> tuple[int, ...]:
    """Changes when the folder's index is replaced. Raises NotFoundError if there is none."""
    try:
        info = (folder / "index.json").stat()
    except OSError:
        raise NotFoundError(f"{folder}: no index here", "Make one: mlhub index RUN") from None
    return info.st_dev, info.st_ino, info.st_mtime_ns, info.st_size


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """Lines, an overlong one cut, which makes it no request."""
    while line := source.readline(_LONGEST):
        rest = line
        while rest and not rest.endswith(b"\n"):
            rest = source.readline(_LONGEST)
        if line.strip():
            yield line


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent dies: one that is loading a model reads no end of input.

    Linux alone knows how; elsewhere the end of the input must do.
    """
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died in between
        sys.exit(0)
