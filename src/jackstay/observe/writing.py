"""A thread that writes what was told: neither a terminal that stands still nor a slow disk may hold a run up.

Where nothing stands still as a rule, a file on a disk, whoever waits for the last lines writes them: to wake the thread and be
woken by it costs more than to write. A disk that was slow once is left to the thread for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from jackstay.core.quickness import Quickness

T = TypeVar("T")
Job = Callable[[], None]
Failed = Callable[[Exception], None]

WAITING_MOST = 100_000
"""What waits to be written; what comes on top of it is counted and dropped."""
LINGER_S = 0.02
"""From the first that comes until all that have come are written. To wake a thread for every line took ten times as long as
to write it (bench/bench_observing.py)."""


class Writing(Generic[T]):
    """Writes in order, what has come together at once, on a daemon thread that the first one starts. What `write` raises is
    handed to `failed`. `quick`: the class of what whoever waits for it may write now; None: nothing."""

    def __init__(
        self,
        name: str,
        write: Callable[[Sequence[T]], None],
        failed: Failed,
        *,
        quick: Callable[[], type | None] = lambda: None,
        linger_s: float = LINGER_S,
    ) -> None:
        self._name, self._write, self._failed, self._quick = name, write, failed, quick
        self._lock = threading.Lock()
        self._at_it = threading.Lock()
        """Held by who takes what waits, until it is written: the order stays."""
        self._quickness, self._linger_s = Quickness(), linger_s
        self._waiting: deque[T | _Mark] = deque()
        self._bell = _Bell()
        self._asleep = self._hurried = False
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        """Of the thread of now: the one before may still stand in a write."""
        self.dropped = 0

    def put(self, one: T) -> bool:
        """False: too much waits already, and it is dropped."""
        if len(self._waiting) > WAITING_MOST:
            self.dropped += 1
            return False
        self._waiting.append(one)
        if self._asleep:
            self._bell.ring()
        if self._thread is None:
            self._start()
        return True

    async def caught_up(self, timeout_s: float) -> None:
        """Returns when everything before has been written, or after so long."""
        if self._written_here():
            return
        mark = self.mark()
        late = asyncio.get_running_loop().call_later(timeout_s, _settle, mark)
        try:
            await mark
        finally:
            late.cancel()

    def mark(self) -> asyncio.Future[None]:
        """Done, on the calling loop, when everything before it has been written."""
        mark = _Mark(asyncio.get_running_loop())
        if self._thread is None:
            mark.future.set_result(None)
        else:
            self._waiting.append(mark)
            self._hurry()
        return mark.future

    def close(self, timeout_s: float) -> None:
        """Writes what waits, for so long at most."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._over.set()
            self._hurry()
            thread.join(timeout_s)

    def _written_here(self) -> bool:
        """Writes what waits, as far as it is quick. False: something is left, or the thread is at it."""
        began_s = time.monotonic()
        kind = self._quick()
        if kind is None or not self._quickness.is_at(began_s) or not self._at_it.acquire(blocking=False):
            return False
        try:
            some: list[Any] = []
            while self._waiting and isinstance(self._waiting[0], kind):
                some.append(self._waiting.popleft())
            self._write_these(some)
        finally:
            self._at_it.release()
        self._quickness.note(began_s, time.monotonic())
        return not self._waiting

    def _hurry(self) -> None:
        self._hurried = True
        self._bell.ring()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._over = threading.Event()
                self._thread = threading.Thread(target=self._work, args=(self._over,), name=self._name, daemon=True)
                self._thread.start()

    def _work(self, over: threading.Event) -> None:
        is_last = False
        while not is_last:
            if not self._hurried:
                # Also after the last write: while there is much to write, nobody has to wake this thread.
                self._bell.wait(self._linger_s)
            if not (self._waiting or self._hurried):
                self._sleep()
                continue
            # Before anything is written: what comes from here on says it again.
            self._hurried = False
            # As well: of what was put before the end nothing is left.
            is_last = over.is_set()
            while self._waiting:
                with self._at_it:
                    self._write_some()

    def _sleep(self) -> None:
        self._asleep = True
        # What came before `_asleep` was seen has rung no bell.
        if not (self._waiting or self._hurried):
            self._bell.wait()
        self._asleep = False

    def _write_some(self) -> None:
        some: list[T] = []
        mark = None
        with contextlib.suppress(IndexError):  # nothing is left
            while mark is None:
                one = self._waiting.popleft()
                if isinstance(one, _Mark):
                    mark = one
                else:
                    some.append(one)
        self._write_these(some)
        if mark is not None:
            mark.reached()

    def _write_these(self, some: Sequence[T]) -> None:
        try:
            if some:
                self._write(some)
        except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
            self._failed(error)


def one_by_one(failed: Failed) -> Callable[[Sequence[Job]], None]:
    """For a `Writing` of jobs: one that fails keeps none of the others."""

    def do(jobs: Sequence[Job]) -> None:
        for job in jobs:
            try:
                job()
            except Exception as error:  # noqa: BLE001 - an observer cannot change or fail a run
                failed(error)

    return do


class _Mark:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.future: asyncio.Future[None] = loop.create_future()

    def reached(self) -> None:
        with contextlib.suppress(RuntimeError):  # a loop that has ended waits for nothing
            self._loop.call_soon_threadsafe(_settle, self.future)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class _Bell:
    """Wakes one thread. A plain lock: to set an Event takes ten calls, and a line has to be cheaper than a call of a model."""

    def __init__(self) -> None:
        self._rung = threading.Lock()
        self._rung.acquire()

    def ring(self) -> None:
        try:
            self._rung.release()
        except RuntimeError:
            return  # rung already

    def wait(self, timeout_s: float = -1) -> None:
        self._rung.acquire(timeout=timeout_s)
