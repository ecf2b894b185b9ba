"""Alembic's migrations of the journal's tables. Expand first, contract two minor versions later (engine rule 35).

A new one: change `schema.py` and its `SCHEMA_VERSION`, then add `versions/NNNN_what.py` that does the same to an
existing database, in SQL that both SQLite and PostgreSQL understand. A test compares the two ways to the same tables.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings, without a file: the database is the connection that the caller gives."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def run_migrations(connection: Connection, to: str = "head") -> None:
    """Apply what is missing, inside the caller's transaction."""
    command.upgrade(config(connection), to)
