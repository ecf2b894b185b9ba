"""PostgreSQL, and one warm process per test process."""

from __future__ import annotations

import pytest

from tests.chaos.processes import warm_process
from tests.postgres import postgres_database, postgres_server

__all__ = ["postgres_database", "postgres_server"]


@pytest.fixture(scope="session")
def warm():
    with warm_process() as process:
        yield process
