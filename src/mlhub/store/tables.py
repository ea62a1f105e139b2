"""The schema, as SQLAlchemy Core tables: what migrations are written against. What a user waits for is in `texts`."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, Table, Text

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
    sqlite_autoincrement=True,  # an id is never used twice, also after `mlhub rm`
)
