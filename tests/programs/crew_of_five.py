"""A crew of five tasks, each with three tool calls and four model turns (against a stub with `rounds=3`)."""

from __future__ import annotations

from typing import Any

from jackstay import Agent, Crew, Task
from jackstay.testing import FaultPoints
from jackstay.tools import tool

MODEL = "openai/gpt-4o-mini"
STEPS = ("Survey", "Compare", "Choose", "Draft", "Polish")


def crew_of(points: FaultPoints, names: tuple[str, ...]) -> Crew:
    """A crew of one task per name; the tool passes the fault point `tool`."""

    @tool
    def look_up(query: str) -> str:
        """Finds facts in the archive."""
        points.hit("tool")
        return f"the archive says of {query[:40]}: {len(query)} entries"

    agent = Agent(role="Archivist", goal="Know {topic}", backstory="Thorough.", llm=MODEL, tools=[look_up])
    tasks = [
        Task(name=name, description=f"{name} the sources on {{topic}}", expected_output="Two sentences", agent=agent)
        for name in names
    ]
    return Crew(name="archive", agents=[agent], tasks=tasks)


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """What the crew gave back, in values that two runs can be compared by."""
    output = crew_of(points, STEPS).kickoff(inputs={"topic": "tides"}, run_key=key)
    return {
        "run_id": output.run_id,
        "raw": output.raw,
        "tasks": [task.raw for task in output.tasks_output],
        "usage": output.token_usage.model_dump(),
        "task_usage": [task.token_usage.total_tokens for task in output.tasks_output],
    }
