"""The engine loop: one background thread per process on which the engine runs and no user code ever does."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

T = TypeVar("T")
CLOSE_WAIT_S = 1.0
"""How long a closing loop waits for what it cancelled."""
Start = Callable[[], Coroutine[Any, Any, T]]


class Job(Generic[T]):
    """A coroutine that runs on another thread's loop, from `begin` on. `future` is done when the coroutine has really ended: a cancel
    asks it to stop and does not pretend that it has (as a cancelled `run_coroutine_threadsafe` future would)."""

    def __init__(self, loop: asyncio.AbstractEventLoop, start: Start[T], context: contextvars.Context) -> None:
        self.future: Future[T] = Future()
        self._loop, self._start, self._context = loop, start, context
        self._task: asyncio.Task[T] | None = None

    def begin(self) -> Job[T]:
        """Ctrl-C may be raised in here, when the coroutine is under way already: who wants to cancel it then has the job."""
        self._loop.call_soon_threadsafe(self._begin)
        return self

    def cancel(self) -> None:
        if self.future.done():  # its loop may have closed since
            return
        # Queued behind `_begin`, so that there is a task to cancel.
        self._loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        elif not self.future.done():
            self.future.set_exception(asyncio.CancelledError())

    def _begin(self) -> None:
        if self.future.done():  # cancelled before
            return
        self._task = self._loop.create_task(self._start(), context=self._context)
        self._task.add_done_callback(self._finish)

    def _finish(self, ended: asyncio.Task[T]) -> None:
        if ended.cancelled():
            self.future.set_exception(asyncio.CancelledError())
        elif (error := ended.exception()) is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(ended.result())


class EngineLoop:
    """Started by the first coroutine that is submitted. `name`: of its thread (connections that outlive kickoffs have one of
    their own)."""

    def __init__(self, name: str = "jackstay-engine") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: deque[asyncio.Future[None]] = deque()
        self._is_woken = False

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop, self._is_woken = asyncio.new_event_loop(), False
                # A daemon: a program that ends is not held open by us; what has to be flushed is flushed at exit.
                self._thread = threading.Thread(target=self._serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop

    @property
    def is_here(self) -> bool:
        return self._thread is not None and threading.current_thread() is self._thread

    def submit(self, start: Start[T]) -> Job[T]:
        """Runs a coroutine there, with the caller's context variables."""
        return self.job(start).begin()

    def job(self, start: Start[T]) -> Job[T]:
        """The same, not begun."""
        # A synchronous public method on the engine loop would wait for itself: that would be a bug of ours.
        assert not self.is_here, "a synchronous method of Jackstay was called on its own engine loop"
        return Job(self.loop, start, contextvars.copy_context())

    def set_done(self, ended: asyncio.Future[None]) -> None:
        """Sets the loop's future done, from any thread. The loop is woken once for as many as come before it looks."""
        self._ended.append(ended)
        if not self._is_woken:
            self._is_woken = True
            try:
                ended.get_loop().call_soon_threadsafe(self._look)
            except RuntimeError:  # it has closed: nobody waits any more
                self._is_woken = False

    def _look(self) -> None:
        self._is_woken = False
        while self._ended:
            ended = self._ended.popleft()
            if not ended.done():  # else who waited for it was cancelled
                with contextlib.suppress(RuntimeError):  # of a loop that has closed
                    ended.set_result(None)

    def close(self, timeout_s: float = 2.0) -> None:
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout_s)

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            if left:
                # They are given time to end: a thread that waits for one of them would wait for ever.
                loop.run_until_complete(asyncio.wait(left, timeout=CLOSE_WAIT_S))
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()
