"""The writing half of a run: which of its rows go into which transaction, and that none is lost on the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jackstay.core.budget import DoesNotFit, Hold
from jackstay.core.canonical import canonical_json
from jackstay.core.messages import EMPTY_CHAIN, Conversation
from jackstay.core.records import (
    Blob,
    Intent,
    Lease,
    MessagesBlob,
    Reservation,
    RunEnd,
    RunRow,
    Settlement,
    StepRow,
    Wait,
    Write,
)
from jackstay.engine.concealing import concealed, concealed_blobs, concealed_rows
from jackstay.errors import LeaseLost, StorageUnavailable

if TYPE_CHECKING:
    from jackstay.engine.runtime import Runtime
    from jackstay.journal import Pending

NOT_HELD = "nothing was held"
"""A note on what interrupts a reservation: its budgets have not been touched, and nothing has to be given back."""
Blobs = tuple[Blob | MessagesBlob, ...]


class RunWriter:
    """Lives on the engine loop. It does not know its run: the two would be a cycle, and every run's records would wait for
    the garbage collector."""

    def __init__(self, runtime: Runtime, lease: Lease, *, new: RunRow | None) -> None:
        self._runtime, self.lease = runtime, lease
        self.visible = new is None
        """The run's row is in the database."""
        self._unsaved = new
        self._steps: list[StepRow] = []
        self._settlements: list[Settlement] = []
        self._blobs: list[Blob | MessagesBlob] = []
        self._flushing: asyncio.Task[None] | None = None
        self.broken: StorageUnavailable | LeaseLost | None = None
        """Why a write of the run's was not stored: it stops the run. Nothing but its end is written after it, though the storage may be
        all right again: later rows would stand on rows and messages that are missing, and a failure that only came of
        this one would be raised again by a resume. Of a run whose first write was not stored there is not even an end:
        it would be a run without the rows that it inherits."""
        self._stored: set[str] = {EMPTY_CHAIN}
        """Addresses of messages and contents that the run has stored."""

    async def begin(self, row: RunRow) -> None:
        """Makes the run visible with this row; else its first write does."""
        if self._unsaved is not None:
            self._unsaved = row
            await self._commit()

    def defer(self, row: StepRow, *, settlements: tuple[Settlement, ...] = (), blobs: Blobs = ()) -> None:
        """Rows that go into the run's next commit, or into one of their own at the end of this turn of the loop.

        What the engine does next is decided in the same turn and begins with a commit (a reservation, a flush before
        user code, the run's end), so that nothing starts before these rows are on disk; two commits become one.
        """
        if not self._steps:
            asyncio.get_running_loop().call_soon(self._end_of_turn)
        self._steps.append(row)
        self._settlements += settlements
        self._blobs += blobs

    async def flush(self) -> None:
        """Has to be awaited before user code runs: what it may depend on is on disk then."""
        if self._steps or self._unsaved is not None:
            await self._commit()
        elif self._flushing is not None and not self._flushing.done():
            await asyncio.wait([self._flushing])

    async def commit(
        self,
        *steps: StepRow,
        reservations: tuple[Reservation, ...] = (),
        settlements: tuple[Settlement, ...] = (),
        blobs: Blobs = (),
        end: RunEnd | None = None,
        holds: tuple[Hold, ...] = (),
        waits: tuple[Wait, ...] = (),
        intents: tuple[Intent, ...] = (),
        at_once: bool = False,
    ) -> None:
        """Returns when the rows are on disk, those that were deferred included. Raises `StorageUnavailable` or
        `LeaseLost`; `DoesNotFit` if one of the holds is over its budget: then the reservation is not made. `at_once`: see
        `Journal.write`."""
        self._steps += steps
        self._settlements += settlements
        self._blobs += blobs
        if holds and (self._steps or self._settlements or self._unsaved is not None):
            # On their own: what they give back must count, and must be written whether the holds fit or not; and a run
            # has to be there when another of its calls, which fits, is written behind this one.
            try:
                await self._commit()
            except BaseException as error:
                if NOT_HELD not in getattr(error, "__notes__", ()):
                    error.add_note(NOT_HELD)
                raise
        await self._commit(reservations, end, holds, waits, intents, at_once=at_once)

    def inherit(self, rows: Sequence[StepRow]) -> None:
        """Rows of another run, for the new run's first commit. Their messages and contents are stored already."""
        self._steps += rows
        for row in rows:
            if row.request_ref:
                self.remember(row.request_ref)

    def enclose(self, blobs: Blobs) -> None:
        """Contents for the next commit, whenever that is."""
        self._blobs += blobs

    def remember(self, request_ref: str) -> None:
        """A conversation that an earlier process has stored."""
        self._stored.add(request_ref)

    def messages(self, conversation: Conversation) -> tuple[MessagesBlob, ...]:
        """The messages of a request that this run has not stored yet, as one blob behind what it has."""
        if conversation.hash in self._stored:
            return ()
        unknown: list[Conversation] = []
        parent = EMPTY_CHAIN
        for stretch in conversation.stretches():
            if stretch.hash in self._stored:
                parent = stretch.hash
                break
            unknown.append(stretch)
        self._stored.add(conversation.hash)
        new = [message.to_json() for stretch in reversed(unknown) for message in stretch.new]
        return (MessagesBlob(conversation.hash, parent, canonical_json(new)),)

    def content(self, sha256: str, text: Callable[[], str]) -> tuple[Blob, ...]:
        """A text under its address, made only if the run has not stored it yet."""
        if sha256 in self._stored:
            return ()
        self._stored.add(sha256)
        return (Blob(sha256, text().encode()),)

    def _end_of_turn(self) -> None:
        if self._steps:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_alone())

    async def _flush_alone(self) -> None:
        # Nobody waits here who could be told: the run is stopped, and its next step says why.
        with contextlib.suppress(StorageUnavailable, LeaseLost):
            await self._commit()

    async def _commit(
        self,
        reservations: tuple[Reservation, ...] = (),
        end: RunEnd | None = None,
        holds: tuple[Hold, ...] = (),
        waits: tuple[Wait, ...] = (),
        intents: tuple[Intent, ...] = (),
        *,
        at_once: bool = False,
    ) -> None:
        steps, settlements, blobs = tuple(self._steps), tuple(self._settlements), tuple(self._blobs)
        self._steps, self._settlements, self._blobs = [], [], []
        if self.broken is not None:
            if end is None or self._unsaved is not None:
                raise self.broken
            steps, settlements, blobs = (), (), ()
        new, self._unsaved = self._unsaved, None
        journal, secrets = self._runtime.journal, self._runtime.masked.secrets
        write = Write(
            self.lease,
            concealed_rows(steps, secrets),
            reservations,
            settlements,
            concealed_blobs(blobs, secrets),
            None if end is None else concealed(end, secrets),
            holds,
            concealed_rows(waits, secrets),
            intents,
        )
        try:
            if new is None:
                await _to_the_end(journal.write(write, at_once=at_once))
            else:
                await _to_the_end(journal.create_run(concealed(new, secrets), write=write))
                self.visible = True
        except asyncio.CancelledError as cancel:
            match cancel.__cause__:
                case DoesNotFit():
                    self._unsaved, self._blobs[:0] = new, blobs
                    cancel.add_note(NOT_HELD)
                case StorageUnavailable() | LeaseLost() as error:
                    self._break(error, new)
                case _:
                    self.visible = True
            raise
        except DoesNotFit:
            self._unsaved = new
            self._blobs[:0] = blobs
            raise
        except (StorageUnavailable, LeaseLost) as error:
            self._break(error, new)
            raise

    def _break(self, error: StorageUnavailable | LeaseLost, new: RunRow | None) -> None:
        if isinstance(error, StorageUnavailable):
            self._unsaved = new
        self.broken = self.broken or error


async def _to_the_end(pending: Pending[Any]) -> None:
    """Waits for a write. A cancel meanwhile is raised when the write has ended: what was paid for is on disk then."""
    try:
        await pending
    except asyncio.CancelledError as cancel:
        waiting = asyncio.ensure_future(_outcome(pending))
        while not waiting.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([waiting])
        raise cancel from waiting.exception()


async def _outcome(pending: Pending[Any]) -> None:
    await pending
