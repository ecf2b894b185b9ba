"""Where users' code runs: context variables reach it, objects of the caller's loop work in it, threads can carry it."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import jackstay
from jackstay import Flow, start
from jackstay.tools import tool
from tests.e2e.hosts.crews import crew_of
from tests.e2e.ledger import Ledger

tenant: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("top", ["kickoff", "akickoff"])
def test_context_variables_of_the_caller_reach_tools(runtime, asynchronous, top):
    def who(topic: str) -> str:
        """Says who asks."""
        return tenant.get()

    async def who_async(topic: str) -> str:
        """Says who asks."""
        return tenant.get()

    crew = crew_of(tool("who")(who_async if asynchronous else who))
    token = tenant.set("acme")

    output = crew.kickoff({"topic": "t"}) if top == "kickoff" else asyncio.run(crew.akickoff({"topic": "t"}))

    tenant.reset(token)
    assert output.raw == "t(acme)"


def test_context_variables_of_concurrent_callers_are_kept_apart(runtime):
    @tool
    def who(topic: str) -> str:
        """Says who asks."""
        return tenant.get()

    crew = crew_of(who)

    async def one(number: int) -> str:
        tenant.set(f"tenant {number}")
        return str((await crew.akickoff({"topic": "t"})).raw)

    async def program() -> list[str]:
        return await asyncio.gather(*(asyncio.create_task(one(n)) for n in range(20)))

    assert asyncio.run(program()) == [f"t(tenant {n})" for n in range(20)]


def test_asynchronous_tool_uses_objects_of_the_callers_loop(runtime):
    async def program() -> tuple[str, int]:
        lock, queue = asyncio.Lock(), asyncio.Queue[str]()
        await lock.acquire()  # makes the lock this loop's

        @tool
        async def locked(topic: str) -> str:
            """Works under the lock."""
            await queue.put("waiting")
            async with lock:
                return f"thread {threading.get_ident()}"

        running = asyncio.create_task(crew_of(locked).akickoff({"topic": "t"}))
        await queue.get()
        lock.release()
        return (await running).raw, threading.get_ident()

    raw, here = asyncio.run(program())

    assert raw == f"t(thread {here})"


def test_asynchronous_tools_of_a_sync_kickoff_share_one_loop_on_the_callers_thread(runtime):
    seen: list[tuple[int, int]] = []

    @tool
    async def where(topic: str) -> str:
        """Says where it runs."""
        seen.append((threading.get_ident(), id(asyncio.get_running_loop())))
        return "here"

    crew_of(where, tasks=3).kickoff({"topic": "t"})

    assert len(seen) == 3
    assert len(set(seen)) == 1
    assert seen[0][0] == threading.get_ident()


def test_no_user_code_runs_on_the_engine_loop(runtime):
    threads: list[str] = []

    def note(*_: Any) -> None:
        threads.append(threading.current_thread().name)

    async def anote(topic: str) -> str:
        """Notes the thread."""
        note()
        return "noted"

    def plain(topic: str) -> str:
        """Notes the thread."""
        note()
        return "noted"

    crew = crew_of(tool("plain")(plain), tool("asynchronous")(anote))
    crew.task_callback = note

    crew.kickoff({"topic": "t"})
    asyncio.run(crew.akickoff({"topic": "t"}))

    assert len(threads) == 6
    assert "jackstay-engine" not in threads


def test_carried_function_kicks_off_inside_the_run_around_it(runtime):
    class Threaded(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> list[str]:
            kick_off = jackstay.carry(lambda n: crew_of().kickoff({"topic": f"t{n}"}).raw)
            with ThreadPoolExecutor(4) as executor:
                return list(executor.map(kick_off, range(6)))

    assert Threaded().kickoff() == [f"t{n}" for n in range(6)]
    ledger = Ledger.of(runtime)
    assert len(ledger.runs) == 1
    assert len([step for step in ledger.steps if step.kind == "crew"]) == 6


def test_kickoffs_in_to_thread_and_gather_belong_to_the_run_around_them(runtime):
    class Spread(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> list[str]:
            inner = crew_of(name="inner")

            def blocking(topic: str) -> Any:
                return inner.kickoff({"topic": topic})

            sync = [asyncio.to_thread(blocking, f"s{n}") for n in range(3)]
            outputs = await asyncio.gather(*(inner.akickoff({"topic": f"a{n}"}) for n in range(3)), *sync)
            return [output.raw for output in outputs]

    assert Spread().kickoff() == ["a0", "a1", "a2", "s0", "s1", "s2"]
    assert len(Ledger.of(runtime).runs) == 1


def test_exception_in_a_pool_thread_keeps_the_users_frames(runtime):
    class Broken(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> None:
            _deep_inside()

    with pytest.raises(ValueError, match="deep") as caught:
        Broken().kickoff()

    assert "_deep_inside" in [entry.name for entry in caught.traceback]


def _deep_inside() -> None:
    raise ValueError("deep")
