"""Connections to the journal's database: how they are made, configured, shared and given up around a fork.

Every connection is in the driver's autocommit mode. Reads are single statements; the writer says `begin` and
`commit` itself, since SQLite's default (deferred) transactions fail instead of waiting when two processes upgrade.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import SQLAlchemyError

from jackstay.errors import ConfigurationError, MissingExtraError, StorageUnavailable
from jackstay.journal.location import URL_SETTING, Location
from jackstay.journal.write_connection import PostgresWriteConnection, WriteConnection

READ_CONNECTIONS = 4
IDLE_S = 5.0
"""How long a PostgreSQL session may keep a transaction open and do nothing: half of the shortest lease time."""
_OLDEST_SQLITE = (3, 36)  # the first whose in-memory databases are shared safely; `upsert` and DDL need less


class Database:
    """One database of one process. Thread-safe."""

    def __init__(self, location: Location, *, busy_timeout_s: float, idle_s: float = IDLE_S) -> None:
        self.location = location
        self._busy_timeout_s, self._idle_s = busy_timeout_s, idle_s
        self._memory_name = f"/jackstay-{secrets.token_hex(8)}"
        self.engine = self._engine()
        self._gate = _Gate()
        self._abandoned: list[object] = []
        self._anchor = self._open_sqlite() if self.in_memory else None  # the last one to close ends such a database

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What SQLAlchemy or the driver raises; to be translated where it leaves the journal."""
        return (SQLAlchemyError, sqlite3.Error)

    @property
    def in_memory(self) -> bool:
        return self.location.dialect == "sqlite" and self.location.path is None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read connection of the pool, for one or several single-statement reads."""
        with self._gate.passing(), self.engine.connect() as connection:
            yield connection

    def write_connection(self) -> WriteConnection:
        """A connection of its own for the writer."""
        connection = self.engine.connect()
        connection.detach()
        made = WriteConnection if self.location.dialect == "sqlite" else PostgresWriteConnection
        return made(connection, self.location.path)

    def reconnect(self) -> None:
        """After a failure: later reads use fresh connections (the file may be another one by now)."""
        if not self.in_memory:
            self.engine.dispose()

    def close(self) -> None:
        self.engine.dispose()
        if self._anchor is not None:
            self._anchor.close()

    def before_fork(self) -> None:
        """Wait for running reads, then close SQLite's files: a child that inherits SQLite's idea of which locks this
        process holds would believe them its own, and the last process but one would delete the WAL under it."""
        self._gate.shut()
        if not self.in_memory and self.location.dialect == "sqlite":
            self.engine.dispose()

    def after_fork_in_parent(self) -> None:
        self._gate.open()

    def forget_in_child(self) -> None:
        """Leave inherited connections alone: closing a socket shared with the parent would end the parent's session."""
        self._gate = _Gate()
        if not self.in_memory:
            self._abandoned.append(self.engine)
            self.engine = self._engine()

    def _engine(self) -> Engine:
        return self._sqlite_engine() if self.location.dialect == "sqlite" else self._postgres_engine()

    def _sqlite_engine(self) -> Engine:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise ConfigurationError(
                f"SQLite {sqlite3.sqlite_version} is too old for the journal (it needs "
                f"{'.'.join(map(str, _OLDEST_SQLITE))}); use a newer Python, or PostgreSQL by {URL_SETTING}"
            )
        return create_engine(
            "sqlite://",
            creator=self._open_sqlite,
            isolation_level="AUTOCOMMIT",
            poolclass=QueuePool,
            pool_size=READ_CONNECTIONS,
            max_overflow=64,
        )

    def _open_sqlite(self) -> sqlite3.Connection:
        location = self.location
        if location.path is not None:
            _refuse_orphaned_log(location.path)
            with suppress(FileExistsError):  # created by us, so that it is private before SQLite puts anything in
                os.close(os.open(location.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            query = "&".join(f"{key}={value}" for key, value in location.url.query.items())
            uri = f"file:{quote(str(location.path))}?{query}"
        else:
            uri = f"file:{self._memory_name}?vfs=memdb"
        connection = sqlite3.connect(
            uri, uri=True, timeout=self._busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        synchronous = "full" if location.durability == "full" else "normal"
        connection.execute(f"pragma synchronous={synchronous}")
        connection.execute("pragma foreign_keys=off")
        # Else what was erased, and what a row was before it changed, stays in the file's free space.
        connection.execute("pragma secure_delete=on")
        return connection

    def _postgres_engine(self) -> Engine:
        try:
            import psycopg  # noqa: F401  # optional extra
        except ImportError as exc:
            raise MissingExtraError("PostgreSQL needs the driver psycopg: pip install 'jackstay[postgres]'") from exc
        options: dict[str, Any] = {"application_name": "jackstay", "connect_timeout": 10}
        engine = create_engine(
            self.location.url,
            isolation_level="AUTOCOMMIT",
            pool_size=READ_CONNECTIONS,
            max_overflow=12,
            pool_pre_ping=True,
            connect_args={key: value for key, value in options.items() if key not in self.location.url.query},
        )
        event.listen(engine, "connect", self._end_idle_transactions)
        if self.location.durability == "off":
            event.listen(engine, "connect", _do_not_wait_for_disk)
        return engine

    def _end_idle_transactions(self, connection: Any, _record: object) -> None:
        """A process that was stopped, or cut off, within a transaction keeps its runs' leases locked in the database:
        the server has to let go of them, or nobody could take the runs over when their leases end."""
        connection.execute(f"set idle_in_transaction_session_timeout = {int(self._idle_s * 1000)}")


class _Gate:
    """Lets readers pass until it is shut; shutting waits for those inside."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._shut = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        with self._changed:
            while self._shut:
                self._changed.wait()
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def shut(self) -> None:
        with self._changed:
            self._shut = True
            while self._inside:
                self._changed.wait()

    def open(self) -> None:
        with self._changed:
            self._shut = False
            self._changed.notify_all()


def _refuse_orphaned_log(path: Path) -> None:
    """SQLite deletes a write-ahead log that it finds beside a new, empty file, and with it the last commits of the file
    that was there: looked for first, since a log is made after its file."""
    log = path.with_name(f"{path.name}-wal")
    if _size_of(log) and not path.exists():
        raise StorageUnavailable(
            f"the journal {path} is gone, but its last commits are still in {log.name} beside it: put the file back to "
            f"resume its runs, or delete {log.name} to start anew"
        )


def _size_of(path: Path) -> int:
    # In one look: a process that closes the file as its last one deletes its log.
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _do_not_wait_for_disk(connection: Any, _record: object) -> None:
    connection.execute("set synchronous_commit = off")
