"""What one model call leaves in the journal: a reservation before every request, and one row with its settlement."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackstay.core.budget import Amount, DoesNotFit, Hold
from jackstay.core.canonical import canonical_json
from jackstay.core.failures import Failure, failure_of
from jackstay.core.messages import Answer
from jackstay.core.records import Reservation, Settlement, StepRow, StepStatus
from jackstay.core.usage import NO_USAGE, Usage, from_pico, to_pico
from jackstay.engine.asker import Ask
from jackstay.engine.budgets import BudgetScope, Sized, Sizing
from jackstay.engine.call_hooks import is_wanted
from jackstay.engine.run_writer import NOT_HELD, Blobs
from jackstay.errors import BudgetExceeded, JackstayError, LeaseLost, RunSignal, StorageUnavailable

if TYPE_CHECKING:
    from jackstay.engine.chain import Member
    from jackstay.engine.scope import Scope


LOOKED_AT = "looked_at"


def is_looked_at(row: StepRow) -> bool:
    """Hooks were to be shown this answer, and may have put another one in its place."""
    return bool(json.loads(row.request or "{}").get(LOOKED_AT))


class CallRecord:
    """Of one asking (path and revision). Numbers go on where an earlier process stopped."""

    def __init__(self, scope: Scope, ask: Ask, path: str, args_hash: str, settings: str) -> None:
        self.scope, self.run, self.ask, self.path = scope, scope.run, ask, path
        self.args_hash, self.settings = args_hash, settings
        self.looked_at = is_wanted(scope)
        """Hooks are shown the answer once it is recorded."""
        self.rev = self.run.next_rev(path)
        self.attempts = self.run.attempts_before(path, self.rev)
        """Requests of this asking so far."""
        self.number = self.run.reservations_before(path, self.rev)
        self.began = self.run.began()
        self.tried: list[dict[str, Any]] = []
        """The requests that gave no answer and the models that were passed over."""
        self._before, self._closed = self.attempts, False
        self.reserved = False
        """The current attempt has its reservation: from here on it has to be accounted for."""
        self.sized: Sized | None = None
        self.holds: tuple[Hold, ...] = ()
        self._settled: tuple[Settlement, ...] = ()
        """Of the attempt before, for the next commit."""

    @property
    def sent_hash(self) -> str:
        """Of what is sent: hooks may have made another question of it, whose answers are other ones."""
        return self.ask.question.hash(self.settings)

    # --- before a request --------------------------------------------------------------------------------------------

    async def reserve(self, member: Member, budgets: tuple[BudgetScope, ...], sizing: Sizing) -> DoesNotFit | None:
        """A row that says what the request may cost at worst, and the same held in every budget around the call."""
        self.reserved = False
        while True:
            self.sized = sizing.sized()
            now = self.run.now()
            holds = (budget.hold(self.sized.worst, now) for budget in budgets)
            self.holds = tuple(sorted(holds, key=lambda hold: (hold.budget, hold.period)))
            try:
                await self._reserve(member, self.sized)
            except DoesNotFit as refused:
                self._settled = ()  # written all the same
                if not sizing.shrink(refused):
                    return refused
            else:
                self.reserved = True
                self.attempts += 1
                return None

    async def _reserve(self, member: Member, sized: Sized) -> None:
        worst, held = sized.worst, [[hold.budget, hold.period] for hold in self.holds]
        reservation = Reservation(
            self.run.id,
            self.path,
            self.rev,
            self.number + 1,
            self.run.lease.epoch,
            member.asker.requested,
            self.run.now(),
            worst.pico,
            worst.input,
            worst.output,
            held=json.dumps(held) if held else None,
        )
        settled, self._settled = self._settled, ()
        try:
            await self.run.commit(reservations=(reservation,), settlements=settled, holds=self.holds)
            self.number += 1
            # The commit may have taken a while, and a cancel may have come meanwhile: nothing goes out after a stop.
            self.run.check(self.scope)
        except (asyncio.CancelledError, JackstayError, RunSignal) as error:
            if isinstance(error, StorageUnavailable | LeaseLost) or NOT_HELD in getattr(error, "__notes__", ()):
                raise
            # Not a request: an open reservation would be counted as one that was lost.
            if not isinstance(self.run.stop, StorageUnavailable | LeaseLost):
                self.number = reservation.attempt
                await self.run.commit(settlements=(self.settlement("not_sent"),))
            raise

    # --- between requests --------------------------------------------------------------------------------------------

    def note(self, member: Member, code: str, why: str, **more: Any) -> None:
        """One request that gave no answer (`asked`), or a model that was passed over."""
        self.tried.append({"model": member.asker.requested, "code": code, "why": why, **more})

    async def attempt_failed(self, code: str) -> None:
        """Settled with the next attempt's reservation; at once, if its budgets could use the room."""
        self._settled = (self.settlement(code),)
        self.reserved = False
        if self.holds:
            settled, self._settled = self._settled, ()
            await self.run.commit(settlements=settled)
            self.run.runtime.settled.tell()

    # --- the end -----------------------------------------------------------------------------------------------------

    def answered(self, member: Member, answer: Answer, flags: list[str]) -> StepRow:
        """The row, on its way to the next commit of this turn of the loop."""
        paid, settlement = self._paid(member, answer, flags)
        row = self._row("succeeded", **paid)
        self.run.defer(row, settlements=(*self._settled, settlement), blobs=self._blobs())
        if self.holds:
            self.run.runtime.settled.tell()
        return row

    def reused(self, cached: StepRow) -> StepRow:
        """The row of a call that the cache answers: no request, no cost, and what that saved."""
        saved = {
            "from": [cached.run_id, cached.path, cached.rev],
            "tokens": cached.input_tokens + cached.output_tokens,
            "cost_usd": None if cached.cost_pico is None else str(from_pico(cached.cost_pico)),
        }
        row = self._row(
            "succeeded",
            flags=["cached"],
            result=cached.result,
            answered_by=cached.answered_by,
            provider=cached.provider,
            cost_pico=0,
            price_version=cached.price_version,
            saved=saved,
        )
        self.run.defer(row, blobs=self._blobs())
        self.run.tell("reused", self.path, kind="llm", model=row.model, saved_usd=from_pico(cached.cost_pico))
        return row

    async def cut(self, member: Member, answer: Answer, flags: list[str]) -> BudgetExceeded:
        """The budget left room for so many tokens and the answer is longer: it is paid for, and not passed off as
        whole."""
        assert self.sized is not None
        error = BudgetExceeded(
            f"the answer of {member.asker.requested} was cut off at {self.sized.capped:,} tokens, which is what its budget "
            "left room for; raise the budget, or set max_tokens to what an answer may take"
        )
        paid, settlement = self._paid(member, answer, flags)
        await self._commit(self._row("failed", error=failure_of(error), **paid), settlement)
        return error

    async def forbidden(self, error: Exception) -> None:
        """By a hook, before anything was sent."""
        await self.run.commit(self._row("failed", error=failure_of(error)), blobs=self._blobs())

    async def failed(self, error: Exception, *, status: StepStatus = "failed") -> StepRow:
        """`cancelled`: a limit of time around the call has ended it; resumed, the call is made again in any case."""
        row = self._row(status, error=failure_of(error))
        await self._commit(row, self.settlement(getattr(error, "code", "error")))
        return row

    async def abandon(self, error: BaseException) -> None:
        """Whatever has ended the call, it leaves a row for the requests that were made and no reservation open."""
        if self._closed or isinstance(self.run.stop, StorageUnavailable | LeaseLost):
            return
        if self.reserved:
            self._settled += (self.settlement(getattr(error, "code", "error")),)
            self.reserved = False
        if self._settled or self.attempts > self._before:
            await self.given_up(error)
            self.run.runtime.settled.tell()

    async def given_up(self, error: BaseException) -> None:
        """Between two requests: nothing is in flight."""
        settled, self._settled = self._settled, ()
        await self.run.commit(self._row("cancelled", error=failure_of(error)), settlements=settled, blobs=self._blobs())

    async def cancelled(self, member: Member, *, sent: bool) -> None:
        """A request that was on its way may be billed, so the row has what it may have used at least."""
        if not sent:
            self.attempts -= 1
            await self._commit(self._row("cancelled", flags=["cancelled"]), self.settlement("not_sent"))
            return
        usage = Usage(input_tokens=self.ask.question.roughly_tokens, estimated=True)
        cost_usd, price_version, _ = member.asker.cost(Answer("", usage=usage))
        cost_pico = to_pico(cost_usd)
        flags = ["cancelled", "estimated"]
        row = self._row("cancelled", usage=usage, flags=flags, cost_pico=cost_pico, price_version=price_version)
        await self._commit(row, self.settlement("cancelled", cost_pico, usage))

    # --- rows --------------------------------------------------------------------------------------------------------

    def settlement(self, outcome: str, cost_pico: int | None = None, usage: Usage = NO_USAGE) -> Settlement:
        used = Amount(cost_pico or 0, usage.total_tokens, 0 if outcome == "not_sent" else 1)
        return Settlement(
            self.run.id, self.path, self.rev, self.number, outcome, self.run.now(), cost_pico, self.holds, used
        )

    def _paid(self, member: Member, answer: Answer, flags: list[str]) -> tuple[dict[str, Any], Settlement]:
        """The columns of an answer, and what it settles."""
        cost_usd, price_version, simulated = member.asker.cost(answer)
        cost_pico = to_pico(cost_usd)
        columns: dict[str, Any] = {
            "usage": answer.usage,
            "flags": [*flags, "simulated"] if simulated else flags,
            "result": canonical_json(answer.to_json()),
            "answered_by": answer.model or None,
            "provider": answer.provider or member.asker.provider,
            "cost_pico": cost_pico,
            "price_version": price_version,
        }
        return columns, self.settlement("answered", cost_pico, answer.usage)

    async def _commit(self, row: StepRow, settlement: Settlement) -> None:
        settled, self._settled = self._settled, ()
        await self.run.commit(row, settlements=(*settled, settlement), blobs=self._blobs())
        if self.holds:
            self.run.runtime.settled.tell()

    def _blobs(self) -> Blobs:
        """What was asked, as far as the run has not stored it yet."""
        question = self.ask.question
        return (
            *self.run.writer.messages(question.conversation),
            *self.run.writer.content(self.settings, lambda: canonical_json(question.settings())),
        )

    def _row(
        self,
        status: StepStatus,
        *,
        usage: Usage = NO_USAGE,
        flags: list[str] | None = None,
        error: Failure | None = None,
        saved: Mapping[str, Any] | None = None,
        **answer: Any,
    ) -> StepRow:
        self._closed = True
        request: dict[str, Any] = {"settings": self.settings}
        if saved is not None:
            request["saved"] = saved
        if self.sized is not None and self.sized.capped is not None:
            request["max_tokens"] = self.sized.capped
        if self.looked_at:
            request[LOOKED_AT] = True
        return self.run.step_row(
            self.began,
            self.path,
            "llm",
            "llm",
            status,
            self.args_hash,
            error=error,
            rev=self.rev,
            attempts=self.attempts,
            request=canonical_json(request),
            request_ref=self.ask.question.conversation.hash,
            agent=self.scope.agent,
            task=self.scope.task,
            model=self.ask.question.models[0],
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
            flags=",".join(flags) if flags else None,
            tried=canonical_json(self.tried) if self.tried else None,
            **answer,
        )
