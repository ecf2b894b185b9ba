"""Many crews at once that never stop asking, for LIMITED_SECONDS, as fast as their limits let them."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from jackstay import Agent, Crew, Task
from jackstay.testing import FaultPoints


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """`key`: a number that tells the processes apart."""
    seconds, crews = float(os.environ["LIMITED_SECONDS"]), int(os.environ["LIMITED_CREWS"])
    rpm = int(os.environ.get("LIMITED_RPM", "0")) or None
    until = time.monotonic() + seconds

    async def one(number: int) -> int:
        agent = Agent(role="Writer", goal="Write", backstory="Brief.", llm="gpt-4o-mini", max_rpm=rpm)
        task = Task(description="Write on {topic}", expected_output="A line", agent=agent)
        crew = Crew(agents=[agent], tasks=[task])
        done = 0
        while time.monotonic() < until:
            await crew.akickoff(inputs={"topic": f"crew {number} of process {key}, round {done}"})
            done += 1
        return done

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(one(number) for number in range(crews)))

    return {"kickoffs": asyncio.run(all_of_them())}
