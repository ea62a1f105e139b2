"""The table of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False, index=True),
        sa.Column("group_name", sa.Text),
        sa.Column("tags", sa.Text, nullable=False, server_default="[]"),
        sa.Column("preset", sa.Text),
        sa.Column("created_at", sa.Text, nullable=False),
        sa.Column("started_at", sa.Text),
        sa.Column("ended_at", sa.Text),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="1"),
        sa.Column("exit_code", sa.Integer),
        sa.Column("signal", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("condition", sa.Text),
        sa.Column("pid", sa.Integer),
        sa.Column("supervisor_pid", sa.Integer),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("gpus", sa.Text, nullable=False, server_default="[]"),
        sa.Column("config", sa.Text, nullable=False, server_default="{}"),
        sa.Column("summary", sa.Text, nullable=False, server_default="{}"),
        sa.Column("summary_offset", sa.Integer, nullable=False, server_default="0"),
        sa.Column("summary_done", sa.Integer, nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )
