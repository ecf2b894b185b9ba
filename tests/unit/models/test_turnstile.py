"""Few requests begin per turn of the loop, in order of arrival, and none waits for another one's answer."""

from __future__ import annotations

import asyncio

import pytest

from jackstay.models.turnstile import BUILT_PER_TURN, Ticket, Turnstile


def test_a_request_is_sent_as_soon_as_it_is_built_and_in_the_order_in_which_they_began() -> None:
    log: list[str] = []

    async def call(turnstile: Turnstile, number: int) -> None:
        async with Ticket(turnstile):
            log.append(f"built {number}")
            await asyncio.sleep(0)
            log.append(f"answered {number}")

    async def run() -> None:
        turnstile = Turnstile()
        await asyncio.gather(*(call(turnstile, number) for number in range(50)))

    asyncio.run(run())

    assert [line for line in log if line.startswith("built")] == [f"built {number}" for number in range(50)]
    assert log.index("answered 0") < log.index("built 49")


def test_the_loop_gets_a_turn_between_a_few_of_them() -> None:
    built: list[int] = []
    turns = 0

    async def run() -> None:
        nonlocal turns
        turnstile, ended = Turnstile(), asyncio.Event()

        async def beat() -> None:
            nonlocal turns
            while not ended.is_set():
                turns += 1
                await asyncio.sleep(0)

        async def call() -> None:
            async with Ticket(turnstile):
                built.append(turns)

        beating = asyncio.create_task(beat())
        await asyncio.gather(*(call() for _ in range(40)))
        ended.set()
        await beating

    asyncio.run(run())

    assert max(built.count(turn) for turn in built) <= BUILT_PER_TURN


def test_a_cancelled_or_failed_request_holds_nobody_back() -> None:
    async def fail(turnstile: Turnstile) -> None:
        async with Ticket(turnstile):
            raise RuntimeError("could not be built")

    async def call(turnstile: Turnstile) -> str:
        async with Ticket(turnstile):
            return "sent"

    async def run() -> None:
        turnstile = Turnstile()
        tasks = [asyncio.create_task(call(turnstile)) for _ in range(20)]
        failing = asyncio.create_task(fail(turnstile))
        await asyncio.sleep(0)
        cancelled = [task for task in tasks if not task.done()][::3]
        for task in cancelled:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(RuntimeError):
            await failing
        assert results.count("sent") == 20 - len(cancelled)
        assert turnstile.under_way == 0

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_request_that_does_something_else_before_it_sends_does_not_hold_the_others() -> None:
    async def slow(turnstile: Turnstile) -> None:
        async with Ticket(turnstile):
            await asyncio.Event().wait()

    async def run() -> None:
        turnstile = Turnstile()
        stuck = asyncio.create_task(slow(turnstile))
        async with Ticket(turnstile):
            pass
        stuck.cancel()

    asyncio.run(asyncio.wait_for(run(), 5))
