"""Threads for users' functions: as many as are wanted at once, up to the limit."""

from __future__ import annotations

import gc
import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from types import FrameType
from typing import Any

import pytest

from jackstay.engine import pool as pools
from jackstay.engine.pool import Pool

WAIT_S = 30.0


def test_functions_that_wait_for_each_other_run_at_once() -> None:
    pool, barrier = Pool(8), threading.Barrier(8)

    together = [pool.submit(lambda: barrier.wait(WAIT_S)) for _ in range(8)]

    assert sorted(each.result(WAIT_S) for each in together) == list(range(8))


def test_no_more_run_at_once_than_the_limit_and_the_others_after_them_in_order() -> None:
    pool, lock, gates = Pool(3), threading.Lock(), [threading.Event() for _ in range(30)]
    begun: queue.SimpleQueue[int] = queue.SimpleQueue()
    at_once, most = 0, 0

    def work(number: int) -> int:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        begun.put(number)
        gates[number].wait(WAIT_S)
        with lock:
            at_once -= 1
        return number

    submitted = [pool.submit(lambda number=number: work(number)) for number in range(30)]  # type: ignore[misc]
    first = {begun.get(timeout=WAIT_S) for _ in range(3)}
    order: list[int] = []
    for gate in gates:
        gate.set()
        if len(order) < 27:
            order.append(begun.get(timeout=WAIT_S))

    assert first == {0, 1, 2}
    assert order == list(range(3, 30))
    assert [each.result(WAIT_S) for each in submitted] == list(range(30))
    assert most == 3
    assert pool.unfinished() == 0


@pytest.fixture
def pool() -> Pool:
    return Pool(1)


@pytest.fixture
def first(pool: Pool) -> Iterator[Future[None]]:
    """A function that stands still in the pool's only place."""
    gate, begun = threading.Event(), threading.Event()

    def stuck() -> None:
        begun.set()
        gate.wait(WAIT_S)

    submitted = pool.submit(stuck)
    begun.wait(WAIT_S)
    yield submitted
    gate.set()


def test_an_abandoned_function_makes_room_for_another(pool: Pool, first: Future[None]) -> None:
    second: Future[int] = pool.submit(lambda: 2)
    assert not second.done()
    stack = pool.abandon(first)

    assert second.result(WAIT_S) == 2
    assert stack is not None
    assert any(frame.name == "stuck" for frame in stack)


def test_threads_end_when_they_were_idle_and_new_ones_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE_S", 0.001)
    pool = Pool(4)
    threads: set[Any] = set()

    for _ in range(200):
        threads.add(pool.submit(threading.current_thread).result(WAIT_S))
    for thread in threads:
        thread.join(WAIT_S)

    assert not any(thread.is_alive() for thread in threads)
    assert pool.submit(lambda: 1).result(WAIT_S) == 1


def test_nothing_is_collected_while_threads_are_looked_at(
    monkeypatch: pytest.MonkeyPatch, pool: Pool, first: Future[None]
) -> None:
    looked: list[bool] = []
    frames = sys._current_frames

    def look() -> dict[int, FrameType]:
        looked.append(gc.isenabled())
        return frames()

    monkeypatch.setattr(sys, "_current_frames", look)

    assert pool.abandon(first)
    assert looked == [False]
    assert gc.isenabled()
