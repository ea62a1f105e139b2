"""A program in a terminal of its own: what it draws, how many bytes that takes, how fast it answers, what it costs.

Bytes are read by a thread that stamps each piece and does nothing else; the picture is made by `pyte` when somebody
looks. Tests and `bench/tui.py` share it. Not for timings in tests: those are the bench's.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import sys
import termios
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import psutil
import pyte

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

#: what terminals send for the keys that have names
KEYS = {
    "enter": "\r", "escape": "\x1b", "tab": "\t", "shift+tab": "\x1b[Z", "space": " ", "up": "\x1b[A",
    "down": "\x1b[B", "right": "\x1b[C", "left": "\x1b[D", "home": "\x1b[H", "end": "\x1b[F", "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~", "backspace": "\x7f", "delete": "\x1b[3~", "f1": "\x1bOP", "f2": "\x1bOQ",
    **{f"ctrl+{letter}": chr(number) for number, letter in enumerate("abcdefghijklmnopqrstuvwxyz", 1)},
}  # fmt: skip
#: what programs ask a terminal when they start, and what a common one answers: it can hold a frame back, no more
_ANSWERS = (
    (re.compile(rb"\x1b\[\?2026\$p"), b"\x1b[?2026;2$y"),
    (re.compile(rb"\x1b\[\?2027\$p"), b"\x1b[?2027;0$y"),
    (re.compile(rb"\x1b\[\?2048\$p"), b"\x1b[?2048;0$y"),
    (re.compile(rb"\x1b\[0?c"), b"\x1b[?62;22c"),
    (re.compile(rb"\x1b\]11;\?(?:\x07|\x1b\\)"), b"\x1b]11;rgb:1414/1616/1b1b\x1b\\"),
)
#: sequences that pyte takes for text: with a private prefix, a space or a dollar, and strings
_NOT_FOR_PYTE = re.compile(
    rb"\x1b\[[<=>][0-9;:]*[ -/]*[@-~]|\x1b\[\?[0-9;]*[^0-9;hl]|\x1b\[[0-9;]*[ $][a-zA-Z]"
    rb"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
)
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?)?\Z")
#: pieces that arrive within this many seconds are one repaint
_BURST = 0.004


class Piece(NamedTuple):
    """Bytes as one read gave them, and when."""

    at: float
    data: bytes


@dataclass(frozen=True)
class Use:
    """What a program and its children have used: seconds of CPU, bytes of memory that is theirs, bytes written."""

    cpu: float
    pss: int
    rss: int
    bytes: int
    at: float


class Terminal:
    """Starts `command` in a terminal of `size` (columns, rows) and its environment; ends it when closed."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        size: tuple[int, int] = (160, 45),
        *,
        answers: bool = True,
    ) -> None:
        self.size = size
        self._screen = pyte.Screen(*size)
        self._stream = pyte.ByteStream(self._screen)
        self._answers = answers
        self._pieces: list[Piece] = []
        self._drawn = 0
        self._half = b""
        self._gone = 0
        self.count = 0
        self.status: int | None = None
        self._master, slave = os.openpty()
        self._set_size(size)
        name = os.ttyname(slave)
        actions = [(os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0), *((os.POSIX_SPAWN_DUP2, 0, end) for end in (1, 2))]
        terminal = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "LANG": "C.UTF-8"}
        own = {name: value for name, value in environment.items() if name not in ("COLUMNS", "LINES")}
        self.born = time.perf_counter()
        # the first terminal that the leader of a session opens becomes its own: ctrl+c and window sizes reach it
        self.pid = os.posix_spawnp(command[0], command, terminal | own, file_actions=actions, setsid=True)
        os.close(slave)
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 1 << 16)
            except OSError:  # the last program that had it open is gone
                return
            if not data:
                return
            self._pieces.append(Piece(time.perf_counter(), data))
            self.count += len(data)
            if self._answers and b"\x1b" in data:
                for question, answer in _ANSWERS:
                    if question.search(data):
                        os.write(self._master, answer)

    # what is done to it

    def send(self, *keys: str) -> float:
        """Press keys by name or as they are; the moment of the last."""
        at = 0.0
        for key in keys:
            at = time.perf_counter()
            os.write(self._master, KEYS.get(key, key).encode())
        return at

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)
        self._draw()
        self._screen.resize(rows, columns)
        self._set_size(self.size)
        self.signal(signal.SIGWINCH)

    def _set_size(self, size: tuple[int, int]) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))

    def signal(self, number: int) -> None:
        if self.status is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float = 20) -> int:
        """Its exit status once it has ended. Raises TimeoutError."""
        self.until(self._reaped, seconds)
        self._reader.join(2)
        assert self.status is not None
        return self.status

    def _reaped(self) -> bool:
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def close(self) -> None:
        """End it and what it has started, if it hasn't ended."""
        if not self._reaped():
            for process in (*_children(self.pid), self.pid):
                try:
                    os.kill(process, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            self.until(self._reaped, 10)
        self._reader.join(2)
        os.close(self._master)

    def modes(self) -> int:
        """The flags of the line: echo, whole lines, signals."""
        return int(termios.tcgetattr(self._master)[3])

    # what it shows

    @property
    def raw(self) -> bytes:
        """Every byte so far, but for those forgotten."""
        return b"".join(piece.data for piece in self._pieces)

    def forget(self) -> int:
        """Draw what there is and let its bytes go; how many there were until now."""
        self._draw()
        self._gone += self._drawn
        del self._pieces[: self._drawn]
        self._drawn = 0
        return self.count

    def _draw(self, most: int | None = None) -> None:
        """Bring the picture up to date, with at most so many pieces."""
        end = len(self._pieces) if most is None else min(len(self._pieces), self._drawn + most)
        for piece in self._pieces[self._drawn : end]:
            data = self._half + piece.data
            found = _UNFINISHED.search(data)
            self._half = data[found.start() :] if found else b""
            self._stream.feed(_NOT_FOR_PYTE.sub(b"", data[: found.start()] if found else data))
        self._drawn = end

    @property
    def rows(self) -> list[str]:
        """The picture, line by line, without the spaces at the ends."""
        self._draw()
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.rows)

    def background(self, row: int, column: int) -> str:
        """The colour behind a cell, as pyte names it."""
        self._draw()
        cell = self._screen.buffer[row][column]
        return cell.fg if cell.reverse else cell.bg

    # waiting

    def pause(self, seconds: float) -> None:
        """Let it go on for so long."""
        time.sleep(seconds)

    def until(self, condition: Callable[[], object], seconds: float = 20) -> None:
        """Wait for it. Raises TimeoutError with the picture."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"not in {seconds} s; status {self.status}; the screen:\n{self.text}")
            time.sleep(0.01)

    def until_shown(self, words: str, seconds: float = 20) -> None:
        self.until(lambda: words in self.text or self._ended_without(words), seconds)

    def _ended_without(self, words: str) -> bool:
        if self._reaped() and words not in self.text:
            raise TimeoutError(f"ended with {self.status} without {words!r}:\n{self.text}")
        return False

    def until_quiet(self, quiet: float = 0.5, seconds: float = 20) -> None:
        """Wait until nothing has been written for a while."""
        begin = time.perf_counter()
        while time.perf_counter() - begin < seconds:
            last = self._pieces[-1].at if self._pieces else begin
            if time.perf_counter() - max(begin, last) >= quiet:
                return
            time.sleep(quiet / 10)
        raise TimeoutError(f"still writing after {seconds} s")

    def seconds_until(self, condition: Callable[[], object], since: float, seconds: float = 20) -> float:
        """From the moment `since` to the end of the repaint after which `condition` holds. Raises TimeoutError.

        Repaints are looked at one after the other as they came, so that looking costs nothing of the time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pieces = self._pieces
            if self._drawn < len(pieces) and time.perf_counter() - pieces[-1].at > _BURST:
                while self._drawn < len(pieces):
                    last = self._drawn
                    while last + 1 < len(pieces) and pieces[last + 1].at - pieces[last].at < _BURST:
                        last += 1
                    at = pieces[last].at
                    self._draw(last + 1 - self._drawn)
                    if at > since and condition():
                        return at - since
            time.sleep(0.002)
        raise TimeoutError(f"not in {seconds} s; the screen:\n{self.text}")

    # what it costs

    def use(self) -> Use:
        """Up to now, with its children."""
        cpu = pss = rss = 0.0
        for pid in (self.pid, *_children(self.pid)):
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                memory = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue
            own = fields[11:15] if pid == self.pid else fields[11:13]  # with the children that have ended
            cpu += sum(map(int, own)) / os.sysconf("SC_CLK_TCK")
            sizes = dict(re.findall(r"^(Pss|Rss): +(\d+)", memory, re.MULTILINE))
            pss, rss = pss + int(sizes.get("Pss", 0)) * 1024, rss + int(sizes.get("Rss", 0)) * 1024
        return Use(cpu, int(pss), int(rss), self.count, time.perf_counter())


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def mlhub_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "mlhub", *words]
