"""Keeps many simultaneous requests from holding the event loop.

Building a request takes the wire library about a millisecond without a pause, reading its answer another one. Two
hundred that begin together would hold the loop, and with it lease renewal, for a quarter of a second, and their
answers once more. So only a few are built, or read, per turn of the loop, each sent as soon as it is built.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar

from jackstay.core.rate_headers import TOO_MANY
from jackstay.errors import NOT_SENT

BUILT_PER_TURN = 4
READ_PER_TURN = 4
TICKET: ContextVar[Ticket | None] = ContextVar("jackstay_wire_ticket", default=None)
"""The request that the current task is making: the HTTP transport is called by an SDK, which passes nothing on."""


def _release(waiting: asyncio.Future[None]) -> bool:
    """False: nobody waits any more (cancelled)."""
    if waiting.done():
        return False
    waiting.set_result(None)
    return True


class Lane:
    """Lets some pass per turn of the loop, in order of arrival."""

    def __init__(self, per_turn: int) -> None:
        self._per_turn, self._passed = per_turn, 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._waiting)

    async def pass_through(self) -> None:
        loop = asyncio.get_running_loop()
        if self._passed == 0 and not self._waiting:
            loop.call_soon(self._next_turn, loop)
        if self._passed < self._per_turn and not self._waiting:
            self._passed += 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._passed = 0
        while self._waiting and self._passed < self._per_turn:
            if _release(self._waiting.popleft()):
                self._passed += 1
        if self._passed:
            loop.call_soon(self._next_turn, loop)


class Turnstile:
    """What the requests of one connection pass through."""

    def __init__(self) -> None:
        self.building, self.reading = Lane(BUILT_PER_TURN), Lane(READ_PER_TURN)
        self.under_way = 0
        self.heard: Callable[[object, int, Mapping[str, str]], None] | None = None
        """Told of answers that say something about rate limits: of whose ticket, the status, the headers."""


class Ticket:
    """One request's way through the turnstile: `async with Ticket(turnstile):` around the SDK's call. `of`: who asks."""

    def __init__(self, turnstile: Turnstile, of: object = None) -> None:
        self._turnstile, self._of = turnstile, of
        self._sent = False

    async def __aenter__(self) -> Ticket:
        self._turnstile.under_way += 1
        try:
            await self._turnstile.building.pass_through()
        except BaseException as exc:
            self._turnstile.under_way -= 1
            self._note_on(exc)
            raise
        self._token = TICKET.set(self)
        return self

    async def __aexit__(self, kind: object, exc: BaseException | None, trace: object) -> None:
        TICKET.reset(self._token)
        self._turnstile.under_way -= 1
        self._note_on(exc)

    def _note_on(self, exc: BaseException | None) -> None:
        if isinstance(exc, asyncio.CancelledError) and not self._sent:
            exc.add_note(NOT_SENT)

    def sent(self) -> None:
        """Called by the transport when the headers have gone out: before that the request has cost nothing."""
        self._sent = True

    def answered(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Called by the transport with the answer's headers as they came."""
        if self._turnstile.heard is None:
            return
        named = ((name.lower(), value) for name, value in headers)
        said = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in named
            if b"ratelimit" in name or (name.startswith(b"retry-after") and status == TOO_MANY)
        }
        if said:
            self._turnstile.heard(self._of, status, said)

    async def read(self) -> None:
        """Called by the transport when the answer has begun."""
        if self._turnstile.under_way > READ_PER_TURN:
            await self._turnstile.reading.pass_through()
