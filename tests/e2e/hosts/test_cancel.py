"""A cancelled `akickoff` closes its request at once, starts nothing more, and can be resumed."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from jackstay import Flow, start
from jackstay.testing import Stub
from jackstay.tools import tool
from tests.e2e.hosts.crews import crew_of
from tests.e2e.ledger import Ledger


async def cancelled_when(coroutine: Any, ready: Any) -> float:
    """Cancels the coroutine when `ready` (blocking) returns; how long it took to end."""
    running = asyncio.create_task(coroutine)
    await asyncio.to_thread(ready)
    started_s = time.monotonic()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    return time.monotonic() - started_s


def in_flight(stub: Stub) -> Any:
    return lambda: stub.wait_for(lambda s: s.in_flight == 1)


def in_second_task(stub: Stub) -> Any:
    return lambda: stub.wait_for(lambda s: s.in_flight == 1 and len(s.requests) == 2)


def test_cancelled_akickoff_closes_its_request_within_a_second(runtime, stub):
    stub.hold()

    took_s = asyncio.run(cancelled_when(crew_of(tasks=2).akickoff({"topic": "t"}), in_flight(stub)))

    stub.wait_for(lambda s: s.in_flight == 0, timeout_s=1)
    assert took_s < 1
    (request,) = stub.requests
    assert request.client_left
    assert [run.status for run in Ledger.of(runtime).runs] == ["cancelled"]


def test_cancelled_run_goes_on_where_it_stopped(runtime, stub):
    stub.rule(lambda request: _never(), user="crew 1", times=1)
    crew = crew_of(tasks=3)

    asyncio.run(cancelled_when(crew.akickoff({"topic": "t"}, run_key="k"), in_second_task(stub)))
    status = Ledger.of(runtime).runs[0].status
    output = crew.kickoff({"topic": "t"}, run_key="k")

    assert (status, output.raw) == ("cancelled", "t")
    questions = [request.last_user for request in stub.requests if not request.client_left]
    assert len(questions) == len(set(questions)) == 3


def test_nothing_starts_after_a_cancel_though_a_tool_goes_on(runtime, stub):
    begun, gate, ended = threading.Event(), threading.Event(), threading.Event()

    @tool
    def stubborn(topic: str) -> str:
        """Cannot be interrupted, and goes on with a crew when it wakes up."""
        begun.set()
        gate.wait(30)
        try:
            return str(crew_of(name="late").kickoff({"topic": "late"}).raw)
        finally:
            ended.set()

    asyncio.run(cancelled_when(crew_of(stubborn).akickoff({"topic": "t"}), lambda: begun.wait(30)))
    asked = len(stub.requests)
    gate.set()

    assert ended.wait(10)
    assert len(stub.requests) == asked
    assert [run.status for run in Ledger.of(runtime).runs] == ["cancelled"]


def test_cancel_reaches_an_asynchronous_tool_on_the_callers_loop(runtime, stub):
    seen: list[str] = []
    begun = threading.Event()

    @tool
    async def patient(topic: str) -> str:
        """Waits."""
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return "never"

    asyncio.run(cancelled_when(crew_of(patient).akickoff({"topic": "t"}), lambda: begun.wait(30)))

    assert seen == ["cancelled"]


def test_timeout_around_akickoff_cancels_the_run(runtime, stub):
    crew_of().kickoff({"topic": "first"})  # loads the SDK, which can take longer than the time limit
    stub.hold()

    async def program() -> None:
        async with asyncio.timeout(0.3):
            await crew_of().akickoff({"topic": "t"})

    with pytest.raises(TimeoutError):
        asyncio.run(program())

    assert [run.status for run in Ledger.of(runtime).runs] == ["cancelled", "succeeded"]


def test_cancelled_nested_kickoff_leaves_its_run_alive(runtime, stub):
    stub.rule(lambda request: _never(), user="inner")

    class Impatient(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> str:
            inner = asyncio.create_task(crew_of(name="inner").akickoff({"topic": "inner"}))
            await asyncio.to_thread(stub.wait_for, lambda s: s.in_flight == 1)
            inner.cancel()
            await asyncio.wait([inner])
            return str((await crew_of(name="other").akickoff({"topic": "other"})).raw)

    assert Impatient().kickoff() == "other"
    assert [run.status for run in Ledger.of(runtime).runs] == ["succeeded"]


def test_kickoff_that_was_not_awaited_ends_with_the_method_that_started_it(runtime, stub):
    stub.rule(lambda request: _never(), user="stray")
    warnings: list[str] = []
    runtime.observers.append(lambda event: warnings.append(str(event.data)) if event.name == "warning" else None)
    strays = []

    class Careless(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> str:
            strays.append(asyncio.create_task(crew_of(name="stray").akickoff({"topic": "stray"})))
            await asyncio.to_thread(stub.wait_for, lambda s: s.in_flight == 1)
            return "done"

    async def program() -> Any:
        result = await Careless().akickoff()
        await asyncio.wait(strays, timeout=5)
        return result

    assert asyncio.run(program()) == "done"
    assert strays[0].done()
    stub.wait_for(lambda s: s.in_flight == 0, timeout_s=1)
    assert any("without awaiting" in text for text in warnings)


def test_kickoff_that_begins_after_its_method_has_returned_is_refused(runtime, stub):
    strays = []

    class Careless(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> str:
            strays.append(asyncio.create_task(crew_of(name="stray").akickoff({"topic": "stray"})))
            return "done"

    async def program() -> Any:
        result = await Careless().akickoff()
        await asyncio.wait(strays, timeout=5)
        return result

    assert asyncio.run(program()) == "done"
    assert strays[0].cancelled() or strays[0].exception() is not None
    assert stub.requests == []


async def _never() -> None:
    await asyncio.get_running_loop().create_future()
