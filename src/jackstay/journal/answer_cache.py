"""Answers that may be used again for an equal question: an index of step rows, the answers stand there."""

from __future__ import annotations

from sqlalchemy import Connection, delete, select

from jackstay.core.records import StepRow
from jackstay.journal.reader import read_step
from jackstay.journal.schema import answer_cache
from jackstay.journal.statements import now
from jackstay.journal.write_connection import WriteConnection


def find(connection: Connection, question: str, ttl_s: float, dialect: str) -> StepRow | None:
    """The row of the latest answer to the question, if it is no older than that."""
    youngest = now(dialect) - int(ttl_s * 1_000_000)
    query = select(answer_cache).where(answer_cache.c.question == question, answer_cache.c.created_at >= youngest)
    found = connection.execute(query).one_or_none()
    return None if found is None else read_step(connection, found.run_id, found.path, found.rev)


def remember(connection: WriteConnection, question: str, row: StepRow) -> None:
    """The row is the latest answer to the question."""
    connection.core.execute(delete(answer_cache).where(answer_cache.c.question == question))
    values = {"question": question, "run_id": row.run_id, "path": row.path, "rev": row.rev}
    connection.core.execute(answer_cache.insert().values(**values, created_at=now(connection.dialect.name)))
