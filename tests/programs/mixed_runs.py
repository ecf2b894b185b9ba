"""Three crews and two flows, many runs of them interleaved. `MIXED_RUNS`: how many this process makes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from jackstay import Agent, ConditionalTask, Crew, Flow, Task, TaskOutput, and_, listen, router, start
from jackstay.testing import FaultPoints
from jackstay.tools import tool

MODEL = "gpt-4o-mini"


@tool
def look_up(name: str) -> str:
    """Looks a name up."""
    return f"{name} is known"


def agent(role: str, **more: Any) -> Agent:
    return Agent(**{"role": role, "goal": "Know {topic}", "backstory": "b", "llm": MODEL, **more})


def in_a_row() -> Crew:
    worker = agent("Clerk", tools=[look_up])
    names = ("gather", "check", "draft", "polish")
    tasks = [Task(name=n, description=f"To {n} {{topic}}", expected_output="t", agent=worker) for n in names]
    return Crew(name="in a row", agents=[worker], tasks=tasks)


def side_by_side() -> Crew:
    """left and right at a time, each told nothing; `both` is told of the two, `apart` of right only."""
    worker = agent("Weaver")

    def task(name: str, **more: Any) -> Task:
        return Task(name=name, description=f"To {name} {{topic}}", expected_output="t", agent=worker, **more)

    left, right = task("left", async_execution=True), task("right", async_execution=True)
    both, apart = task("both", context=[left, right]), task("apart", context=[right])
    return Crew(name="side by side", agents=[worker], tasks=[left, right, both, apart])


class Verdict(BaseModel):
    verdict: str


def says_something(output: TaskOutput) -> tuple[bool, Any]:
    return bool(output.raw), output.raw


def with_conditions() -> Crew:
    worker = agent("Judge")
    tasks = [
        Task(name="hear", description="To hear {topic}", expected_output="t", agent=worker, guardrail=says_something),
        Task(name="rule", description="To rule on {topic}", expected_output="t", agent=worker, output_pydantic=Verdict),
        ConditionalTask(
            name="appeal",
            description="To appeal {topic}",
            expected_output="t",
            agent=worker,
            condition=lambda output: "e" in output.raw,
        ),
        Task(name="close", description="To close {topic}", expected_output="t", agent=worker),
    ]
    return Crew(name="with conditions", agents=[worker], tasks=tasks)


class State(BaseModel):
    topic: str = ""
    one: str = ""
    two: str = ""


class Reported(Flow[State]):
    @start()
    def research(self):
        return in_a_row().kickoff({"topic": self.state.topic}).raw

    @router(research, emit=["long", "short"])
    def size(self):
        return "long"

    @listen("long")
    def extend(self):
        return side_by_side().kickoff({"topic": self.state.topic}).raw

    @listen(extend)
    def end(self, said):
        return said


class Joined(Flow[State]):
    @start()
    def one(self):
        self.state.one = with_conditions().kickoff({"topic": self.state.topic}).raw

    @start()
    async def two(self):
        results = await asyncio.gather(*(side_by_side().akickoff({"topic": t}) for t in ("x", self.state.topic)))
        self.state.two = results[0].raw + results[1].raw

    @listen(and_(one, two))
    def end(self):
        return self.state.one, self.state.two


CREWS: dict[str, Callable[[], Crew]] = {
    "in a row": in_a_row,
    "side by side": side_by_side,
    "with conditions": with_conditions,
}
FLOWS: dict[str, type[Flow[Any]]] = {"Reported": Reported, "Joined": Joined}


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """`key`: a number that tells the processes apart."""

    async def one(number: int) -> list[str]:
        topic = f"topic {key}-{number}"
        if number % 5 < 3:
            result = await list(CREWS.values())[number % 5]().akickoff({"topic": topic})
            return [result.run_id, result.raw]
        flow = list(FLOWS.values())[number % 5 - 3]()
        said = await flow.akickoff({"topic": topic})
        return [str(flow.run_id), repr(said)]

    async def all_of_them() -> list[list[str]]:
        return await asyncio.gather(*(one(number) for number in range(int(os.environ["MIXED_RUNS"]))))

    return {"runs": asyncio.run(all_of_them())}
