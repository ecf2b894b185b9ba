"""An agent with a tool that a model may call for ever, and a `max_iter` that ends it."""

import json

from jackstay import Agent, Crew, Task
from jackstay.tools import tool


@tool
def next_page(number: int) -> str:
    """The page with that number, and whether there are more."""
    return f"page {number}; there are more"


reader = Agent(
    role="Reader", goal="Read it all", backstory="Patient.", llm="gpt-4o-mini", tools=[next_page], max_iter=3
)
task = Task(description="Read the whole book", expected_output="What it is about", agent=reader)

if __name__ == "__main__":
    result = Crew(agents=[reader], tasks=[task]).kickoff()
    print(json.dumps({"raw": result.raw, "requests": result.token_usage.successful_requests}))
