"""An agent that may ask its model so often in a minute, and no oftener."""

import json

from jackstay import Agent, Crew, Task
from jackstay.tools import tool


@tool
def next_page(number: int) -> str:
    """The page with that number, and whether there are more."""
    return f"page {number}; there are more"


# As in the seed, but for a higher rate: six seconds between two calls are too long for a test.
reader = Agent(
    role="Researcher",
    goal="Research AI trends",
    backstory="Expert analyst.",
    max_iter=3,
    max_rpm=120,
    llm="gpt-4o-mini",
    tools=[next_page],
)
task = Task(description="Read the whole book", expected_output="What it is about", agent=reader)

if __name__ == "__main__":
    result = Crew(agents=[reader], tasks=[task]).kickoff()
    print(json.dumps({"raw": result.raw, "requests": result.token_usage.successful_requests}))
