"""The schema, as SQLAlchemy Core tables: what migrations are written against. What a user waits for is in `texts`."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False, index=True),
    Column("group_name", Text),
    Column("tags", Text, nullable=False, server_default="[]"),  # JSON list
    Column("preset", Text),
    Column("created_at", Text, nullable=False),
    Column("started_at", Text),
    Column("ended_at", Text),
    Column("attempt", Integer, nullable=False, server_default="1"),
    Column("exit_code", Integer),
    Column("signal", Text),
    Column("reason", Text),
    Column("condition", Text),
    Column("pid", Integer),
    Column("supervisor_pid", Integer),
    Column("host", Text, nullable=False),
    Column("gpus", Text, nullable=False, server_default="[]"),  # JSON list
    Column("config", Text, nullable=False, server_default="{}"),  # JSON object
    Column("summary", Text, nullable=False, server_default="{}"),  # JSON object, a cache over metrics.jsonl
    Column("summary_offset", Integer, nullable=False, server_default="0"),  # bytes of metrics.jsonl it covers
    Column("summary_done", Integer, nullable=False, server_default="0"),  # 1: ended, and all of the file is covered
    Column("priority", Integer, nullable=False, server_default="0"),  # of waiting runs the highest starts first,
    Column("place", Float),  # then the lowest of these; the id, if it was not moved
    Column("after_runs", Text, nullable=False, server_default="[]"),  # JSON list of ids that must complete before
    Column("gpus_wanted", Integer, nullable=False, server_default="0"),
    Column(
        "waiting", Integer, nullable=False, server_default="0"
    ),  # 1: in the queue; 0: claimed by a launch, or past it
    Column("claimed_boot", Float),  # when it was claimed, in seconds of the boot's clock, which nobody sets
    Column("slots", Integer, nullable=False, server_default="0"),  # starts when fewer runs than this are active; 0: any
    Column("retries", Integer, nullable=False, server_default="0"),  # left
    Column("duration", Float),  # seconds of the boot's clock, of the attempt that ended
    Column("started_boot", Float),
    Column("orphans", Text, nullable=False, server_default="[]"),  # JSON list of pids that outlived a lost run
    Column("alerts", Text, nullable=False, server_default="[]"),  # JSON list, a cache over alerts.jsonl
    Column("note", Text),  # as tags, a copy of labels.json
    Column("adapter", Text),  # what its command line was made by: which of its metrics matter
    Column("project", Text),
    Index("ix_runs_orphaned", "id", sqlite_where=text("orphans != '[]'"), postgresql_where=text("orphans != '[]'")),
    Index(
        "ix_runs_retried",
        "id",
        sqlite_where=text("status = 'failed' AND retries > 0"),
        postgresql_where=text("status = 'failed' AND retries > 0"),
    ),
    sqlite_autoincrement=True,  # an id is never used twice, also after `mlhub rm`
)

#: one row a host: a queue's slots and GPUs are a machine's
queue = Table(
    "queue",
    metadata,
    Column("host", Text, primary_key=True),
    Column("boot", Text),  # the boot that the last tick ran under
    Column("paused", Integer, nullable=False, server_default="0"),
    Column("reason", Text),
    Column("changed_at", Text),
)
