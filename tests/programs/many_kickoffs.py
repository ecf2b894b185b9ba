"""Thousands of kickoffs in one process, with what they leave behind; for `tests/e2e/test_memory.py`.

`python -m tests.programs.many_kickoffs WAY KICKOFFS URL`, `WAY` being `kept` or `fresh` (crews), then `sync` or `async`.
The working directory is the journal's. Prints one line of JSON: samples of resident memory and of threads.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from jackstay import LLM, Agent, Crew, Task
from jackstay.tools import tool

WAYS = ("kept sync", "fresh sync", "kept async", "fresh async")
EVERY = 250
AT_ONCE = 5
"""Of asynchronous kickoffs."""


@dataclass(frozen=True, slots=True)
class Sample:
    kickoffs: int
    resident_mb: float
    threads: int


@tool
def look_up(query: str) -> str:
    """Finds facts."""
    return f"facts on {query}"


def crew_at(url: str) -> Crew:
    llm = LLM("gpt-4o-mini", base_url=url, api_key="stub-key-0001")
    agent = Agent(role="Analyst", goal="Research {topic}", backstory="Brief.", llm=llm, tools=[look_up])
    research = Task(description="Research {topic}", expected_output="Three points", agent=agent)
    article = Task(description="Write on {topic}", expected_output="40 words", agent=agent, context=[research])
    return Crew(agents=[agent], tasks=[research, article])


def resident_mb() -> float:
    """Of this process, now (not its peak); Linux."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 1e6


def sample(kickoffs: int) -> Sample:
    gc.collect()  # what waits for the collector is no leak, and when it runs is chance
    return Sample(kickoffs, resident_mb(), threading.active_count())


def some_kickoffs(way: str, make: Callable[[], Crew], runner: asyncio.Runner) -> Callable[[int], None]:
    """A function that makes so many more kickoffs, in this way; each with an input of its own."""
    crews, style = way.split()
    kept = make()
    numbers = itertools.count()

    def crew() -> Crew:
        return kept if crews == "kept" else make()

    def inputs() -> dict[str, str]:
        return {"topic": f"topic {next(numbers)}"}

    def sync(count: int) -> None:
        for _ in range(count):
            crew().kickoff(inputs=inputs())

    async def crowd(count: int) -> None:
        left = [None] * count

        async def work() -> None:
            while left:
                left.pop()
                await crew().akickoff(inputs=inputs())

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))

    return sync if style == "sync" else lambda count: runner.run(crowd(count))


def run(way: str, kickoffs: int, url: str, *, every: int = EVERY) -> list[Sample]:
    """Samples after each `every` kickoffs."""
    samples = []
    with asyncio.Runner() as runner:
        some = some_kickoffs(way, lambda: crew_at(url), runner)
        for done in range(0, kickoffs, every):
            some(every)
            samples.append(sample(done + every))
    return samples


if __name__ == "__main__":
    print(json.dumps([asdict(one) for one in run(sys.argv[1], int(sys.argv[2]), sys.argv[3])]))
