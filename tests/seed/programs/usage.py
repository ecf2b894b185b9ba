"""A crew of two agents, one of them with a tool: what the run and each of its tasks used."""

import json

from jackstay import Agent, Crew, Task
from jackstay.tools import tool


@tool
def head_count(team: str) -> str:
    """How many people a team has."""
    return f"{team}: 12"


collector = Agent(
    role="Collector", goal="Collect facts on {topic}", backstory="Asks first.", llm="gpt-4o-mini", tools=[head_count]
)
author = Agent(role="Author", goal="Write on {topic}", backstory="Writes last.", llm="gpt-4o-mini")
crew = Crew(
    agents=[collector, author],
    tasks=[
        Task(description="Collect facts on {topic}", expected_output="A list of facts", agent=collector),
        Task(description="Write an article on {topic}", expected_output="Two paragraphs", agent=author),
    ],
)

if __name__ == "__main__":
    result = crew.kickoff(inputs={"topic": "ports"})
    tasks = [
        {
            "description": task.description,
            "agent": task.agent,
            "raw": task.raw,
            "usage": task.token_usage.model_dump(),
            "cost_usd": str(task.cost_usd),
        }
        for task in result.tasks_output
    ]
    whole = {"usage": result.token_usage.model_dump(), "cost_usd": str(result.cost_usd), "raw": result.raw}
    print(json.dumps({**whole, "tasks": tasks}))
