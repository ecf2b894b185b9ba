"""Lets few requests begin per turn of the event loop.

Building one request takes the wire library about a millisecond without a pause. Two hundred that begin together
would hold the loop, and with it lease renewal and everybody's answers, for a quarter of a second; their answers,
arriving together, once more.
"""

from __future__ import annotations

import asyncio
from collections import deque

PER_TURN = 20


class Turnstile:
    """`await pass_through()`: at once, or in order of arrival in one of the loop's next turns."""

    def __init__(self) -> None:
        self._begun = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def pass_through(self) -> None:
        loop = asyncio.get_running_loop()
        if self._begun == 0:
            loop.call_soon(self._next_turn, loop)
        if self._begun < PER_TURN and not self._waiting:
            self._begun += 1
            return
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._begun = 0
        while self._waiting and self._begun < PER_TURN:
            turn = self._waiting.popleft()
            if not turn.done():  # cancelled while it waited
                turn.set_result(None)
                self._begun += 1
        if self._begun:
            loop.call_soon(self._next_turn, loop)
