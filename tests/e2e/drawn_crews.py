"""Crews drawn by a seed, for the law of usage: models that agents share, tasks side by side, guardrails that send back, managers,
batches, streams, failures."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

from jackstay import LLM, Agent, ConditionalTask, Crew, Process, Task
from jackstay.testing import Stub
from jackstay.tools import ToolFailure, tool

MODEL = "openai/gpt-4o-mini"
WAYS = ("kickoff", "akickoff", "for_each", "stream", "stream_for_each")
FAULTS = (("429", 0.08), ("500", 0.08), ("reset", 0.04), ("invalid_json", 0.04))


@tool
def look_up(query: str) -> str:
    """Finds facts."""
    return f"facts on {query}"


@tool
def measure(place: str) -> Any:
    """Measures a depth."""
    return ToolFailure(f"no chart of {place}") if len(place) % 2 else f"{len(place)} m at {place}"


@tool
def break_down(reason: str) -> str:
    """Looks into a machine."""
    raise LookupError(f"broken: {reason}")


class Drawn:
    """What a seed makes. `how`: one of `WAYS`."""

    def __init__(self, seed: int) -> None:
        self.seed, self.draw = seed, random.Random(seed)
        self.how = self.draw.choice(WAYS)
        self.models = [LLM(MODEL, stream=self.draw.random() < 0.3) for _ in range(self.draw.randint(1, 2))]
        self.agents = [self._agent(number) for number in range(self.draw.randint(1, 3))]
        hierarchical = self.draw.random() < 0.3
        process = Process.hierarchical if hierarchical else Process.sequential
        self.crew = Crew(
            name=f"Crew {seed}",
            agents=self.agents,
            tasks=self._tasks(),
            process=process,
            manager_llm=self.draw.choice(self.models) if hierarchical else None,
            stream=self.how.startswith("stream"),
        )

    def faults(self, stub: Stub) -> None:
        """In two of three: of the wire, by chance."""
        if self.draw.random() < 0.67:
            for fault, share in FAULTS:
                stub.fault_by_chance(fault, share, seed=self.seed)

    def run(self) -> list[Any]:
        """The outputs. Raises what the run raises."""
        inputs = {"topic": f"topic {self.seed}"}
        items = [{"topic": f"item {self.seed}-{number}"} for number in range(3)]
        match self.how:
            case "kickoff":
                return [self.crew.kickoff(inputs)]
            case "akickoff":
                return [asyncio.run(self.crew.akickoff(inputs))]
            case "for_each":
                return list(self.crew.kickoff_for_each(items, concurrency=self.draw.randint(1, 3)))
            case "stream":
                return self._streamed(self.crew.kickoff(inputs))
            case _:
                return self._streamed(self.crew.kickoff_for_each(items))

    @staticmethod
    def _streamed(streaming: Any) -> list[Any]:
        for _ in streaming:
            pass
        return list(streaming.results)

    def _agent(self, number: int) -> Agent:
        return Agent(
            role=f"Agent {number}",
            goal="g",
            backstory="b",
            llm=self.draw.choice(self.models),
            tools=self.draw.sample([look_up, measure, break_down], self.draw.randint(0, 2)),
            allow_delegation=self.draw.random() < 0.3,
            max_iter=self.draw.choice([1, 3, 25]),
        )

    def _tasks(self) -> list[Task]:
        count = self.draw.randint(1, 4)
        return [self._task(number, last=number == count - 1) for number in range(count)]

    def _task(self, number: int, *, last: bool) -> Task:
        given: dict[str, Any] = {
            "name": f"task {number}",
            "description": f"Write part {number} on {{topic}}",
            "expected_output": "Ten words",
            "agent": self.draw.choice(self.agents),
        }
        match self.draw.randrange(6):
            case 0 if not last:
                given["async_execution"] = True
            case 1:
                given["guardrail"] = sends_back(self.draw.randint(1, 2))
            case 2:
                given["guardrail"] = "It is about the sea."
                given["on_error"] = "skip"
            case 3:
                given |= {"on_error": self.draw.choice(["skip", "retry"]), "guardrail": sends_back(99)}
                given |= {"guardrail_max_retries": 1, "retries": 1}
            case 4 if number:
                wanted = self.draw.random() < 0.5
                return ConditionalTask(**given, condition=lambda output: wanted)
            case _:
                pass
        return Task(**given)


def sends_back(times: int) -> Callable[[Any], tuple[bool, Any]]:
    """A guardrail that sends the first answers back."""
    counted = itertools.count()

    def guardrail(output: Any) -> tuple[bool, Any]:
        return (False, "say more") if next(counted) < times else (True, output)

    return guardrail
