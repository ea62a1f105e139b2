"""Data-loader workers of PyTorch are no part of a stop: they leave the process group that the signal goes to.

A worker that dies of SIGTERM makes its trainer fail amid a step. In a group of its own it goes on until the trainer
has left: then it ends as ever (told by its parent, or seeing it gone), and what doesn't is ended by the supervisor.
Imported only where torch is loaded.
"""

from __future__ import annotations

import contextlib
import os

from torch.utils.data._utils import worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_loop = worker._worker_loop


def keep_alive() -> None:
    """From now on workers start so."""
    worker._worker_loop = loop


def loop(*args: Any, **kwargs: Any) -> Any:
    """PyTorch's own loop, in a process group of its own. By its name here a spawned worker finds it too."""
    with contextlib.suppress(OSError):  # a leader of a session is in one already
        os.setpgid(0, 0)
    return _loop(*args, **kwargs)
