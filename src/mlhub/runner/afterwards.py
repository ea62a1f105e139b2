"""What a supervisor does once the record is on disk, and may fail at: the row in the database, a tick of the queue.

Standard library only. Whatever goes wrong here, the next command that reads makes up for it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mlhub.runner.record import Tree

_BUSY_SECONDS = 2.0


def update_database(path: str, run_id: str, tree: Tree, note: Callable[[str], None]) -> None:
    """The row's step to final, if the database is there and free; then a tick, if anything waits."""
    if not path or not run_id.isdecimal() or not os.path.exists(path):  # connecting would make an empty one
        return
    anything_waits = True
    try:
        import sqlite3

        from mlhub.store.texts import ANY_WAITING, FINISH_RUN, START_RUN

        values = {**tree, "id": int(run_id)}
        with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection, connection:
            if tree["started_at"]:  # a short command can end before `mlhub run` has written that it began
                connection.execute(START_RUN, values)
            connection.execute(FINISH_RUN, values)
            anything_waits = bool(connection.execute(ANY_WAITING).fetchone()[0])
    except Exception as error:
        note(f"database not updated: {error!r}")
    if anything_waits:
        with contextlib.suppress(OSError):
            start_module("mlhub.runner.tick")


def start_module(module: str, *arguments: str) -> int:
    """Start a program of ours on its own, detached from us and no part of the run: its pid. Raises OSError.

    Its stderr is ours, supervisor.log. The caller reaps it, or has ended before it does.
    """
    null = os.devnull
    return os.posix_spawn(
        sys.executable,
        [sys.executable, "-P", "-m", module, *arguments],
        {name: value for name, value in os.environ.items() if not name.startswith("MLHUB_RUN_")},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, null, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, null, os.O_WRONLY, 0),
        ],
        setsid=True,
        setsigmask=(),
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )
