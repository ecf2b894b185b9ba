"""A write that is under way: awaited from any event loop, or waited for by a plain thread.

Not `concurrent.futures.Future`: that costs one condition variable per write and one loop wake-up per waiter. Here a
batch of writes is resolved under one lock, and a loop with a hundred waiting coroutines is woken once.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Pending(Generic[T]):
    """The outcome of a write, now or later. Await it, or call `result`. Cancelling a waiter does not undo the write."""

    __slots__ = ("_done", "_error", "_event", "_guard", "_hurry", "_value", "_waiters")

    def __init__(self, guard: threading.Lock, hurry: Callable[[], object] | None = None) -> None:
        # One guard for all writes of a writer: taken once per batch when it resolves, once per waiter.
        self._guard, self._hurry = guard, hurry
        self._done = False
        self._value: T | None = None
        self._error: BaseException | None = None
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] | None = None
        self._event: threading.Event | None = None

    def done(self) -> bool:
        """True when the write was committed or has failed."""
        return self._done

    def result(self, timeout_s: float | None = None) -> T:
        """Wait in this thread. Raises `TimeoutError` after `timeout_s`, else what the write raised."""
        with self._guard:
            event = None
            if not self._done:
                event = self._event = self._event or threading.Event()
        if event is not None and self._hurry is not None:
            self._hurry()
        if event is not None and not event.wait(timeout_s):
            raise TimeoutError(f"the journal's write did not finish within {timeout_s} s")
        return self._outcome()

    def __await__(self) -> Generator[object, None, T]:
        if not self._done:
            loop = asyncio.get_running_loop()
            future = loop.create_future()
            if self._wait_with(loop, future):
                yield from future
        return self._outcome()

    def settle(self, value: T) -> None:
        """Note success; `wake` makes it visible. Called by the writer only."""
        self._value = value

    def fail(self, error: BaseException) -> None:
        """Note failure; `wake` makes it visible. Called by the writer only."""
        self._error = error

    def _wait_with(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> bool:
        with self._guard:
            if self._done:
                return False
            if self._waiters is None:
                self._waiters = []
            self._waiters.append((loop, future))
            return True

    def _outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # settled: T itself


def wake(
    batch: Iterable[Pending[Any]], guard: threading.Lock, *, here: asyncio.AbstractEventLoop | None = None
) -> None:
    """`here`: the loop that calls. Let everybody go on who waits for one of these writes: one wake-up per event loop, however many wait on it."""
    loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    with guard:
        for pending in batch:
            pending._done = True
            if pending._event is not None:
                pending._event.set()
            for loop, future in pending._waiters or ():
                loops.setdefault(loop, []).append(future)
            pending._waiters = None
    if here in loops:
        _release(loops.pop(here))
    for loop, futures in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits there any more
            loop.call_soon_threadsafe(_release, futures)


def _release(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # done: its coroutine was cancelled
            future.set_result(None)
