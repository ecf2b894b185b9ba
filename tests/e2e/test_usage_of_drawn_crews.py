"""The law of usage as a property: whatever a crew is made of, its calls = its tasks = its agents = the crew = the stub's count."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from jackstay import LLM, Agent, Crew, CrewOutput, Process, Runtime, Task, TaskOutput
from jackstay.core.usage import Usage
from jackstay.errors import ModelError
from jackstay.journal import UsageFilter, total
from jackstay.testing import Fault, Stub
from jackstay.tools import tool

MODEL, GONE = "openai/gpt-4o-mini", "openai/no-such-model"
SAMPLED, PROVED, GROUP = 40, 200, 10


@tool
def look_up(query: str) -> str:
    """Finds facts."""
    return f"facts on {query}"


@dataclass(frozen=True)
class Drawn:
    """A crew, and how it is kicked off."""

    crew: Crew
    items: int
    """0: one kickoff; else `kickoff_for_each` of so many."""

    def run(self) -> list[CrewOutput]:
        """Its outputs; empty if it failed as a whole."""
        try:
            if self.items:
                ended: Any = self.crew.kickoff_for_each([{"topic": f"topic {n}"} for n in range(self.items)])
                return list(self._heard(ended))
            return list(self._heard(self.crew.kickoff({"topic": "tides"})))
        except ModelError:
            return []

    def _heard(self, ended: Any) -> Sequence[CrewOutput]:
        if self.crew.stream:
            for _ in ended:
                pass
            return ended.results  # type: ignore[no-any-return]
        return ended if self.items else [ended]  # type: ignore[no-any-return]


def drawn(seed: int) -> Drawn:
    draw = random.Random(seed)
    shared = LLM(MODEL, stream=draw.random() < 0.3)
    agents = [
        Agent(
            role=f"Agent {number}",
            goal="g",
            backstory="b",
            llm=shared if draw.random() < 0.7 else draw.choice([LLM(MODEL, temperature=0.5), MODEL, [GONE, MODEL]]),
            tools=[look_up] if draw.random() < 0.5 else [],
            allow_delegation=draw.random() < 0.2,
        )
        for number in range(draw.randint(1, 3))
    ]
    count = draw.randint(1, 4)
    tasks = [drawn_task(draw, number, draw.choice(agents), last=number == count - 1) for number in range(count)]
    more: dict[str, Any] = {"stream": True} if draw.random() < 0.25 else {}
    if draw.random() < 0.25:
        more |= {"process": Process.hierarchical, "manager_llm": draw.choice([shared, MODEL])}
    return Drawn(Crew(agents=agents, tasks=tasks, **more), draw.choice([0, 0, 2, 3]))


def drawn_task(draw: random.Random, number: int, agent: Agent, *, last: bool) -> Task:
    more: dict[str, Any] = {}
    if draw.random() < 0.3:
        more["guardrail"] = rejecting(draw.randint(1, 2))
    if draw.random() < 0.3 and not last:
        more["async_execution"] = True
    if draw.random() < 0.15:
        more["on_error"] = draw.choice(["skip", "retry"])
    return Task(description=f"Write part {number} on {{topic}}", expected_output="Text", agent=agent, **more)


def rejecting(times: int) -> Callable[[TaskOutput], tuple[bool, Any]]:
    """A guardrail that sends the first answers back."""
    seen: list[str] = []

    def strict(output: TaskOutput) -> tuple[bool, Any]:
        seen.append(output.raw)
        return (False, "too short") if len(seen) <= times else (True, output.raw)

    return strict


def with_faults(stub: Stub, seed: int) -> None:
    stub.rule(Fault.http(404), model="no-such-model")
    for fault in ("429", "500"):
        stub.fault_by_chance(fault, random.Random(seed).choice([0, 0.1, 0.3]), seed=seed)


def check(seed: int, stub: Stub, runtime: Runtime, known: set[str]) -> int:
    """The tokens that were used and compared. `known` are the runs that were there before; those that the crew has made are added."""
    stub.reset()
    with_faults(stub, seed)
    outputs = drawn(seed).run()
    at_stub = stub.total_usage()

    runs = {row.key for row in runtime.journal.usage(UsageFilter("run")) if row.key} - known
    known |= runs
    steps = [step for run in runs for step in runtime.journal.steps(run, latest_only=False) if step.kind == "llm"]
    # Of a call that was cancelled in flight, beside one that failed, only the requests are known to both sides.
    exact = not any("estimated" in (step.flags or "") for step in steps)
    for by in ("run", "task", "agent", "crew", "model"):
        sums = total(runtime.journal.usage(UsageFilter(by, run_ids=tuple(sorted(runs)))))
        assert sums.requests == len(stub.requests), f"seed {seed} by {by}"
        assert not exact or (sums.prompt_tokens, sums.completion_tokens) == tokens(at_stub), f"seed {seed} by {by}"
    for output in outputs:
        of_tasks = sum(task.token_usage.total_tokens for task in output.tasks_output)
        assert output.token_usage.total_tokens == of_tasks or not output.ok, f"seed {seed}"
    if outputs and exact:
        assert sum(output.token_usage.total_tokens for output in outputs) == sum(tokens(at_stub)), f"seed {seed}"
    return sum(tokens(at_stub)) if exact else 0


def tokens(usage: Usage) -> tuple[int, int]:
    return usage.input_tokens, usage.output_tokens


def check_all(seeds: Sequence[int], stub: Stub, runtime: Runtime) -> None:
    known: set[str] = set()
    used = [check(seed, stub, runtime, known) for seed in seeds]
    assert sum(each > 0 for each in used) > 0.8 * len(used)


def test_drawn_crews_have_all_that_usage_may_get_lost_in() -> None:
    crews = [drawn(seed) for seed in range(SAMPLED)]
    tasks = [task for each in crews for task in each.crew.tasks]

    assert {each.crew.process for each in crews} == {Process.sequential, Process.hierarchical}
    assert {each.crew.stream for each in crews} == {True, False} == {bool(each.items) for each in crews}
    assert {task.async_execution for task in tasks} == {True, False} == {task.guardrail is None for task in tasks}
    assert {task.on_error for task in tasks} == {"abort", "skip", "retry"}


@pytest.mark.promise("run.usage.own")
@pytest.mark.parametrize("first", range(0, SAMPLED, GROUP))
def test_a_drawn_crews_usage_is_the_stubs_count(stub: Stub, runtime: Runtime, first: int) -> None:
    check_all(range(first, first + GROUP), stub, runtime)


@pytest.mark.prove
@pytest.mark.timeout(900)
def test_two_hundred_drawn_crews_usage_is_the_stubs_count(stub: Stub, runtime: Runtime, record_property: Any) -> None:
    check_all(range(PROVED), stub, runtime)

    record_property("crews", PROVED)
