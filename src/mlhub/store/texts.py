"""The SQL of reads and writes that somebody waits for, as texts with `:name` parameters. Standard library only.

Bare `sqlite3` runs them, in the hub and in the supervisor (`FINISH_RUN`): SQLAlchemy's import alone takes longer than
`mlhub ls` as a whole. The tables themselves are in `mlhub.store.tables`.
"""

from __future__ import annotations

COLUMNS = (
    "id, name, kind, status, group_name, tags, preset, created_at, started_at, ended_at, attempt, exit_code, signal,"
    " reason, condition, pid, supervisor_pid, host, gpus, config, summary, summary_offset, summary_done, priority,"
    " place, after_runs, gpus_wanted, waiting, claimed_boot, slots, retries, duration, started_boot, orphans, alerts,"
    " note, adapter, project"
)

REVISION = "SELECT version_num FROM alembic_version"

GET_RUN = f"SELECT {COLUMNS} FROM runs WHERE id = :id"  # noqa: S608 - a constant
GET_BY_NAME = f"SELECT {COLUMNS} FROM runs WHERE name = :name"  # noqa: S608
#: a run with a preset and no adapter was recorded before there were adapters
_BY_ADAPTER = "(:adapter IS NULL OR adapter = :adapter OR (adapter IS NULL AND preset IS NOT NULL))"
NEWEST_RUN = f"""SELECT {COLUMNS} FROM runs WHERE (:kind IS NULL OR kind = :kind) AND {_BY_ADAPTER}
 ORDER BY id DESC LIMIT 1"""  # noqa: S608
NEWEST_RUNS = f"SELECT {COLUMNS} FROM runs ORDER BY id DESC LIMIT :limit"  # noqa: S608
NEWEST_GROUP = "SELECT group_name FROM runs WHERE group_name IS NOT NULL ORDER BY id DESC LIMIT 1"
IN_GROUP = f"SELECT {COLUMNS} FROM runs WHERE group_name = :name ORDER BY id"  # noqa: S608
NEWEST_COMPLETED = f"SELECT {COLUMNS} FROM runs WHERE kind = :kind AND status = 'completed' ORDER BY id DESC LIMIT 1"  # noqa: S608
OLDER_RUNS = f"SELECT {COLUMNS} FROM runs WHERE id < :id ORDER BY id DESC LIMIT :limit"  # noqa: S608
OLDER_MEANT = f"SELECT {COLUMNS} FROM runs WHERE id < :id AND {{}} ORDER BY id DESC LIMIT :limit"  # noqa: S608
ACTIVE_OR_NEWER = f"""SELECT {COLUMNS} FROM runs WHERE status IN ('queued', 'running')
 UNION SELECT {COLUMNS} FROM runs WHERE id > :known"""  # noqa: S608
ACTIVE_RUNS = f"SELECT {COLUMNS} FROM runs WHERE status IN ('queued', 'running') ORDER BY id"  # noqa: S608
NAMES = "SELECT name FROM runs ORDER BY id DESC LIMIT 1000"
ALL_IDS = "SELECT id FROM runs"

#: completion in the shell: a few columns, and of many runs the newest; `statuses` and `kind` leave out the others
_MEANT = f"(:statuses = '' OR instr(:statuses, status) > 0) AND (:kind IS NULL OR kind = :kind) AND {_BY_ADAPTER}"
RUN_WORDS = f"""SELECT id, name, status, kind FROM runs WHERE name >= :first AND name < :last AND {_MEANT}
 ORDER BY id DESC LIMIT 1000"""  # noqa: S608
RUN_IDS = f"""SELECT id, name, status, kind FROM runs WHERE substr(id, 1, length(:prefix)) = :prefix AND {_MEANT}
 ORDER BY id DESC LIMIT 200"""  # noqa: S608
#: a run's metrics and configuration, if they are not so many that reading them would be noticed
_TREES = "substr(summary, 1, 1000001), substr(config, 1, 1000001)"
RUN_TREES = f"""SELECT {_TREES} FROM runs
 WHERE id = (CASE :ref WHEN '@last' THEN (SELECT max(id) FROM runs) ELSE :ref END) OR name = :ref"""  # noqa: S608
NEWEST_TREES = f"SELECT {_TREES} FROM runs ORDER BY id DESC LIMIT 20"  # noqa: S608
_TAGS = "SELECT tags FROM runs WHERE tags <> '[]' AND json_valid(tags) ORDER BY id DESC LIMIT 5000"
TAG_WORDS = f"SELECT DISTINCT value FROM ({_TAGS}), json_each(tags) LIMIT 1000"  # noqa: S608
RUN_TAGS = "SELECT value FROM runs, json_each(tags) WHERE runs.id = :ref OR runs.name = :ref"
GROUP_WORDS = """SELECT group_name FROM runs WHERE group_name IS NOT NULL GROUP BY group_name
 ORDER BY max(id) DESC LIMIT 1000"""
WAITING_HOSTS = "SELECT DISTINCT host FROM runs WHERE status = 'queued' AND waiting = 1"

ORPHANED_RUNS = f"SELECT {COLUMNS} FROM runs WHERE orphans != '[]' ORDER BY id"  # noqa: S608
FAILED_WITH_RETRIES = f"SELECT {COLUMNS} FROM runs WHERE status = 'failed' AND retries > 0 AND host = :host ORDER BY id"  # noqa: S608
WAITING_RUNS = f"""SELECT {COLUMNS} FROM runs WHERE status = 'queued' AND waiting = 1 AND host = :host
 ORDER BY priority DESC, COALESCE(place, id), id"""  # noqa: S608
ALL_WAITING = f"SELECT {COLUMNS} FROM runs WHERE status = 'queued' AND waiting = 1"  # noqa: S608
WAITING_ELSEWHERE = f"""SELECT {COLUMNS} FROM runs WHERE status = 'queued' AND waiting = 1 AND host <> :host
 ORDER BY host, id"""  # noqa: S608

#: the last id given out; ids are never used twice
LAST_ID = "SELECT seq FROM sqlite_sequence WHERE name = 'runs'"

ADD_RUN = """
INSERT INTO runs (id, name, kind, status, group_name, tags, preset, created_at, host, config, priority, after_runs,
       gpus_wanted, waiting, slots, retries, claimed_boot, adapter, project)
VALUES (:id, :name, :kind, 'queued', :group_name, :tags, :preset, :created_at, :host, :config, :priority, :after_runs,
       :gpus_wanted, 1, :slots, :retries, :claimed_boot, :adapter, :project)
"""

START_RUN = """
UPDATE runs SET status = 'running', condition = NULL, started_at = :started_at, pid = :pid,
       supervisor_pid = :supervisor_pid, started_boot = :started_boot, waiting = 0
 WHERE id = :id AND attempt = :attempt AND status IN ('queued', 'running')
"""

#: the step to a final status: a compare-and-set, so that of many writers exactly one makes it
FINISH_RUN = """
UPDATE runs SET status = :status, ended_at = :ended_at, exit_code = :exit_code, signal = :signal, reason = :reason,
       duration = :duration, condition = NULL, waiting = 0, alerts = '[]'
 WHERE id = :id AND attempt = :attempt AND status IN ('queued', 'running')
"""

#: of many ticks and submitters one wins; it is the only one that launches
CLAIM_RUN = """
UPDATE runs SET waiting = 0, gpus = :gpus, claimed_boot = :claimed_boot, condition = 'starting'
 WHERE id = :id AND attempt = :attempt AND status = 'queued' AND waiting = 1
"""

#: just before the launch: whoever was held up so long that its claim was given away learns it here
RENEW_CLAIM = """
UPDATE runs SET claimed_boot = :now
 WHERE id = :id AND attempt = :attempt AND status = 'queued' AND waiting = 0 AND claimed_boot = :claimed_boot
"""

#: a claim whose launch never came about goes back to where it was
UNCLAIM_RUN = """
UPDATE runs SET waiting = 1, gpus = '[]', condition = NULL
 WHERE id = :id AND attempt = :attempt AND status = 'queued' AND waiting = 0
"""

#: an ended run, or one whose launch was cut short, waits again as its next attempt; of two who want that one gets it
REQUEUE_RUN = """
UPDATE runs SET status = 'queued', waiting = 1, attempt = :next, retries = :retries, claimed_boot = :claimed_boot,
       started_at = NULL, ended_at = NULL, exit_code = NULL, signal = NULL, reason = NULL, condition = NULL,
       pid = NULL, supervisor_pid = NULL, gpus = '[]', duration = NULL, started_boot = NULL, orphans = '[]',
       summary_done = 0, priority = :priority, gpus_wanted = :gpus_wanted, after_runs = :after_runs, alerts = '[]',
       slots = :slots, place = NULL
 WHERE id = :id AND attempt = :attempt AND retries = :had
   AND (status IN ('failed', 'cancelled') OR (status = 'queued' AND waiting = 0))
"""

#: a run that waits has no process: this is all of its end
CANCEL_WAITING = """
UPDATE runs SET status = 'cancelled', waiting = 0, ended_at = :ended_at, reason = :reason, condition = NULL, retries = 0
 WHERE id = :id AND attempt = :attempt AND status = 'queued' AND waiting = 1
"""

SPEND_RETRIES = "UPDATE runs SET retries = 0 WHERE id = :id"

SET_AFTER = "UPDATE runs SET after_runs = :after_runs WHERE id = :id AND waiting = 1"

SET_ORPHANS = "UPDATE runs SET orphans = :orphans WHERE id = :id AND attempt = :attempt"

#: of a run that was started without one: what its program said of itself
SET_CONFIG = "UPDATE runs SET config = :config WHERE id = :id AND config = '{}'"

#: of a command that turned out to be a training
SET_TRAINING = "UPDATE runs SET kind = 'train' WHERE id = :id AND kind = 'command'"

SET_LABELS = "UPDATE runs SET tags = :tags, note = :note WHERE id = :id"

SET_ALERTS = "UPDATE runs SET alerts = :alerts WHERE id = :id AND status IN ('queued', 'running')"

MOVE_RUN = "UPDATE runs SET priority = :priority, place = :place WHERE id = :id AND waiting = 1"

#: what waits or is to be retried on a host that has another name now
ADOPT_RUNS = """
UPDATE runs SET host = :host, condition = NULL
 WHERE host = :old AND ((status = 'queued' AND waiting = 1) OR (status = 'failed' AND retries > 0))
"""

QUEUE_STATE = "SELECT host, boot, paused, reason, changed_at FROM queue WHERE host = :host"

SET_QUEUE_STATE = """
INSERT INTO queue (host, boot, paused, reason, changed_at) VALUES (:host, :boot, :paused, :reason, :changed_at)
ON CONFLICT (host) DO UPDATE SET boot = :boot, paused = :paused, reason = :reason, changed_at = :changed_at
"""

#: asked by an ending supervisor: is there anything that a tick could start
ANY_WAITING = """
SELECT EXISTS (SELECT 1 FROM runs WHERE status = 'queued' AND waiting = 1)
    OR EXISTS (SELECT 1 FROM runs WHERE status = 'failed' AND retries > 0)
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

#: of an ended run whose files were written anew from elsewhere: what they say, whoever folded them before
SET_IMPORTED = """
UPDATE runs SET status = :status, started_at = :started_at, ended_at = :ended_at, exit_code = :exit_code,
       reason = :reason, host = :host, config = :config, duration = :duration, summary = :summary,
       summary_offset = :summary_offset, summary_done = 1
 WHERE id = :id AND status NOT IN ('queued', 'running')
"""

#: no process of ours has ever been theirs: the runs that may have been imported
ENDED_WITHOUT_PROCESS = """
SELECT id FROM runs WHERE pid IS NULL AND supervisor_pid IS NULL AND status NOT IN ('queued', 'running') ORDER BY id
"""

DELETE_RUN = "DELETE FROM runs WHERE id = :id AND status NOT IN ('queued', 'running')"

FORGET_RUN = "DELETE FROM runs WHERE id = :id"

RESTORE_RUN = """
INSERT INTO runs (id, name, kind, status, group_name, tags, preset, created_at, started_at, ended_at, attempt,
       exit_code, signal, reason, condition, pid, supervisor_pid, host, gpus, config, priority, place, after_runs,
       gpus_wanted, waiting, slots, retries, duration, note, adapter, project)
VALUES (:id, :name, :kind, :status, :group_name, :tags, :preset, :created_at, :started_at, :ended_at, :attempt,
       :exit_code, :signal, :reason, :condition, :pid, :supervisor_pid, :host, :gpus, :config, :priority, :place,
       :after_runs, :gpus_wanted, :waiting, :slots, :retries, :duration, :note, :adapter, :project)
"""
