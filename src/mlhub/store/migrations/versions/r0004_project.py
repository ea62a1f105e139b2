"""By which adapter, and of which project, a run was started."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    for name in ("adapter", "project"):
        op.add_column("runs", sa.Column(name, sa.Text))
