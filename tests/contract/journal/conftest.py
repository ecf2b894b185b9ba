"""One suite for both databases: `place` is a SQLite file, then a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jackstay.journal import Journal, from_url, upgrade
from tests.contract.journal.rows import Place
from tests.postgres import Server, postgres_server

__all__ = ["postgres_server"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """An empty database with the journal's tables."""
    if request.param == "sqlite":
        yield Place("sqlite", f"sqlite:///{tmp_path / 'journal.db'}")
        return
    server: Server = request.getfixturevalue("postgres_server")
    with server.database(template=request.getfixturevalue("postgres_template")) as name:
        yield Place("postgresql", server.url(name))


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """A database with the tables in it, to be copied for each test."""
    with postgres_server.database() as name:
        upgrade(from_url(postgres_server.url(name)))
        yield name


@pytest.fixture
def sqlite_place(tmp_path: Path) -> Place:
    return Place("sqlite", f"sqlite:///{tmp_path / 'journal.db'}")


@pytest.fixture
def journal(place: Place) -> Iterator[Journal]:
    opened = place.open()
    yield opened
    opened.close()


@pytest.fixture
def other(place: Place) -> Iterator[Journal]:
    """A journal of another process, as far as the database goes."""
    opened = place.open()
    yield opened
    opened.close()
