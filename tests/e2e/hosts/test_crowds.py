"""Many at once: threads on few slots, one crew object kicked off a hundred times. Right results, no cross talk."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jackstay.tools import tool
from tests.e2e.hosts.crews import crew_of
from tests.e2e.ledger import Ledger

pytestmark = pytest.mark.timeout(120)


def nested_crew() -> Any:
    """A crew whose tool is a `def` that kicks off another crew: its thread waits for it."""
    inner = crew_of(name="inner")

    @tool
    def ask_inner(topic: str) -> str:
        """Asks the inner crew."""
        return str(inner.kickoff(inputs={"topic": f"inner-{topic}"}).raw)

    return crew_of(ask_inner, name="outer")


def in_threads(count: int, work: Any) -> list[Any]:
    """What `work(number)` gave in a thread each; all begin together."""
    results: list[Any] = [None] * count
    gate = threading.Barrier(count)

    def one(number: int) -> None:
        gate.wait()
        try:
            results[number] = work(number)
        except BaseException as error:  # noqa: BLE001 - the test compares results
            results[number] = error

    threads = [threading.Thread(target=one, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    assert not any(thread.is_alive() for thread in threads), "deadlock"
    return results


def test_fifty_threads_on_eight_slots_with_nested_kickoffs_all_end(make_runtime):
    make_runtime(pool_size=8)
    crew = nested_crew()

    results = in_threads(50, lambda number: crew.kickoff(inputs={"topic": f"t{number}"}).raw)

    assert results == [f"t{n}(inner-t{n})" for n in range(50)]


def test_tools_with_loops_of_their_own_do_not_exhaust_the_slots(make_runtime):
    make_runtime(pool_size=4)
    inner = nested_crew()

    @tool
    def ask_two(topic: str) -> str:
        """Asks two crews side by side, on a loop of its own."""

        async def both() -> str:
            outputs = await asyncio.gather(*(inner.akickoff(inputs={"topic": f"{topic}-{n}"}) for n in range(2)))
            return "+".join(output.raw for output in outputs)

        return asyncio.run(both())

    crew = crew_of(ask_two, name="top")

    results = in_threads(12, lambda number: crew.kickoff(inputs={"topic": f"t{number}"}).raw)

    assert results == [f"t{n}(t{n}-0(inner-t{n}-0)+t{n}-1(inner-t{n}-1))" for n in range(12)]


def test_slots_are_all_given_back(make_runtime):
    runtime = make_runtime(pool_size=2)
    crew = nested_crew()
    in_threads(6, lambda number: crew.kickoff(inputs={"topic": f"t{number}"}))
    gate, running = threading.Event(), threading.Semaphore(0)

    def hold() -> None:
        running.release()
        gate.wait(30)

    futures = [runtime.pool.submit(hold) for _ in range(3)]

    assert running.acquire(timeout=10)
    assert running.acquire(timeout=10)
    assert not running.acquire(timeout=0.2)  # a third would be one more than the limit
    gate.set()
    for future in futures:
        future.result(10)


def test_hundred_concurrent_kickoffs_of_one_crew_from_threads_do_not_notice_one_another(runtime, stub):
    crew = crew_of(_shout(), tasks=2)

    outputs = in_threads(100, lambda number: crew.kickoff(inputs={"topic": f"t{number}"}))

    _check_each_has_its_own(outputs, stub, runtime)


@pytest.mark.promise("crew.akickoff")
def test_hundred_concurrent_akickoffs_of_one_crew_do_not_notice_one_another(runtime, stub):
    crew = crew_of(_shout(), tasks=2)

    async def program() -> list[Any]:
        return await asyncio.gather(*(crew.akickoff(inputs={"topic": f"t{n}"}) for n in range(100)))

    outputs = asyncio.run(program())

    _check_each_has_its_own(outputs, stub, runtime)


@pytest.mark.promise("crew.akickoff")
def test_hundred_akickoffs_on_one_loop_are_in_flight_together(runtime, stub):
    crew = crew_of()

    async def program() -> list[Any]:
        running = [asyncio.create_task(crew.akickoff(inputs={"topic": f"t{n}"})) for n in range(100)]
        await asyncio.to_thread(stub.wait_for, lambda s: s.in_flight == 100, 60)
        stub.release()
        return [output.raw for output in await asyncio.gather(*running)]

    stub.hold()

    assert asyncio.run(program()) == [f"t{n}" for n in range(100)]


def test_concurrent_kickoffs_of_one_flow_object_have_states_of_their_own(runtime):
    from jackstay import Flow, listen, start

    class Counting(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> None:
            self.state["seen"] = [self.state["topic"]]

        @listen(begin)
        async def inquire(self) -> str:
            output = await crew_of().akickoff(inputs={"topic": self.state["topic"]})
            self.state["seen"].append(output.raw)
            return f"{self.state['id']} {self.state['seen']}"

    flow = Counting()

    async def program() -> list[str]:
        return await asyncio.gather(*(flow.akickoff({"topic": f"t{n}"}) for n in range(20)))

    results = asyncio.run(program())

    assert [result.partition(" ")[2] for result in results] == [f"['t{n}', 't{n}']" for n in range(20)]
    assert len({result.partition(" ")[0] for result in results}) == 20


def _shout() -> Any:
    @tool
    def shout(topic: str) -> str:
        """Says it loudly."""
        return topic.upper()

    return shout


def _check_each_has_its_own(outputs: list[Any], stub: Any, runtime: Any) -> None:
    assert [output.raw for output in outputs] == [f"t{n}(T{n})" for n in range(100)]
    assert all(len(output.tasks_output) == 2 for output in outputs)
    assert len({output.run_id for output in outputs}) == 100
    assert {output.token_usage.successful_requests for output in outputs} == {4}
    assert sum(output.token_usage.total_tokens for output in outputs) == stub.total_usage().total_tokens
    assert len(stub.requests) == Ledger.of(runtime).counted == 400
