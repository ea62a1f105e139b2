"""`mlhub logs`: a run's output, cleaned of control codes, and the waiting for its end that `run` and the jobs share."""

from __future__ import annotations

import codecs
import errno
import io
import os
import stat
import sys
import time
from typing import Annotated, BinaryIO

import typer

from mlhub.cli.out import coloured, tell
from mlhub.text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mlhub.cli.hub import Hub
    from mlhub.store.runs import Run

#: how often a followed log is looked at, and how often the run's state
_LOG_SECONDS = 0.1
_STATE_SECONDS = 0.3


def logs(
    run: Annotated[str, typer.Argument(metavar="[RUN]", show_default=False)] = "@last",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only the last N lines.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the path and the lines as JSON.")] = False,
) -> int:
    """Print a run's output (stdout and stderr, in order).

    \b
    mlhub logs                the newest run's
    mlhub logs -f calm-otter  go on until it has ended; Ctrl-C leaves the run running
    mlhub logs 3 -n 20        the last 20 lines
    """
    from mlhub.cli.hub import open_hub
    from mlhub.cli.out import emit_json
    from mlhub.errors import UsageError

    hub = open_hub()
    found = hub.store.find(run)
    path = hub.home.run(found.id).log
    if json:
        if follow:
            raise UsageError("--follow and --json both want stdout", "Use one of them.")
        start = _start_of_tail(path, lines)
        text = clean(_read_from(path, start).decode(errors="replace"))
        emit_json({"run": found.id, "path": str(path), "lines": text.splitlines()})
        return 0
    start = _start_of_tail(path, lines)
    if follow:
        ended = follow_run(hub, found, start=start)
        return 0 if ended.status == "completed" else 1
    tail = LogTail(path, start)
    while tail.print_new():
        pass
    tail.print_rest()
    return 0


class LogTail:
    """Prints a growing file from a byte offset on, line by line, cleaned; SGR colours stay where colour is wanted."""

    def __init__(self, path: Path, offset: int = 0) -> None:
        self._path = path
        self._offset = offset
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def print_new(self) -> bool:
        """Print the whole lines that are new; False if the file has not grown."""
        data = _read_from(self._path, self._offset, 1 << 20)
        if not data:
            return False
        self._offset += len(data)
        text = self._rest + self._decoder.decode(data)
        # a progress bar redraws its line with \r: each redraw is a line here; a final \r may be half of \r\n
        cut = max(text.rfind("\n"), text.rfind("\r", 0, len(text) - 1)) + 1
        if not cut and len(text) > 1 << 16:
            cut = len(text)
        self._rest = text[cut:]
        self._print(text[:cut])
        return True

    def print_rest(self) -> None:
        """Print an unfinished last line."""
        rest, self._rest = self._rest + self._decoder.decode(b"", final=True), ""
        if rest:
            self._print(rest.removesuffix("\r") + "\n")

    @staticmethod
    def _print(text: str) -> None:
        sys.stdout.write(clean(text, colours=coloured()))
        sys.stdout.flush()


def _read_from(path: Path, offset: int, limit: int = -1) -> bytes:
    with _open(path) as file:
        file.seek(offset)
        return file.read(limit)


def _open(path: Path) -> BinaryIO:
    """A log to read; an empty one if there is none. Raises OSError for what is no file: a pipe would hang us."""
    try:
        file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115
    except FileNotFoundError:
        return io.BytesIO()
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


def _start_of_tail(path: Path, lines: int | None) -> int:
    """The byte where the last `lines` lines begin, found from the end of the file."""
    if lines is None:
        return 0
    with _open(path) as file:
        end = position = file.seek(0, 2)
        found = 0
        while position > 0:
            step = min(1 << 16, position)
            position -= step
            file.seek(position)
            block = file.read(step)
            for index in range(len(block) - 1, -1, -1):
                if block[index] == 0x0A and position + index + 1 < end:
                    found += 1
                    if found == lines:
                        return position + index + 1
    return end if lines == 0 else 0


def follow_run(hub: Hub, run: Run, *, start: int = 0) -> Run:
    """Print `run`'s log until it has ended; the run as it then is. Ctrl-C leaves it running and says so."""
    tail = LogTail(hub.home.run(run.id).log, start)
    return _until_ended(hub, run, tail)


def wait_for(hub: Hub, run: Run) -> Run:
    """Wait until `run` has ended; the run as it then is. Ctrl-C leaves it running and says so."""
    return _until_ended(hub, run, None)


def _until_ended(hub: Hub, run: Run, tail: LogTail | None) -> Run:
    from mlhub.runner.reconcile import refresh, settle

    try:
        checked = 0.0
        while True:
            grown = tail is not None and tail.print_new()
            if not grown and (not run.active or (run.condition or "").startswith("unknown: other host")):
                break
            if time.monotonic() - checked >= _STATE_SECONDS:
                run = settle(hub.store, run) if run.active else run
                checked = time.monotonic()
            if not grown:
                time.sleep(_LOG_SECONDS)
        if tail is not None:
            tail.print_rest()
    except KeyboardInterrupt:
        tell(f"\nrun {run.id} ({run.name}) goes on; see it again with: mlhub logs -f {run.name}")
        raise typer.Exit(130) from None
    return refresh(hub.store, run)
