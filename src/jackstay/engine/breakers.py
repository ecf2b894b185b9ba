"""The circuit breakers of a process, kept in step with those of the other processes of its database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jackstay.core.breaker import PROBE_S, THRESHOLD, Breaker, open_s

if TYPE_CHECKING:
    from jackstay.engine.runtime import Runtime

LOOK_S = 1.0
"""How old the news from other processes may be."""
MOST_WAIT_S = 3.0
"""How long a call waits for the first calls to a model to show whether it answers: a slow model is not a dead one."""


class Breakers:
    """Lives on the engine loop. Names: `openai 127.0.0.1:80 OPENAI_API_KEY` (provider), the same with a model."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._known: dict[str, Breaker] = {}
        self._looked_at = float("-inf")
        self._news: asyncio.Future[None] | None = None

    @property
    def names(self) -> list[str]:
        """Those that this process has met with; from any thread."""
        return list(self._known)

    async def enter(self, names: Sequence[str]) -> str:
        """Empty: the model may be asked, and `leave` has to be called when that has ended. Else why not, in words.

        Calls count from here on, not from when they are sent: fifty that begin together would all be let through.
        """
        await self._look()
        deadline_at = self._now() + MOST_WAIT_S
        while True:
            name, entry = self._worst(names)
            match entry:
                case "open":
                    return f"left alone after {self._known[name].failures} failures ({self._known[name].reason})"
                case "probe":
                    self._known[name].open_until = self._now() + PROBE_S
                    if not await self._runtime.journal.claim_probe(name, PROBE_S):
                        return f"being tried by another call ({self._known[name].reason})"
                    break
                case "wait" if self._now() < deadline_at:
                    await self._outcome(deadline_at - self._now())
                case _:
                    break
        for name in names:
            self._breaker(name).in_flight += 1
        return ""

    def leave(self, names: Sequence[str]) -> None:
        """After `enter` let it through: the call has been answered or goes elsewhere."""
        for name in names:
            self._breaker(name).in_flight -= 1
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def succeeded(self, names: Sequence[str]) -> None:
        for name in names:
            breaker = self._breaker(name)
            failures = breaker.failures
            breaker.succeeded()
            if failures:
                await self._runtime.journal.breaker_closed(name)

    async def failed(self, name: str, reason: str, *, retry_after_s: float | None = None) -> None:
        breaker = self._breaker(name)
        breaker.failed(self._now(), reason, retry_after_s=retry_after_s)
        await self._runtime.journal.breaker_failed(name, reason, threshold=THRESHOLD, open_s=open_s(retry_after_s))

    def _worst(self, names: Sequence[str]) -> tuple[str, str]:
        order = ("open", "probe", "wait", "go")
        entries = [(name, self._breaker(name).entry(self._now())) for name in names]
        return min(entries, key=lambda each: order.index(each[1]))

    async def _look(self) -> None:
        """What other processes have met with. A failure of ours is there before theirs can be read."""
        if self._now() - self._looked_at < LOOK_S:
            return
        self._looked_at = self._now()
        rows = {row.name: row for row in await self._runtime.off_loop(self._runtime.journal.breakers)}
        for name, row in rows.items():
            breaker = self._breaker(name)
            breaker.failures, breaker.reason = row.failures, row.reason
            breaker.open_until = self._now() + row.open_for_s
            breaker.proven = False
        for name, breaker in self._known.items():
            if name not in rows:
                breaker.failures = 0

    def _breaker(self, name: str) -> Breaker:
        return self._known.setdefault(name, Breaker())

    async def _outcome(self, timeout_s: float) -> None:
        """Until a request of this process has ended."""
        if self._news is None or self._news.done():
            self._news = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._news], timeout=timeout_s)

    def _now(self) -> float:
        return self._runtime.clock.monotonic()
