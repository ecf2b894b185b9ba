"""Many kickoffs at once under the budgets of jackstay.toml: how many were answered, how many refused."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from jackstay import LLM, Agent, Crew, Task
from jackstay.errors import BudgetExceeded
from jackstay.testing import FaultPoints


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """SPENDERS kickoffs side by side; MAX_TOKENS is their `max_tokens`, empty for none."""
    limit = os.environ.get("MAX_TOKENS")
    llm = LLM("gpt-4o", max_tokens=int(limit) if limit else None)
    agent = Agent(role="Writer", goal="g", backstory="b", llm=llm)
    crew = Crew(agents=[agent], tasks=[Task(description="Write {number}", expected_output="Text", agent=agent)])

    async def program() -> list[Any]:
        made = range(int(os.environ.get("SPENDERS", "1")))
        run_keys = (f"{key}-{number}" if key else None for number in made)
        started = (crew.akickoff({"number": number}, run_key=k) for number, k in zip(made, run_keys, strict=True))
        return await asyncio.gather(*started, return_exceptions=True)

    outcomes = asyncio.run(program())
    refused = [one for one in outcomes if isinstance(one, BudgetExceeded)]
    other = [repr(one) for one in outcomes if isinstance(one, BaseException) and not isinstance(one, BudgetExceeded)]
    return {"answered": len(outcomes) - len(refused) - len(other), "refused": len(refused), "other": other}
