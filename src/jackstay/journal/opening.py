"""Making a database ready: WAL, tables, and the right version of them.

A new SQLite file gets the newest tables at once, without Alembic (importing it costs more than all of the rest); an
older one is migrated where it is opened; PostgreSQL is migrated only when somebody asks for it (`jackstay db upgrade`).
"""

from __future__ import annotations

import random
import sqlite3
import time
from typing import Any

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateIndex, CreateTable

from jackstay.errors import DatabaseTooNew, MigrationNeeded, StorageUnavailable
from jackstay.journal.database import Database
from jackstay.journal.failures import kind_of, storage_error
from jackstay.journal.location import URL_SETTING
from jackstay.journal.schema import SCHEMA_VERSION, VERSION_TABLE, metadata
from jackstay.journal.write_connection import WriteConnection

ADVISORY_LOCK = 0x6A61636B  # "jack": PostgreSQL's lock for migrations


def connect(database: Database, busy_timeout_s: float) -> WriteConnection:
    """A connection to a database that this version can use; a SQLite file is made or migrated for it.

    Also when the writer connects again: meanwhile the file may have been deleted, or the server migrated.
    """
    connection = database.write_connection()
    try:
        if database.location.dialect == "sqlite":
            _prepare_sqlite(database, connection, time.monotonic() + busy_timeout_s)
        else:
            _check_postgres(database, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def upgrade(database: Database) -> tuple[str | None, str]:
    """Bring the tables up to date, on either database. Returns the version before and after."""
    try:
        connection = database.write_connection()
        try:
            with connection.transaction():
                if database.location.dialect == "postgresql":
                    connection.core.execute(text(f"select pg_advisory_xact_lock({ADVISORY_LOCK})"))
                before = _version(connection.core)
                _refuse_newer(database, before)
                if before != SCHEMA_VERSION:
                    migrate(connection.core)
                return before, SCHEMA_VERSION
        finally:
            connection.close()
    except database.errors as exc:
        raise storage_error(exc, database.location.shown) from exc


def migrate(connection: Connection) -> None:
    """Run Alembic's migrations up to the newest inside the caller's transaction."""
    from jackstay.journal.migrations import run_migrations  # imports Alembic: 0.2 s, needed about once a release

    run_migrations(connection)


def _prepare_sqlite(database: Database, connection: WriteConnection, deadline: float) -> None:
    if not database.in_memory:
        _switch_to_wal(database, connection, deadline)
    version = _version(connection.core)
    _refuse_newer(database, version)
    if version != SCHEMA_VERSION:
        with connection.transaction():  # `begin immediate`: of processes that start at once, one works, the others wait
            version = _version(connection.core)
            if version is None:
                _create_all(connection)
            elif version < SCHEMA_VERSION:
                migrate(connection.core)
    if not database.in_memory:  # there readers keep writers waiting, for a moment
        connection.wait_for_nobody(flushes=database.location.durability == "full")


def _switch_to_wal(database: Database, connection: WriteConnection, deadline: float) -> None:
    mode = _retry_busy(lambda: connection.execute("pragma journal_mode").fetchone()[0], deadline)
    if mode != "wal":
        # SQLite does not wait here by itself when several processes switch at once.
        mode = _retry_busy(lambda: connection.execute("pragma journal_mode=wal").fetchone()[0], deadline)
    if mode != "wal":
        raise StorageUnavailable(
            f"the journal at {database.location.shown} cannot use SQLite's write-ahead log (it stays in mode {mode!r}): "
            f"that file system does not support it (a network drive?); set {URL_SETTING} to a file on a local disk "
            "(sqlite:////path/jackstay.db) or to a PostgreSQL database"
        )


def _retry_busy(attempt: Any, deadline: float) -> Any:
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as exc:
            if kind_of(exc) != "busy" or time.monotonic() > deadline:
                raise
            time.sleep(random.uniform(0.001, 0.02))


def _create_all(connection: WriteConnection) -> None:
    for table in metadata.sorted_tables:
        connection.core.execute(CreateTable(table))
        for index in sorted(table.indexes, key=lambda each: str(each.name)):
            connection.core.execute(CreateIndex(index))
    # As Alembic makes it, so that it can go on from here.
    connection.core.execute(
        text(
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.core.execute(text(f"insert into {VERSION_TABLE} (version_num) values ('{SCHEMA_VERSION}')"))


def _check_postgres(database: Database, connection: WriteConnection) -> None:
    version = _version(connection.core)
    _refuse_newer(database, version)
    if version != SCHEMA_VERSION:
        state = "has no tables of Jackstay yet" if version is None else f"has tables of version {version}"
        raise MigrationNeeded(
            f"the database {database.location.shown} {state}, this Jackstay needs version {SCHEMA_VERSION}; "
            "run `jackstay db upgrade`"
        )


def _version(connection: Connection) -> str | None:
    """None: no tables of ours. Empty: Alembic has only just begun."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version: str | None = connection.execute(text(f"select version_num from {VERSION_TABLE}")).scalar()
    return version or ""


def _refuse_newer(database: Database, version: str | None) -> None:
    if version is not None and version > SCHEMA_VERSION:
        raise DatabaseTooNew(
            f"the database {database.location.shown} has tables of version {version}, this Jackstay knows versions up "
            f"to {SCHEMA_VERSION}: install a newer Jackstay (pip install -U jackstay), or choose another database "
            f"with {URL_SETTING}"
        )
