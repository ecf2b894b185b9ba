"""One execution: what is recorded of it, what it has cost, whether it has been stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn

from jackstay.core.budget import Hold
from jackstay.core.canonical import canonical_json
from jackstay.core.events import EventName
from jackstay.core.failures import Failure
from jackstay.core.ids import SHORT
from jackstay.core.paths import parent_of
from jackstay.core.records import (
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
from jackstay.core.specs import ModelConfig, chain_of
from jackstay.core.tool_failures import ToolFailureRecord
from jackstay.core.usage import NO_BILL, Bill, Usage, from_pico
from jackstay.engine.acts import Acts
from jackstay.engine.recorded import Recorded
from jackstay.engine.run_writer import Blobs, RunWriter
from jackstay.engine.tool_cache import ToolCache
from jackstay.errors import (
    BudgetExceeded,
    ConfigurationError,
    DeadlineExceeded,
    DefinitionChanged,
    RunSuspended,
    StorageUnavailable,
)

if TYPE_CHECKING:
    from jackstay.engine.asker import Asker
    from jackstay.engine.budgets import BudgetScope
    from jackstay.engine.runtime import Runtime
    from jackstay.engine.scope import Scope


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
        self.stop: BaseException | None = None
        """Once set, every later step raises it again (engine rule 21)."""
        self.abandoned: list[str] = []
        """Users' functions that go on though nobody waits for them: name and stack, for the run's record."""
        self.lost: tuple[Reservation, ...] = ()
        self._waited = 0
        self.ended: RunEnd | None = None
        self.writer = RunWriter(lambda: runtime.journal, lease, self._storage_failed, new=row if is_new else None)
        self.recorded = Recorded()
        self._attempts: dict[tuple[str, int], int] = {}
        self._reserved: dict[tuple[str, int], int] = {}
        self._bills: dict[str, Bill] = {}
        self._reused: dict[str, Bill] = {}
        self._overridden: dict[int, tuple[ModelConfig, ModelConfig]] = {}
        self._askers: dict[int, tuple[ModelConfig, Asker]] = {}
        self.raised: dict[str, Any] = {}
        """What a person has allowed since a budget was reached, by the scope's path."""
        self.acts = Acts()
        self.tool_cache = ToolCache()
        self.tool_failures: list[ToolFailureRecord] = []
        """Failed calls of tools, those that were read from the record included."""
        self.waits: tuple[Wait, ...] = ()
        """What the run waits for, when it is suspended."""
        self.strict = runtime.session is not None and runtime.session.strict
        """Refuses what the record does not answer because something has changed."""
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
            self.recorded.add(row)
            if row.request_ref:
                self.writer.remember(row.request_ref)
        for reservation in takeover.reservations:
            key = (reservation.path, reservation.rev)
            self._reserved[key] = max(self._reserved.get(key, 0), reservation.attempt)
            if reservation.state == "settled" and reservation.outcome != "not_sent":
                self._attempts[key] = self._attempts.get(key, 0) + 1
        self.lost = tuple(r for r in takeover.reservations if r.state == "lost")
        for wait in takeover.waits:
            if wait.kind == "budget" and wait.answer is not None:
                self.raised[wait.path] = json.loads(wait.answer)
        self._waited = len(takeover.waits)
        self.acts.load(takeover.intents, takeover.waits)

    def inherit(self, rows: Sequence[StepRow]) -> None:
        """Begins with rows of another run: they answer here, and were paid there."""
        mine = [replace(row, run_id=self.id) for row in rows]
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

    def bill(self, path: str = "") -> Bill:
        """What the model calls inside a scope used and cost, from their rows; reused rows of other runs cost nothing."""
        return self._bills.get(path, NO_BILL)

    def reused(self, path: str = "") -> Bill:
        """The same of the calls that were answered from another run's record: what they cost there."""
        return self._reused.get(path, NO_BILL)

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
        self.note(row)
        self.writer.defer(row, settlements=settlements, blobs=blobs)

    async def commit(
        self,
        *steps: StepRow,
        reservations: tuple[Reservation, ...] = (),
        settlements: tuple[Settlement, ...] = (),
        blobs: Blobs = (),
        holds: tuple[Hold, ...] = (),
        intents: tuple[Intent, ...] = (),
    ) -> None:
        """See `RunWriter.commit`."""
        for row in steps:
            self.note(row)
        await self.writer.commit(
            *steps, reservations=reservations, settlements=settlements, blobs=blobs, holds=holds, intents=intents
        )

    async def end(self, end: RunEnd) -> None:
        try:
            await self.writer.commit(end=end, waits=self.waits)
        except StorageUnavailable:
            # The row stays 'running' with a lease that nobody renews, is shown as interrupted and can be resumed; by this
            # process at once, since it knows that it does not drive the run any more. (Not so where the lease was lost:
            # then another process drives it.)
            self.runtime.left_behind.add(self.id)
            raise
        self.ended = end

    def _storage_failed(self, error: BaseException) -> None:
        self.stop = self.stop or error

    def note(self, row: StepRow) -> None:
        """The bill of a model call counts for all scopes around it; what another run has paid for is told apart."""
        if row.kind == "tool":
            self.tool_cache.note(row)
        if row.kind != "llm" or row.origin_run_id == row.run_id:  # moved inside the run: it counts where it was paid
            return
        bills = self._bills if row.origin_run_id is None else self._reused
        bill, path = bill_of(row), row.path
        while path:
            path = parent_of(path)
            bills[path] = bills.get(path, NO_BILL) + bill

    # --- models ------------------------------------------------------------------------------------------------------

    def model_for(self, config: ModelConfig) -> ModelConfig:
        """The model that this run asks: its override, if it has one, instead of the whole chain."""
        override = self.row.model_override
        if override is None or config.model == override:
            return config
        known = self._overridden.get(id(config))
        if known is None:
            mine = config.named(override)
            # The original is kept too: its id must not be given to another object.
            known = self._overridden[id(config)] = (config, mine)
        return known[1]

    def chain_asker(self, config: ModelConfig, *, owner: str = "") -> Asker:
        """The first model of the chain that can be asked. Raises what is wrong with the first of them."""
        problem: ConfigurationError | None = None
        for member in chain_of(self.model_for(config)):
            try:
                return self.asker(member, owner=owner)
            except ConfigurationError as error:
                problem = problem or error
        assert problem is not None
        raise problem

    def asked_for(self, config: ModelConfig) -> tuple[str, ...]:
        """The names of the chain's models, as they stand in the question."""
        config = self.model_for(config)
        if not config.fallbacks:
            return (self.asker(config).requested,)
        return tuple(member.model or self.asker(member).requested for member in chain_of(config))

    def asker(self, config: ModelConfig, *, owner: str = "") -> Asker:
        """How this very model is asked (see `model_for`); raises what is wrong with it (`UnknownModelError`,
        `MissingKeyError`, …)."""
        known = self._askers.get(id(config))
        if known is None:
            known = self._askers[id(config)] = (config, self.runtime.asker(config, owner=owner))
        return known[1]

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
            self.waits = (wait,)
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
    # An answer out of the cache was no request.
    return Bill(usage, int(answered and row.attempts > 0), from_pico(row.cost_pico) if paid else from_pico(0))
