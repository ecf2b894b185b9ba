"""Where users' `async def` functions run: the run's home loop (engine rule 3)."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal, Protocol

from jackstay.engine.loop import Job, Start

CLOSE_WAIT_S = 1.0
"""How long a closing home waits for what user code left running."""


class Home(Protocol):
    def run(self, start: Start[Any], context: contextvars.Context) -> Job[Any]:
        """Runs the coroutine on the home loop, in that context. `RuntimeError`: the home has closed."""
        ...


class CallerHome:
    """The loop of somebody who awaits: users' sessions, locks and pools live there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop

    def run(self, start: Start[Any], context: contextvars.Context) -> Job[Any]:
        return Job(self.loop, start, context).begin()


class PrivateHome:
    """A loop on the thread that waits for a synchronous kickoff; made when the first coroutine needs it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake: queue.SimpleQueue[Literal["loop", "done"] | Callable[[], None]] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    def run(self, start: Start[Any], context: contextvars.Context) -> Job[Any]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the kickoff that this coroutine belongs to has already returned")
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._wake.put("loop")
            return Job(self._loop, start, context).begin()

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Calls the function on the waiting thread, between its coroutines. What it raises has to be an `Exception`, or a
        signal of ours."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the kickoff that this call belongs to has already returned")
            future: Future[Any] = Future()
            if self._loop is None:
                self._wake.put(lambda: _settle(future, function))
            else:
                self._loop.call_soon_threadsafe(_settle, future, function)
            return future

    def serve(self, until: Future[Any]) -> None:
        """Blocks the calling thread until the future is done, running the home's coroutines meanwhile."""
        until.add_done_callback(lambda _: self._finish())
        while callable(wanted := self._wake.get()):
            wanted()
        if wanted == "loop" and self._loop is not None:
            asyncio.set_event_loop(self._loop)
            try:
                self._loop.run_until_complete(_done(until))
            finally:
                asyncio.set_event_loop(None)

    def serve_stopping(self, until: Future[Any], timeout_s: float) -> None:
        """As `serve`, for a run that was just cancelled (Ctrl-C): its coroutines need the loop to end on."""
        if self._loop is not None and not self._loop.is_running():
            self._loop.run_until_complete(_done(until, timeout_s))
            return
        ended = threading.Event()
        until.add_done_callback(lambda _: ended.set())
        ended.wait(timeout_s)

    def close(self, wait_s: float = CLOSE_WAIT_S) -> None:
        """Cancels what user code left running, and closes the loop."""
        with self._lock:
            self._closed = True
            loop = self._loop
        if loop is None or loop.is_closed():
            return
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            # A coroutine that does not let itself be cancelled must not hold the caller.
            loop.run_until_complete(asyncio.wait(left, timeout=wait_s))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    def _finish(self) -> None:
        self._wake.put("done")


def _settle(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 - users' code: whatever it raises goes to who waits for it
        future.set_exception(error)


async def _done(future: Future[Any], timeout_s: float | None = None) -> None:
    waiting = asyncio.wrap_future(future)
    await asyncio.wait([waiting], timeout=timeout_s)
    if waiting.done() and not waiting.cancelled():
        waiting.exception()  # looked at: who called has the original, and asyncio must not report it as lost
