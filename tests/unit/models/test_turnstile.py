"""Few requests begin per turn of the loop; those that began together go out together."""

from __future__ import annotations

import asyncio

import pytest

from jackstay.models.turnstile import BUILT_PER_TURN, Ticket, Turnstile


def test_requests_that_begin_together_are_sent_only_when_the_last_is_built() -> None:
    log: list[str] = []

    async def call(turnstile: Turnstile) -> None:
        async with Ticket(turnstile) as ticket:
            log.append("built")
            await ticket.send()
            log.append("sent")

    async def run() -> None:
        turnstile = Turnstile()
        await asyncio.gather(*(call(turnstile) for _ in range(50)))

    asyncio.run(run())

    assert log == ["built"] * 50 + ["sent"] * 50


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
            async with Ticket(turnstile) as ticket:
                built.append(turns)
                await ticket.send()

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
        async with Ticket(turnstile) as ticket:
            await ticket.send()
        return "sent"

    async def run() -> None:
        turnstile = Turnstile()
        tasks = [asyncio.create_task(call(turnstile)) for _ in range(20)]
        failing = asyncio.create_task(fail(turnstile))
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        with pytest.raises(RuntimeError):
            await failing
        assert results.count("sent") == 13
        assert turnstile.unbuilt == 0

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_request_that_does_something_else_before_it_sends_does_not_hold_the_others_for_long() -> None:
    async def slow(turnstile: Turnstile) -> None:
        async with Ticket(turnstile):
            await asyncio.Event().wait()

    async def run() -> None:
        turnstile = Turnstile()
        stuck = asyncio.create_task(slow(turnstile))
        async with Ticket(turnstile) as ticket:
            await ticket.send()
        stuck.cancel()

    asyncio.run(asyncio.wait_for(run(), 5))


def test_a_ticket_may_be_used_without_a_transport_that_knows_of_it() -> None:
    async def run() -> int:
        turnstile = Turnstile()
        async with Ticket(turnstile):
            pass
        return turnstile.unbuilt

    assert asyncio.run(run()) == 0
