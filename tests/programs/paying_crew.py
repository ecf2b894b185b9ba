"""A crew whose agent pays once, with a tool that is marked; every call adds a line to a file outside of the journal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jackstay import Agent, Crew, Retry, Task
from jackstay.testing import FaultPoints
from jackstay.tools import call_context, tool

MODEL = "openai/gpt-4o-mini"


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """Passes the fault points `before_effect` and `after_effect` around the line. With the variable FUSSY the task's first
    answer is rejected, and the task is done again from its beginning."""

    @tool(side_effect=True)
    def pay(amount: int) -> str:
        """Pays an amount."""
        points.hit("before_effect")
        with Path(os.environ["COUNTER"]).open("a") as counter:
            counter.write(f"{call_context().idempotency_key}\n")
        points.hit("after_effect")
        return f"paid {amount}"

    def fussy(output: Any) -> tuple[bool, Any]:
        rejected = Path(f"{os.environ['COUNTER']}.rejected")
        passes = "FUSSY" not in os.environ or rejected.exists()
        rejected.touch()
        return passes, output if passes else "not like this"

    agent = Agent(role="Clerk", goal="Pay", backstory="Exact.", llm=MODEL, tools=[pay])
    again = {
        "guardrail": fussy,
        "guardrail_max_retries": 0,
        "on_error": "retry",
        "retries": Retry(max_attempts=2, backoff_s=0.05),
    }
    tasks = [Task(name="pay", description="Pay 3", expected_output="A receipt", agent=agent, **again)]
    output = Crew(name="payer", agents=[agent], tasks=tasks).kickoff(run_key=key)
    return {"raw": output.raw, "run_id": output.run_id}
