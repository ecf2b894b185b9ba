"""Replaying a flow from one of its methods."""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import ClassVar

import pytest
from pydantic import BaseModel

from jackstay import Agent, Crew, Flow, Task, and_, listen, router, start
from jackstay.errors import UnknownTask
from jackstay.testing import Stub

MODEL = "gpt-4o-mini"


def crew_for(name: str) -> Crew:
    agent = Agent(role=name, goal="g", backstory="b", llm=MODEL)
    made = [
        Task(name=f"{name} {n}", description=f"{name} {n} on {{topic}}", expected_output="t", agent=agent) for n in "ab"
    ]
    return Crew(name=name, agents=[agent], tasks=made)


def asked(stub: Stub, since: int = 0) -> list[str]:
    """The roles that requests were made for."""
    return [request.system.split()[2].rstrip(".") for request in stub.requests[since:]]


class State(BaseModel):
    topic: str = "boats"
    said: dict[str, str] = {}


class Mood(Enum):
    good = "good"
    bad = "bad"


class Branching(Flow[State]):
    """left and right side by side, joined; then a router and one of two endings."""

    ran: ClassVar[list[str]] = []

    def crew(self, name: str) -> str:
        self.ran.append(name)
        raw: str = crew_for(name).kickoff({"topic": self.state.topic}).raw
        self.state.said = {**self.state.said, name: raw}
        return raw

    @start()
    def begin(self):
        return self.crew("begin")

    @listen(begin)
    def left(self, said):
        return self.crew("left")

    @listen(begin)
    def right(self, said):
        return self.crew("right")

    @listen(and_(left, right))
    def joined(self):
        return self.crew("joined")

    @router(joined, emit=["good", "bad"])
    def judge(self):
        return Mood.good

    @listen("good")
    def praise(self):
        return self.crew("praise")

    @listen("bad")
    def blame(self):
        return self.crew("blame")


@pytest.mark.parametrize(
    ("method", "again"),
    [
        ("begin", {"begin", "left", "right", "joined", "praise"}),
        ("left", {"left", "joined", "praise"}),
        ("joined", {"joined", "praise"}),
        ("judge", {"praise"}),
        ("praise", {"praise"}),
    ],
)
def test_the_method_and_what_followed_from_it_run_again(stub, runtime, method, again):
    flow = Branching()
    flow.kickoff({"topic": "kites"})
    said, run_id = dict(flow.state.said), flow.run_id
    before = len(stub.requests)
    Branching.ran.clear()

    replayed = Branching()
    result = replayed.replay(method)

    assert set(Branching.ran) == again
    assert sorted(asked(stub, before)) == sorted(name for name in again for _ in "ab")
    assert (result, replayed.state.said, replayed.state.topic) == (said["praise"], said, "kites")
    assert runtime.journal.run(replayed.run_id).forked_from == run_id
    assert replayed.usage_metrics.total_tokens == sum(r.usage.total_tokens for r in stub.requests[before:])
    assert replayed.reused_usage.total_tokens == sum(r.usage.total_tokens for r in stub.requests[:before]) - (
        replayed.usage_metrics.total_tokens
    )


class Cycle(Flow):
    """`again` three times, by a router's label."""

    @start("again")
    def work(self):
        self.state["n"] = self.state.get("n", 0) + 1
        return crew_for(f"round{self.state['n']}").kickoff({"topic": "x"}).raw

    @router(work)
    def decide(self):
        return "again" if self.state["n"] < 3 else "done"

    @listen("done")
    def finish(self):
        return self.state["n"]


def test_a_call_in_a_cycle_is_replayed_with_the_rounds_after_it(stub, runtime):
    flow = Cycle()
    flow.kickoff()
    before = len(stub.requests)

    assert flow.replay(f"{flow.run_id}/work#2") == 3

    assert asked(stub, before) == ["round2", "round2", "round3", "round3"]


class Gathered(Flow):
    @start()
    async def all_at_once(self):
        crews = [crew_for(f"crew{n}").akickoff({"topic": "x"}) for n in range(4)]
        return [result.raw for result in await asyncio.gather(*crews)]

    @listen(all_at_once)
    def end(self, said):
        return said


def test_other_kickoffs_of_a_method_are_answered_from_the_record(stub, runtime):
    flow = Gathered()
    said = flow.kickoff()
    path = next(step.path for step in runtime.journal.steps(flow.run_id) if step.name == "crew2 b")
    before = len(stub.requests)

    replayed = crew_for("crew2").replay(f"{flow.run_id}/{path}")

    assert replayed.raw == said[2]
    assert asked(stub, before) == ["crew2"]


def test_unknown_methods_are_refused(stub, runtime):
    Gathered().kickoff()

    with pytest.raises(UnknownTask, match="there is no task 'nothing'"):
        Gathered().replay("nothing")
    with pytest.raises(UnknownTask, match="belongs to flow 'Gathered', not to flow 'Cycle'"):
        Cycle().replay("end")
