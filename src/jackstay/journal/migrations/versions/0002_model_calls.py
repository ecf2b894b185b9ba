"""Model calls: budgets, limits, breakers, cached answers; why a model did not answer. Frozen, like 0001."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("step", sa.Column("tried", sa.Text(), nullable=True))
    op.add_column("reservation", sa.Column("held", sa.Text(), nullable=True))
    op.create_table(
        "budget",
        _key("name", primary=True),
        _key("period", primary=True),
        _big("spent_pico"),
        _big("reserved_pico"),
        _big("spent_tokens"),
        _big("reserved_tokens"),
        _big("spent_calls"),
        _big("reserved_calls"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "limiter",
        _key("name", primary=True),
        _big("request_tat"),
        _big("token_tat"),
        _big("paused_until"),
        _big("minute"),
        _big("requests"),
        _big("tokens"),
        _big("requests_before"),
        _big("tokens_before"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "limiter_use",
        _key("name", primary=True),
        _key("owner", primary=True),
        _number("in_use"),
        _number("waiting"),
        _big("expires_at"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "breaker",
        _key("name", primary=True),
        _number("failures"),
        _big("open_until"),
        sa.Column("reason", sa.Text(), nullable=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "answer_cache",
        _key("question", primary=True),
        _key("run_id"),
        _key("path"),
        _number("rev"),
        _big("created_at"),
        sqlite_with_rowid=False,
    )
    _index("step_billed", "step", "started_at", "kind = 'llm' AND origin_run_id IS NULL")
    _index("step_nested", "step", "finished_at", "kind IN ('crew', 'flow')")
    _index("reservation_lost", "reservation", "created_at", "state = 'lost'")


def downgrade() -> None:
    """There is no way back: a run that went on with the new tables is not understood by the old version."""
    raise NotImplementedError("restore a backup instead")


def _index(name: str, table: str, column: str, where: str) -> None:
    op.create_index(name, table, [column], sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _key(name: str, *, primary: bool = False) -> sa.Column[Any]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=False, primary_key=primary)


def _number(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=False, autoincrement=False)


def _big(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=False)
