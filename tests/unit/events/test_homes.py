"""Where asynchronous handlers run when kickoffs of one run begin and end side by side, as those of a script do."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from jackstay.engine.telling import heard, listeners_home


async def nothing_to_hand_on() -> None: ...


NO_RUN: Any = SimpleNamespace(runtime=SimpleNamespace(tracing=SimpleNamespace(caught_up=nothing_to_hand_on)))


def test_a_kickoff_that_outlasts_the_one_beside_it_leaves_no_home_behind() -> None:
    seen: list[Any] = []

    async def kickoff(home: Any, begun: asyncio.Event, may_end: asyncio.Event) -> None:
        async with heard(NO_RUN, home):
            begun.set()
            await may_end.wait()
            seen.append(listeners_home())

    async def overlapping() -> None:
        a_begun, b_begun, a_ended, now = (asyncio.Event() for _ in range(4))
        now.set()
        a = asyncio.create_task(kickoff("a", a_begun, b_begun))
        await a_begun.wait()
        b = asyncio.create_task(kickoff("b", b_begun, a_ended))
        await a
        a_ended.set()
        await b
        await asyncio.create_task(kickoff("c", asyncio.Event(), now))

    asyncio.run(overlapping())

    assert seen == ["a", "b", "c"]


def test_a_kickoff_inside_another_one_tells_at_the_outer_ones_home() -> None:
    async def nested() -> Any:
        async with heard(NO_RUN, cast("Any", "outer")), heard(NO_RUN, cast("Any", "inner")):
            return listeners_home()

    assert asyncio.run(nested()) == "outer"
