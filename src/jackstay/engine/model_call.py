"""The one pipeline for every model call, whoever asks (engine rule 14).

question → hash → lookup → before-hooks → [admission → reservation → attempt → classify → retry]* → after-hooks →
row and settlement in one transaction → event. A call that was recorded is answered at the lookup: nothing else runs.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.failures import Failure, failure_of, rebuild
from jackstay.core.messages import Answer
from jackstay.core.records import Reservation, Settlement, StepRow, StepStatus
from jackstay.core.retry import next_wait_s
from jackstay.core.usage import NO_USAGE, Usage, from_pico, to_pico
from jackstay.engine.admission import Candidate
from jackstay.engine.asker import Ask, Asker, WorstCase
from jackstay.engine.run import Run
from jackstay.engine.run_writer import Blobs
from jackstay.engine.scope import Scope
from jackstay.errors import (
    NOT_SENT,
    DeadlineExceeded,
    JackstayError,
    LeaseLost,
    ModelError,
    ModelTimeout,
    RunSignal,
    StorageUnavailable,
)

DEFAULT_TIMEOUT_S = 600.0


async def call_model(scope: Scope, ask: Ask, *, path: str, settings_digest: str | None = None) -> Answer:
    """The model's answer, from the record or from the provider.

    Raises our `ModelError`s with `exhausted` set when the retries are used up, and the run's stop if there is one.
    """
    run = scope.run
    run.check(scope)
    settings = settings_digest or digest(ask.question.settings())
    args_hash = ask.question.hash(settings)
    row = run.find(path, args_hash)
    if row is not None:
        return _recorded(run, row)
    return await _Call(scope, ask, path, args_hash, settings).perform()


def _recorded(run: Run, row: StepRow) -> Answer:
    run.tell("reused", row.path, kind="llm", model=row.model)
    if row.status == "failed":
        raise rebuild(Failure.from_json(row.error or "{}"), run.runtime.codec.classes)
    usage = Usage(row.input_tokens, row.cached_tokens, row.cache_write_tokens, row.output_tokens, row.reasoning_tokens)
    return Answer.from_json(json.loads(row.result or "{}"), usage=usage, provider=row.provider or "")


class _Call:
    """One call from its first reservation to its row."""

    def __init__(self, scope: Scope, ask: Ask, path: str, args_hash: str, settings: str) -> None:
        self.scope, self.run, self.ask, self.path = scope, scope.run, ask, path
        self.args_hash, self.settings = args_hash, settings
        self.rev = self.run.next_rev(path)
        self.attempt = self.run.attempts_before(path, self.rev)
        self.number = self.run.reservations_before(path, self.rev)
        self.reserved = False
        """The current attempt has its reservation: from here on it has to be accounted for."""
        self.began = self.run.began()

    async def perform(self) -> Answer:
        asker = self.run.asker(self.ask.config, owner=f"agent '{self.scope.agent}'" if self.scope.agent else "")
        self.run.tell("model_call_started", self.path, model=self.ask.question.models[0], agent=self.scope.agent)
        settled: tuple[Settlement, ...] = ()
        while True:
            self.attempt += 1
            self.number += 1
            self.reserved = False
            try:
                answer = await self._attempt(asker, settled)
            except ModelError as error:
                wait_s = self._wait_after(error)
                if wait_s is None:
                    error.exhausted = True
                    await self._fail(error)
                    raise
                settled = (self._settlement(error.code),)
                await self._wait(wait_s, error, settled)
            except asyncio.CancelledError as cancel:
                if self.reserved:
                    await self._cancelled(asker, sent=NOT_SENT not in getattr(cancel, "__notes__", ()))
                raise
            except Exception as error:
                # A custom model's own exception: it reaches the caller as it was raised, with a row that says so.
                if self.reserved:
                    await self._fail(error)
                raise
            else:
                self._succeed(asker, answer)
                return answer

    async def _attempt(self, asker: Asker, settled: tuple[Settlement, ...]) -> Answer:
        self.run.check(self.scope)
        worst = asker.worst(self.ask.question)
        await self.run.runtime.admission.admit(
            Candidate(self.run.id, self.path, asker.requested, self.ask.question, worst.pico, worst.input, worst.output)
        )
        with asker.coming():
            await self._reserve(asker, worst, settled)
            self.reserved = True
            return await asker.ask(self.scope, self.ask, timeout_s=self._timeout_s())

    async def _reserve(self, asker: Asker, worst: WorstCase, settled: tuple[Settlement, ...]) -> None:
        reservation = Reservation(
            self.run.id,
            self.path,
            self.rev,
            self.number,
            self.run.lease.epoch,
            asker.requested,
            self.run.now(),
            worst.pico,
            worst.input,
            worst.output,
        )
        try:
            await self.run.commit(reservations=(reservation,), settlements=settled)
            # The commit may have taken a while, and a cancel may have come meanwhile: nothing goes out after a stop.
            self.run.check(self.scope)
        except (asyncio.CancelledError, JackstayError, RunSignal):
            # Not a request: an open reservation would be counted as one that was lost.
            if not isinstance(self.run.stop, StorageUnavailable | LeaseLost):
                await self.run.commit(settlements=(self._settlement("not_sent"),))
            raise

    def _timeout_s(self) -> float:
        limit = self.ask.config.timeout_s or DEFAULT_TIMEOUT_S
        if self.scope.deadline_at is None:
            return limit
        return max(0.001, min(limit, self.scope.deadline_at - self.run.runtime.clock.monotonic()))

    def _wait_after(self, error: ModelError) -> float | None:
        clock = self.run.runtime.clock
        if isinstance(error, ModelTimeout) and self._past_deadline():
            return None
        wait_s = next_wait_s(self.run.runtime.retry, error, attempt=self.attempt, draw=clock.draw())
        if wait_s is not None and self.scope.deadline_at is not None:
            return wait_s if clock.monotonic() + wait_s < self.scope.deadline_at else None
        return wait_s

    def _past_deadline(self) -> bool:
        return self.scope.deadline_at is not None and self.run.runtime.clock.monotonic() >= self.scope.deadline_at

    async def _wait(self, wait_s: float, error: ModelError, settled: tuple[Settlement, ...]) -> None:
        self.run.tell(
            "retry", self.path, attempt=self.attempt, wait_s=round(wait_s, 3), error=str(error), model=error.model
        )
        try:
            await self.run.runtime.clock.sleep(wait_s)
        except asyncio.CancelledError:
            await self.run.commit(self._row("cancelled", error=failure_of(error)), settlements=settled)
            raise

    def _succeed(self, asker: Asker, answer: Answer) -> None:
        cost_usd, price_version, simulated = asker.cost(answer)
        flags = [word for word, on in _flags(answer, self.ask, simulated=simulated) if on]
        cost_pico = to_pico(cost_usd)
        row = self._row(
            "succeeded",
            usage=answer.usage,
            flags=flags,
            result=canonical_json(answer.to_json()),
            answered_by=answer.model or None,
            provider=answer.provider or asker.provider,
            cost_pico=cost_pico,
            price_version=price_version,
        )
        self.run.defer(row, settlements=(self._settlement("answered", cost_pico),), blobs=self._blobs())
        self.run.tell(
            "model_call_finished",
            self.path,
            model=self.ask.question.models[0],
            tokens=answer.usage.total_tokens,
            cost_usd=from_pico(cost_pico),
            duration_s=row.duration_us / 1e6,
            attempts=row.attempts,
        )

    async def _fail(self, error: Exception) -> None:
        row = self._row("failed", error=failure_of(error))
        await self._commit(row, self._settlement(getattr(error, "code", "error")))
        self.run.tell(
            "model_call_failed", self.path, model=self.ask.question.models[0], error=str(error), attempts=row.attempts
        )
        if self._past_deadline():
            limit = DeadlineExceeded(
                f"the time limit passed while {self.ask.question.models[0]} was being asked: {error}"
            )
            raise limit from error

    async def _cancelled(self, asker: Asker, *, sent: bool) -> None:
        """A request that was on its way may be billed, so the row has what it may have used at least."""
        if not sent:
            self.attempt -= 1
            await self._commit(self._row("cancelled", flags=["cancelled"]), self._settlement("not_sent"))
            return
        words = sum(len(m.content) for m in self.ask.question.conversation.messages)
        usage = Usage(input_tokens=words // 4, estimated=True)
        cost_usd, price_version, _ = asker.cost(Answer("", usage=usage))
        cost_pico = to_pico(cost_usd)
        flags = ["cancelled", "estimated"]
        row = self._row("cancelled", usage=usage, flags=flags, cost_pico=cost_pico, price_version=price_version)
        await self._commit(row, self._settlement("cancelled", cost_pico))

    async def _commit(self, row: StepRow, settlement: Settlement) -> None:
        await self.run.commit(row, settlements=(settlement,), blobs=self._blobs())

    def _blobs(self) -> Blobs:
        """What was asked, as far as the run has not stored it yet."""
        question = self.ask.question
        return (
            *self.run.writer.messages(question.conversation),
            *self.run.writer.content(self.settings, lambda: canonical_json(question.settings())),
        )

    def _settlement(self, outcome: str, cost_pico: int | None = None) -> Settlement:
        return Settlement(self.run.id, self.path, self.rev, self.number, outcome, self.run.now(), cost_pico)

    def _row(
        self,
        status: StepStatus,
        *,
        usage: Usage = NO_USAGE,
        flags: list[str] | None = None,
        error: Failure | None = None,
        **answer: Any,
    ) -> StepRow:
        return self.run.step_row(
            self.began,
            self.path,
            "llm",
            "llm",
            status,
            self.args_hash,
            error=error,
            rev=self.rev,
            attempts=self.attempt,
            request=canonical_json({"settings": self.settings}),
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
            **answer,
        )


def _flags(answer: Answer, ask: Ask, *, simulated: bool) -> tuple[tuple[str, bool], ...]:
    return (
        ("estimated", answer.usage.estimated),
        ("streamed", ask.config.stream or ask.on_delta is not None),
        ("simulated", simulated),
    )
