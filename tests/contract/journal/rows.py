"""Rows to write in tests, and the two databases to write them to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jackstay.core.records import Lease, Reservation, RunEnd, RunRow, Settlement, StepRow, Write
from jackstay.journal import Journal, from_url, open_journal
from jackstay.journal.location import Durability

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
TIMEOUT_S = 30.0


def a_run(run_id: str = "run-1", **fields: Any) -> RunRow:
    return RunRow(**{"id": run_id, "kind": "crew", "name": "research", "created_at": NOW, **fields})


def a_step(run_id: str = "run-1", path: str = "task#1/llm#1", **fields: Any) -> StepRow:
    given = {
        "run_id": run_id,
        "path": path,
        "kind": "llm",
        "name": "gpt-4.1-mini",
        "status": "succeeded",
        "args_hash": "0" * 64,
        "started_at": NOW,
        "finished_at": NOW + timedelta(seconds=1),
        "result": '{"text":"hello"}',
    }
    return StepRow(**{**given, **fields})


def a_reservation(run_id: str = "run-1", path: str = "task#1/llm#1", **fields: Any) -> Reservation:
    given = {"rev": 1, "attempt": 1, "epoch": 1, "model": "gpt-4.1-mini", "created_at": NOW, "worst_pico": 5_000_000}
    return Reservation(**{"run_id": run_id, "path": path, **given, **fields})


def a_settlement(run_id: str = "run-1", path: str = "task#1/llm#1", **fields: Any) -> Settlement:
    given = {"rev": 1, "attempt": 1, "outcome": "answered", "settled_at": NOW, "cost_pico": 3_000_000}
    return Settlement(**{"run_id": run_id, "path": path, **given, **fields})


def the_end(status: str = "succeeded", **fields: Any) -> RunEnd:
    return RunEnd(**{"status": status, "finished_at": NOW + timedelta(minutes=1), **fields})


def write_step(journal: Journal, lease: Lease, path: str, **fields: Any) -> StepRow:
    """Write one step and wait for it."""
    step = a_step(lease.run_id, path, **fields)
    (seq,) = journal.write(Write(lease, steps=(step,))).result(TIMEOUT_S)
    return replace(step, seq=seq)


@dataclass(frozen=True)
class Place:
    """A database under test."""

    dialect: str
    url: str

    def open(self, *, durability: Durability = "normal", **options: Any) -> Journal:
        """Another journal on it, as another process would open it."""
        return open_journal(from_url(self.url, durability), **options)

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Past the journal, in autocommit."""
        if self.dialect == "sqlite":
            with closing(sqlite3.connect(self.path, isolation_level=None, timeout=TIMEOUT_S)) as connection:
                return connection.execute(sql).fetchall()
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]  # any text, in tests
            return cursor.fetchall() if cursor.description else []

    @property
    def path(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def let_leases_expire(self) -> None:
        """As if nobody had been heard of for longer than the lease time, in processes that cannot be looked at."""
        self.execute("update lease set expires_at = 1, owner = 'somebody elsewhere' where owner is not null")
