"""SQL text of the hot path, made once from the tables, in the words of one dialect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Table, literal_column
from sqlalchemy.engine import Dialect

from jackstay.journal import schema

CHUNKS = (64, 16, 4, 1)
"""Rows per statement. Few sizes, so that the driver's cache of prepared statements holds them all."""


def now_micros(dialect: str) -> str:
    """The database's clock in SQL: leases go by it, whatever the clocks of the workers say."""
    if dialect == "postgresql":
        return "cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)"
    return "cast((julianday('now') - 2440587.5) * 86400000000 as integer)"


def now(dialect: str) -> ColumnElement[int]:
    """The same as an expression."""
    return literal_column(now_micros(dialect), BigInteger)


class Statements:
    """The statements of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._quote = dialect.identifier_preparer.quote
        self._postgres = dialect.name == "postgresql"
        self._mark = "%s" if self._postgres else "?"
        self._made: dict[tuple[str, int], str] = {}
        self._lives: dict[int, str] = {}
        mark = self._mark
        self.now = f"select {now_micros(dialect.name)}"
        self.max_seq = f"select max(seq) from step where run_id = {mark}"
        self.settle = (
            f"update reservation set state = 'settled', outcome = {mark}, cost_pico = {mark}, settled_at = {mark} "
            f"where run_id = {mark} and path = {mark} and rev = {mark} and attempt = {mark} and state = 'open'"
        )
        self.end_run = (
            f"update run set status = {mark}, reason = {mark}, output = {mark}, error = {mark}, finished_at = {mark} "
            f"where id = {mark}"
        )
        marks = ", ".join([mark] * len(schema.step.columns))
        self.add_step = (
            f"insert into {self._into(schema.step)} select {marks} where exists "
            f"(select 1 from lease where run_id = {mark} and epoch = {mark} and owner is not null)"
        )
        self.budgets = BudgetSql(mark, postgres=self._postgres)
        self.release = f"update lease set owner = null, expires_at = 0, activity = null where run_id = {mark}"

    def insert(self, table: Table, size: int) -> str:
        """An `insert` of so many rows."""
        sql = self._made.get((table.name, size))
        if sql is None:
            row = "(" + ", ".join([self._mark] * len(table.columns)) + ")"
            # Content-addressed: whoever stored it first stored the same.
            tail = " on conflict do nothing" if table is schema.blob else ""
            sql = f"insert into {self._into(table)} values {', '.join([row] * size)}{tail}"
            self._made[table.name, size] = sql
        return sql

    def copy(self, table: Table) -> str:
        """PostgreSQL's COPY into the table."""
        return f"copy {self._into(table)} from stdin"

    def live(self, run_ids: Sequence[str]) -> tuple[str, list[Any]]:
        """The epochs of these runs' leases, held until the transaction's end. In run order, as renewals take them:
        so two writers cannot wait for each other."""
        if self._postgres:
            sql = (
                "select run_id, epoch from lease where run_id = any(%s) and owner is not null order by run_id for share"
            )
            return sql, [list(run_ids)]
        run_ids = run_ids or [""]
        size = 1 << (len(run_ids) - 1).bit_length()  # few different statements, so that they stay prepared
        sql = self._lives.get(size) or self._lives.setdefault(
            size,
            f"select run_id, epoch from lease where run_id in ({', '.join('?' * size)}) and owner is not null",
        )
        return sql, [*run_ids, *[run_ids[-1]] * (size - len(run_ids))]

    def _into(self, table: Table) -> str:
        return f"{self._quote(table.name)} ({', '.join(self._quote(column.name) for column in table.columns)})"


class BudgetSql:
    """Statements on budgets, in the words of one dialect."""

    def __init__(self, mark: str, *, postgres: bool) -> None:
        self.postgres = postgres
        most = " and ".join(
            f"(cast({mark} as bigint) is null or spent_{kind} + reserved_{kind} + {mark} <= {mark})"
            for kind in ("pico", "tokens", "calls")
        )
        self.hold = (
            f"update budget set reserved_pico = reserved_pico + {mark}, reserved_tokens = reserved_tokens + {mark}, "
            f"reserved_calls = reserved_calls + {mark} where name = {mark} and period = {mark} and {most}"
        )
        self.settle = (
            f"update budget set reserved_pico = reserved_pico - {mark}, reserved_tokens = reserved_tokens - {mark}, "
            f"reserved_calls = reserved_calls - {mark}, spent_pico = spent_pico + {mark}, "
            f"spent_tokens = spent_tokens + {mark}, spent_calls = spent_calls + {mark} "
            f"where name = {mark} and period = {mark}"
        )
        self.read = (
            "select spent_pico, spent_tokens, spent_calls, reserved_pico, reserved_tokens, reserved_calls from budget "
            f"where name = {mark} and period = {mark}"
        )
        self.make = f"insert into budget values ({mark}, {mark}, 0, 0, 0, 0, 0, 0) on conflict do nothing"
        self.lock = f"select 1 from budget where name = {mark} and period = {mark} for update"
