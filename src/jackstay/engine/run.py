"""One execution: what is recorded of it, what it has cost, whether it has been stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jackstay.core.canonical import canonical_json
from jackstay.core.events import EventName
from jackstay.core.messages import EMPTY_CHAIN, Conversation
from jackstay.core.paths import parent_of
from jackstay.core.records import (
    Blob,
    Lease,
    MessagesBlob,
    Reservation,
    RunEnd,
    RunRow,
    Settlement,
    StepRow,
    Takeover,
    Write,
)
from jackstay.core.specs import ModelConfig
from jackstay.core.usage import NO_BILL, Bill, Usage, from_pico
from jackstay.errors import DeadlineExceeded, LeaseLost, StorageUnavailable

if TYPE_CHECKING:
    from jackstay.engine.asker import Asker
    from jackstay.engine.runtime import Runtime
    from jackstay.engine.scope import Scope
    from jackstay.journal import Pending


class Run:
    """Made by `engine.kickoff`; lives on the engine loop. A row is reused only if its question's hash is equal."""

    def __init__(self, runtime: Runtime, row: RunRow, *, lease: Lease, is_new: bool) -> None:
        self.runtime, self.row, self.lease = runtime, row, lease
        self.pid = os.getpid()
        self.stop: BaseException | None = None
        """Once set, every later step raises it again (engine rule 21)."""
        self.lost: tuple[Reservation, ...] = ()
        self.changed: list[str] = []
        """Paths whose recorded question differs from what the program asks now."""
        self.visible = not is_new
        """Its row is in the database."""
        self._unsaved = row if is_new else None
        self._deferred: Write | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._recorded: dict[str, StepRow] = {}
        self._attempts: dict[tuple[str, int], int] = {}
        self._reserved: dict[tuple[str, int], int] = {}
        self._last_seq: dict[str, int] = {}
        self._bills: dict[str, Bill] = {}
        self._stored_messages: set[str] = {EMPTY_CHAIN}
        self._stored_blobs: set[str] = set()
        self._overridden: dict[int, tuple[ModelConfig, ModelConfig]] = {}
        self._askers: dict[int, tuple[ModelConfig, Asker]] = {}
        self.activity = ""
        """What it is doing now, for other processes to see (written with the lease)."""

    @property
    def id(self) -> str:
        return self.row.id

    # --- what is recorded --------------------------------------------------------------------------------------------

    def load(self, takeover: Takeover, rows: Sequence[StepRow]) -> None:
        """Takes in what earlier processes recorded: all revisions (they are billed), the newest one answers."""
        for row in rows:
            self.note(row)
            known = self._recorded.get(row.path)
            if known is None or row.rev > known.rev:
                self._recorded[row.path] = row
            if row.request_ref:
                self._stored_messages.add(row.request_ref)
        for reservation in takeover.reservations:
            key = (reservation.path, reservation.rev)
            self._reserved[key] = max(self._reserved.get(key, 0), reservation.attempt)
            if reservation.state == "settled" and reservation.outcome != "not_sent":
                self._attempts[key] = self._attempts.get(key, 0) + 1
        self.lost = tuple(r for r in takeover.reservations if r.state == "lost")

    def find(self, path: str, args_hash: str) -> StepRow | None:
        """The recorded answer to this question, if it may be used: a success, or a failure that user code has already
        gone on from. A question that changed is asked anew and noted."""
        row = self._recorded.get(path)
        if row is None:
            return None
        if row.args_hash != args_hash:
            self.changed.append(path)
            self.tell("warning", path, text=f"{path}: the question changed since it was recorded; it is asked anew")
            return None
        match row.status:
            case "succeeded":
                return row
            case "failed":
                return row if self._last_seq.get(parent_of(path), 0) > row.seq else None
            case _:
                return None

    def recorded_under(self, path: str, kind: str) -> list[StepRow]:
        """The newest rows of that kind directly inside a scope, in order of completion."""
        rows = [row for row in self._recorded.values() if row.kind == kind and parent_of(row.path) == path]
        return sorted(rows, key=lambda row: row.seq)

    def next_rev(self, path: str) -> int:
        row = self._recorded.get(path)
        return 1 if row is None else row.rev + 1

    def attempts_before(self, path: str, rev: int) -> int:
        """Requests of this asking whose end an earlier process saw."""
        return self._attempts.get((path, rev), 0)

    def reservations_before(self, path: str, rev: int) -> int:
        """The highest reservation number of this asking: those that were lost, or not sent, have used theirs up."""
        return self._reserved.get((path, rev), 0)

    def bill(self, path: str = "") -> Bill:
        """What the model calls inside a scope used and cost, from their rows; reused rows of other runs cost nothing."""
        return self._bills.get(path, NO_BILL)

    # --- writing -----------------------------------------------------------------------------------------------------

    async def begin(self) -> None:
        """Makes the run visible; else its first write does."""
        if self._unsaved is not None:
            await self._commit(Write(self.lease))

    def defer(
        self,
        row: StepRow,
        *,
        settlements: tuple[Settlement, ...] = (),
        blobs: tuple[Blob | MessagesBlob, ...] = (),
    ) -> None:
        """Rows that go into the run's next commit, or into one of their own at the end of this turn of the loop.

        What the engine does next is decided in the same turn and begins with a commit (a reservation, a flush before
        user code, the run's end), so that nothing starts before these rows are on disk; two commits become one.
        """
        self.note(row)
        if self._deferred is None:
            self._deferred = Write(self.lease)
            asyncio.get_running_loop().call_soon(self._end_of_turn)
        waiting = self._deferred
        self._deferred = replace(
            waiting,
            steps=(*waiting.steps, row),
            settlements=waiting.settlements + settlements,
            blobs=waiting.blobs + blobs,
        )

    async def flush(self) -> None:
        """Has to be awaited before user code runs: what it may depend on is on disk then."""
        if self._deferred is not None or self._unsaved is not None:
            await self._commit(Write(self.lease))
        elif self._flushing is not None:
            await asyncio.wait([self._flushing])
            self.check()

    def _end_of_turn(self) -> None:
        if self._deferred is not None:
            self._flushing = asyncio.get_running_loop().create_task(self._flush_alone())

    async def _flush_alone(self) -> None:
        # Nobody waits here who could be told: the run is stopped, and its next step says why.
        with contextlib.suppress(StorageUnavailable, LeaseLost):
            await self._commit(Write(self.lease))

    async def commit(
        self,
        *steps: StepRow,
        reservations: tuple[Reservation, ...] = (),
        settlements: tuple[Settlement, ...] = (),
        blobs: tuple[Blob | MessagesBlob, ...] = (),
    ) -> None:
        """Returns when the rows are on disk. Raises the run's stop if they cannot be stored."""
        for row in steps:
            self.note(row)
        await self._commit(
            Write(self.lease, steps=steps, reservations=reservations, settlements=settlements, blobs=blobs)
        )

    async def end(self, end: RunEnd) -> None:
        await self._commit(Write(self.lease, end=end))
        self.row = replace(
            self.row,
            status=end.status,
            reason=end.reason,
            finished_at=end.finished_at,
            output=end.output,
            error=end.error,
        )

    def conversation_blobs(self, conversation: Conversation) -> tuple[MessagesBlob, ...]:
        """The messages of a request that this run has not stored yet, as one blob behind what it has."""
        last = conversation.hash
        if last in self._stored_messages:
            return ()
        unknown: list[Conversation] = []
        parent = EMPTY_CHAIN
        for stretch in conversation.stretches():
            if stretch.hash in self._stored_messages:
                parent = stretch.hash
                break
            unknown.append(stretch)
        self._stored_messages.add(last)
        new = [message.to_json() for stretch in reversed(unknown) for message in stretch.new]
        return (MessagesBlob(last, parent, canonical_json(new)),)

    def content_blob(self, sha256: str, data: str) -> tuple[Blob, ...]:
        if sha256 in self._stored_blobs:
            return ()
        self._stored_blobs.add(sha256)
        return (Blob(sha256, data.encode()),)

    async def _commit(self, write: Write) -> None:
        waiting, self._deferred = self._deferred, None
        if waiting is not None:
            write = replace(
                write,
                steps=waiting.steps + write.steps,
                settlements=waiting.settlements + write.settlements,
                blobs=waiting.blobs + write.blobs,
            )
        try:
            if self._unsaved is not None:
                row, self._unsaved = self._unsaved, None
                try:
                    await _to_the_end(self.runtime.journal.create_run(row, write=write))
                except StorageUnavailable:
                    self._unsaved = row
                    raise
                self.visible = True
            else:
                await _to_the_end(self.runtime.journal.write(write))
        except (StorageUnavailable, LeaseLost) as error:
            self.stop = self.stop or error
            raise

    def note(self, row: StepRow) -> None:
        """Sums: the newest completion in each enclosing scope, and the bill of a model call for all of them."""
        bill = bill_of(row) if row.kind == "llm" and row.origin_run_id is None else None
        path = row.path
        while path:
            path = parent_of(path)
            if row.seq:
                self._last_seq[path] = max(self._last_seq.get(path, 0), row.seq)
            if bill is not None:
                self._bills[path] = self._bills.get(path, NO_BILL) + bill

    # --- models ------------------------------------------------------------------------------------------------------

    def model_for(self, config: ModelConfig) -> ModelConfig:
        """The model that this run asks: its override, if it has one."""
        override = self.row.model_override
        if override is None or config.model == override:
            return config
        known = self._overridden.get(id(config))
        if known is None:
            mine = ModelConfig(override, sampling=config.sampling, timeout_s=config.timeout_s, stream=config.stream)
            # The original is kept too: its id must not be given to another object.
            known = self._overridden[id(config)] = (config, mine)
        return known[1]

    def asker(self, config: ModelConfig, *, owner: str = "") -> Asker:
        """How the model is asked; raises what is wrong with it (`UnknownModelError`, `MissingKeyError`, …)."""
        config = self.model_for(config)
        known = self._askers.get(id(config))
        if known is None:
            known = self._askers[id(config)] = (config, self.runtime.asker(config, owner=owner))
        return known[1]

    # --- stopping ----------------------------------------------------------------------------------------------------

    def check(self, scope: Scope | None = None) -> None:
        """Called before every step: raises the stop, if the run has been stopped or its time is over."""
        if self.stop is not None:
            raise self.stop
        limit = None if scope is None else scope.deadline_at
        if scope is not None and limit is not None and self.runtime.clock.monotonic() >= limit:
            raise DeadlineExceeded(f"the time limit of {scope.path or 'the run'} has passed; nothing more is started")

    # --- telling -----------------------------------------------------------------------------------------------------

    def tell(self, event: EventName, path: str, /, **data: Any) -> None:
        if event.endswith("_started"):
            self.activity = path
        self.runtime.tell(event, self.id, path, data)

    def now(self) -> datetime:
        return self.runtime.clock.now()


def bill_of(row: StepRow) -> Bill:
    """The bill of one model-call row."""
    usage = Usage(
        row.input_tokens,
        row.cached_tokens,
        row.cache_write_tokens,
        row.output_tokens,
        row.reasoning_tokens,
        estimated="estimated" in (row.flags or "").split(","),
    )
    answered = row.status == "succeeded"
    paid = answered or usage.total_tokens > 0
    return Bill(usage, int(answered), from_pico(row.cost_pico) if paid else from_pico(0))


async def _to_the_end(pending: Pending[Any]) -> None:
    """Waits for a write. A cancel meanwhile is raised when the write has ended: what was paid for is on disk then."""
    try:
        await pending
    except asyncio.CancelledError:
        waiting = asyncio.ensure_future(_outcome(pending))
        while not waiting.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([waiting])
        waiting.exception()
        raise


async def _outcome(pending: Pending[Any]) -> None:
    await pending
