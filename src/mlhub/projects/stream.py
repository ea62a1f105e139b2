"""Running git, pip or uv: what they say is shown as it comes, cleaned, and kept in a log; never a question asked.

The program gets a session of its own, so that neither it nor an ssh of its can ask on the terminal, and is ended with
all that it started when we are.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

from mlhub.errors import MlhubError
from mlhub.text import fit, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import IO

_BREAK = re.compile(rb"[\r\n]")
#: of one line: what is longer is no progress
_LONGEST = 1 << 16
_CREDENTIALS = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended, and the last it said."""

    status: int
    lines: tuple[str, ...]


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
    hide: Sequence[str] = (),
    skip: str = "",
    hush: str = "",
    holds: Sequence[int] = (),
) -> Done:
    """Run a program to its end. Raises MlhubError if it isn't there.

    `hide`: secrets that it must not be heard to say; `skip`: a pattern of lines that say nothing, `hush`: of those
    that are kept without being shown, as the caller says them; `holds`: descriptors
    that it keeps open, so that a lock is held as long as it lives, whatever becomes of us.
    """
    show = Show()
    last: deque[str] = deque(maxlen=30)
    try:
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True, bufsize=0, pass_fds=holds,
        )  # fmt: skip
    except OSError as error:
        raise MlhubError(f"{command[0]}: can't be started ({error.strerror})", f"Install {command[0]}.") from error
    try:
        with _opened(log) as file:
            if process.stdout is not None:
                for text, whole in _lines(process.stdout):
                    line = told(text, hide)
                    if skip and re.match(skip, line):
                        continue
                    if not hush or not re.match(hush, line):
                        show(line, whole=whole)
                    if whole and line:
                        last.append(line)
                        file.write(line + "\n")
        return Done(process.wait(), tuple(last))
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        show.end()
        if process.stdout is not None:
            process.stdout.close()


def told(text: str, hide: Sequence[str] = ()) -> str:
    """What a program said, in one line, without secrets: those we know, and what stands before the @ of a URL."""
    for secret in hide:
        text = text.replace(secret, "***")
    return _CREDENTIALS.sub(r"\1***@", one_line(text))


def _opened(log: Path | None) -> IO[str]:
    if log is None:
        return open(os.devnull, "w", encoding="utf-8")
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return open(log, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


def _lines(pipe: IO[bytes]) -> Iterator[tuple[str, bool]]:
    """Lines, and whether each is whole or a state that the next one draws over."""
    rest = b""
    while data := pipe.read(1 << 16):
        rest += data
        start = 0
        for match in _BREAK.finditer(rest):
            yield rest[start : match.start()].decode(errors="replace"), match.group() == b"\n"
            start = match.end()
        rest = rest[start:][-_LONGEST:]
    if rest:
        yield rest.decode(errors="replace"), True


class Show:
    """Progress on stderr: on a terminal one line that is drawn over, in a pipe only what is whole."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()

    def __call__(self, line: str, *, whole: bool) -> None:
        if not line:
            return
        if self._live:
            wide = os.get_terminal_size(sys.stderr.fileno()).columns or 80
            sys.stderr.write(f"\r\x1b[K{fit(line, wide - 1)}")
        elif whole:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def end(self) -> None:
        if self._live:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
