"""The journal of one process: what the engine writes to and everybody reads from."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

from jackstay.core.content import Content
from jackstay.core.limits import LimitAsk, LimitState, Turns
from jackstay.core.records import Lease, RunRow, StateUse, StepRow, Takeover, Wait, Write
from jackstay.journal import answer_cache, breakers, flow_states, forgetting, limits, opening, pruning, waits
from jackstay.journal.breakers import BreakerRow
from jackstay.journal.commit import Committer
from jackstay.journal.database import Database
from jackstay.journal.failures import storage_error
from jackstay.journal.leases import Leases, allow, request_cancel
from jackstay.journal.location import Dialect, Durability, Location
from jackstay.journal.owner import Owner
from jackstay.journal.pending import Pending
from jackstay.journal.pruning import Garbage
from jackstay.journal.reader import Reads
from jackstay.journal.writer import Writer

LEASE_S = 10.0
"""How long a run belongs to a process that is not heard of any more. Engine rule 36: at least 10 s on SQLite."""
BUSY_TIMEOUT_S = 30.0
"""How long a write waits for other processes to finish theirs."""


def open_journal(
    location: Location,
    *,
    lease_s: float = LEASE_S,
    busy_timeout_s: float = BUSY_TIMEOUT_S,
    fault_point: Callable[[str], object] = str,  # `str`: does nothing
) -> Journal:
    """Open the database, making or migrating a SQLite file as needed.

    Raises `StorageUnavailable` (or one of its kinds: `DatabaseTooNew`, `MigrationNeeded`) when it cannot be used, and
    `MissingExtraError` when PostgreSQL's driver is not installed. Warns once if the place is not the usual one.
    `fault_point` is called before and after each commit, by the thread or loop that commits (`jackstay.testing.FaultPoints.hit`).
    """
    database = Database(location, busy_timeout_s=busy_timeout_s, idle_s=lease_s / 2)
    try:
        opening.connect(database, busy_timeout_s).close()
    except database.errors as exc:
        database.close()
        raise storage_error(exc, location.shown) from exc
    except BaseException:
        database.close()
        raise
    if location.notice:
        warnings.warn(location.notice, stacklevel=2)
    return Journal(database, lease_s=lease_s, busy_timeout_s=busy_timeout_s, fault_point=fault_point)


def upgrade(location: Location) -> tuple[str | None, str]:
    """Bring a database's tables up to this version (`jackstay db upgrade`). Returns the versions before and after."""
    database = Database(location, busy_timeout_s=BUSY_TIMEOUT_S)
    try:
        return opening.upgrade(database)
    finally:
        database.close()


class Journal(Reads):
    """Steps, runs, leases and blobs of one database. Thread-safe; made by `open_journal`.

    Writing returns a `Pending` at once: await it in any event loop, or call its `result` in a thread. It raises
    `StorageUnavailable` if the rows could not be stored, and `LeaseLost` if the run belongs to another worker now.
    """

    def __init__(
        self, database: Database, *, lease_s: float, busy_timeout_s: float, fault_point: Callable[[str], object]
    ) -> None:
        self._database = database
        self._owner = Owner.here()
        self._lease_s, self._busy_timeout_s, self._fault_point = lease_s, busy_timeout_s, fault_point
        self._make_writer()

    @property
    def url(self) -> str:
        """The database's address, without a password."""
        return self._database.location.url.render_as_string(hide_password=True)

    @property
    def dialect(self) -> Dialect:
        return self._database.location.dialect

    @property
    def durability(self) -> Durability:
        return self._database.location.durability

    @property
    def path(self) -> Path | None:
        """The SQLite file, if it is one."""
        return self._database.location.path

    @property
    def lag_s(self) -> float:
        """How long this process's writes wait for the database just now."""
        return self._writer.lag_s

    @property
    def queued(self) -> int:
        """Writes of this process that wait for the next transaction."""
        return self._writer.queued

    def create_run(self, run: RunRow, *, write: Write | None = None) -> Pending[Lease]:
        """Insert a run, held by this process with epoch 1, and the first rows of it if `write` is given.

        Raises `AlreadyRunning` if its id, or its run key within the project, exists already.
        """
        if write is not None and write.lease != Lease(run.id, 1):
            raise ValueError(f"the first write of run {run.id} must carry its first lease, not {write.lease}")
        return cast("Pending[Lease]", self._writer.rows(run=run, write=write))

    def write(self, write: Write, *, at_once: bool = False) -> Pending[tuple[int, ...]]:
        """Commit the rows together. What comes back is each step's `seq`, the order of completion in the run. `at_once`:
        nobody else on this loop will ask for rows in this turn of it."""
        return cast("Pending[tuple[int, ...]]", self._writer.rows(write=write, at_once=at_once))

    def take_up(self, run_id: str, *, force: bool = False, fingerprint: str | None = None) -> Pending[Takeover]:
        """Go on with a run that nobody drives: its owner gave it back, is gone, or was silent for the lease time.

        The epoch rises, which fences the former owner off; open reservations become lost. `force` takes it from an
        owner that is alive, too. `fingerprint`: of the definition that goes on with it. Raises `AlreadyRunning` or `NotFoundError`.
        """
        leases = self._leases
        return self._writer.call(
            lambda connection: leases.take_up(connection, run_id, force, fingerprint), forgets=run_id
        )

    def renew(self, leases: Sequence[Lease], activity: Mapping[str, str]) -> Pending[frozenset[str]]:
        """Keep these leases for another lease time and say what the runs are doing. Returns the runs still held: the
        others are lost and have to stop at once."""
        held, doing, mine = tuple(leases), dict(activity), self._leases
        return self._writer.call(lambda connection: mine.renew(connection, held, doing))

    def request_cancel(self, run_id: str) -> Pending[bool]:
        """Ask a run to stop, whoever drives it. False if it has ended already or does not exist."""
        return self._writer.call(lambda connection: request_cancel(connection, run_id))

    def cached_answer(self, question: str, ttl_s: float) -> StepRow | None:
        """The latest answer to an equal question, if it is no older than that."""
        dialect = self.dialect
        return self._read(lambda connection: answer_cache.find(connection, question, ttl_s, dialect))

    def remember_answer(self, question: str, row: StepRow) -> Pending[None]:
        """This row is the latest answer to the question."""
        return self._writer.call(lambda connection: answer_cache.remember(connection, question, row))

    def breakers(self) -> list[BreakerRow]:
        """Circuit breakers that have failures."""
        dialect = self.dialect
        return self._read(lambda connection: breakers.read(connection, dialect))

    def breaker_failed(self, name: str, reason: str, *, threshold: int, open_s: float) -> Pending[None]:
        """Count a failure in a row; at the threshold the breaker opens for `open_s`."""
        return self._writer.call(lambda connection: breakers.failed(connection, name, reason, threshold, open_s))

    def breaker_closed(self, name: str) -> Pending[None]:
        """The model answers again."""
        return self._writer.call(lambda connection: breakers.closed(connection, name))

    def claim_probe(self, name: str, probe_s: float) -> Pending[bool]:
        """Be the one call, of all processes, that tries a model whose breaker is half open."""
        return self._writer.call(lambda connection: breakers.claim_probe(connection, name, probe_s))

    def take_turns(self, ask: LimitAsk) -> Pending[Turns]:
        """Turns of a rate limit that processes share, and this process's share in it (kept for `limits.KEEP_S`)."""
        owner = self._owner.nonce
        return self._writer.call(lambda connection: limits.take_turns(connection, ask, owner))

    def pause_limit(self, name: str, pause_s: float) -> Pending[None]:
        """The provider wants to be left alone for so long."""
        return self._writer.call(lambda connection: limits.pause(connection, name, pause_s))

    def limits(self) -> list[LimitState]:
        """All limits that have been used, by name."""
        dialect = self.dialect
        return self._read(lambda connection: limits.read(connection, dialect))

    def answer_wait(self, wait: Wait, answer: str, *, by: str) -> Pending[bool]:
        """Answer what a run waits for. False: somebody was faster, or the time for it is over."""
        return self._writer.call(lambda connection: waits.answer_wait(connection, wait, answer, by))

    def time_is_over(self, wait: Wait, answer: str, *, by: str) -> Pending[bool]:
        """Answer what nobody has answered in time. False: there is an answer, or still time for it."""
        return self._writer.call(lambda connection: waits.time_is_over(connection, wait, answer, by))

    def allow(self, run_id: str, answer: str, *, by: str) -> Pending[None]:
        """Raise the budget that has stopped or paused a run; `answer`: JSON text of `Budget`'s arguments."""
        return self._writer.call(lambda connection: allow(connection, run_id, answer, by))

    def delete_runs(self, run_ids: Sequence[str]) -> Pending[frozenset[str]]:
        """Delete those of the runs that ended `pruning.MIN_AGE_S` ago and that nobody holds. Returns them; what only they
        needed stays until a `sweep`."""
        wanted = tuple(run_ids)
        return self._writer.call(lambda connection: pruning.delete_runs(connection, wanted))

    def forget(self, run_ids: Sequence[str], at: datetime, *, keep: Content | None = None) -> Pending[frozenset[str]]:
        """Erase the content of those of the runs (and of the items of batches among them) that have ended and that nobody
        holds. Returns them; what only they needed stays until a `sweep`. `keep`: what is left of runs that were to keep
        no content."""
        wanted = tuple(run_ids)
        return self._writer.call(lambda connection: forgetting.forget_runs(connection, wanted, at, keep))

    def rest_log(self) -> None:
        """Empty SQLite's log, as far as nobody is at work there: what was erased stands in it until then."""
        if self.path is not None:
            self._read(lambda connection: connection.exec_driver_sql("pragma wal_checkpoint(truncate)").all())

    def state_uses(self, state_id: str) -> list[StateUse]:
        """The kickoffs of persisted flows with a state of that id, the newest first."""
        return self._read(lambda connection: flow_states.read_uses(connection, state_id))

    def saved_state(self, state_id: str) -> list[StepRow]:
        """The rows that make the state of that id as it was saved last; empty if it was not (`core.flow_state.fold`)."""
        return self._read(lambda connection: flow_states.read_saved(connection, state_id))

    def garbage(self, *, without: Sequence[str] = ()) -> Garbage:
        """Blobs that no row needs, as if the runs `without` were gone. Reads the whole journal."""
        return self._read(lambda connection: pruning.find_garbage(connection, without))

    def sweep(self, garbage: Garbage) -> Pending[Garbage]:
        """Delete those of these blobs that are still not needed. Returns them."""
        return self._writer.call(lambda connection: pruning.sweep(connection, garbage))

    def close(self, timeout_s: float = 2.0) -> None:
        """Commit what waits, give back the leases of this process, close. Later writes raise `StorageUnavailable`."""
        if self._writer.started:
            self._writer.call(self._leases.release_all)
        if self._writer.close(timeout_s):
            self._database.close()

    def before_fork(self) -> None:
        """Come to rest: no transaction and no read is under way when the process forks."""
        self._writer.before_fork()
        self._database.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on as before."""
        self._database.after_fork_in_parent()
        self._writer.after_fork_in_parent()

    def forget_in_child(self) -> None:
        """Start afresh in a forked child: what was waiting or running, and every lease, stays the parent's."""
        self._database.forget_in_child()
        self._owner = Owner.here()
        self._make_writer()

    def _make_writer(self) -> None:
        self._leases = Leases(self._owner, self._lease_s)
        committer = Committer(str(self._owner), self._lease_s)
        self._writer = Writer(
            self._database, committer, busy_timeout_s=self._busy_timeout_s, fault_point=self._fault_point
        )
