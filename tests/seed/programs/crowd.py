"""Many topics with one crew: under a semaphore of the program's own, then with `kickoff_for_each`.

With the seed's blocks beside it, the blocks instead.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

from pasting import paste  # type: ignore[import-not-found]

from jackstay import Agent, Crew, Task

TOPICS = ["ropes", "sails", "masts", "keels"]

sailor = Agent(role="Sailor", goal="Explain {topic}", backstory="Old.", llm="gpt-4o-mini")
crew = Crew(
    agents=[sailor],
    tasks=[Task(description="Explain {topic}", expected_output="One sentence", agent=sailor)],
)


async def explain_all(topics: list[str], at_once: int) -> list[dict[str, str]]:
    gate = asyncio.Semaphore(at_once)

    async def explain(topic: str) -> dict[str, str]:
        async with gate:
            output = await crew.akickoff(inputs={"topic": topic})
        return {"topic": topic, "result": output.raw}

    return list(await asyncio.gather(*(explain(topic) for topic in topics)))


def results_of(block: int) -> Any:
    return paste(block, globals()).results


if __name__ == "__main__":
    pasted = Path("seed_block_9.py").exists()
    batch = results_of(9) if pasted else asyncio.run(explain_all(TOPICS, 2))
    each = results_of(10) if pasted else crew.kickoff_for_each(inputs=[{"topic": topic} for topic in TOPICS[:3]])
    told = [{"ok": one.ok, "raw": one.raw, "error": str(one.error or "")} for one in each]
    print(json.dumps({"batch": batch, "each": told}))
