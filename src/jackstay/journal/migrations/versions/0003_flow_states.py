"""Flows: which runs have a state of that id. Frozen, like 0001."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    where = sa.text("kind = 'input' AND name = 'state' AND request IS NOT NULL")
    op.create_index("step_state", "step", ["request"], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    """There is no way back, as with 0002."""
    raise NotImplementedError("restore a backup instead")
