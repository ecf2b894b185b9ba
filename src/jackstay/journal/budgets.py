"""What budgets have left, counted in the transactions of reservations and settlements: a crash cannot come between.

Counters, not sums over rows: a shared budget is looked at before every call of every process.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jackstay.core.budget import NOTHING, Amount, DoesNotFit, Hold
from jackstay.core.records import Settlement
from jackstay.journal.write_connection import WriteConnection

BudgetKey = tuple[str, str]
"""Name and period."""


def lock(connection: WriteConnection, keys: Iterable[BudgetKey]) -> None:
    """All budgets that a transaction will touch, in one order: so that two of them cannot wait for each other."""
    sql = connection.statements.budgets
    if sql.postgres:
        for key in sorted(set(keys)):
            connection.execute(sql.lock, key)


def hold(connection: WriteConnection, holds: Sequence[Hold]) -> DoesNotFit | None:
    """Set aside all of these, or none: then the first that does not fit is returned."""
    done: list[Hold] = []
    for each in holds:
        refused = _hold(connection, each)
        if refused is not None:
            for undone in done:
                connection.execute(connection.statements.budgets.settle, settled(undone, NOTHING))
            return refused
        done.append(each)
    return None


def _hold(connection: WriteConnection, wanted: Hold) -> DoesNotFit | None:
    sql, key = connection.statements.budgets, (wanted.budget, wanted.period)
    worst, most = wanted.worst, wanted.ceiling
    parameters: list[Any] = [worst.pico, worst.tokens, worst.calls, *key]
    for kind in ("pico", "tokens", "calls"):
        parameters += [getattr(most, kind), getattr(worst, kind), getattr(most, kind)]
    if connection.execute(sql.hold, parameters).rowcount == 1:
        return None
    row = connection.execute(sql.read, key).fetchone()
    if row is None:
        connection.execute(sql.make, key)
        return _hold(connection, wanted)
    return DoesNotFit(wanted, Amount(*row[:3]), Amount(*row[3:]))


def settled(held: Hold, used: Amount) -> tuple[Any, ...]:
    """The parameters that give a hold back and spend what was used instead."""
    worst = held.worst
    return (worst.pico, worst.tokens, worst.calls, used.pico, used.tokens, used.calls, held.budget, held.period)


def keys_of(settlements: Sequence[Settlement], holds: Sequence[Hold]) -> list[BudgetKey]:
    """Every budget that is touched."""
    settling = [held for settlement in settlements for held in settlement.holds]
    return [(each.budget, each.period) for each in (*holds, *settling)]
