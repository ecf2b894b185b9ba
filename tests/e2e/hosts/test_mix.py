"""Sync and async, three deep: flow method → crew → tool → crew → tool → model, in every combination, without a deadlock.

A `def` reaches the next layer by `kickoff()` or by a loop of its own, an `async def` by `await` or by `kickoff()`.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from jackstay import LLM, Flow, start
from jackstay.tools import tool
from tests.e2e.hosts.crews import MODEL, crew_of

WAYS = ("def", "def with a loop", "async def", "async def that blocks")
TOPS = ("kickoff", "akickoff", "kickoff in a loop")
ALL = list(itertools.product(WAYS, repeat=3))
pytestmark = [pytest.mark.timeout(300), pytest.mark.filterwarnings("ignore:kickoff.. was called while")]


def in_way(way: str, sync: Callable[[str], str], asynchronous: Callable[[str], Any]) -> Callable[..., Any]:
    """A function of `topic` that reaches the next layer in the given way."""

    def plain(topic: str) -> str:
        """Goes one layer down."""
        return sync(topic)

    def with_loop(topic: str) -> str:
        """Goes one layer down."""
        result: str = asyncio.run(asynchronous(topic))
        return result

    async def awaiting(topic: str) -> str:
        """Goes one layer down."""
        result: str = await asynchronous(topic)
        return result

    async def blocking(topic: str) -> str:
        """Goes one layer down."""
        return sync(topic)

    return dict(zip(WAYS, (plain, with_loop, awaiting, blocking), strict=True))[way]


def flow_of(ways: tuple[str, str, str]) -> Flow[Any]:
    ask = "Say it: topic=<{}>"
    leaf = in_way(
        ways[2],
        lambda topic: LLM(MODEL).call(ask.format(topic + "-leaf")),
        lambda topic: LLM(MODEL).acall(ask.format(topic + "-leaf")),
    )
    inner = crew_of(tool("leaf")(leaf), name="inner")
    middle = in_way(ways[1], *_kicking(inner, "-inner"))
    outer = crew_of(tool("middle")(middle), name="outer")
    top = in_way(ways[0], *_kicking(outer, ""))

    if asyncio.iscoroutinefunction(top):

        class AsyncFlow(Flow):  # type: ignore[type-arg]
            @start()
            async def begin(self) -> str:
                self.state["said"] = await top(self.state["topic"])
                return str(self.state["said"])

        return AsyncFlow()

    class SyncFlow(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            self.state["said"] = top(self.state["topic"])
            return str(self.state["said"])

    return SyncFlow()


def _kicking(crew: Any, suffix: str) -> tuple[Callable[[str], str], Callable[[str], Any]]:
    async def asynchronous(topic: str) -> str:
        return str((await crew.akickoff(inputs={"topic": topic + suffix})).raw)

    return lambda topic: str(crew.kickoff(inputs={"topic": topic + suffix}).raw), asynchronous


def kick_off(top: str, flow: Flow[Any], topic: str) -> Any:
    async def in_loop() -> Any:
        return flow.kickoff({"topic": topic})

    if top == "kickoff":
        return flow.kickoff({"topic": topic})
    return asyncio.run(flow.akickoff({"topic": topic}) if top == "akickoff" else in_loop())


def check(top: str, combinations: list[tuple[str, ...]]) -> None:
    for number, ways in enumerate(combinations):
        topic = f"t{number}"
        flow = flow_of(ways)  # type: ignore[arg-type]

        said = kick_off(top, flow, topic)

        assert said == f"{topic}({topic}-inner({topic}-inner-leaf))", (top, ways)
        assert flow.state["said"] == said
        assert flow.usage_metrics.successful_requests == 5


@pytest.mark.parametrize("top", TOPS)
def test_every_mix_of_sync_and_async_ends_with_the_right_result(runtime, top):
    check(top, random.Random(TOPS.index(top)).sample(ALL, 16))


@pytest.mark.prove
@pytest.mark.parametrize("top", TOPS)
def test_all_mixes_of_sync_and_async_end_with_the_right_result(runtime, top):
    check(top, ALL)


@pytest.mark.parametrize("top", TOPS)
def test_mixes_do_not_deadlock_with_one_pool_slot(make_runtime, top):
    make_runtime(pool_size=1)

    check(top, [(way,) * 3 for way in WAYS])


def test_mixes_at_once_do_not_disturb_one_another(make_runtime):
    make_runtime(pool_size=4)
    some = random.Random(7).sample(ALL, 24)

    async def program() -> list[Any]:
        flows = [flow_of(ways) for ways in some]  # type: ignore[arg-type]
        return await asyncio.gather(*(flow.akickoff({"topic": f"t{n}"}) for n, flow in enumerate(flows)))

    said = asyncio.run(program())

    assert said == [f"t{n}(t{n}-inner(t{n}-inner-leaf))" for n in range(24)]


def test_sync_kickoff_in_a_running_loop_warns_once_and_names_akickoff(runtime, monkeypatch):
    import threading

    from jackstay.engine import bridge

    monkeypatch.setattr(bridge, "_warned_blocking", threading.Event())

    async def program() -> None:
        crew_of().kickoff({"topic": "one"})
        crew_of().kickoff({"topic": "two"})

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        asyncio.run(program())

    ours = [one for one in seen if "akickoff" in str(one.message)]
    assert len(ours) == 1
    assert ours[0].filename == __file__
