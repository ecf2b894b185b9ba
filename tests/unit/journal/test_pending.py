"""Waiting for a write, from loops and threads."""

from __future__ import annotations

import asyncio
import threading

import pytest

from jackstay.journal.pending import Pending, wake


@pytest.fixture
def pending() -> Pending[int]:
    return Pending(threading.Lock())


def test_a_settled_write_returns_at_once(pending: Pending[int]) -> None:
    _settle(pending, 7)

    assert pending.done()
    assert pending.result(0) == 7
    assert asyncio.run(_awaited(pending)) == 7


def test_a_failed_write_raises_wherever_it_is_waited_for(pending: Pending[int]) -> None:
    pending.fail(KeyError("x"))
    wake([pending], pending._guard)

    with pytest.raises(KeyError):
        pending.result(0)
    with pytest.raises(KeyError):
        asyncio.run(_awaited(pending))


def test_a_thread_waits_as_long_as_it_says(pending: Pending[int]) -> None:
    with pytest.raises(TimeoutError, match=r"within 0\.01 s"):
        pending.result(0.01)

    assert not pending.done()


def test_threads_and_loops_may_wait_for_the_same_write(pending: Pending[int]) -> None:
    results: list[int] = []

    async def wait_twice() -> None:
        waiting = [asyncio.create_task(_awaited(pending)) for _ in range(2)]
        await asyncio.sleep(0)
        threading.Thread(target=_settle, args=(pending, 7)).start()
        results.extend(await asyncio.gather(*waiting))

    thread = threading.Thread(target=lambda: results.append(pending.result(10)))
    thread.start()
    asyncio.run(wait_twice())
    thread.join(10)

    assert results == [7, 7, 7]


def test_a_loop_that_was_closed_meanwhile_harms_nobody(pending: Pending[int]) -> None:
    loop = asyncio.new_event_loop()
    task = loop.create_task(_awaited(pending))
    loop.run_until_complete(asyncio.sleep(0))
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()

    _settle(pending, 7)

    assert pending.result(0) == 7


async def _awaited(pending: Pending[int]) -> int:
    return await pending


def _settle(pending: Pending[int], value: int) -> None:
    pending.settle(value)
    wake([pending], pending._guard)
