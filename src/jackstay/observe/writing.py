"""A thread that writes what was told: neither a terminal that stands still nor a slow disk may hold a run up."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

WAITING_MOST = 100_000
"""Jobs that wait to be written; what comes on top of them is counted and dropped."""


class Writing:
    """Does jobs in their order, on a daemon thread that the first one starts. What a job raises is handed to `failed`."""

    def __init__(self, name: str, failed: Callable[[Exception], None]) -> None:
        self._name, self._failed = name, failed
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self.dropped = 0

    def put(self, job: Callable[[], None]) -> None:
        if self._jobs.qsize() > WAITING_MOST:
            self.dropped += 1
            return
        self._jobs.put(job)
        if self._thread is None:
            self._start()

    def mark(self) -> Future[None]:
        """Done when everything before it has been written."""
        done: Future[None] = Future()
        if self._thread is None:
            done.set_result(None)
        else:
            self._jobs.put(lambda: done.set_result(None) if done.set_running_or_notify_cancel() else None)
        return done

    def close(self, timeout_s: float) -> None:
        """Writes what waits, for so long at most."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join(timeout_s)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, args=(self._jobs,), name=self._name, daemon=True)
                self._thread.start()

    def _work(self, jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        while (job := jobs.get()) is not None:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
                self._failed(error)
