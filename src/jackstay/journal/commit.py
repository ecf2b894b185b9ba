"""One transaction of the writer: rows of many runs, each fenced by its lease's epoch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from jackstay.core.budget import DoesNotFit
from jackstay.core.records import Lease, RunEnd, RunRow, Settlement, StepRow, Write
from jackstay.errors import LeaseLost
from jackstay.journal import budgets, schema
from jackstay.journal.blobs import BlobRow, blob_row, pack
from jackstay.journal.pending import Pending
from jackstay.journal.rows import INTENTS, RESERVATIONS, RUNS, STEPS, WAITS, numbered, to_micros
from jackstay.journal.statements import Statements
from jackstay.journal.write_connection import Changes, Inserts, WriteConnection


@dataclass(slots=True)
class RowsAsked:
    """Rows that somebody wants committed: of a run that begins, of one that goes on, or both."""

    pending: Pending[Any]
    write: Write | None
    run: RunRow | None = None

    @property
    def run_id(self) -> str:
        return self.run.id if self.run is not None else self.write.lease.run_id  # type: ignore[union-attr]

    @property
    def lone_step(self) -> StepRow | None:
        """The one row that is asked for, if that is all."""
        write = self.write
        if self.run is not None or write is None or len(write.steps) != 1 or write.end is not None:
            return None
        more = write.reservations or write.settlements or write.blobs or write.holds or write.waits or write.intents
        return None if more else write.steps[0]


@dataclass(slots=True)
class _Rows:
    """What one transaction will send, by table."""

    runs: list[list[Any]] = field(default_factory=list)
    leases: list[tuple[Any, ...]] = field(default_factory=list)
    blobs: dict[str, BlobRow] = field(default_factory=dict)
    reservations: list[list[Any]] = field(default_factory=list)
    steps: list[list[Any]] = field(default_factory=list)
    waits: list[list[Any]] = field(default_factory=list)
    intents: list[list[Any]] = field(default_factory=list)
    settlements: list[tuple[Any, ...]] = field(default_factory=list)
    budgets: list[tuple[Any, ...]] = field(default_factory=list)
    ends: list[tuple[Any, ...]] = field(default_factory=list)

    def inserts(self) -> Inserts:
        # Blobs in the order of their addresses: two writers that insert the same ones must not wait for each other.
        blobs = [self.blobs[address] for address in sorted(self.blobs)]
        tables = (
            (schema.run, self.runs),
            (schema.lease, self.leases),
            (schema.blob, blobs),
            (schema.reservation, self.reservations),
            (schema.step, self.steps),
            (schema.wait, self.waits),
            (schema.intent, self.intents),
        )
        return [(table, rows) for table, rows in tables if rows]

    def changes(self, statements: Statements) -> Changes:
        released = [(row[-1],) for row in self.ends]
        changes = (
            (statements.settle, self.settlements),
            (statements.budgets.settle, self.budgets),
            (statements.end_run, self.ends),
            (statements.release, released),
        )
        return [(sql, rows) for sql, rows in changes if rows]


class Committer:
    """Puts rows into the database and counts the runs' sequences. Used by the writer's thread only."""

    def __init__(self, owner: str, lease_s: float) -> None:
        self._owner, self._lease_s = owner, lease_s
        self._seq: dict[str, int] = {}

    def forget(self, run_ids: Sequence[str]) -> None:
        """The count is not certain any more: read it again at the next write."""
        for run_id in run_ids:
            self._seq.pop(run_id, None)

    def commit(self, connection: WriteConnection, asked: Sequence[RowsAsked]) -> None:
        """Commit all rows that are not fenced off, in one transaction, and settle what was asked.

        An exception means that nothing was committed. Nobody is woken here.
        """
        if len(asked) == 1 and self._commit_step(connection, asked[0]):
            return
        with connection.undone_on_error():
            live = _begin(connection, asked)
            budgets.lock(connection, _budgets_of(asked))
            rows = _Rows()
            outcomes = [(each, self._collect(connection, each, live, rows)) for each in asked]
            connection.finish(rows.inserts(), rows.changes(connection.statements))
        for each, outcome in outcomes:
            if isinstance(outcome, LeaseLost | DoesNotFit):
                each.pending.fail(outcome)
            else:
                each.pending.settle(outcome)

    def _commit_step(self, connection: WriteConnection, asked: RowsAsked) -> bool:
        """False: it is not a step alone that fits into a row, or its lease does not hold."""
        step, seq = asked.lone_step, self._seq.get(asked.run_id)
        if step is None or seq is None:
            return False
        blobs: dict[str, BlobRow] = {}
        row = STEPS.encode(numbered(step, seq + 1), blobs)
        if blobs or not connection.add_step(row, asked.write.lease):  # type: ignore[union-attr]  # it has a step
            return False
        self._seq[asked.run_id] = seq + 1
        asked.pending.settle((seq + 1,))
        return True

    def _collect(
        self, connection: WriteConnection, asked: RowsAsked, live: dict[str, int], rows: _Rows
    ) -> Lease | tuple[int, ...] | LeaseLost | DoesNotFit:
        run_id, run, write = asked.run_id, asked.run, asked.write
        # Of a lease that is lost nothing may be held either; a new run's is its own.
        if write is not None and write.holds and (run is not None or live.get(run_id) == write.lease.epoch):
            refused = budgets.hold(connection, write.holds)
            if refused is not None:
                return refused
        if run is not None:
            rows.runs.append(RUNS.encode(RUNS.values(run), rows.blobs))
            rows.leases.append((run_id, 1, self._owner, self._expiry(connection), None))
            live[run_id] = 1
            self._seq[run_id] = 0
        numbers: tuple[int, ...] = ()
        if write is not None:
            if live.get(run_id) != write.lease.epoch:
                self._seq.pop(run_id, None)
                return _lost(write.lease, live.get(run_id))
            numbers = self._collect_write(connection, write, rows)
            if write.end is not None:
                del live[run_id]  # nothing may follow the end of a run, not even in this transaction
        return Lease(run_id, 1) if run is not None else numbers

    def _expiry(self, connection: WriteConnection) -> int:
        return connection.now_micros() + int(self._lease_s * 1_000_000)

    def _collect_write(self, connection: WriteConnection, write: Write, rows: _Rows) -> tuple[int, ...]:
        run_id = write.lease.run_id
        for blob in write.blobs:
            rows.blobs.setdefault(blob.sha256, blob_row(blob))
        for reservation in write.reservations:
            rows.reservations.append(RESERVATIONS.encode(RESERVATIONS.values(reservation), rows.blobs))
        for settlement in write.settlements:
            rows.settlements.append(_settlement_row(settlement))
            rows.budgets += [budgets.settled(held, settlement.used) for held in settlement.holds]
        for wait in write.waits:
            rows.waits.append(WAITS.encode(WAITS.values(wait), rows.blobs))
        for intent in write.intents:
            rows.intents.append(INTENTS.encode(INTENTS.values(intent), rows.blobs))
        numbers = []
        if write.steps:
            seq = self._seq.get(run_id)
            if seq is None:
                seq = connection.execute(connection.statements.max_seq, (run_id,)).fetchone()[0] or 0
            for step in write.steps:
                seq += 1
                numbers.append(seq)
                rows.steps.append(STEPS.encode(numbered(step, seq), rows.blobs))
            self._seq[run_id] = seq
        if write.end is not None:
            rows.ends.append(_end_row(run_id, write.end, rows.blobs))
            self._seq.pop(run_id, None)
        return tuple(numbers)


def _begin(connection: WriteConnection, asked: Sequence[RowsAsked]) -> dict[str, int]:
    """Begin the transaction by reading the live epochs of its runs."""
    run_ids = list(dict.fromkeys(each.run_id for each in asked if each.run is None))
    return dict(connection.begin(*connection.statements.live(run_ids))) if run_ids else connection.begin_alone()


def _budgets_of(asked: Sequence[RowsAsked]) -> list[budgets.BudgetKey]:
    writes = [each.write for each in asked if each.write is not None]
    return [key for write in writes for key in budgets.keys_of(write.settlements, write.holds)]


def _lost(lease: Lease, epoch: int | None) -> LeaseLost:
    if epoch is None:
        return LeaseLost(f"run {lease.run_id} has ended or was given back: nothing more can be written with this lease")
    return LeaseLost(
        f"run {lease.run_id} was taken over (lease {lease.epoch}, now {epoch}): another worker goes on with it"
    )


def _settlement_row(settlement: Settlement) -> tuple[Any, ...]:
    return (
        settlement.outcome,
        settlement.cost_pico,
        to_micros(settlement.settled_at),
        settlement.run_id,
        settlement.path,
        settlement.rev,
        settlement.attempt,
    )


def _end_row(run_id: str, end: RunEnd, blobs: dict[str, BlobRow]) -> tuple[Any, ...]:
    output = None if end.output is None else pack(end.output, blobs)
    error = None if end.error is None else pack(end.error, blobs)
    return (end.status, end.reason, output, error, to_micros(end.finished_at), run_id)
