"""How far a long command is, on stderr: one line drawn over on a terminal, a line at each quarter in a pipe."""

from __future__ import annotations

import os
import sys
import time

from mlhub.text import duration, fit, one_line

#: seconds between two drawings of the line
_EVERY = 0.1


class Progress:
    """Call it with what is done, the total and what is being done; a remark, where the total is 0. Then `end`."""

    def __init__(self) -> None:
        self._drawn_over = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._began = self._last = time.monotonic()
        self._from: int | None = None
        self._quarter = 0
        self._shown = False

    def __call__(self, done: int, total: int, text: str) -> None:
        text = one_line(text)
        if not total:
            self.end()
            sys.stderr.write(f"{text}\n")
        elif self._drawn_over:
            self._draw(done, total, text)
        elif (quarter := 4 * done // total) > self._quarter:
            self._quarter = quarter % 4
            sys.stderr.write(f"{text} {done}/{total}\n")

    def _draw(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        if self._from is None:
            self._from, self._began = done, now
        if now - self._last < _EVERY and done < total:
            return
        self._last = now
        rate = (done - self._from) / max(0.001, now - self._began)
        ahead = f", {duration((total - done) / rate)} left" if rate and done < total and now - self._began > 1 else ""
        line = fit(f"{text} {done}/{total} ({100 * done // total} %){ahead}", os.get_terminal_size(2).columns - 1)
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()
        self._shown = True

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._shown = False
