"""What a database's error means: which kind it is for the writer, and what the user is told to do about it.

Driver classes are looked at by name and code, so that psycopg is not imported where only SQLite is used.
"""

from __future__ import annotations

import sqlite3
from typing import Literal

from sqlalchemy.exc import DBAPIError

from jackstay.core.records import RunRow
from jackstay.errors import AlreadyRunning, JackstayError, StorageUnavailable
from jackstay.journal.location import URL_SETTING

FailureKind = Literal["data", "busy", "gone", "storage"]
"""A row is at fault / somebody else is writing, try again / the connection broke / the storage does not work."""

_PG_BUSY = {"40001", "40P01", "55P03"}
_PG_GONE = {"57P01", "57P02", "57P03", "25P03"}
_PG_DATA_CLASSES = {"22", "23", "42"}
_SQLITE_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}


def driver_error(error: BaseException) -> BaseException:
    """The driver's own error inside SQLAlchemy's."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def kind_of(error: BaseException) -> FailureKind:
    """How the writer has to react."""
    cause = driver_error(error)
    names = {base.__name__ for base in type(cause).__mro__}
    state = getattr(cause, "sqlstate", None)
    if state is not None:
        return _kind_by_state(state)
    if isinstance(cause, OSError | StorageUnavailable):
        return "storage"
    if isinstance(cause, sqlite3.OperationalError):
        return "busy" if _sqlite_code(cause) in _SQLITE_BUSY else "storage"
    if names & {"IntegrityError", "DataError", "InterfaceError", "ProgrammingError", "NotSupportedError"}:
        return "data"
    if "OperationalError" in names:
        return "gone"  # psycopg without a state: the connection itself
    return "storage" if "DatabaseError" in names else "data"  # no database's error: a value could not be encoded


def _kind_by_state(state: str) -> FailureKind:
    if state in _PG_BUSY:
        return "busy"
    if state in _PG_GONE or state[:2] == "08":
        return "gone"
    return "data" if state[:2] in _PG_DATA_CLASSES else "storage"


def is_conflict(error: BaseException) -> bool:
    """Whether a row with that key exists already."""
    return "IntegrityError" in {base.__name__ for base in type(driver_error(error)).__mro__}


def storage_error(error: BaseException, where: str) -> StorageUnavailable:
    """The error for users: what failed, at which database, and the remedy. Chain it `from` the cause."""
    cause = driver_error(error)
    text = " ".join(str(cause).split()) or type(cause).__name__
    return StorageUnavailable(f"the journal at {where} cannot be used: {text}; {_remedy(cause)}")


def told(error: Exception, where: str, run_id: str | None, new: RunRow | None) -> Exception:
    """What a caller who waits for a write gets: its own instance, with what it needs to know. `run_id`: whose rows they are;
    `new`: the run that was to be made."""
    if isinstance(error, StorageUnavailable):
        return type(error)(*error.args)
    if isinstance(error, JackstayError):
        return error
    if new is not None and is_conflict(error):
        # Ids are made anew for each run; it is the key that somebody else has used at the same moment.
        called = f"the run key {new.run_key!r}" if new.run_key else f"the id {new.id}"
        made: JackstayError = AlreadyRunning(
            f"a run with {called} exists already: look it up (jackstay runs) and go on with that one"
        )
    elif run_id is not None and kind_of(error) == "data":
        made = StorageUnavailable(
            f"a row of run {run_id} cannot be stored in {where}: {driver_error(error)}; the run has stopped there"
        )
    else:
        made = storage_error(error, where)
    made.__cause__ = error
    return made


def _remedy(cause: BaseException) -> str:
    if isinstance(cause, OSError):
        return f"make its folder usable, or choose another place with {URL_SETTING}"
    if not isinstance(cause, sqlite3.Error):
        return "check that PostgreSQL is running and that the address is right; then go on with `jackstay resume`"
    match _sqlite_code(cause):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return (
                "another program keeps it locked (a backup, a database browser): end that one, then `jackstay resume`"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_AUTH:
            return (
                "make the file and its folder writable for this user, "
                f"or set {URL_SETTING}=sqlite:////a/writable/path.db"
            )
        case sqlite3.SQLITE_FULL | sqlite3.SQLITE_IOERR:
            return "free space on that disk (or check its health), then go on with `jackstay resume`"
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return (
                "it is no healthy SQLite database: move it away (a new one is made), restore a backup, "
                "or rescue its rows with `sqlite3 FILE .recover`"
            )
    return "after the repair go on with `jackstay resume`"


def _sqlite_code(cause: BaseException) -> int:
    """The primary result code; extended codes carry it in the low byte."""
    return int(getattr(cause, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR) & 0xFF
