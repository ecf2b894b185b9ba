"""The journal's tables, the same on SQLite and PostgreSQL. Their names and columns are promises (expand, then contract).

Portable by choice: times are BIGINT microseconds since 1970 (UTC), money is BIGINT pico-dollars, JSON is TEXT,
keys compare byte by byte (`COLLATE "C"` on PostgreSQL) so that prefix ranges and `order by` agree on both.
Columns stand in the order of the values in `core/records.py`: a row is that value's fields, one by one.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text, func, text
from sqlalchemy.types import TypeEngine

SCHEMA_VERSION = "0003"
"""The newest migration (a test compares it with Alembic's head). Compared as text: four digits, counting up."""

VERSION_TABLE = "jackstay_version"
"""Alembic's own default name would collide with a host application's in a shared PostgreSQL database."""

metadata = MetaData()

Key: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")


def _text(name: str, *, null: bool = True) -> Column[Any]:
    return Column(name, Text, nullable=null)


def _key(name: str, *, null: bool = False, primary: bool = False) -> Column[Any]:
    return Column(name, Key, nullable=null, primary_key=primary)


def _number(name: str, *, null: bool = False, primary: bool = False) -> Column[Any]:
    return Column(name, Integer, nullable=null, primary_key=primary, autoincrement=False)


def _big(name: str, *, null: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=null)


run = Table(
    "run",
    metadata,
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
    Column("cancel_requested", Boolean, nullable=False),
    _big("not_before", null=True),
    _big("admitted_at", null=True),
    _big("started_at", null=True),
    _big("finished_at", null=True),
    _text("tags"),
    _number("format"),
    sqlite_with_rowid=False,
)
Index("run_by_created", run.c.created_at, run.c.id)
UNFINISHED = text("status IN ('queued', 'running', 'waiting')")
"""Written out, with no bound values: only so does SQLite see that the index below serves it."""
# Of a million runs a handful is unfinished: the index stays small, and the end of a run writes one page fewer.
Index("run_unfinished", run.c.created_at, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED)
Index(
    "run_by_parent",
    run.c.parent_run,
    sqlite_where=run.c.parent_run.is_not(None),
    postgresql_where=run.c.parent_run.is_not(None),
)
Index(
    "run_by_session",
    run.c.session_id,
    sqlite_where=run.c.session_id.is_not(None),
    postgresql_where=run.c.session_id.is_not(None),
)
# Unique: two processes that start the same run key at the same moment must not both get a run.
Index(
    "run_by_key",
    func.coalesce(run.c.project_id, ""),
    run.c.run_key,
    unique=True,
    sqlite_where=run.c.run_key.is_not(None),
    postgresql_where=run.c.run_key.is_not(None),
)

# With a rowid: the steps of many runs are appended side by side. Ordered by the key, whole rows would be scattered over
# as many pages as there are runs (measured with 100 of them: half the steps per second).
step = Table(
    "step",
    metadata,
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
    _text("tried"),
)
BILLED = text("step.kind = 'llm' AND step.origin_run_id IS NULL")
"""Model calls that are the run's own. Written out, like `UNFINISHED`, so that the index below is seen to serve it."""
NESTED = text("step.kind IN ('crew', 'flow')")
# Of the usage of a day or a week only that week's calls are looked at; new ones are always at its end.
Index(
    "step_billed",
    step.c.started_at,
    sqlite_where=text("kind = 'llm' AND origin_run_id IS NULL"),
    postgresql_where=text("kind = 'llm' AND origin_run_id IS NULL"),
)
# Few, beside the calls in them: which crew or flow a path belongs to.
Index(
    "step_nested",
    step.c.finished_at,
    sqlite_where=text("kind IN ('crew', 'flow')"),
    postgresql_where=text("kind IN ('crew', 'flow')"),
)
SAVED = text("step.kind = 'input' AND step.name = 'state' AND step.request IS NOT NULL")
"""Where flows that are persisted begin: the row's request is their state's id."""
Index(
    "step_state",
    step.c.request,
    sqlite_where=text("kind = 'input' AND name = 'state' AND request IS NOT NULL"),
    postgresql_where=text("kind = 'input' AND name = 'state' AND request IS NOT NULL"),
)
# No index by `seq`: a run's steps are read together, by the beginning of the key, and sorted then.

lease = Table(
    "lease",
    metadata,
    _key("run_id", primary=True),
    _number("epoch"),
    _text("owner"),
    _big("expires_at"),
    _text("activity"),
    sqlite_with_rowid=False,
)

reservation = Table(
    "reservation",
    metadata,
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
    _text("held"),
    sqlite_with_rowid=False,
)
LOST = text("reservation.state = 'lost'")
Index(
    "reservation_lost",
    reservation.c.created_at,
    sqlite_where=text("state = 'lost'"),
    postgresql_where=text("state = 'lost'"),
)

# What every process of a database shares about calls: what budgets have left, how fast keys may be used, which models
# are down. Times by the database's clock.
budget = Table(
    "budget",
    metadata,
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

limiter = Table(
    "limiter",
    metadata,
    _key("name", primary=True),
    _big("request_tat"),  # GCRA's theoretical arrival times
    _big("token_tat"),
    _big("paused_until"),
    _big("minute"),  # since 1970; what has gone out in it, and in the one before: for people only
    _big("requests"),
    _big("tokens"),
    _big("requests_before"),
    _big("tokens_before"),
    sqlite_with_rowid=False,
)
# One row per process: a process that died takes its share with it when the time has passed.
limiter_use = Table(
    "limiter_use",
    metadata,
    _key("name", primary=True),
    _key("owner", primary=True),
    _number("in_use"),
    _number("waiting"),
    _big("expires_at"),
    sqlite_with_rowid=False,
)

breaker = Table(
    "breaker",
    metadata,
    _key("name", primary=True),
    _number("failures"),
    _big("open_until"),
    _text("reason"),
    sqlite_with_rowid=False,
)

answer_cache = Table(
    "answer_cache",
    metadata,
    _key("question", primary=True),
    _key("run_id"),
    _key("path"),
    _number("rev"),
    _big("created_at"),
    sqlite_with_rowid=False,
)

blob = Table(
    "blob",
    metadata,
    _key("sha256", primary=True),
    _key("parent", null=True),  # of a stretch of messages: the chain's value before it
    _text("encoding", null=False),
    Column("bytes", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

intent = Table(
    "intent",
    metadata,
    _key("run_id", primary=True),
    _key("path", primary=True),
    _number("rev", primary=True),
    _number("epoch"),
    _text("key", null=False),
    _big("created_at"),
)

wait = Table(
    "wait",
    metadata,
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
Index(
    "wait_open",
    wait.c.created_at,
    sqlite_where=wait.c.answered_at.is_(None),
    postgresql_where=wait.c.answered_at.is_(None),
)
