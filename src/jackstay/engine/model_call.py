"""The one pipeline for every model call, whoever asks (engine rule 14).

question → hash → lookup → hooks → [next model → limiter → reservation → attempt → classify → retry or next model]* →
row and settlement in one transaction → event → hooks. A call that was recorded is answered at the lookup: nothing else
runs.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractContextManager, nullcontext

from jackstay.core.budget import DoesNotFit
from jackstay.core.canonical import digest
from jackstay.core.failures import Failure, rebuild
from jackstay.core.fallback import blame
from jackstay.core.messages import Answer
from jackstay.core.records import StepRow, StepStatus
from jackstay.core.retry import next_wait_s
from jackstay.core.usage import Usage, from_pico
from jackstay.engine.asker import Ask
from jackstay.engine.budgets import BudgetScope, Sizing, exceeded, holding, refuse_unpriced
from jackstay.engine.call_hooks import after_call, before_call
from jackstay.engine.call_record import CallRecord, is_looked_at
from jackstay.engine.chain import Chain, Member, why_each
from jackstay.engine.limiter import Turn
from jackstay.engine.listening import listening, tell_whole
from jackstay.engine.run import Run
from jackstay.engine.scope import Scope
from jackstay.errors import NOT_SENT, BudgetExceeded, DeadlineExceeded, HookAborted, ModelError, ModelTimeout

DEFAULT_TIMEOUT_S = 600.0
WORTH_TELLING_S = 0.1
"""Of a wait for the limiter."""


async def call_model(scope: Scope, ask: Ask, *, path: str, settings_digest: str | None = None) -> Answer:
    """The model's answer, from the record or from a provider.

    Raises our `ModelError`s with `exhausted` set when retries and fallbacks are used up, and the run's stop if there is
    one.
    """
    run = scope.run
    run.check(scope)
    settings = settings_digest or digest(ask.question.settings())
    args_hash = ask.question.hash(settings)
    row = run.find(path, args_hash)
    if row is not None:
        answer = _recorded(run, row)
        if is_looked_at(row):
            answer = await after_call(scope, ask, path, answer)
        tell_whole(scope, path, answer, replayed=True)
        return answer
    scope.check_goes_on()
    try:
        sent = await before_call(scope, ask, path)
    except HookAborted as error:
        await CallRecord(scope, ask, path, args_hash, settings).forbidden(error)
        raise
    record = CallRecord(scope, sent, path, args_hash, settings)
    answer = await _live(scope, sent, record)
    return await after_call(scope, ask, path, answer) if record.looked_at else answer


async def _live(scope: Scope, ask: Ask, record: CallRecord) -> Answer:
    """From another call's row, where that may answer, else from a provider."""
    if ask.config.cache_ttl_s is not None and (cached := await _cached(scope.run, ask, record.sent_hash)) is not None:
        answer = _answer_in(record.reused(cached))
        tell_whole(scope, record.path, answer, replayed=True)
        return answer
    try:
        return await _Call(scope, ask, record).perform()
    except BaseException as error:
        await record.abandon(error)
        raise


async def _cached(run: Run, ask: Ask, sent_hash: str) -> StepRow | None:
    assert ask.config.cache_ttl_s is not None
    journal = run.runtime.journal
    return await run.runtime.off_loop(journal.cached_answer, _cache_key(run, ask, sent_hash), ask.config.cache_ttl_s)


def _cache_key(run: Run, ask: Ask, sent_hash: str) -> str:
    """The question, and who is asked: the same name may stand for two models at two addresses."""
    return digest([sent_hash, run.models.chain_asker(ask.config).address])


def _recorded(run: Run, row: StepRow) -> Answer:
    run.tell("reused", row.path, kind="llm", model=row.model)
    if row.status == "failed":
        raise rebuild(Failure.from_json(row.error or "{}"), run.runtime.codec.classes)
    return _answer_in(row)


def _answer_in(row: StepRow) -> Answer:
    usage = Usage(row.input_tokens, row.cached_tokens, row.cache_write_tokens, row.output_tokens, row.reasoning_tokens)
    return Answer.from_json(json.loads(row.result or "{}"), usage=usage, provider=row.provider or "")


class _AskAnother(Exception):
    """The chain's next model is asked."""


class _Call:
    """One call: which model is asked, when, and what a failure leads to."""

    def __init__(self, scope: Scope, ask: Ask, record: CallRecord) -> None:
        self.scope, self.run, self.ask, self.record = scope, scope.run, ask, record
        self.chain = Chain(scope, ask, record.tried)
        self.policy = ask.config.retry or scope.retry or self.run.runtime.retry
        self.listening = listening(scope, record.path, ask)
        self.deadline_at = scope.deadline_at
        if ask.config.deadline_s is not None:
            own = record.began.monotonic_s + ask.config.deadline_s
            self.deadline_at = own if self.deadline_at is None else min(own, self.deadline_at)

    async def perform(self) -> Answer:
        asked_for = self.ask.question.models[0]
        self.run.tell(
            "model_call_started",
            self.record.path,
            model=asked_for,
            agent=self.scope.agent,
            about=(self.scope, self.ask),
        )
        while True:
            member = await self.chain.next()
            try:
                return await self._ask_until_answered(member)
            except _AskAnother:
                continue
            finally:
                self.chain.done_with(member)

    async def _ask_until_answered(self, member: Member) -> Answer:
        asked = 0
        while True:
            asked += 1
            try:
                answer = await self._attempt(member, asked)
            except ModelError as error:
                await self._after(member, error, asked)
            except _AskAnother:
                raise
            except asyncio.CancelledError as cancel:
                if self.record.reserved:
                    sent = NOT_SENT not in getattr(cancel, "__notes__", ())
                    await self.record.cancelled(member, sent=sent)
                raise
            except Exception as error:
                # A custom model's own exception: it reaches the caller as it was raised, with a row that says so.
                if self.record.reserved:
                    await self._fail(error)
                raise
            else:
                return await self._succeed(member, answer)

    # --- one request -------------------------------------------------------------------------------------------------

    async def _attempt(self, member: Member, asked: int) -> Answer:
        """Waits for its turn and for room in the budgets, reserves, asks once."""
        budgets = self._budgets(member)
        sizing = Sizing(member.asker, member.question, budgets)
        self._pass_over_unpriced(member, budgets)
        while True:
            self.run.check(self.scope)
            self._check_deadline()
            async with self._turn(member, asked) as turn:
                self._tell_wait(turn, member)
                refused = await self.record.reserve(member, budgets, sizing)
                if refused is None:
                    answer = await self._request(member)
                    turn.used(answer.usage.total_tokens)
                    self.run.runtime.limiter.answered(member.asker, member.question, answer.usage)
                    return answer
                turn.unused()
            await self._make_room(member, budgets, sizing, refused)

    def _turn(self, member: Member, asked: int) -> Turn:
        limiter, asker = self.run.runtime.limiter, member.asker
        limits = self.scope.limits + limiter.limits_for(asker.provider, asker.key_name, asker.model)
        return limiter.turn(
            limits,
            run_id=self.run.id,
            tokens=limiter.estimate(limits, asker, member.question),
            # Where another model can answer, the breaker looks after a provider that wants to be left alone; and who
            # asks again has waited as long as it was told to.
            patient=not member.replaceable and asked == 1,
            deadline_at=self.deadline_at,
        )

    def _tell_wait(self, turn: Turn, member: Member) -> None:
        if turn.waited_s > WORTH_TELLING_S:
            waited_s = round(turn.waited_s, 3)
            self.run.tell("limit_wait", self.record.path, waited_s=waited_s, model=member.asker.requested)
            # A run may have been stopped, and the time limit passed, while it waited.
            self.run.check(self.scope)
            self._check_deadline()

    async def _request(self, member: Member) -> Answer:
        assert self.record.sized is not None
        ask = Ask(member.config, self.record.sized.question, self.listening)
        limit_s = member.config.timeout_s or DEFAULT_TIMEOUT_S
        left_s = self._left_s
        hurried = left_s is not None and left_s < limit_s
        try:
            with holding(self.record.holds), self._traced(ask):
                return await member.asker.ask(
                    self.scope, ask, timeout_s=limit_s if left_s is None else max(0.001, min(limit_s, left_s))
                )
        except ModelError as error:
            # That our own time was up says nothing about the model.
            if member.replaceable and not (hurried and isinstance(error, ModelTimeout)):
                await self._blame(member, error)
            raise

    def _traced(self, ask: Ask) -> AbstractContextManager[None]:
        trace = self.run.trace
        return nullcontext() if trace is None else trace.asking(self.record.path, ask.question.conversation)

    async def _blame(self, member: Member, error: ModelError) -> None:
        whose = blame(error)
        if whose in ("provider", "model"):
            name = member.breakers[0 if whose == "provider" else 1]
            await self.run.runtime.breakers.failed(name, error.code, retry_after_s=error.retry_after_s)

    # --- budgets -----------------------------------------------------------------------------------------------------

    def _budgets(self, member: Member) -> tuple[BudgetScope, ...]:
        return (*self.scope.budgets, *self.run.runtime.shared_budgets.of(f"key:{member.asker.key_name}"))

    def _pass_over_unpriced(self, member: Member, budgets: tuple[BudgetScope, ...]) -> None:
        """A model whose price is unknown cannot be asked under a budget in money; another one may be."""
        try:
            refuse_unpriced(member.asker, member.question, budgets)
        except BudgetExceeded as error:
            if member.replaceable and self.chain.pass_over(member, "unpriced", str(error)):
                raise _AskAnother from error
            raise

    async def _make_room(
        self, member: Member, budgets: tuple[BudgetScope, ...], sizing: Sizing, refused: DoesNotFit
    ) -> None:
        """Waits for what other calls give back; if that cannot help, does what the budget says."""
        path = self.record.path
        if not sizing.never_fits(refused):
            self.run.tell("budget_wait", path, budget=refused.hold.budget)
            await self.run.runtime.settled.wait(self._left_s)
            sizing.begin_again()
            return
        scope = next(each for each in budgets if each.name == refused.hold.budget)
        cheaper = scope.budget.model
        if cheaper is not None and self.chain.downgrade(
            member, cheaper, f"did not fit into the budget of {scope.shown}"
        ):
            self.run.tell("fallback", path, model=member.asker.requested, reason=f"the budget of {scope.shown}")
            raise _AskAnother
        error = exceeded(scope, refused)
        self.run.tell("budget_exceeded", path, budget=scope.name, text=str(error))
        raise self.run.out_of_budget(scope, error, path)

    # --- after a failure ---------------------------------------------------------------------------------------------

    async def _after(self, member: Member, error: ModelError, asked: int) -> None:
        """Returns when the same model is to be asked again; else raises."""
        # With what a listener has heard of an answer no other model can go on.
        replaceable = member.replaceable and blame(error) is not None and not self._heard
        wait_s = next_wait_s(
            self.policy, error, attempt=asked, draw=self.run.runtime.clock.draw(), replaceable=replaceable
        )
        out_of_time = self._passed_in(wait_s or 0.0)
        if wait_s is not None and not out_of_time:
            await self._retry(member, error, wait_s)
            return
        self.record.note(member, error.code, str(error), asked=True)
        if replaceable and not self._passed_in(0.0) and self.chain.fall_back(member, error):
            self.run.tell("fallback", self.record.path, model=member.asker.requested, reason=str(error))
            await self.record.attempt_failed(error.code)
            raise _AskAnother
        error.exhausted = True
        for model, why in why_each(self.record.tried[:-1]).items():
            if model != member.asker.requested:
                error.add_note(f"before it, {model} did not answer: {why}")
        await self._fail(error, status="cancelled" if out_of_time else "failed")
        if out_of_time:
            raise DeadlineExceeded(
                f"the time limit passed while {member.asker.requested} was being asked: {error}"
            ) from error
        raise error

    async def _retry(self, member: Member, error: ModelError, wait_s: float) -> None:
        wait_s = round(wait_s, 3)
        self.record.note(member, error.code, str(error), asked=True, wait_s=wait_s)
        self.run.tell(
            "retry",
            self.record.path,
            attempt=self.record.attempts,
            wait_s=wait_s,
            error=str(error),
            model=member.asker.requested,
        )
        await self.record.attempt_failed(error.code)
        try:
            await self.run.runtime.clock.sleep(wait_s)
        except asyncio.CancelledError:
            await self.record.given_up(error)
            raise
        if self.listening is not None:
            self.listening.restart()

    @property
    def _heard(self) -> bool:
        return self.listening is not None and self.listening.heard

    def _check_deadline(self) -> None:
        if self._passed_in(0.0):
            raise DeadlineExceeded(f"the time limit of {self.record.path} has passed; nothing more is started")

    @property
    def _left_s(self) -> float | None:
        return None if self.deadline_at is None else self.deadline_at - self.run.runtime.clock.monotonic()

    def _passed_in(self, seconds: float) -> bool:
        return self.deadline_at is not None and self.run.runtime.clock.monotonic() + seconds >= self.deadline_at

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _succeed(self, member: Member, answer: Answer) -> Answer:
        assert self.record.sized is not None
        streamed = member.config.stream or self.listening is not None
        flags = [word for word, on in (("estimated", answer.usage.estimated), ("streamed", streamed)) if on]
        if self.record.sized.capped is not None and answer.finish_reason == "length":
            raise await self.record.cut(member, answer, flags)
        row = self.record.answered(member, answer, flags)
        if member.replaceable:
            await self.run.runtime.breakers.succeeded(member.breakers)
        if self.ask.config.cache_ttl_s is not None:
            # Behind the row, in the same queue; an index without its row would be no hit, not a wrong one.
            key = _cache_key(self.run, self.ask, self.record.sent_hash)
            self.run.runtime.journal.remember_answer(key, row)
        self.run.tell(
            "model_call_finished",
            self.record.path,
            model=self.ask.question.models[0],
            asked=member.asker.requested,
            tokens=answer.usage.total_tokens,
            cost_usd=from_pico(row.cost_pico),
            duration_s=row.duration_us / 1e6,
            attempts=row.attempts,
            about=(self.scope, self.ask, answer),
        )
        if not self._heard:
            tell_whole(self.scope, self.record.path, answer, replayed=False)
        return answer

    async def _fail(self, error: Exception, *, status: StepStatus = "failed") -> None:
        row = await self.record.failed(error, status=status)
        self.run.tell(
            "model_call_failed",
            self.record.path,
            model=self.ask.question.models[0],
            error=str(error),
            attempts=row.attempts,
            about=(self.scope, self.ask),
        )
