"""`mlhub logs`: a run's output, cleaned of control codes, and following it to its end.

Where the bytes are, in the file or compressed beside it, is `mlhub.runner.segments`'.
"""

from __future__ import annotations

import codecs
import sys
from typing import Annotated

import typer

from mlhub.cli.out import coloured
from mlhub.text import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mlhub.cli.hub import Hub
    from mlhub.runner.segments import LogReader
    from mlhub.store.runs import Run

#: looked through for the last lines: this much, and as much again a line
_TAIL, _TAIL_LINE = 64 << 20, 1 << 10
#: a JSON document of a log is a string in memory; of a longer one it has the end
_JSON_LIMIT = 64 << 20
_BLOCK = 1 << 16


def logs(
    run: Annotated[str, typer.Argument(metavar="[RUN]", show_default=False)] = "@last",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="Only the last N lines.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the path and the lines as JSON.")] = False,
) -> int:
    """Print a run's output (stdout and stderr, in order).

    \b
    mlhub logs                the newest run's
    mlhub logs -f calm-otter  until it has ended; Ctrl-C leaves the run running
    mlhub logs 3 -n 20        the last 20 lines
    """
    from mlhub.cli.hub import open_hub
    from mlhub.errors import UsageError
    from mlhub.runner.segments import LogReader

    if json and follow:
        raise UsageError("--follow and --json both want stdout", "Use one of them.")
    hub = open_hub()
    found = hub.store.find(run)
    reader = LogReader(hub.home.run(found.id))
    start = start_of_tail(reader, lines)
    if json:
        _print_json(hub, found, reader, start)
        return 0
    if follow:
        ended = follow_run(hub, found, start=start)
        return 0 if ended.status == "completed" else 1
    tail = LogTail(reader, start)
    while tail.print_new():
        pass
    tail.print_rest()
    return 0


def _print_json(hub: Hub, run: Run, reader: LogReader, start: int) -> None:
    """The path and the lines from byte `start` on, or the last 64 MiB of them; `offset` says from which byte."""
    from mlhub.cli.out import emit_json

    offset = position = max(start, reader.size - _JSON_LIMIT)
    parts = []
    while position < offset + 2 * _JSON_LIMIT:  # a log that grows as fast as it is read would never end
        data, position = reader.read(position)
        if not data:
            break
        parts.append(data)
    text = clean(b"".join(parts).decode(errors="replace"))
    path = str(hub.home.run(run.id).log)
    emit_json({"run": run.id, "path": path, "offset": offset, "lines": text.splitlines()})


class LogTail:
    """Prints a growing log from a byte offset on, line by line, cleaned; SGR colours stay where colour is wanted."""

    def __init__(self, reader: LogReader, offset: int = 0) -> None:
        self._reader = reader
        self._offset = offset
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""

    def print_new(self) -> bool:
        """Print the whole lines that are new; False if the log has not grown."""
        data, self._offset = self._reader.read(self._offset)
        if not data:
            return False
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
        shown = clean(text, colours=coloured())
        if "\x1b" in shown:  # a log that hides or paints its text must not do so to the prompt after it
            shown = shown.rstrip("\n") + "\x1b[0m" + "\n" * (len(shown) - len(shown.rstrip("\n")))
        sys.stdout.write(shown)
        sys.stdout.flush()


def start_of_tail(reader: LogReader, lines: int | None) -> int:
    """The byte where the last `lines` lines begin, found from the end; 0 for None.

    Lines are looked for so far back and no further: where they are very long there are fewer of them.
    """
    if lines is None:
        return 0
    end = position = reader.size
    least = max(0, end - _TAIL - lines * _TAIL_LINE)
    found = 0
    while lines and position > least:
        start = max(least, position - _BLOCK)
        first, block = _read_end(reader, start, position)
        for index in range(len(block) - 1, -1, -1):
            if block[index] == 0x0A and first + index + 1 < end:
                found += 1
                if found == lines:
                    return first + index + 1
        if first > start:
            return start  # from the line on that says what can't be read
        position = start
    return end if lines == 0 else least


def _read_end(reader: LogReader, start: int, end: int) -> tuple[int, bytes]:
    """The bytes from `start` to `end`, or those behind what of them can't be had; where they begin."""
    first, data = start, b""
    while first + len(data) < end:
        position = first + len(data)
        part, after = reader.read(position, end - position)
        if not part:
            break
        if after - position == len(part):
            data += part
        else:
            first, data = min(after, end), b""
    return first, data


def follow_run(hub: Hub, run: Run, *, start: int = 0) -> Run:
    """Print `run`'s log until it has ended; the run as it then is. Ctrl-C leaves it running and says so."""
    from mlhub.cli.wait import until_ended
    from mlhub.runner.segments import LogReader

    tail = LogTail(LogReader(hub.home.run(run.id)), start)
    ended = until_ended(hub, run, tail.print_new)
    tail.print_rest()
    return ended
