"""What an error of a database means, and that its remedy is told."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from jackstay.errors import AlreadyRunning, StorageUnavailable
from jackstay.journal.failures import kind_of, storage_error


def _sqlite(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError, text: str = "it failed") -> sqlite3.Error:
    error = kind(text)
    error.sqlite_errorcode = code
    return error


class OperationalError(Exception):
    """As psycopg's: known by its name and its state."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("server closed the connection\n\tunexpectedly")
        self.sqlstate = sqlstate


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (_sqlite(sqlite3.SQLITE_BUSY), "busy"),
        (_sqlite(sqlite3.SQLITE_BUSY_SNAPSHOT), "busy"),
        (_sqlite(sqlite3.SQLITE_FULL), "storage"),
        (_sqlite(sqlite3.SQLITE_IOERR_WRITE), "storage"),
        (_sqlite(sqlite3.SQLITE_NOTADB, sqlite3.DatabaseError), "storage"),
        (_sqlite(sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.IntegrityError), "data"),
        (sqlite3.InterfaceError("type 'set' is not supported"), "data"),
        (OverflowError("int too large"), "data"),
        (AttributeError("'int' object has no attribute 'encode'"), "data"),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates"), "data"),
        (OperationalError(None), "gone"),
        (OperationalError("57P01"), "gone"),
        (OperationalError("08006"), "gone"),
        (OperationalError("40P01"), "busy"),
        (OperationalError("53100"), "storage"),
        (OperationalError("23505"), "data"),
        (FileNotFoundError("no folder"), "storage"),
        (StorageUnavailable("deleted"), "storage"),
        (AlreadyRunning("elsewhere"), "data"),
    ],
)
def test_the_writer_knows_what_to_do(error: BaseException, kind: str) -> None:
    assert kind_of(error) == kind


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (_sqlite(sqlite3.SQLITE_FULL), "free space on that disk"),
        (_sqlite(sqlite3.SQLITE_READONLY_DBMOVED), "writable for this user"),
        (_sqlite(sqlite3.SQLITE_BUSY), "another program keeps it locked"),
        (_sqlite(sqlite3.SQLITE_CORRUPT, sqlite3.DatabaseError), "move it away"),
        (_sqlite(sqlite3.SQLITE_MISUSE), "jackstay resume"),
        (OperationalError(None), "check that PostgreSQL is running"),
        (PermissionError("no"), "JACKSTAY_DATABASE_URL"),
    ],
)
def test_the_error_names_place_cause_and_remedy_in_one_line(error: Any, remedy: str) -> None:
    told = str(storage_error(error, "/here/jackstay.db"))

    assert told.startswith("the journal at /here/jackstay.db cannot be used: ")
    assert remedy in told
    assert "\n" not in told
