"""What runs wait for: answered once, by a compare-and-set in the database. Each function is one transaction."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Update, or_, update

from jackstay.core.records import Wait
from jackstay.journal.schema import wait
from jackstay.journal.statements import now
from jackstay.journal.write_connection import WriteConnection


def answer_wait(connection: WriteConnection, asked: Wait, answer: str, by: str) -> bool:
    """Note the answer, once. False: there was one already, or the time for it is over."""
    clock = now(connection.dialect.name)
    in_time = or_(wait.c.deadline.is_(None), wait.c.deadline > clock)
    return connection.core.execute(_answered(asked, answer, by, clock).where(in_time)).rowcount == 1


def time_is_over(connection: WriteConnection, asked: Wait, answer: str, by: str) -> bool:
    """Note what counts as the answer, if nobody has given one in time. False: somebody has, or may still."""
    clock = now(connection.dialect.name)
    return connection.core.execute(_answered(asked, answer, by, clock).where(wait.c.deadline <= clock)).rowcount == 1


def _answered(asked: Wait, answer: str, by: str, clock: ColumnElement[int]) -> Update:
    return (
        update(wait)
        .where(wait.c.run_id == asked.run_id, wait.c.path == asked.path, wait.c.rev == asked.rev)
        .where(wait.c.answered_at.is_(None))
        .values(answered_at=clock, answered_by=by, answer=answer)
    )
