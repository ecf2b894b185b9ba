"""The writer's connection: one transaction at a time, in as few statements and round trips as each database allows.

Past SQLAlchemy on the hot path, which compiles per call: a whole commit takes 60 µs. `core` takes its expressions for
everything that is rare.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table

from jackstay.core.records import Lease
from jackstay.errors import StorageUnavailable
from jackstay.journal import schema
from jackstay.journal.statements import CHUNKS, Statements

Inserts: TypeAlias = Sequence[tuple[Table, Sequence[Sequence[Any]]]]
Changes: TypeAlias = Sequence[tuple[str, Sequence[Sequence[Any]]]]
"""Statements, each with the parameters of every execution."""

LOG_TRANSACTIONS = 100
"""So many stand in SQLite's log before they go into its database. It is about SQLite's own measure, a thousand pages; but SQLite
would do it within a transaction, whoever waits for that."""


class WriteConnection:
    """SQLite's. Several rows go into one `insert`: the driver gives the interpreter's lock back at each statement, and
    a busy engine loop may keep it for 5 ms every time."""

    begin_statement = "begin immediate"  # a deferred one fails instead of waiting when two processes upgrade it

    def __init__(self, connection: Connection, path: Path | None) -> None:
        self._path, self._file, self._inode = path, str(path), path.stat().st_ino if path else 0
        self.core = connection
        self._quick = False
        self.dialect = connection.dialect
        self.statements = Statements(connection.dialect)
        self._logged = 0
        self.committing = False
        """Whether a failure leaves it open if the transaction was committed."""
        raw: Any = connection.connection.dbapi_connection
        self._raw, self._cursor = raw, raw.cursor()

    @property
    def is_quick(self) -> bool:
        """A transaction takes no longer than writing to memory does: none waits for the disk, nor is the log full."""
        return self._quick and self._logged < LOG_TRANSACTIONS

    def wait_for_nobody(self, *, flushes: bool) -> None:
        """From now on: not for other processes, whose locks are errors at once; not for the log. `flushes`: each
        transaction waits for the disk."""
        self._quick = not flushes
        self.execute("pragma busy_timeout=0")
        self.execute("pragma wal_autocheckpoint=0")

    def rest(self) -> None:
        """To be called between transactions: empties the log if that is due, which may take a while."""
        if self._logged >= LOG_TRANSACTIONS and self._path is not None:
            self._logged = 0
            self.execute("pragma wal_checkpoint(passive)").fetchall()

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        return self._cursor.execute(sql, parameters)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit what is done inside, or nothing of it."""
        with self.undone_on_error():
            self.execute(self.begin_statement)
            yield
            self._commit()

    @contextmanager
    def undone_on_error(self) -> Iterator[None]:
        """For a transaction in two halves, `begin` and `finish`: roll back if anything fails on the way."""
        self.committing = False
        try:
            yield
        except BaseException:
            with suppress(Exception):  # the connection may be what broke; the first error is the one to tell
                self.execute("rollback")
            raise

    def begin(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Begin a transaction with a query."""
        self._check_file()
        self.execute(self.begin_statement)
        rows: list[tuple[Any, ...]] = self.execute(sql, parameters).fetchall()
        return rows

    def begin_alone(self) -> dict[str, int]:
        """Begin a transaction of new runs only: there is no lease to look at."""
        self._check_file()
        self.execute(self.begin_statement)
        return {}

    def now_micros(self) -> int:
        """The database's clock, which is the machine's."""
        return time.time_ns() // 1000

    def add_step(self, row: Sequence[Any], lease: Lease) -> bool:
        """Commit one step by a statement that is a transaction of its own. False: the lease does not hold; nothing was
        done."""
        self._check_file()
        self.committing = True
        added: int = self.execute(self.statements.add_step, (*row, lease.run_id, lease.epoch)).rowcount
        self._logged += added
        return added == 1

    def finish(self, inserts: Inserts, changes: Changes) -> None:
        """Insert, then change, then commit."""
        for table, rows in inserts:
            at = 0
            for size in CHUNKS:
                while len(rows) - at >= size:
                    values = [value for row in rows[at : at + size] for value in row]
                    self.execute(self.statements.insert(table, size), values)
                    at += size
        for sql, executions in changes:
            self._cursor.executemany(sql, executions)
        self._commit()

    def _commit(self) -> None:
        self.committing = True
        self.execute("commit")
        self._logged += 1

    def close(self) -> None:
        with suppress(Exception):  # a broken connection cannot be closed in good order
            self._raw.close()

    def _check_file(self) -> None:
        """SQLite goes on writing into a file that was deleted, and all of it would be lost: look (1 µs) before each
        transaction."""
        if self._path is None:
            return
        try:
            same = os.stat(self._file).st_ino == self._inode  # noqa: PTH116 - half the time of `Path.stat`
        except OSError:
            same = False
        if not same:
            raise StorageUnavailable(
                f"the journal at {self._path} was deleted or replaced while it was in use; put the file back to "
                "resume its runs, or start anew"
            )


class PostgresWriteConnection(WriteConnection):
    """PostgreSQL's: two round trips for a small transaction, COPY for many rows (10 µs a row, where `insert` with
    thousands of parameters takes 100)."""

    begin_statement = "begin"
    _FEW = 4

    def __init__(self, connection: Connection, path: Path | None) -> None:
        super().__init__(connection, path)
        from psycopg import ClientCursor  # optional extra

        self._first: Any = ClientCursor(self._raw)

    def now_micros(self) -> int:
        """The server's clock, whatever the workers' say."""
        return int(self.execute(self.statements.now).fetchone()[0])

    def begin(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        # Both in one message, not in psycopg's pipeline: that ends with a flush, after which the server's timeout for
        # idle transactions (`Database`) is off, and a process that is stopped here would hold its leases for ever.
        self._first.execute(f"{self.begin_statement}; {sql}", parameters)
        self._first.nextset()
        rows: list[tuple[Any, ...]] = self._first.fetchall()
        return rows

    def add_step(self, row: Sequence[Any], lease: Lease) -> bool:
        return False  # (the lease has to be held until the transaction ends)

    def finish(self, inserts: Inserts, changes: Changes) -> None:
        if sum(len(rows) for _, rows in inserts) > self._FEW:
            inserts = [(table, rows) for table, rows in inserts if not self._copied(table, rows)]
        self.committing = True
        with self._raw.pipeline():
            for table, rows in inserts:
                sql = self.statements.insert(table, 1)
                for row in rows:
                    self._raw.execute(sql, row)
            for sql, executions in changes:
                for parameters in executions:
                    self._raw.execute(sql, parameters)
            self._raw.execute("commit")

    def _copied(self, table: Table, rows: Sequence[Sequence[Any]]) -> bool:
        if table is schema.blob or len(rows) < self._FEW:  # COPY has no `on conflict do nothing`
            return False
        with self._cursor.copy(self.statements.copy(table)) as copy:
            for row in rows:
                copy.write_row(row)
        return True
