"""Who may drive a run: taking it up, keeping it, giving it back, asking it to stop. Each is one transaction of the writer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from sqlalchemy import Row, Update, bindparam, case, func, select, update

from jackstay.core.budget import Amount, Ceiling, Hold
from jackstay.core.records import TERMINAL, Lease, Takeover
from jackstay.errors import AlreadyRunning, NotFoundError
from jackstay.journal import budgets
from jackstay.journal.owner import Owner
from jackstay.journal.reader import read_intents, read_reservations, read_run, read_steps, read_waits
from jackstay.journal.rows import from_micros
from jackstay.journal.schema import lease, reservation, run, wait
from jackstay.journal.statements import now
from jackstay.journal.write_connection import WriteConnection


class Leases:
    """The leases of this process."""

    def __init__(self, owner: Owner, lease_s: float) -> None:
        self._owner, self._lease_s = owner, lease_s

    def take_up(
        self, connection: WriteConnection, run_id: str, force: bool, fingerprint: str | None = None
    ) -> Takeover:
        """Take the lease if it is free, and read what the run has so far.

        Raises `NotFoundError`, or `AlreadyRunning` with the owner and the time until which it holds the run.
        """
        core, clock = connection.core, now(connection.dialect.name)
        if read_run(core, run_id) is None:
            raise NotFoundError(f"there is no run {run_id} in this journal")
        _ensure_lease_row(connection, run_id)
        held = core.execute(select(lease, clock.label("now")).where(lease.c.run_id == run_id).with_for_update()).one()
        if not force and not self._is_free(held):
            raise _already_running(held)
        epoch = held.epoch + 1
        core.execute(
            update(lease)
            .where(lease.c.run_id == run_id)
            .values(epoch=epoch, owner=str(self._owner), expires_at=clock + self._lease_us, activity=None)
        )
        # What a dead process may have spent is counted as spent (engine rule 15).
        _spend_lost(connection, run_id)
        core.execute(
            update(reservation)
            .where(reservation.c.run_id == run_id, reservation.c.state == "open")
            .values(state="lost", cost_pico=reservation.c.worst_pico, settled_at=clock)
        )
        before = core.scalar(select(run.c.status).where(run.c.id == run_id))
        core.execute(_running_again(run_id, held.now, fingerprint))
        row = read_run(core, run_id)
        if row is None:  # seen above, and deleted meanwhile (`pruning`); this lease's row goes with the transaction
            raise NotFoundError(f"run {run_id} has just been deleted from this journal")
        steps, reservations = tuple(read_steps(core, run_id)), tuple(read_reservations(core, run_id))
        waits, intents = tuple(read_waits(core, run_id)), tuple(read_intents(core, run_id))
        unended = before == "running" and epoch > 1
        return Takeover(Lease(run_id, epoch), row, steps, reservations, waits, intents, unended)

    def renew(self, connection: WriteConnection, held: Sequence[Lease], activity: Mapping[str, str]) -> frozenset[str]:
        """Hold on to these leases for another lease time. Returns the runs that are still ours."""
        wanted = {each.run_id: each.epoch for each in held}
        # Locked in run order, as writes lock them: so a renewal and a write cannot wait for each other.
        rows = connection.core.execute(
            select(lease.c.run_id, lease.c.epoch)
            .where(lease.c.run_id.in_(wanted), lease.c.owner == str(self._owner))
            .order_by(lease.c.run_id)
            .with_for_update()
        ).all()
        ours = [row.run_id for row in rows if wanted[row.run_id] == row.epoch]
        if not ours:
            return frozenset()
        connection.core.execute(
            update(lease)
            .where(lease.c.run_id.in_(ours))
            .values(expires_at=now(connection.dialect.name) + self._lease_us)
        )
        told = [{"of": run_id, "doing": activity[run_id]} for run_id in ours if run_id in activity]
        if told:
            change = update(lease).where(lease.c.run_id == bindparam("of")).values(activity=bindparam("doing"))
            connection.core.execute(change, told)
        return frozenset(ours)

    def release_all(self, connection: WriteConnection) -> None:
        """Give every run back, at the end of this process: what was running can be resumed at once."""
        connection.core.execute(
            update(lease).where(lease.c.owner == str(self._owner)).values(owner=None, expires_at=0, activity=None)
        )

    @property
    def _lease_us(self) -> int:
        return int(self._lease_s * 1_000_000)

    def _is_free(self, held: Row[tuple[object, ...]]) -> bool:
        if held.owner is None or held.expires_at < held.now:
            return True
        owner = Owner.parse(held.owner)
        return owner is not None and owner.is_gone(self._owner)


def held_runs(connection: WriteConnection, run_ids: Sequence[str]) -> frozenset[str]:
    """Those of the runs that somebody drives; nobody can take up one of them before this transaction has ended."""
    live = (lease.c.expires_at >= now(connection.dialect.name)).label("live")
    # Locked first, in run order, as writes, renewals and those who take a run up do it.
    rows = connection.core.execute(
        select(lease.c.run_id, lease.c.owner, live)
        .where(lease.c.run_id.in_(run_ids))
        .order_by(lease.c.run_id)
        .with_for_update()
    )
    return frozenset(row.run_id for row in rows if row.owner is not None and row.live)


def request_cancel(connection: WriteConnection, run_id: str) -> bool:
    """Note that the run is to stop. False if it has ended, or does not exist."""
    changed = connection.core.execute(
        update(run).where(run.c.id == run_id, run.c.status.not_in(TERMINAL)).values(cancel_requested=True)
    )
    return changed.rowcount == 1


def allow(connection: WriteConnection, run_id: str, answer: str, by: str) -> None:
    """Answer the budget wait that is open; without one (the run was stopped), note the answer for the run's own budget."""
    clock = now(connection.dialect.name)
    answered = {"answered_at": clock, "answered_by": by, "answer": answer}
    open_ones = update(wait).where(wait.c.run_id == run_id, wait.c.kind == "budget", wait.c.answered_at.is_(None))
    if connection.core.execute(open_ones.values(answered)).rowcount:
        return
    rev = connection.core.scalar(select(func.coalesce(func.max(wait.c.rev), 0) + 1).where(wait.c.run_id == run_id))
    row = {"run_id": run_id, "path": "", "rev": rev, "kind": "budget", "created_at": clock}
    connection.core.execute(wait.insert().values({**row, **answered}))


def _spend_lost(connection: WriteConnection, run_id: str) -> None:
    """What open reservations hold in budgets is spent: they are lost from now on."""
    held = connection.core.execute(
        select(reservation).where(
            reservation.c.run_id == run_id, reservation.c.state == "open", reservation.c.held.is_not(None)
        )
    ).all()
    holds = [
        Hold(name, period, Amount(row.worst_pico or 0, row.worst_input_tokens + row.worst_output_tokens, 1), Ceiling())
        for row in held
        for name, period in json.loads(row.held)
    ]
    budgets.lock(connection, [(each.budget, each.period) for each in holds])
    for each in holds:
        connection.execute(connection.statements.budgets.settle, budgets.settled(each, each.worst))


def _ensure_lease_row(connection: WriteConnection, run_id: str) -> None:
    """A run that was queued has none yet; two workers that take it up at once must lock the same row."""
    mark = "%s" if connection.dialect.name == "postgresql" else "?"
    connection.execute(
        f"insert into lease (run_id, epoch, owner, expires_at) values ({mark}, 0, null, 0) on conflict do nothing",
        (run_id,),
    )


def _running_again(run_id: str, at: int, fingerprint: str | None) -> Update:
    ended = run.c.status.in_(TERMINAL)
    return (
        update(run)
        .where(run.c.id == run_id)
        .values(
            status="running",
            reason=None,
            error=None,
            finished_at=None,
            started_at=func.coalesce(run.c.started_at, at),
            attempts=run.c.attempts + 1,
            fingerprint=func.coalesce(fingerprint, run.c.fingerprint),
            # A cancel that has already ended the run is used up; one that nobody has obeyed yet still holds.
            cancel_requested=case((ended, False), else_=run.c.cancel_requested),
        )
    )


def _already_running(held: Row[tuple[object, ...]]) -> AlreadyRunning:
    owner = Owner.parse(held.owner)
    who = f"process {owner.pid} on {owner.host or 'this machine'}" if owner else "another worker"
    until = from_micros(held.expires_at)
    assert until is not None
    return AlreadyRunning(
        f"run {held.run_id} is being driven by {who} (its lease holds until {until:%Y-%m-%d %H:%M:%S} UTC "
        "unless it is renewed); wait for it, end that process, or cancel the run"
    )
