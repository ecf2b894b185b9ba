"""Threads for users' synchronous functions: daemon threads under a counted limit.

Not `concurrent.futures`: a function that is stuck in an executor's thread holds the program open at exit.
"""

from __future__ import annotations

import gc
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Any, TypeAlias, TypeVar

T = TypeVar("T")
_Job: TypeAlias = tuple[Callable[[], Any], Future[Any]]
IDLE_S = 10.0


@dataclass(eq=False, slots=True)
class _Place:
    """Where a function runs, and whether it counts for the limit."""

    thread: int
    waits: int = 0
    """Nested kickoffs that it waits for; several at once with `gather` on a loop of its own."""
    abandoned: bool = False

    @property
    def counts(self) -> bool:
        return not self.waits and not self.abandoned


class Pool:
    """At most `limit` functions run at once; more wait in order. Threads end when they were idle for a while."""

    def __init__(self, limit: int = 64) -> None:
        self.limit = limit
        self._lock = threading.Lock()
        self._jobs: deque[_Job] = deque()
        self._calls: SimpleQueue[None] = SimpleQueue()
        self._busy = 0
        self._idle = 0
        self._coming = 0
        """Threads that are about to look for a job."""
        self._here = threading.local()
        self._places: dict[Future[Any], _Place] = {}

    def submit(self, function: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._lock:
            self._jobs.append((function, future))
            self._call_one()
        return future

    @contextmanager
    def slot_given_back(self) -> Iterator[None]:
        """While a pool thread waits for a nested kickoff it does not count: else all slots wait for one another."""
        place: _Place | None = getattr(self._here, "place", None)
        if place is None:
            yield
            return
        self._change(place, waits=1)
        try:
            yield
        finally:
            # Taken back without waiting: the limit may be exceeded for a moment, a deadlock may not happen.
            self._change(place, waits=-1)

    def abandon(self, future: Future[Any]) -> traceback.StackSummary | None:
        """Nobody waits for this function any more: it does not count for the limit. Where its thread stands; None if
        the function has ended or never begins."""
        if future.cancel():
            return None
        with self._lock:
            place = self._places.get(future)
            frame = None if place is None else _frame_of(place.thread)
        if place is None or future.done() or frame is None:
            return None
        stack = traceback.extract_stack(frame)
        self._change(place, abandoned=True)
        return stack

    def unfinished(self) -> int:
        """Functions that run or wait."""
        with self._lock:
            return self._busy + len(self._jobs)

    def _change(self, place: _Place, *, waits: int = 0, abandoned: bool = False) -> None:
        with self._lock:
            counted = place.counts
            place.waits += waits
            place.abandoned = place.abandoned or abandoned
            self._busy += place.counts - counted
            self._call_one()

    def _call_one(self) -> None:
        """Has a thread come, if a job may run now. It calls the next one when it has its own: many that come at once do
        little but wait for each other. The lock is held."""
        if self._coming or not self._jobs or self._busy >= self.limit:
            return
        if self._idle:
            self._idle -= 1
            self._calls.put(None)
        else:
            threading.Thread(target=self._work, name="jackstay-user", daemon=True).start()
        self._coming += 1

    def _work(self) -> None:
        called = True
        while called:
            while (job := self._take()) is not None:
                self._run(*job)
            called = self._is_called()

    def _take(self) -> _Job | None:
        """None: there is nothing to do, and this thread is idle."""
        with self._lock:
            self._coming -= 1
            if not self._jobs or self._busy >= self.limit:
                self._idle += 1
                return None
            self._busy += 1
            job = self._jobs.popleft()
            self._call_one()
            return job

    def _is_called(self) -> bool:
        try:
            self._calls.get(timeout=IDLE_S)
        except Empty:
            with self._lock:
                try:
                    self._calls.get_nowait()  # at the last moment: this thread does not count as idle any more
                except Empty:
                    self._idle -= 1
                    return False
        return True

    def _run(self, function: Callable[[], Any], future: Future[Any]) -> None:
        place = self._here.place = self._places[future] = _Place(threading.get_ident())
        result, raised = None, None
        wanted = future.set_running_or_notify_cancel()
        if wanted:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - users' code: whatever it raises goes to who waits for it
                raised = error
        self._here.place = None
        with self._lock:
            del self._places[future]
            self._busy -= place.counts
            # Before anybody is told: who submits the next function at once is not to call another thread for it.
            self._coming += 1
        if raised is not None:
            future.set_exception(raised)
        elif wanted:
            future.set_result(result)


def _frame_of(thread: int) -> FrameType | None:
    """Where it stands. Without the garbage collector, which may stop the whole process for ever: up to CPython 3.12 frames are
    made with a lock that is taken when a `threading.local` is freed (gh-106883)."""
    collects = gc.isenabled()
    gc.disable()
    try:
        return sys._current_frames().get(thread)
    finally:
        if collects:
            gc.enable()
