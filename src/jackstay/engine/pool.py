"""Threads for users' synchronous functions: daemon threads under a counted limit.

Not `concurrent.futures`: a function that is stuck in an executor's thread holds the program open at exit.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
IDLE_S = 10.0


class Pool:
    """At most `limit` functions run at once; more wait in order. Threads end when they were idle for a while."""

    def __init__(self, limit: int = 64) -> None:
        self.limit = limit
        self._condition = threading.Condition()
        self._jobs: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._busy = 0
        self._idle = 0
        self._here = threading.local()

    def submit(self, function: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._condition:
            self._jobs.append((function, future))
            self._staff()
        return future

    @contextmanager
    def slot_given_back(self) -> Iterator[None]:
        """While a pool thread waits for a nested kickoff it does not count: else all slots wait for one another.

        A thread may wait for several at once (`gather` on a loop of its own): it has one slot to give.
        """
        if not getattr(self._here, "working", False):
            yield
            return
        waiting = self._here.waiting = getattr(self._here, "waiting", 0) + 1
        if waiting == 1:
            with self._condition:
                self._busy -= 1
                self._staff()
        try:
            yield
        finally:
            self._here.waiting -= 1
            if self._here.waiting == 0:
                # Taken back without waiting: the limit may be exceeded for a moment, a deadlock may not happen.
                with self._condition:
                    self._busy += 1

    def _staff(self) -> None:
        """Wakes or starts a thread if a job may run now. The lock is held."""
        if not self._jobs or self._busy >= self.limit:
            return
        if self._idle:
            self._condition.notify()
        else:
            threading.Thread(target=self._work, name="jackstay-user", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._condition:
                self._idle += 1
                arrived = self._condition.wait_for(lambda: self._jobs and self._busy < self.limit, IDLE_S)
                self._idle -= 1
                if not arrived:
                    return
                function, future = self._jobs.popleft()
                self._busy += 1
                self._staff()
            self._run(function, future)

    def _run(self, function: Callable[[], Any], future: Future[Any]) -> None:
        self._here.working = True
        try:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001 - users' code: whatever it raises goes to who waits for it
                future.set_exception(error)
            else:
                future.set_result(result)
        finally:
            self._here.working = False
            with self._condition:
                self._busy -= 1
                self._staff()
