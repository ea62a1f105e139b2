"""What a supervisor does once the record is on disk, and may fail at: the row in the database, a tick of the queue.

Standard library only. Whatever goes wrong here, the next command that reads makes up for it.
"""

from __future__ import annotations

import contextlib
import os

from mlhub.runner import companion

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
            companion.spawn(f"tick:{tree['token']}", "mlhub.runner.tick")
