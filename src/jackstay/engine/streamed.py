"""A kickoff that is iterated: it begins with the first step of the iteration, and what it tells comes out of it.

Who iterates is another thread, or a task of another loop, than who tells; nobody waits for a consumer that is slow.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, Self, TypeVar

from jackstay.engine.bridge import STOP_WAIT_S, Work, run_async, run_sync
from jackstay.engine.home import Home
from jackstay.engine.runtime import Runtime

Item = TypeVar("Item")


class Streamed(Generic[Item]):
    """Iterated by `for` or `async for`, it does the work; what that raises is raised by the iteration. Closing it stops
    the work. Who makes one pushes what comes out of it."""

    def __init__(self, runtime: Runtime, work: Work[Any]) -> None:
        self._runtime, self._listened_work = runtime, work
        self._waiting = deque[Any]()
        self._changed = threading.Condition()
        self._wake: Callable[[], None] | None = None
        self._begun = self._ended = self._closed = False
        self._work: asyncio.Task[Any] | None = None
        self._driver: asyncio.Task[Any] | None = None
        self._result: Any = None
        self._has_result = False
        self._error: BaseException | None = None

    # --- what is said of it, and by whom -----------------------------------------------------------------------------

    def _presented(self, outcome: Any) -> Any:
        """What the result is. Called on the thread or loop that iterates."""
        raise NotImplementedError

    def _at_the_end(self) -> Iterable[Any]:
        """What still comes out when the work has ended."""
        return ()

    def _given(self, waiting: Any) -> Item:
        """What the iteration gives out of what was pushed."""
        item: Item = waiting
        return item

    def _as_one(self, last: Any, new: Any) -> Any | None:
        """The two as one, if the consumer has not seen the last one yet; None: they stay two."""
        return None

    def _over(self) -> None:
        """Nothing comes any more."""

    @property
    def is_completed(self) -> bool:
        return self._has_result

    def _the_result(self) -> Any:
        """`RuntimeError` before the iteration has ended; what the work raised, if it did."""
        if self._error is not None:
            raise self._error
        if not self._has_result or not self._ended:
            why = "it was closed" if self._closed else "it has not been iterated to its end"
            raise RuntimeError(f"the stream has no result: {why}")
        return self._result

    # --- iterating ---------------------------------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        self._begin(self._begin_on_thread)
        try:
            with self._runtime.pool.slot_given_back(), self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
        except BaseException:  # Ctrl-C: nobody listens any more
            self.close()
            raise
        found = self._next()
        if not found:
            raise StopIteration
        return found[0]

    def __aiter__(self) -> AsyncIterator[Item]:
        return self

    async def __anext__(self) -> Item:
        arrived = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._wake = lambda: _call_soon(loop, arrived.set)
        self._begin(self._begin_on_loop)
        try:
            while not self._waiting and not self._ended:
                await arrived.wait()
                arrived.clear()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        found = self._next()
        if not found:
            raise StopAsyncIteration
        return found[0]

    def _next(self) -> list[Item]:
        """One, or none: it has ended."""
        with self._changed:
            found = [self._waiting.popleft()] if self._waiting and not self._closed else []
        if not found and self._error is not None:
            raise self._error
        return [self._given(each) for each in found]

    # --- stopping ----------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stops the run: requests in flight are closed, nothing more is spent, and it can be resumed. Returns when it
        has stopped (5 s at most). Does nothing when it has ended."""
        self._stop()
        with self._changed:
            self._changed.wait_for(lambda: self._ended, STOP_WAIT_S)

    async def aclose(self) -> None:
        """As `close`, to be awaited; of a stream that was iterated by `async for`."""
        self._stop()
        if self._driver is not None:
            await asyncio.wait([self._driver], timeout=STOP_WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _stop(self) -> None:
        with self._changed:
            if self._ended:
                return
            self._closed = True
            never_began = not self._begun
            if never_began:
                self._begun = self._ended = True
            work = self._work
        if never_began:
            self._over()
        if work is not None:
            _call_soon(self._runtime.engine_loop.loop, work.cancel)

    # --- the run -----------------------------------------------------------------------------------------------------

    def _begin(self, begin: Callable[[], None]) -> None:
        with self._changed:
            if self._begun:
                return
            self._begun = True
        begin()

    def _begin_on_thread(self) -> None:
        # The thread is the home of the run's asynchronous functions: the caller's own is busy with what it is told.
        context = contextvars.copy_context()

        def drive() -> None:
            self._finish(lambda: context.run(run_sync, self._runtime, self._drive))

        threading.Thread(target=drive, name="jackstay-stream", daemon=True).start()

    def _begin_on_loop(self) -> None:
        self._driver = asyncio.create_task(run_async(self._runtime, self._drive))
        self._driver.add_done_callback(lambda driver: self._finish(driver.result))

    async def _drive(self, home: Home) -> Any:
        with self._changed:
            self._work = asyncio.current_task()
            closed = self._closed
        if closed:
            raise asyncio.CancelledError
        return await self._listened_work(home)

    def _finish(self, outcome: Callable[[], Any]) -> None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = self._presented(outcome())
            self._has_result = True
        except (asyncio.CancelledError, concurrent.futures.CancelledError) as stopped:
            error = None if self._closed else stopped
        except BaseException as raised:  # noqa: BLE001 - raised again where the stream is iterated
            error = None if self._closed else raised
        self._over()
        with self._changed:
            self._result, self._error = result, error
            self._waiting.extend(self._at_the_end())
            self._ended = True
            self._changed.notify_all()
        if self._wake is not None:
            self._wake()

    def _push(self, new: Any) -> None:
        """On the engine loop."""
        with self._changed:
            one = self._as_one(self._waiting[-1], new) if self._waiting else None
            if one is not None:
                self._waiting[-1] = one
            else:
                self._waiting.append(new)
            self._changed.notify_all()
        if self._wake is not None:
            self._wake()


def _call_soon(loop: asyncio.AbstractEventLoop, function: Callable[[], Any]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(function)
