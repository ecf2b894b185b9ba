"""What writes in a process, and its group commit: whatever waits becomes one transaction.

Callers never block: they put their wish into a queue and wait for a `Pending`. The thread starts with the first wish
and survives every failure of the storage: the wishes of that moment fail, later ones work again after the repair.

While the thread has nothing to do, rows for a SQLite file that an event loop asks for are committed by that loop, at the
end of its turn and all together: what passes to the thread and back costs three times as much as the transaction. What
may take a while is the thread's: another process's lock, flushing to the disk, a disk that is slow.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from jackstay.core.quickness import Quickness
from jackstay.core.records import RunRow, Write
from jackstay.errors import StorageUnavailable
from jackstay.journal import opening
from jackstay.journal.commit import Committer, RowsAsked
from jackstay.journal.database import Database
from jackstay.journal.failures import kind_of, told
from jackstay.journal.pending import Pending, wake
from jackstay.journal.write_connection import WriteConnection

T = TypeVar("T")

_LARGEST_BATCH = 512
"""Wishes per transaction: keeps the first one's wait bounded when thousands stand in the queue."""


@dataclass(slots=True)
class _CallAsked:
    """A transaction of its own: leases, cancels."""

    pending: Pending[Any]
    call: Callable[[WriteConnection], Any]
    forgets: str | None = None
    """The run whose sequence has to be counted anew."""


_Asked = RowsAsked | _CallAsked


class Writer:
    """Takes wishes from any thread and commits them in the order they came."""

    def __init__(
        self, database: Database, committer: Committer, *, busy_timeout_s: float, fault_point: Callable[[str], object]
    ) -> None:
        self._database, self._committer = database, committer
        self._busy_timeout_s, self._fault_point = busy_timeout_s, fault_point
        self._connection: WriteConnection | None = None
        self._reset()

    def rows(self, *, write: Write | None = None, run: RunRow | None = None, at_once: bool = False) -> Pending[Any]:
        """Commit a write, a new run, or both together. `at_once`: by the loop that calls, without waiting for its turn's
        end."""
        return self._put(RowsAsked(Pending(self._guard, self._hurry), write, run), at_once=at_once)

    def call(self, call: Callable[[WriteConnection], T], *, forgets: str | None = None) -> Pending[T]:
        """Run something in a transaction of its own, in the writer's thread."""
        return self._put(_CallAsked(Pending(self._guard), call, forgets))

    @property
    def started(self) -> bool:
        return self._thread is not None and not self._closed

    @property
    def queued(self) -> int:
        """Wishes that wait for the next transaction."""
        return self._queue.qsize() + len(self._turn)

    @property
    def lag_s(self) -> float:
        """How long the wishes that are being committed have been, at least; 0 if there are none."""
        since_s = self._since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def close(self, timeout_s: float) -> bool:
        """Commit what waits, then end the thread. False if that took too long."""
        with self._entering:
            self._closed = True
            self._leave_to_thread()
            self._queue.put(None)
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def before_fork(self) -> None:
        """Wait for the transaction that is running, and let the thread commit nothing until after the fork."""
        self._busy.acquire()
        if not self._database.in_memory:
            self._drop_connection()

    def after_fork_in_parent(self) -> None:
        self._busy.release()

    def forget_in_child(self) -> None:
        """The thread and whatever waits belong to the parent."""
        self._reset()
        if not self._database.in_memory:
            self._connection = None

    def _reset(self) -> None:
        self._queue: SimpleQueue[_Asked | None] = SimpleQueue()
        self._guard = threading.Lock()  # of all Pendings
        self._busy = threading.Lock()  # held while a transaction runs
        self._entering = threading.Lock()  # nothing is put into the queue behind its end
        self._thread: threading.Thread | None = None
        self._closed = False
        self._under_way = 0
        """Wishes that the thread has been given and that have no outcome yet."""
        self._turn: list[RowsAsked] = []
        """Rows that the loop `_turn_of` has asked for since its turn began."""
        self._turn_of: asyncio.AbstractEventLoop | None = None
        self._quickness = Quickness()
        self._since_s: float | None = None

    def _put(self, asked: _Asked, *, at_once: bool = False) -> Pending[Any]:
        with self._entering:
            if self._closed:
                raise StorageUnavailable("the journal is closed; make a new Runtime to go on")
            if self._thread is None:
                # A daemon: a program that ends without closing its Runtime must not hang here.
                self._thread = threading.Thread(target=self._serve, name="jackstay-journal", daemon=True)
                self._thread.start()
            joined = self._joins_turn(asked, at_once)
            if not joined:
                self._leave_to_thread(asked)
        if joined and at_once:
            self._end_of_turn()
        return asked.pending

    def _leave_to_thread(self, *later: _Asked) -> None:
        """What the loop's turn has asked for so far, then these: the order stays."""
        wishes = (*self._turn, *later)
        self._turn = []
        self._under_way += len(wishes)
        for asked in wishes:
            self._queue.put(asked)

    # --- a loop's turn -----------------------------------------------------------------------------------------------------

    def _joins_turn(self, asked: _Asked, at_once: bool) -> bool:
        if not isinstance(asked, RowsAsked) or not self._may_be_quick:
            return False
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if not self._turn:
            self._turn_of = loop
            if not at_once:
                loop.call_soon(self._end_of_turn)
        elif loop is not self._turn_of:
            return False
        self._turn.append(asked)
        return True

    @property
    def _may_be_quick(self) -> bool:
        connection = self._connection
        return connection is not None and connection.is_quick and not self._under_way

    def _end_of_turn(self) -> None:
        began_s = time.monotonic()
        with self._entering:
            quick = self._turn and self._may_be_quick and self._quickness.is_at(began_s)
            if not quick or not self._busy.acquire(blocking=False):
                self._leave_to_thread()
                return
            turn, self._turn = self._turn, []
        try:
            self._since_s = began_s
            settled = self._settle_at_once(turn)
        finally:
            self._since_s = None
            self._busy.release()
        if not settled:
            with self._entering:
                self._turn = [*turn, *self._turn]
                self._leave_to_thread()
            return
        wake([asked.pending for asked in turn], self._guard, here=self._turn_of)
        self._quickness.note(began_s, time.monotonic())

    def _settle_at_once(self, turn: Sequence[RowsAsked]) -> bool:
        """False: another process is writing, and somebody has to wait for it; or a row is at fault, and it has to be found
        which."""
        try:
            self._attempt(turn)
        except Exception as exc:  # noqa: BLE001 - as in `_commit`
            if kind_of(exc) in ("busy", "data"):
                self._forget(turn)
                return False
            self._failed(turn, exc)
        self._fault_point("journal.committed")
        return True

    def _hurry(self) -> None:
        """A thread waits, which may be that of the loop itself."""
        with self._entering:
            self._leave_to_thread()

    # --- the thread --------------------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        ended = False
        while not ended:
            batch, ended = self._take()
            self._since_s = time.monotonic()
            for group in _groups(batch):
                with self._busy:
                    self._commit(group)
                    self._fault_point("journal.committed")
                with self._entering:
                    self._under_way -= len(group)
                wake([asked.pending for asked in group], self._guard)
                with self._busy:
                    self._rest()
            self._since_s = None
        with self._busy:
            self._drop_connection()

    def _rest(self) -> None:
        """Between two transactions: nobody waits for this."""
        if self._connection is not None:
            with suppress(Exception):  # what is wrong with the storage, the next transaction says
                self._connection.rest()

    def _take(self) -> tuple[list[_Asked], bool]:
        """Wait for the first wish, then take all that stand behind it."""
        batch: list[_Asked] = []
        asked = self._queue.get()
        while asked is not None:
            batch.append(asked)
            if len(batch) >= _LARGEST_BATCH:
                return batch, False
            try:
                asked = self._queue.get_nowait()
            except Empty:
                return batch, False
        return batch, True

    def _commit(self, group: Sequence[_Asked]) -> None:
        """Bring every wish of the group to an outcome, whatever happens."""
        try:
            self._try(group)
        except Exception as exc:  # noqa: BLE001 - any driver's, any kind: those who wait are told, the thread lives on
            self._failed(group, exc)

    def _failed(self, group: Sequence[_Asked], exc: Exception) -> None:
        self._forget(group)
        if kind_of(exc) == "data" and len(group) > 1:
            for asked in group:  # one row is at fault: the others must not suffer for it
                self._commit([asked])
            return
        if kind_of(exc) != "data":
            self._drop_connection()  # may be what broke; the next wish tries a fresh one
            self._database.reconnect()
        for asked in group:
            asked.pending.fail(self._told(exc, asked))

    def _forget(self, group: Sequence[_Asked]) -> None:
        self._committer.forget([asked.run_id for asked in group if isinstance(asked, RowsAsked)])

    def _try(self, group: Sequence[_Asked]) -> None:
        """Commit, again and again while another process is writing."""
        deadline = time.monotonic() + self._busy_timeout_s
        reconnected = False
        while True:
            try:
                return self._attempt(group)
            except Exception as exc:  # sorted by kind, else raised
                kind = kind_of(exc)
                if kind == "gone" and not reconnected and not self._left_open():
                    reconnected = True  # the server was restarted while this connection was idle
                    self._drop_connection()
                elif kind == "busy" and time.monotonic() < deadline:
                    time.sleep(random.uniform(0.001, 0.02))
                else:
                    raise

    def _attempt(self, group: Sequence[_Asked]) -> None:
        self._fault_point("journal.commit")
        connection = self._connection = self._connection or opening.connect(self._database, self._busy_timeout_s)
        connection.committing = False
        first = group[0]
        if isinstance(first, RowsAsked):
            rows = [asked for asked in group if isinstance(asked, RowsAsked)]
            self._committer.commit(connection, rows)
            return
        with connection.transaction():
            value = first.call(connection)
        if first.forgets is not None:
            self._committer.forget([first.forgets])
        first.pending.settle(value)

    def _left_open(self) -> bool:
        """Whether the last attempt broke while it committed: nobody knows then if it did, so it is not repeated."""
        return self._connection is not None and self._connection.committing

    def _told(self, error: Exception, asked: _Asked) -> Exception:
        run_id, new = (asked.run_id, asked.run) if isinstance(asked, RowsAsked) else (None, None)
        return told(error, self._database.location.shown, run_id, new)

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _groups(batch: Sequence[_Asked]) -> Iterator[list[_Asked]]:
    """Rows that stand together share a transaction; everything else has its own, in its turn."""
    group: list[_Asked] = []
    for asked in batch:
        if isinstance(asked, RowsAsked):
            group.append(asked)
            continue
        if group:
            yield group
            group = []
        yield [asked]
    if group:
        yield group
