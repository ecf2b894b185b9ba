"""Gauges: what is so at the moment of a scrape. Reads from a thread of the scraper's, changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from jackstay.core.breaker import THRESHOLD
from jackstay.core.budget import Amount
from jackstay.core.masking import Masking
from jackstay.engine.budgets import BudgetScope
from jackstay.errors import StorageUnavailable
from jackstay.observe import metrics as m
from jackstay.observe.metrics import NONE, Names, Sample, named

if TYPE_CHECKING:
    from jackstay.engine.runtime import Runtime
    from jackstay.journal import Journal

PICO = 10**12


def gauges(runtime: Runtime, *, with_journal: bool) -> list[Sample]:
    """Of a running process, and of its journal if it has one."""
    found: list[Sample] = [(m.RUNNING, (), runtime.leases.count)]
    if with_journal:
        journal = runtime.journal
        found += [(m.JOURNAL_LAG, (), journal.lag_s), (m.JOURNAL_QUEUE, (), journal.queued)]
        # What this process has met with and is well again stays in sight, as 0.
        known = [
            (metric, (name,), 0) for name in runtime.breakers.names for metric in (m.BREAKER_OPEN, m.BREAKER_FAILURES)
        ]
        found += [*known, *of_journal(journal, runtime.shared_budgets, runtime.clock.now())]
    return _shown(found, runtime.masked.now)


def stored(journal: Journal, budgets: Iterable[BudgetScope], masking: Masking, now: datetime) -> list[Sample]:
    """Of a journal that nobody has to be using: sums over all of its runs as well."""
    return _shown([*of_journal(journal, budgets, now), *_sums(journal)], masking)


def _shown(samples: list[Sample], masking: Masking) -> list[Sample]:
    return named(samples, Names(lambda: masking))


def of_journal(journal: Journal, budgets: Iterable[BudgetScope], now: datetime) -> list[Sample]:
    """What all processes of a journal share. A journal that cannot be read is a figure as well."""
    try:
        return [(m.JOURNAL_UP, (), 1), *_read(journal, budgets, now)]
    except StorageUnavailable:
        return [(m.JOURNAL_UP, (), 0)]


def _read(journal: Journal, budgets: Iterable[BudgetScope], now: datetime) -> Iterator[Sample]:
    waits: dict[str, int] = {}
    for wait in journal.open_waits():
        waits[wait.kind] = waits.get(wait.kind, 0) + 1
    for kind in waits:
        yield m.WAITS_OPEN, (kind,), waits[kind]
    for row in journal.breakers():
        yield m.BREAKER_OPEN, (row.name,), int(row.failures >= THRESHOLD)
        yield m.BREAKER_FAILURES, (row.name,), row.failures
    for scope in budgets:
        spent, reserved = journal.budget(scope.name, scope.budget.period(now))
        yield from _budget(scope, spent + reserved)
    for limit in journal.limits():
        yield m.LIMIT_WAITING, (limit.name,), limit.waiting
        yield m.LIMIT_IN_USE, (limit.name,), limit.in_use
        yield m.LIMIT_PAUSED, (limit.name,), limit.paused_s


def _budget(scope: BudgetScope, taken: Amount) -> Iterator[Sample]:
    for unit, kind, part in (("usd", "pico", PICO), ("tokens", "tokens", 1), ("calls", "calls", 1)):
        most = getattr(scope.ceiling, kind)
        if most is not None:
            whole, left = m.BUDGETS[unit]
            yield whole, (scope.name,), most / part
            yield left, (scope.name,), max(0, most - getattr(taken, kind)) / part


def _sums(journal: Journal) -> Iterator[Sample]:
    for kind, status, reason, count in journal.count_runs():
        yield m.STORED_RUNS, (kind, status, reason or NONE), count
    from jackstay.journal import UsageFilter  # SQLAlchemy: there once there is a journal

    for row in journal.usage(UsageFilter(by="model")):
        model = row.key or NONE
        yield m.STORED_CALLS, (model,), row.calls
        yield m.STORED_REQUESTS, (model,), row.requests + row.lost
        yield m.STORED_TOKENS, (model, "input"), row.prompt_tokens
        yield m.STORED_TOKENS, (model, "output"), row.completion_tokens
        yield m.STORED_COST, (model,), row.known_pico / PICO
