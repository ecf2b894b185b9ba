"""PostgreSQL, and one warm process per test process."""

from __future__ import annotations

import pytest

from tests.chaos.processes import warm_process
from tests.postgres import database_url, postgres_database, postgres_server

__all__ = ["database_url", "postgres_database", "postgres_server"]


@pytest.fixture(scope="session")
def warm():
    with warm_process() as process:
        yield process
