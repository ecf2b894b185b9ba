"""What every side of `bench_crews.py` does alike: it is told a workload and a count, and answers with what that took.

Standard library only, since it is imported in the peers' environments as well. A side is a process of its own, so that
the CPU time of the process is that of the side: one line of JSON in, one out. What a framework prints goes elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from importlib.metadata import version
from typing import Any

SYSTEM = "You are Analyst. Expert researcher. Your personal goal is: Research AI agents"
TASK = "Research AI agents. This is the expected criteria for your final answer: A brief research summary"
MODEL, KEY = "gpt-4o-mini", "stub-key-0001"
TASKS = 10
AT_ONCE = 50

Workload = Callable[[int], object]


def each(kickoff: Callable[[], object]) -> Workload:
    """One after the other."""

    def run(count: int) -> None:
        for _ in range(count):
            kickoff()

    return run


def at_once(kickoff: Callable[[], Awaitable[object]]) -> Workload:
    """`AT_ONCE` at any time, until `count` have ended; one event loop for all rounds, since clients belong to theirs."""
    runner = asyncio.Runner()

    async def work(numbers: list[int]) -> None:
        while numbers:
            numbers.pop()
            await kickoff()

    async def crowd(count: int) -> None:
        numbers = list(range(count))
        await asyncio.gather(*(work(numbers) for _ in range(AT_ONCE)))

    return lambda count: runner.run(crowd(count))


def crew_workloads(agent_class: Any, task_class: Any, crew_class: Any, *, llm: Any, tool: Any) -> dict[str, Workload]:
    """CrewAI's classes, or ours: what is written with them is the same. One LLM object, so that its client is kept."""

    def crew(tasks: int = 1, tools: tuple[object, ...] = ()) -> Any:
        agent = agent_class(
            role="Analyst", goal="Research AI agents", backstory="Expert researcher.", llm=llm, tools=list(tools)
        )
        work = [
            task_class(description="Research AI agents", expected_output="A brief research summary", agent=agent)
            for _ in range(tasks)
        ]
        return crew_class(agents=[agent], tasks=work)

    return {
        "one_task": each(crew().kickoff),
        "ten_tasks": each(crew(TASKS).kickoff),
        "tool_call": each(crew(tools=(tool,)).kickoff),
        "fresh": each(lambda: crew().kickoff()),
        "construction": each(crew),
        # Of one crew object of CrewAI's two kickoffs at once are refused: each has its own.
        "at_once": at_once(lambda: crew().akickoff()),
    }


def serve(workloads: Mapping[str, Workload], *, packages: tuple[str, ...], durability: str) -> None:
    """Until standard input closes: reads `{"workload", "count"}`, runs it, answers `{"cpu_s", "wall_s"}`."""
    orders, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)  # a framework that asks its user something is given the end of the input
    os.dup2(2, 1)
    versions = {name: version(name) for name in packages}
    print(json.dumps({"versions": versions, "durability": durability}), file=answers)
    for line in orders:
        order = json.loads(line)
        wall, cpu = time.perf_counter(), time.process_time()
        workloads[order["workload"]](order["count"])
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        print(json.dumps({"cpu_s": cpu, "wall_s": wall}), file=answers)
    answers.close()
    sys.stdout.flush()
    os._exit(0)  # threads that a framework leaves behind do not hold the bench
