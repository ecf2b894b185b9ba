"""Circuit breakers that all processes of a database share: failures in a row, and until when a model is left alone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, case, delete, select, update

from jackstay.journal.schema import breaker
from jackstay.journal.statements import now
from jackstay.journal.write_connection import WriteConnection


@dataclass(frozen=True, slots=True)
class BreakerRow:
    """`open_for_s`: from now on, by the database's clock."""

    name: str
    failures: int
    open_for_s: float
    reason: str


def read(connection: Connection, dialect: str) -> list[BreakerRow]:
    """All that have failures."""
    clock = now(dialect)
    rows = connection.execute(select(breaker, (breaker.c.open_until - clock).label("left")))
    return [BreakerRow(row.name, row.failures, max(0, row.left) / 1e6, row.reason or "") for row in rows]


def failed(connection: WriteConnection, name: str, reason: str, threshold: int, open_s: float) -> None:
    """One failure more; the one that reaches the threshold opens it."""
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    connection.execute(
        f"insert into breaker (name, failures, open_until, reason) values ({mark}, 0, 0, '') on conflict do nothing",
        (name,),
    )
    clock = now(connection.dialect.name)
    opens = clock + int(open_s * 1_000_000)
    connection.core.execute(
        update(breaker)
        .where(breaker.c.name == name)
        .values(
            failures=breaker.c.failures + 1,
            open_until=case((breaker.c.failures + 1 >= threshold, opens), else_=0),
            reason=reason,
        )
    )


def closed(connection: WriteConnection, name: str) -> None:
    """It answers again."""
    connection.core.execute(delete(breaker).where(breaker.c.name == name))


def claim_probe(connection: WriteConnection, name: str, probe_s: float) -> bool:
    """Be the one that tries. False: another process is, or it has been closed or opened meanwhile."""
    clock = now(connection.dialect.name)
    changed = connection.core.execute(
        update(breaker)
        .where(breaker.c.name == name, breaker.c.open_until <= clock)
        .values(open_until=clock + int(probe_s * 1_000_000))
    )
    return changed.rowcount == 1
