"""The SQL of reads and writes that somebody waits for, as texts with `:name` parameters. Standard library only.

Two executors run them: `sqlite3` on SQLite, SQLAlchemy's `text()` elsewhere. The supervisor uses `FINISH_RUN` with bare
`sqlite3`. The tables themselves are in `mlhub.store.tables`.
"""

from __future__ import annotations

#: the step to a final status: a compare-and-set, so that of many writers exactly one makes it
FINISH_RUN = """
UPDATE runs SET status = :status, ended_at = :ended_at, exit_code = :exit_code, signal = :signal, reason = :reason,
       condition = NULL
 WHERE id = :id AND attempt = :attempt AND status IN ('queued', 'running')
"""
