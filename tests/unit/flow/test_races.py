"""Listeners that only the same `or_` waits for race: the first one wins, the others are stopped."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from jackstay import Flow, Runtime, listen, or_, start
from jackstay.core.records import RunFilter
from jackstay.errors import RunCancelled
from jackstay.llm import LLM


class Race(Flow):
    """`told` has what happened, in order; the slow one waits for what never comes."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.told: list[str] = []
        self.begun = asyncio.Event()

    @start()
    def event(self) -> str:
        return "event"

    @listen(event)
    async def slow(self, _: str) -> str:
        self.begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.told.append("slow was stopped")
            raise
        return "slow"

    @listen(event)
    async def fast(self, _: str) -> str:
        await self.begun.wait()
        return "fast"

    @listen(or_(slow, fast))
    def first(self, winner: str) -> str:
        self.told.append(f"{winner} won")
        return winner


@pytest.mark.promise("flowing.race")
def test_the_first_of_racing_listeners_wins_and_the_others_are_cancelled(runtime: Runtime) -> None:
    flow = Race()

    assert flow.kickoff() == "fast"
    assert sorted(flow.told) == ["fast won", "slow was stopped"]
    (run,) = runtime.journal.runs(RunFilter())
    assert [row.path for row in runtime.journal.steps(run.id) if row.kind == "method"] == [
        "event#1",
        "fast#1",
        "first#1",
    ]


class Blocking(Flow):
    """The loser is synchronous: it cannot be cancelled, and asks a model after the race."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.over, self.refused = threading.Event(), threading.Event(), threading.Event()

    @start()
    def event(self) -> None: ...

    @listen(event)
    def stubborn(self) -> None:
        self.begun.set()
        assert self.over.wait(20)
        try:
            LLM("sim/demo").call("Is it over?")
        except RunCancelled:
            self.refused.set()

    @listen(event)
    async def fast(self) -> str:
        assert await asyncio.to_thread(self.begun.wait, 20)
        return "fast"

    @listen(or_("stubborn", "fast"))
    def first(self, winner: str) -> str:
        return winner

    @listen(first)
    def last(self, winner: str) -> str:
        self.over.set()
        assert self.refused.wait(20)
        return winner


def test_a_synchronous_loser_is_abandoned_and_can_ask_nothing_more() -> None:
    flow = Blocking()

    assert flow.kickoff() == "fast"
    assert flow.usage_metrics.successful_requests == 0


class Failing(Race):
    both = False

    @listen(Race.event)
    async def slow(self, _: str) -> str:
        self.begun.set()
        raise ValueError("slow broke")

    @listen(Race.event)
    async def fast(self, _: str) -> str:
        await self.begun.wait()
        await asyncio.sleep(0)
        if self.both:
            raise ValueError("fast broke")
        return "fast"


def test_one_of_the_racers_may_fail() -> None:
    assert Failing().kickoff() == "fast"


@pytest.mark.promise("flowing.race_all_fail")
def test_when_all_racers_fail_the_flow_fails() -> None:
    flow = Failing()
    flow.both = True

    with pytest.raises(ValueError, match="broke"):
        flow.kickoff()
    assert flow.told == []


class Crashing(Race):
    broken = True

    @listen(Race.first)
    def after(self, winner: str) -> str:
        if self.broken:
            raise ValueError("not yet")
        return f"after {winner}"


def test_a_resumed_flow_keeps_to_who_has_won() -> None:
    flow = Crashing()
    with pytest.raises(ValueError, match="not yet"):
        flow.kickoff(run_key="race")
    again = Crashing()
    again.broken = False

    assert again.kickoff(run_key="race") == "after fast"
    assert again.told == []


class Feeding(Flow):
    """`left` is waited for by another listener as well: no race."""

    @start()
    def event(self) -> None:
        self.state["done"] = []

    @listen(event)
    def left(self) -> None:
        self.state["done"].append("left")

    @listen(event)
    def right(self) -> None:
        self.state["done"].append("right")

    @listen(or_(left, right))
    def either(self) -> None: ...

    @listen(left)
    def other(self) -> None: ...


def test_who_feeds_other_listeners_too_does_not_race() -> None:
    flow = Feeding()
    flow.kickoff()

    assert sorted(flow.state["done"]) == ["left", "right"]
