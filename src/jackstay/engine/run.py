"""One execution: what is recorded of it, what it has cost, whether it has been stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn

from jackstay.core.budget import Hold
from jackstay.core.canonical import canonical_json
from jackstay.core.content import Content, content_of
from jackstay.core.events import Event, EventName, ListenersEvent
from jackstay.core.failures import Failure
from jackstay.core.ids import SHORT
from jackstay.core.masking import Secrets
from jackstay.core.records import (
    TERMINAL,
    Intent,
    Lease,
    Reservation,
    RunEnd,
    RunRow,
    Settlement,
    StepKind,
    StepRow,
    StepStatus,
    Takeover,
    Wait,
)
from jackstay.core.tool_failures import ToolFailureRecord
from jackstay.core.trace_ids import SpanIds, parent_in
from jackstay.engine.acts import Acts
from jackstay.engine.concealing import revealed
from jackstay.engine.receipts import DoneByTools
from jackstay.engine.recorded import Recorded
from jackstay.engine.run_bills import RunBills
from jackstay.engine.run_models import RunModels
from jackstay.engine.run_writer import Blobs, RunWriter
from jackstay.engine.telling import listeners
from jackstay.engine.tool_cache import ToolCache
from jackstay.engine.waits import Waits
from jackstay.errors import (
    BudgetExceeded,
    DeadlineExceeded,
    DefinitionChanged,
    RunSuspended,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from jackstay.engine.budgets import BudgetScope
    from jackstay.engine.metering import RunMeter
    from jackstay.engine.run_trace import RunTrace
    from jackstay.engine.runtime import Runtime
    from jackstay.engine.scope import Scope

NO_DATA: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Began:
    """When a step began: the wall clock for people, the monotonic one for its duration."""

    at: datetime
    monotonic_s: float


class Run:
    """Made by `engine.kickoff`; lives on the engine loop. A row is reused only if its question's hash is equal."""

    def __init__(self, runtime: Runtime, row: RunRow, *, lease: Lease, is_new: bool) -> None:
        self.runtime, self.row, self.lease = runtime, row, lease
        self.pid = os.getpid()
        self.content: Content = content_of(row.tags)
        """How much of what is said stays when it has ended."""
        self._stop: BaseException | None = None
        self.abandoned: list[str] = []
        """Users' functions that go on though nobody waits for them: name and stack, for the run's record."""
        self.lost: tuple[Reservation, ...] = ()
        self._waited = 0
        self.ended: RunEnd | None = None
        self.writer = RunWriter(runtime, lease, new=row if is_new else None)
        self.recorded = Recorded()
        self._attempts: dict[tuple[str, int], int] = {}
        self._reserved: dict[tuple[str, int], int] = {}
        self.bills = RunBills()
        self.models = RunModels(runtime, row.model_override)
        self.raised: dict[str, Any] = {}
        """What a person has allowed since a budget was reached, by the scope's path."""
        self.acts = Acts()
        self.tool_cache = ToolCache()
        self.done_by_tools = DoneByTools()
        self.tool_failures: list[ToolFailureRecord] = []
        """Failed calls of tools, those that were read from the record included."""
        self.waits = Waits()
        self.paused: dict[str, RunSuspended] = {}
        """Methods of flows that wait for a person, by path: nothing more starts in them, what is beside them goes on."""
        self.strict = runtime.session is not None and runtime.session.strict
        """Refuses what the record does not answer because something has changed."""
        self.activity = ""
        """What it is doing now, for other processes to see (written with the lease)."""
        self._span_ids: SpanIds | None = None
        self.trace: RunTrace | None = None
        """Set while spans are made of its steps."""
        self.meter: RunMeter | None = None
        """Set while metrics are wanted."""
        self.unended: Sequence[StepRow] = ()
        """What the process before has recorded, if it has not lived to say how its turn ended."""

    @property
    def id(self) -> str:
        return self.row.id

    @property
    def stop(self) -> BaseException | None:
        """Once it is there, every later step raises it again (engine rule 21)."""
        return self._stop or self.writer.broken

    @stop.setter
    def stop(self, why: BaseException | None) -> None:
        self._stop = why

    @property
    def secrets(self) -> Secrets:
        """Those that are known now: neither used nor stored."""
        return self.runtime.masked.secrets

    @property
    def span_ids(self) -> SpanIds:
        """By which logs and traces name its steps."""
        if self._span_ids is None:
            self._span_ids = SpanIds(self.id, max(1, self.lease.epoch), parent_in(self.row.tags))
        return self._span_ids

    # --- what is recorded --------------------------------------------------------------------------------------------

    def load(self, takeover: Takeover, rows: Sequence[StepRow]) -> None:
        """Takes in what earlier processes recorded: all revisions (they are billed), the newest one answers."""
        for stored in rows:
            row = revealed(stored, self.secrets)
            self.note(row)
            self.recorded.add(row)
            if row.request_ref:
                self.writer.remember(row.request_ref)
        for reservation in takeover.reservations:
            key = (reservation.path, reservation.rev)
            self._reserved[key] = max(self._reserved.get(key, 0), reservation.attempt)
            if reservation.state == "settled" and reservation.outcome != "not_sent":
                self._attempts[key] = self._attempts.get(key, 0) + 1
        self.lost = tuple(r for r in takeover.reservations if r.state == "lost")
        waits = [revealed(wait, self.secrets) for wait in takeover.waits]
        for wait in waits:
            if wait.kind == "budget" and wait.answer is not None:
                self.raised[wait.path] = json.loads(wait.answer)
        self._waited = len(waits)
        if takeover.is_unended:
            self.unended = [row for row in rows if row.epoch == self.lease.epoch - 1]
        self.waits.load(waits)
        self.acts.load(takeover.intents, waits)

    async def recall(self, path: str) -> None:
        """Takes in what this process has recorded inside a step that is about to be done again: it answers, as in a run
        that is resumed."""
        journal = self.runtime.journal
        await self.writer.flush()
        rows = await self.runtime.off_loop(journal.steps, self.id)
        for row in rows:
            if row.path.startswith(f"{path}/"):
                self.recorded.add(revealed(row, self.secrets))
        self.acts.load(await self.runtime.off_loop(journal.intents, self.id), ())

    def inherit(self, rows: Sequence[StepRow]) -> None:
        """Begins with rows of another run: they answer here, and were paid there."""
        mine = [replace(revealed(row, self.secrets), run_id=self.id) for row in rows]
        for row in mine:
            self.note(row)
            self.recorded.add(row)
        self.writer.inherit(mine)

    def find(self, path: str, args_hash: str) -> StepRow | None:
        """The recorded answer to this question, if it may be used. A question that changed is asked anew, with a
        warning; refused, if the run is strict."""
        found = self.recorded.find(path, args_hash)
        if isinstance(found, StepRow):
            return found if found.path == path else self._moved(found, path)
        if found == "changed":
            self.tell("warning", path, text=f"{path}: the question changed since it was recorded; it is asked anew")
        if found is not None and self.strict:
            why = "its question has changed" if found == "changed" else "its result could not be stored"
            self.refuse(f"{path} would be executed again: {why}")
        return None

    def refuse(self, why: str) -> NoReturn:
        """Of a strict run: stops it before anything is done that the record does not answer."""
        self.stop = self.stop or DefinitionChanged(
            f"{why}. Nothing more has been run; without --strict it is asked anew, or undo the change"
        )
        raise self.stop

    def _moved(self, row: StepRow, path: str) -> StepRow:
        """A row of a kickoff whose definition has changed since, at the path of today. It was paid where it stood."""
        moved = replace(
            row,
            run_id=self.id,
            path=path,
            rev=1,
            seq=0,
            epoch=self.lease.epoch,
            origin_run_id=row.origin_run_id or self.id,
        )
        self.defer(moved)
        self.recorded.add(replace(moved, seq=row.seq))
        return moved

    def next_rev(self, path: str) -> int:
        return self.recorded.next_rev(path)

    def attempts_before(self, path: str, rev: int) -> int:
        """Requests of this asking whose end an earlier process saw."""
        return self._attempts.get((path, rev), 0)

    def reservations_before(self, path: str, rev: int) -> int:
        """The highest reservation number of this asking: those that were lost, or not sent, have used theirs up."""
        return self._reserved.get((path, rev), 0)

    def began(self) -> Began:
        return Began(self.now(), self.runtime.clock.monotonic())

    def step_row(
        self,
        began: Began,
        path: str,
        kind: StepKind,
        name: str,
        status: StepStatus,
        args_hash: str,
        *,
        error: Failure | None = None,
        **fields: Any,
    ) -> StepRow:
        """The row of a step that ends now. `fields`: further columns."""
        if "rev" not in fields:
            fields["rev"] = self.next_rev(path)
        return StepRow(
            run_id=self.id,
            path=path,
            kind=kind,
            name=name,
            status=status,
            args_hash=args_hash,
            started_at=began.at,
            finished_at=self.now(),
            epoch=self.lease.epoch,
            error=error.to_json() if error else None,
            duration_us=int((self.runtime.clock.monotonic() - began.monotonic_s) * 1e6),
            **fields,
        )

    # --- writing -----------------------------------------------------------------------------------------------------

    def defer(self, row: StepRow, *, settlements: tuple[Settlement, ...] = (), blobs: Blobs = ()) -> None:
        """See `RunWriter.defer`."""
        self._made(row)
        if self.meter is not None:
            self.meter.written((row,), settlements)
        self.writer.defer(row, settlements=settlements, blobs=blobs)

    async def commit(
        self,
        *steps: StepRow,
        reservations: tuple[Reservation, ...] = (),
        settlements: tuple[Settlement, ...] = (),
        blobs: Blobs = (),
        holds: tuple[Hold, ...] = (),
        intents: tuple[Intent, ...] = (),
        alone: bool = False,
    ) -> None:
        """See `RunWriter.commit`. `alone`: nothing else of this run is at work."""
        for row in steps:
            self._made(row)
        if self.meter is not None:
            self.meter.written(steps, settlements, reservations)
        await self.writer.commit(
            *steps,
            reservations=reservations,
            settlements=settlements,
            blobs=blobs,
            holds=holds,
            intents=intents,
            at_once=alone and self.runtime.leases.count == 1,
        )

    async def end(self, end: RunEnd) -> None:
        try:
            # With the status, so that a run that waits has what it waits for.
            await self.writer.commit(end=end, waits=self.waits.new if end.status == "waiting" else ())
        except StorageUnavailable:
            # The row stays 'running' with a lease that nobody renews, is shown as interrupted and can be resumed; by this
            # process at once, since it knows that it does not drive the run any more. (Not so where the lease was lost:
            # then another process drives it.)
            self.runtime.left_behind.add(self.id)
            self._told_over(RunEnd("failed", None, reason="storage"))
            raise
        self.ended = end
        self._told_over(end)
        if self.content != "full" and end.status in TERMINAL:
            await self.runtime.eraser.erase(self)

    def _told_over(self, end: RunEnd) -> None:
        """Given up here: they know one another, and would wait for the garbage collector together."""
        trace, self.trace = self.trace, None
        if trace is not None:
            trace.over(end)
        meter, self.meter = self.meter, None
        if meter is not None:
            meter.over(end)

    def _made(self, row: StepRow) -> None:
        """A row that is new."""
        self.note(row)
        if self.trace is not None:
            self.trace.ended(row)

    def note(self, row: StepRow) -> None:
        """A row of the run's, its own or an earlier process's, counts."""
        self.bills.note(row)
        if row.kind == "tool":
            self.tool_cache.note(row)
            self.done_by_tools.note(row)

    # --- stopping ----------------------------------------------------------------------------------------------------

    def check(self, scope: Scope | None = None) -> None:
        """Called before every step: raises the stop, if the run has been stopped, its time is over, or a budget around
        the scope has been reached."""
        stop = self.stopped(scope)
        if stop is not None:
            raise stop

    def stopped(self, scope: Scope | None = None) -> BaseException | None:
        """Why nothing more may start in the scope, if so (engine rule 21)."""
        if self.stop is not None or scope is None:
            return self.stop
        if scope.stop is not None:
            return scope.stop
        for branch, stop in self.paused.items():
            if scope.path == branch or scope.path.startswith(f"{branch}/"):
                return stop
        for budget in scope.budgets:
            if budget.stopped is not None:
                return budget.stopped
        left_s = scope.time_left_s()
        if left_s is None or left_s > 0:
            return None
        return DeadlineExceeded(
            f"the time limit of {scope.deadline_of or scope.path or 'the run'} has passed, nothing more is started; "
            "raise the limit, or narrow the work"
        )

    def out_of_budget(self, scope: BudgetScope, error: BudgetExceeded, path: str) -> BaseException:
        """What to raise, from now on in every step that the budget is for (engine rule 21)."""
        if scope.budget.on_exceed == "pause":
            number = self.next_wait()
            own = scope.name.startswith("run:")
            what = "" if own else ", once jackstay.toml allows more or the next period has begun"
            prompt = f"{error}. To go on{what}: jackstay resume {self.id[:SHORT]}{' --budget MOST' if own else ''}"
            asked = canonical_json({"budget": scope.name, "at": path})
            wait = Wait(self.id, scope.path, number, "budget", prompt, asked, self.row.project_id, self.now())
            self.waits.open(wait, is_new=True)
            self.stop = self.stop or RunSuspended(prompt)
            return self.stop
        scope.stopped = error
        if scope.path == "":
            self.stop = self.stop or error
        return error

    def next_wait(self) -> int:
        """The number of the next thing that this run waits for."""
        self._waited += 1
        return self._waited

    # --- telling -----------------------------------------------------------------------------------------------------

    def tell(self, event: EventName, path: str, /, *, about: Any = None, **data: Any) -> None:
        """`about`: the engine's own object that the event is of, for listeners of this process alone."""
        if event.endswith("_started"):
            self.activity = path
        self.runtime.tell(event, self.id, path, data)
        if listeners:
            self.news(event, path, about, data)

    def news(
        self, event: EventName | ListenersEvent, path: str, about: Any = None, data: Mapping[str, Any] = NO_DATA
    ) -> None:
        """To the process's listeners alone."""
        told = Event(event, self.row.id, path, self.runtime.clock.now(), data)
        for listener in tuple(listeners):
            listener.hear(self, told, about)

    def now(self) -> datetime:
        return self.runtime.clock.now()
