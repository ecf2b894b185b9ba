"""Who in this process hears of every run, besides the observers of its runtime: the event bus.

A listener is given the engine's own frozen objects beside the event's plain data; nothing is made for it when there is none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jackstay.core.events import Event
    from jackstay.engine.home import Home
    from jackstay.engine.run import Run


class Listener(Protocol):
    def hear(self, run: Run, event: Event, about: Any) -> None:
        """Called on the engine loop: must return at once, and must not raise."""
        ...

    async def caught_up(self, run: Run) -> None:
        """Returns when everything that the run has told was handed on, or too much time has passed."""
        ...


TOLD = "jackstay_told"
"""Attribute of a log record that only repeats what listeners hear."""

listeners: list[Listener] = []
"""Of the process: empty unless a handler is registered."""


_home: ContextVar[Home | None] = ContextVar("jackstay_listeners_home", default=None)


def listeners_home() -> Home | None:
    """Where asynchronous handlers of what is told here run: the home of the outermost kickoff around it."""
    return _home.get()


def no_home() -> None:
    """In this context: what a handler kicks off is not inside of what it was told of."""
    _home.set(None)


@asynccontextmanager
async def heard(run: Run, home: Home) -> AsyncIterator[None]:
    """Around a kickoff: what it has told was handed on before it returns, while its home is still there."""
    token = _home.set(_home.get() or home)
    try:
        yield
    finally:
        await caught_up(run)
        _home.reset(token)


async def caught_up(run: Run) -> None:
    """Returns when what the run has told was handed on and written, or too much time has passed."""
    for listener in tuple(listeners):
        await listener.caught_up(run)
    await run.runtime.tracing.caught_up()
