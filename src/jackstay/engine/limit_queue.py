"""The calls of this process that wait for one limit: fair between runs, in order within a run.

One task per limit takes turns in the journal and hands each out when it is due, to whoever is first *then*: a call that
was cancelled meanwhile costs no turn. Only a few turns are under way at a time, so that processes take theirs in
alternation, and a process that dies takes few with it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from jackstay.core.gcra import LATE_US, correction_us, request_cost_us, token_cost_us
from jackstay.core.limits import Limit, LimitAsk, Turns
from jackstay.errors import JackstayError

if TYPE_CHECKING:
    from jackstay.engine.runtime import Runtime

AHEAD_US = 50_000
"""Turns are taken for so long ahead (one at least): of a fast limit several in one transaction."""
MOST_AHEAD = 64
LOOK_S = 0.1
"""How often is asked for a slot that another process may have given back."""
TELL_S = 3.0
"""How often the journal is told that this process still has calls under way or waiting: a third of what it keeps."""
LATE_S = LATE_US / 1e6


@dataclass(slots=True, eq=False)
class Waiter:
    """A call that waits."""

    run_id: str
    tokens: int
    patient: bool
    last: bool
    """No other limit follows: the call goes out as soon as it has this turn."""
    turn: asyncio.Future[int]
    """The tokens that were reserved with the turn."""
    sent: asyncio.Future[None] | None = None


@dataclass(slots=True)
class _News:
    """What the journal has not been told yet."""

    correction_us: int = 0
    correction_tokens: int = 0
    late: bool = False
    share: bool = False


@dataclass(slots=True)
class _Spare:
    """A turn that was taken and not used."""

    due: float
    tokens: int


class LimitQueue:
    """Of one limit. Lives on the engine loop."""

    def __init__(self, runtime: Runtime, limit: Limit) -> None:
        self.limit = limit
        self._runtime, self._clock = runtime, runtime.clock
        self._runs: dict[str, deque[Waiter]] = {}
        """In the order in which runs have their next turn."""
        self._in_use = 0
        self._paused_until = float("-inf")
        self._spare: deque[_Spare] = deque()
        self._news = _News()
        self._yields = False
        self._awaits_turn = False
        self._task: asyncio.Task[None] | None = None
        self._rest: asyncio.Future[None] | None = None

    # --- for calls -------------------------------------------------------------------------------------------------------

    def join(self, run_id: str, *, tokens: int, patient: bool, last: bool) -> Waiter:
        """`waiter.turn` is awaited then; `leave` in any case, once the call has ended or given up."""
        waiter = Waiter(run_id, tokens, patient, last, asyncio.get_running_loop().create_future())
        first = not self._runs
        self._runs.setdefault(run_id, deque()).append(waiter)
        if first or not patient:
            self._wake()
        return waiter

    def sent(self, waiter: Waiter) -> None:
        """The call has passed the limits behind this one, too."""
        if waiter.sent is not None and not waiter.sent.done():
            waiter.sent.set_result(None)

    def leave(self, waiter: Waiter, *, used: int | None, unused: bool) -> None:
        """`used`: the tokens, None if they are not known. `unused`: nothing was sent."""
        self.sent(waiter)
        if not waiter.turn.done() or waiter.turn.cancelled():
            waiter.turn.cancel()
            self._forget(waiter)
            if not self._waiting:
                self._wake(for_turn=True)  # one that is on its way is nobody's any more
            return
        if waiter.turn.exception() is not None:
            return
        reserved = waiter.turn.result()
        if self.limit.concurrent is not None:
            self._in_use -= 1
            self._news.share = True
        if unused:
            self._give_back(_Spare(self._clock.monotonic(), reserved))
        elif used is not None:
            self._correct(reserved, used)
        self._wake()

    def pause(self, until: float) -> float:
        """Until then on the monotonic clock. By how many seconds that is more than before."""
        more_s = until - max(self._paused_until, self._clock.monotonic())
        self._paused_until = max(self._paused_until, until)
        return more_s

    # --- the task ----------------------------------------------------------------------------------------------------------

    @property
    def _waiting(self) -> bool:
        return bool(self._runs)

    @property
    def _busy(self) -> bool:
        news = self._news
        return bool(self._runs or self._in_use or news.share or news.correction_us or news.late)

    async def _serve(self) -> None:
        try:
            while self._busy:
                await self._round()
        except Exception as error:  # noqa: BLE001 - a journal that cannot be written: those who wait are told
            for waiter in [each for run in self._runs.values() for each in run]:
                if not waiter.turn.done():
                    told = type(error)(*error.args) if isinstance(error, JackstayError) else error
                    waiter.turn.set_exception(told)
            self._runs.clear()
            self._news = _News()

    async def _round(self) -> None:
        first = self._spare_turn()
        if first is not None and self._waiting:
            await self._hand_out([first])
            return
        wanted = () if self._yields else self._next_calls()
        if not wanted and not self._has_news and not self._yields:
            await self._rest_a_while()
            return
        turns = await self._ask(wanted)
        due = self._clock.monotonic()
        if turns.wait_s:
            taken = zip(turns.wait_s, wanted, strict=False)
            await self._hand_out([_Spare(due + wait_s, call.tokens) for wait_s, call in taken])
        elif wanted or self._yields:
            await self._sleep(LOOK_S if not turns.paused_s else min(turns.paused_s, TELL_S))
        # Who waits elsewhere has its chance before this process takes a slot that it gives back.
        self._yields = turns.crowded and bool(turns.wait_s)

    async def _rest_a_while(self) -> None:
        """All is under way that may be, or the provider wants to be left alone."""
        paused_s = self._paused_until - self._clock.monotonic()
        if self._waiting and 0 < paused_s <= TELL_S:
            await self._sleep_out_the_pause()
        elif not await self._sleep(TELL_S):
            return
        elif not self._has_news:
            await self._ask(())  # still here

    @property
    def _has_news(self) -> bool:
        return self._news != _News()

    async def _ask(self, wanted: tuple[Waiter, ...]) -> Turns:
        news, self._news = self._news, _News()
        ask = LimitAsk(
            self.limit,
            tuple(waiter.tokens for waiter in wanted),
            patient=all(waiter.patient for waiter in wanted),
            in_use=self._in_use,
            waiting=sum(len(run) for run in self._runs.values()),
            correction_us=news.correction_us,
            correction_tokens=news.correction_tokens,
            sent_late=news.late,
        )
        turns = await self._runtime.journal.take_turns(ask)
        if self.limit.concurrent is not None:
            self._in_use += len(turns.wait_s)
        if turns.paused_s:
            self.pause(self._clock.monotonic() + turns.paused_s)
        return turns

    async def _hand_out(self, turns: list[_Spare]) -> None:
        for index, turn in enumerate(turns):
            await self._sleep_until(turn.due)
            waiter = self._take()
            while waiter is None and self._waiting:  # a pause that has come meanwhile
                await self._sleep_out_the_pause()
                waiter = self._take()
            if waiter is None:
                for left in turns[index:]:
                    self._not_handed_out(left)
                return
            waiter.turn.set_result(turn.tokens)
            if not waiter.last:
                await self._until_sent(waiter)

    async def _until_sent(self, waiter: Waiter) -> None:
        """The next call goes out a turn after this one, which has to wait for other limits first."""
        began = self._clock.monotonic()
        waiter.sent = asyncio.get_running_loop().create_future()
        while not (await asyncio.wait([waiter.sent], timeout=TELL_S))[0]:
            await self._ask(())
        if self._clock.monotonic() - began > LATE_S / 2:
            self._news.late = True

    def _not_handed_out(self, turn: _Spare) -> None:
        if self.limit.concurrent is not None:
            self._in_use -= 1
            self._news.share = True
        self._give_back(turn)

    def _give_back(self, turn: _Spare) -> None:
        """Kept for the next call as long as it may be late. With its tokens: the next one's are not known."""
        if self.limit.concurrent is None:
            self._spare.append(turn)
        else:
            self._correct(turn.tokens, 0)

    def _spare_turn(self) -> _Spare | None:
        while self._spare:
            turn = self._spare.popleft()
            if turn.due > self._clock.monotonic() - LATE_S:
                return turn
            self._correct(turn.tokens, 0)
        return None

    def _correct(self, reserved: int, used: int) -> None:
        self._news.correction_us += correction_us(self.limit, reserved=reserved, used=used)
        self._news.correction_tokens += used - reserved if self.limit.tokens_per_min is not None else 0

    # --- who is next -------------------------------------------------------------------------------------------------------

    def _in_order(self) -> Iterator[Waiter]:
        """Runs in turn, oldest first within a run; in a pause only those that do not sit it out."""
        paused = self._paused_until > self._clock.monotonic()
        rounds = chain.from_iterable(zip_longest(*self._runs.values()))
        return (each for each in rounds if each and not each.turn.done() and not (paused and each.patient))

    def _next_calls(self) -> tuple[Waiter, ...]:
        """Those that turns are taken for now."""
        if self.limit.concurrent is not None and self._in_use >= self.limit.concurrent:
            return ()
        first = next(self._in_order(), None)
        if first is None:
            return ()
        requests, tokens = self.limit.requests_per_min, self.limit.tokens_per_min
        cost = max(
            request_cost_us(requests) if requests is not None else 0,
            token_cost_us(tokens, first.tokens) if tokens is not None else 0,
        )
        size = min(MOST_AHEAD, max(1, AHEAD_US // cost if cost else MOST_AHEAD)) if first.last else 1
        return tuple(islice(self._in_order(), size))

    def _take(self) -> Waiter | None:
        waiter = next(self._in_order(), None)
        if waiter is not None:
            self._forget(waiter)
        return waiter

    def _forget(self, waiter: Waiter) -> None:
        """Its run goes to the end."""
        run = self._runs.get(waiter.run_id)
        if run is None or waiter not in run:
            return
        run.remove(waiter)
        del self._runs[waiter.run_id]
        if run:
            self._runs[waiter.run_id] = run

    # --- waiting -----------------------------------------------------------------------------------------------------------

    def _wake(self, *, for_turn: bool = False) -> None:
        """Something has changed. What the task sleeps for until a turn is due only concerns it `for_turn`."""
        if self._task is None or self._task.done():
            if self._busy:
                self._task = asyncio.get_running_loop().create_task(self._serve(), name=f"limit {self.limit.name}")
        elif self._rest is not None and (for_turn or not self._awaits_turn):
            self._rest.cancel()

    async def _sleep_until(self, due: float) -> None:
        self._awaits_turn = True
        try:
            while self._waiting and (left_s := due - self._clock.monotonic()) > 0:
                slept = await self._sleep(min(left_s, TELL_S))
                if slept and left_s <= TELL_S:
                    return  # by the clock's word: a test's does not move
                await self._ask(())
        finally:
            self._awaits_turn = False

    async def _sleep_out_the_pause(self) -> None:
        until = self._paused_until
        if await self._sleep(max(0.0, until - self._clock.monotonic())) and until == self._paused_until:
            self._paused_until = float("-inf")

    async def _sleep(self, seconds: float) -> bool:
        """False: `_wake` came first."""
        self._rest = rest = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait([rest])
            return not rest.cancelled()
        finally:
            rest.cancel()
            self._rest = None
