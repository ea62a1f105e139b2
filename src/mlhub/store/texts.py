"""The SQL of reads and writes that somebody waits for, as texts with `:name` parameters. Standard library only.

Bare `sqlite3` runs them, in the hub and in the supervisor (`FINISH_RUN`): SQLAlchemy's import alone takes longer than
`mlhub ls` as a whole. The tables themselves are in `mlhub.store.tables`.
"""

from __future__ import annotations

COLUMNS = (
    "id, name, kind, status, group_name, tags, preset, created_at, started_at, ended_at, attempt, exit_code, signal,"
    " reason, condition, pid, supervisor_pid, host, gpus, config, summary, summary_offset, summary_done"
)

REVISION = "SELECT version_num FROM alembic_version"

GET_RUN = f"SELECT {COLUMNS} FROM runs WHERE id = :id"  # noqa: S608 - a constant
GET_BY_NAME = f"SELECT {COLUMNS} FROM runs WHERE name = :name"  # noqa: S608
NEWEST_RUN = f"SELECT {COLUMNS} FROM runs WHERE :kind IS NULL OR kind = :kind ORDER BY id DESC LIMIT 1"  # noqa: S608
NEWEST_RUNS = f"SELECT {COLUMNS} FROM runs ORDER BY id DESC LIMIT :limit"  # noqa: S608
NEWEST_COMPLETED = f"SELECT {COLUMNS} FROM runs WHERE kind = :kind AND status = 'completed' ORDER BY id DESC LIMIT 1"  # noqa: S608
ACTIVE_RUNS = f"SELECT {COLUMNS} FROM runs WHERE status IN ('queued', 'running') ORDER BY id"  # noqa: S608
NAMES = "SELECT name FROM runs ORDER BY id DESC LIMIT 1000"
ALL_IDS = "SELECT id FROM runs"

#: the last id given out; ids are never used twice
LAST_ID = "SELECT seq FROM sqlite_sequence WHERE name = 'runs'"

ADD_RUN = """
INSERT INTO runs (id, name, kind, status, group_name, tags, preset, created_at, host, gpus, config)
VALUES (:id, :name, :kind, 'queued', :group_name, :tags, :preset, :created_at, :host, :gpus, :config)
"""

START_RUN = """
UPDATE runs SET status = 'running', condition = :condition, started_at = :started_at, pid = :pid,
       supervisor_pid = :supervisor_pid
 WHERE id = :id AND attempt = :attempt AND status IN ('queued', 'running')
"""

#: the step to a final status: a compare-and-set, so that of many writers exactly one makes it
FINISH_RUN = """
UPDATE runs SET status = :status, ended_at = :ended_at, exit_code = :exit_code, signal = :signal, reason = :reason,
       condition = NULL
 WHERE id = :id AND attempt = :attempt AND status IN ('queued', 'running')
"""

SET_CONDITION = """
UPDATE runs SET condition = :condition
 WHERE id = :id AND attempt = :attempt AND status IN ('queued', 'running')
"""

#: only over the bytes this reader started from: two readers folding at once count no record twice
SET_SUMMARY = """
UPDATE runs SET summary = :summary, summary_offset = :offset, summary_done = :done
 WHERE id = :id AND attempt = :attempt AND summary_offset = :expected AND summary_done = 0
"""

DELETE_RUN = "DELETE FROM runs WHERE id = :id AND status NOT IN ('queued', 'running')"

FORGET_RUN = "DELETE FROM runs WHERE id = :id"

RESTORE_RUN = """
INSERT INTO runs (id, name, kind, status, group_name, tags, preset, created_at, started_at, ended_at, attempt,
       exit_code, signal, reason, condition, pid, supervisor_pid, host, gpus, config)
VALUES (:id, :name, :kind, :status, :group_name, :tags, :preset, :created_at, :started_at, :ended_at, :attempt,
       :exit_code, :signal, :reason, :condition, :pid, :supervisor_pid, :host, :gpus, :config)
"""
