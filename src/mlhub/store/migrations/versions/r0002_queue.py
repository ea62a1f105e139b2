"""The queue: what waits, in which order, for what; and what is known of a run beyond its status."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for column in (
        sa.Column("priority", sa.Integer, nullable=False, server_default="0"),
        sa.Column("place", sa.Float),
        sa.Column("after_runs", sa.Text, nullable=False, server_default="[]"),
        sa.Column("gpus_wanted", sa.Integer, nullable=False, server_default="0"),
        sa.Column("waiting", sa.Integer, nullable=False, server_default="0"),
        sa.Column("claimed_boot", sa.Float),
        sa.Column("slots", sa.Integer, nullable=False, server_default="0"),
        sa.Column("retries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("duration", sa.Float),
        sa.Column("started_boot", sa.Float),
        sa.Column("orphans", sa.Text, nullable=False, server_default="[]"),
        sa.Column("alerts", sa.Text, nullable=False, server_default="[]"),
    ):
        op.add_column("runs", column)
    op.create_table(
        "queue",
        sa.Column("host", sa.Text, primary_key=True),
        sa.Column("boot", sa.Text),
        sa.Column("paused", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reason", sa.Text),
        sa.Column("changed_at", sa.Text),
    )
    # few rows of many: `mlhub ls` must not look through all of ten thousand for them
    for name, where in (("orphaned", "orphans != '[]'"), ("retried", "status = 'failed' AND retries > 0")):
        op.create_index(f"ix_runs_{name}", "runs", ["id"], sqlite_where=sa.text(where), postgresql_where=sa.text(where))
