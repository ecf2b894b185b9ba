"""What a journal has counted of a limit, to the last token. What `journal.limits()` shows of it fades as minutes turn."""

from __future__ import annotations

from sqlalchemy import select

from jackstay.journal import Journal
from jackstay.journal.schema import limiter


def counted(journal: Journal, name: str) -> tuple[int, int]:
    """Requests and tokens of the minute of the last change and of the one before it."""
    query = select(limiter).where(limiter.c.name == name)
    row = journal._read(lambda connection: connection.execute(query).one())
    return row.requests + row.requests_before, row.tokens + row.tokens_before
