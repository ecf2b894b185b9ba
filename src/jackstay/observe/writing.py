"""A thread that writes what was told: neither a terminal that stands still nor a slow disk may hold a run up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

WAITING_MOST = 100_000
"""Jobs that wait to be written; what comes on top of them is counted and dropped."""
LINGER_S = 0.02
"""From the first job that comes until all that have come are written. To wake a thread for every line took ten times as long as
to write it (bench/bench_observing.py)."""


class Writing:
    """Does jobs in their order, on a daemon thread that the first one starts. What a job raises is handed to `failed`."""

    def __init__(self, name: str, failed: Callable[[Exception], None]) -> None:
        self._name, self._failed = name, failed
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], None]] = deque()
        self._some, self._at_once = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        """Of the thread of now: the one before may still stand in a job."""
        self.dropped = 0

    def put(self, job: Callable[[], None]) -> None:
        if len(self._jobs) > WAITING_MOST:
            self.dropped += 1
            return
        self._jobs.append(job)
        if not self._some.is_set():
            self._some.set()
        if self._thread is None:
            self._start()

    def mark(self) -> Future[None]:
        """Done when everything before it has been written."""
        done: Future[None] = Future()
        if self._thread is None:
            done.set_result(None)
        else:
            self._jobs.append(lambda: done.set_result(None) if done.set_running_or_notify_cancel() else None)
            self._hurry()
        return done

    def close(self, timeout_s: float) -> None:
        """Writes what waits, for so long at most."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._over.set()
            self._hurry()
            thread.join(timeout_s)

    def _hurry(self) -> None:
        self._at_once.set()
        self._some.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._over = threading.Event()
                self._thread = threading.Thread(target=self._work, args=(self._over,), name=self._name, daemon=True)
                self._thread.start()

    def _work(self, over: threading.Event) -> None:
        is_last = False
        while not is_last:
            self._some.wait()
            self._at_once.wait(LINGER_S)
            # Cleared before the jobs are done: what comes from here on sets them again.
            self._some.clear()
            self._at_once.clear()
            # Asked before them, too: of what was put before the end nothing is left.
            is_last = over.is_set()
            while self._jobs:
                try:
                    self._jobs.popleft()()
                except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
                    self._failed(error)
