"""What SIGTERM means to a training: leave at once before the first step, and at the end of a step from then on.

Not where anything is saved: that is `mlhub.hashing.callbacks`.
"""

from __future__ import annotations

import signal
import threading
from typing import Self

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

#: as a shell says it of a process that SIGTERM ended
STATUS = 143


class Stopped(BaseException):
    """The training has reached a place to stop at. Not an Exception: nothing on the way is to mend it."""


class Stop:
    """A request to stop. As a context, it receives SIGTERM; asked once more, it is as asked as before."""

    def __init__(self) -> None:
        self.asked = False
        self.training = False

    def __enter__(self) -> Self:
        self._before = signal.getsignal(signal.SIGTERM)
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._before)

    def begin(self) -> None:
        """From here on there is something to save. Lightning has put its own handler in place meanwhile: ours again.

        Its own would stop between two batches that make one step.
        """
        self.training = True
        self._listen()
        self.check()

    def check(self) -> None:
        """Raise Stopped if a stop was asked for."""
        if self.asked:
            raise Stopped

    def _listen(self) -> None:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._receive)

    def _receive(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True
        if not self.training:
            raise SystemExit(STATUS)
