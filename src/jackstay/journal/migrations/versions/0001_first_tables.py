"""The first tables. Frozen: it does not import `schema.py`, which moves on."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "run",
        _key("id", primary=True),
        _text("kind", null=False),
        _text("name", null=False),
        _big("created_at"),
        _text("status", null=False),
        _text("reason"),
        _text("inputs"),
        _text("output"),
        _text("error"),
        _text("entry"),
        _text("fingerprint"),
        _text("run_key"),
        _key("parent_run", null=True),
        _key("forked_from", null=True),
        _text("trigger"),
        _text("deployment"),
        _text("version"),
        _text("project_id"),
        _text("session_id"),
        _text("idempotency_key"),
        _text("model_override"),
        _number("priority"),
        _number("attempts"),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        _big("not_before", null=True),
        _big("admitted_at", null=True),
        _big("started_at", null=True),
        _big("finished_at", null=True),
        _text("tags"),
        _number("format"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "step",
        _key("run_id", primary=True),
        _key("path", primary=True),
        _text("kind", null=False),
        _text("name", null=False),
        _text("status", null=False),
        _text("args_hash", null=False),
        _big("started_at"),
        _big("finished_at"),
        _number("rev", primary=True),
        _number("seq"),
        _number("epoch"),
        _number("attempts"),
        _number("hash_version"),
        _text("request"),
        _text("request_ref"),
        _text("result"),
        _text("error"),
        _text("agent"),
        _text("task"),
        _text("model"),
        _text("answered_by"),
        _text("provider"),
        _big("input_tokens"),
        _big("cached_tokens"),
        _big("cache_write_tokens"),
        _big("output_tokens"),
        _big("reasoning_tokens"),
        _big("cost_pico", null=True),
        _text("price_version"),
        _text("flags"),
        _big("duration_us"),
        _key("origin_run_id", null=True),
        _number("format"),
    )
    op.create_table(
        "lease",
        _key("run_id", primary=True),
        _number("epoch"),
        _text("owner"),
        _big("expires_at"),
        _text("activity"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "reservation",
        _key("run_id", primary=True),
        _key("path", primary=True),
        _number("rev", primary=True),
        _number("attempt", primary=True),
        _number("epoch"),
        _text("model", null=False),
        _big("created_at"),
        _big("worst_pico", null=True),
        _big("worst_input_tokens"),
        _big("worst_output_tokens"),
        _text("state", null=False),
        _big("cost_pico", null=True),
        _text("outcome"),
        _big("settled_at", null=True),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "blob",
        _key("sha256", primary=True),
        _key("parent", null=True),
        _text("encoding", null=False),
        sa.Column("bytes", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "intent",
        _key("run_id", primary=True),
        _key("path", primary=True),
        _number("rev", primary=True),
        _number("epoch"),
        _text("key", null=False),
        _big("created_at"),
    )
    op.create_table(
        "wait",
        _key("run_id", primary=True),
        _key("path", primary=True),
        _number("rev", primary=True),
        _text("kind", null=False),
        _text("prompt"),
        _text("payload"),
        _text("project_id"),
        _big("created_at"),
        _big("deadline", null=True),
        _big("answered_at", null=True),
        _text("answered_by"),
        _text("answer"),
    )
    op.create_index("run_by_created", "run", ["created_at", "id"])
    _index_where("run_unfinished", "run", ["created_at"], "status IN ('queued', 'running', 'waiting')")
    _index_where("run_by_parent", "run", ["parent_run"], "parent_run IS NOT NULL")
    _index_where("run_by_session", "run", ["session_id"], "session_id IS NOT NULL")
    of_project = sa.text("coalesce(project_id, '')")
    _index_where("run_by_key", "run", [of_project, "run_key"], "run_key IS NOT NULL", unique=True)
    _index_where("wait_open", "wait", ["created_at"], "answered_at IS NULL")


def downgrade() -> None:
    """There is no way back: a run that went on with the new tables is not understood by the old version."""
    raise NotImplementedError("restore a backup instead")


def _text(name: str, *, null: bool = True) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=null)


def _key(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[Any]:
    kind = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    return sa.Column(name, kind, nullable=null, primary_key=primary)


def _number(name: str, *, null: bool = False, primary: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.Integer(), nullable=null, primary_key=primary, autoincrement=False)


def _big(name: str, *, null: bool = False) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), nullable=null)


def _index_where(
    name: str, table: str, columns: list[str | sa.TextClause], where: str, *, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=condition, postgresql_where=condition)
