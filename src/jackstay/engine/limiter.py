"""Rate limits around model calls: which ones a call keeps, its turn in each, and what is learnt from answers.

A call passes its limits from the narrowest to the widest: agent, crew, model, key. So one that waits for its agent's
limit keeps nobody waiting who only shares the key. (Engine rule 17; the queues are in `engine/limit_queue.py`.)
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING

from jackstay.core.limits import Limit
from jackstay.core.rate_headers import announced
from jackstay.engine.limit_queue import LimitQueue, Waiter
from jackstay.engine.limits import ConfiguredLimits
from jackstay.errors import DeadlineExceeded, StorageUnavailable

if TYPE_CHECKING:
    from jackstay.core.messages import Question
    from jackstay.core.usage import Usage
    from jackstay.engine.asker import Asker
    from jackstay.engine.runtime import Runtime

FIRST_OUTPUT = 256
"""The length of an answer, in tokens, before there was one."""
FIRST_RATIO = 0.5
"""Tokens of a prompt to what it is bounded by from above, before there was one."""
WEIGHT = 0.2
"""Of the newest answer in the averages."""
WORTH_TELLING_S = 0.2
"""A shorter pause is over before other processes have heard of it."""


class Limiter:
    """Lives on the engine loop."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._configured: ConfiguredLimits | None = None
        self._found: dict[tuple[str, str, str], tuple[Limit, ...]] = {}
        self._queues: dict[str, LimitQueue] = {}
        self._pauses: dict[str, float] = {}
        """Of keys without a limit: until when, on the monotonic clock."""
        self._sizes: dict[str, _Sizes] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def check(self) -> None:
        """Raises `ConfigurationError` for limits that cannot be used."""
        _ = self.configured

    @property
    def configured(self) -> ConfiguredLimits:
        """What jackstay.toml and the environment say. Raises `ConfigurationError`."""
        if self._configured is None:
            self._configured = ConfiguredLimits(self._runtime.project_file, self._runtime.environ)
        return self._configured

    def limits_for(self, provider: str, key_name: str, model: str) -> tuple[Limit, ...]:
        """Those of the key and of the model; while a provider wants to be left alone, one at least."""
        call = (provider, key_name, model)
        found = self._found.get(call)
        if found is None:
            found = self._found[call] = self.configured.of(*call)
        if not found and self._pauses and (name := _pause_name(*call)) in self._pauses:
            return (Limit(name),)
        return found

    def turn(
        self,
        limits: tuple[Limit, ...],
        *,
        run_id: str,
        tokens: int = 0,
        patient: bool = True,
        deadline_at: float | None = None,
    ) -> Turn:
        """`async with limiter.turn(…) as turn:` around one request: entered when all the limits let it pass.

        `tokens`: an estimate. `patient` False: what providers ask for with `Retry-After` is not sat out. Raises
        `DeadlineExceeded` when `deadline_at` (monotonic) passes meanwhile.
        """
        return Turn(self, self._runtime, limits, _Call(run_id, tokens, patient, deadline_at))

    def queue(self, limit: Limit) -> LimitQueue:
        queue = self._queues.get(limit.name)
        if queue is None:
            queue = self._queues[limit.name] = LimitQueue(self._runtime, limit)
        return queue

    # --- how many tokens ---------------------------------------------------------------------------------------------------

    def estimate(self, limits: tuple[Limit, ...], asker: Asker, question: Question) -> int:
        """The tokens of a call by what calls of its model took before; 0 if no limit counts them.

        Not by `max_tokens`, which only bounds it: under a budget each call has one, and few answers come near.
        """
        if not any(limit.tokens_per_min is not None for limit in limits):
            return 0
        sizes = self._sizes.setdefault(asker.requested, _Sizes())
        output = round(sizes.output)
        most = question.sampling.max_tokens
        return max(
            1, round(asker.worst(question).input * sizes.ratio) + (output if most is None else min(output, most))
        )

    def answered(self, asker: Asker, question: Question, usage: Usage) -> None:
        """What the estimates learn from."""
        sizes = self._sizes.get(asker.requested)
        if sizes is not None:
            sizes.learn(asker.worst(question).input, usage)

    # --- what providers say ------------------------------------------------------------------------------------------------

    def learn(self, provider: str, key_name: str, model: str, status: int, headers: Mapping[str, str]) -> None:
        """From the headers of an answer (lower-case names): when to go on, and limits lower than ours."""
        news = announced(status, headers, self._runtime.clock.now())
        if news is None:
            return
        call = (provider, key_name, model)
        found = self.limits_for(*call)
        if found and (found[-1].requests_per_min or found[-1].tokens_per_min or found[-1].concurrent):
            lowered = _lowered(found[-1], news.requests_per_min, news.tokens_per_min)
            self._found[call] = (*found[:-1], lowered)
            queue = self.queue(lowered)
            queue.limit = _lowered(queue.limit, lowered.requests_per_min, lowered.tokens_per_min)
            if news.pause_s:
                self._pause(queue, news.pause_s)
        elif news.pause_s:
            name = _pause_name(*call)
            self._pauses[name] = max(self._pauses.get(name, 0.0), self._runtime.clock.monotonic() + news.pause_s)

    def _pause(self, queue: LimitQueue, pause_s: float) -> None:
        if queue.pause(self._runtime.clock.monotonic() + pause_s) < WORTH_TELLING_S:
            return
        task = asyncio.get_running_loop().create_task(self._tell_pause(queue.limit.name, pause_s))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_pause(self, name: str, pause_s: float) -> None:
        try:
            await self._runtime.journal.pause_limit(name, pause_s)
        except StorageUnavailable:
            pass  # the next call's own write says so to its run

    async def sit_out(self, name: str) -> None:
        """The pause of a key without a limit."""
        until = self._pauses.get(name)
        if until is None:
            return
        left_s = until - self._runtime.clock.monotonic()
        if left_s > 0:
            await self._runtime.clock.sleep(left_s)
        if self._pauses.get(name) == until:
            del self._pauses[name]


@dataclass(slots=True)
class _Sizes:
    """Of one model's calls, on average."""

    ratio: float = FIRST_RATIO
    output: float = FIRST_OUTPUT
    answers: int = 0

    def learn(self, bound: int, usage: Usage) -> None:
        self.answers += 1
        weight = max(WEIGHT, 1 / self.answers)
        self.output += weight * (usage.output_tokens - self.output)
        if bound:
            self.ratio += weight * (usage.input_tokens / bound - self.ratio)


@dataclass(frozen=True, slots=True)
class _Call:
    run_id: str
    tokens: int
    patient: bool
    deadline_at: float | None


class Turn:
    """One request's turn in its limits."""

    __slots__ = ("_call", "_held", "_limiter", "_limits", "_runtime", "_unused", "_used", "waited_s")

    def __init__(self, limiter: Limiter, runtime: Runtime, limits: tuple[Limit, ...], call: _Call) -> None:
        self._limiter, self._runtime, self._call = limiter, runtime, call
        self._limits = limits if len(limits) < 2 else tuple(sorted(dict.fromkeys(limits), key=_width))
        self._held: list[tuple[LimitQueue, Waiter]] = []
        self._used: int | None = None
        self._unused = False
        self.waited_s = 0.0

    def used(self, tokens: int | None) -> None:
        """The request has ended; None: nobody knows what it took, and the estimate stands."""
        self._used = tokens

    def unused(self) -> None:
        """The request was not sent."""
        self._unused = True

    async def __aenter__(self) -> Turn:
        if not self._limits:
            return self
        clock, at = self._runtime.clock, self._call.deadline_at
        began = clock.monotonic()
        try:
            async with asyncio.timeout(None if at is None else max(0.0, at - began)):
                for limit in self._limits:
                    await self._pass(limit)
        except BaseException as error:
            self._unused = True
            self._leave()
            if isinstance(error, TimeoutError):
                raise DeadlineExceeded(
                    f"the time limit passed while a call was waiting for its turn within {limit.name}; raise the limit, "
                    "or allow more time"
                ) from error
            raise
        for queue, waiter in self._held:
            queue.sent(waiter)
        self.waited_s = clock.monotonic() - began
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    async def _pass(self, limit: Limit) -> None:
        if limit.requests_per_min is None and limit.tokens_per_min is None and limit.concurrent is None:
            if self._call.patient:
                await self._limiter.sit_out(limit.name)
            return
        queue = self._limiter.queue(limit)
        tokens = self._call.tokens if limit.tokens_per_min is not None else 0
        last = limit is self._limits[-1]
        waiter = queue.join(self._call.run_id, tokens=tokens, patient=self._call.patient, last=last)
        self._held.append((queue, waiter))
        await waiter.turn

    def _leave(self) -> None:
        held, self._held = self._held, []
        for queue, waiter in held:
            queue.leave(waiter, used=self._used, unused=self._unused)


def _width(limit: Limit) -> tuple[int, str]:
    kind = limit.name.partition(":")[0]
    return ({"agent": 0, "crew": 1}.get(kind, 2 if "/" in kind else 3), limit.name)


def _pause_name(provider: str, key_name: str, model: str) -> str:
    return f"{provider}/{model}:{key_name}"


def _lowered(limit: Limit, requests: int | None, tokens: int | None) -> Limit:
    """With what the provider announces, where that is less."""
    ours_requests, ours_tokens = limit.requests_per_min, limit.tokens_per_min
    return replace(
        limit,
        requests_per_min=min(ours_requests, requests) if ours_requests and requests else ours_requests,
        tokens_per_min=min(ours_tokens, tokens) if ours_tokens and tokens else ours_tokens,
    )
