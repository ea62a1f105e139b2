"""A program that stays and speaks JSON, a document a line: started, asked, listened to, ended. One thread's own.

It never outlives us: it ends at the end of its input, and Linux kills it with the thread that started it. Not what
is said: that is `mlhub.tui.search.client`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mlhub.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

#: seconds it has for ending by itself
_GRACE = 0.3
#: of its last words, how much is looked at
_WORDS = 4000


class Resident:
    """A running program. Its standard error is kept for the case that it dies."""

    def __init__(self, command: Sequence[str]) -> None:
        """Raises OSError if it can't be started."""
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the program runs
        try:
            # a session of its own: keys pressed in our terminal must not reach it as signals
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True
            )
        except BaseException:
            self._errors.close()
            raise
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        assert self._process.stdout is not None  # noqa: S101
        self._in, self._out = self._process.stdin, self._process.stdout
        self._rest = b""

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, document: dict[str, Any]) -> None:
        """A line to it; one that is dead is noticed by `listen`."""
        with suppress(OSError):
            self._in.write(json.dumps(document).encode() + b"\n")
            self._in.flush()

    def listen(self, wake: int, seconds: float | None) -> list[dict[str, Any]] | None:
        """What it has said, waiting for it at most `seconds`, or until `wake` can be read; None: it is dead."""
        ready, _, _ = select.select([self._out.fileno(), wake], [], [], seconds)
        if self._out.fileno() not in ready:
            return []
        data = os.read(self._out.fileno(), 1 << 16)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [tree for line in lines if isinstance(tree := _tree(line), dict)]

    def end(self) -> None:
        """Have it gone."""
        with suppress(OSError):
            self._in.close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._out.close()
        self._errors.close()

    def last_words(self) -> str:
        """Why it died, in a line: its error, or the last line that it wrote, or the signal."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE)
        size = os.fstat(self._errors.fileno()).st_size
        text = os.pread(self._errors.fileno(), _WORDS, max(0, size - _WORDS)).decode(errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        told = [line.partition(":")[2] for line in lines if line.startswith("error:")]
        code = self._process.returncode
        if code is not None and code < 0:
            with suppress(ValueError):
                return f"killed by {signal.Signals(-code).name}"
        return one_line((told or lines or [f"exit status {code}"])[-1])


def _tree(line: bytes) -> object:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found
