"""A crew with a guardrail that rejects twice, a condition that holds and one that does not."""

from __future__ import annotations

from typing import Any

from jackstay import Agent, ConditionalTask, Crew, Task, TaskOutput
from jackstay.testing import FaultPoints

MODEL = "openai/gpt-4o-mini"
REJECTED = 2


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """What the crew gave back, in values that two runs can be compared by. The guardrail passes the fault point
    `guardrail`, the conditions `condition`."""

    def numbered(output: TaskOutput) -> tuple[bool, Any]:
        points.hit("guardrail")
        number = int(output.raw.split()[-1])
        return (True, f"accepted {number}") if number == REJECTED else (False, f"number {number} is not enough")

    def accepted(output: TaskOutput) -> bool:
        points.hit("condition")
        return output.raw.startswith("accepted")

    agent = Agent(role="Clerk", goal="Number things", backstory="Exact.", llm=MODEL)
    common: dict[str, Any] = {"expected_output": "A number", "agent": agent}
    tasks = [
        Task(name="first", description="First", guardrail=numbered, **common),
        ConditionalTask(name="wanted", description="Second", condition=accepted, **common),
        ConditionalTask(name="unwanted", description="Third", condition=accepted, **common),
        Task(name="last", description="Fourth", guardrail=numbered, **common),
    ]
    output = Crew(name="numbers", agents=[agent], tasks=tasks).kickoff(run_key=key)
    return {
        "raw": output.raw,
        "tasks": [task.raw for task in output.tasks_output],
        "usage": output.token_usage.model_dump(),
        "called": {name: points.hits.count(name) for name in ("guardrail", "condition")},
    }
