"""Practice 4: `max_iter` and `max_rpm`."""

from jackstay import Agent
from jackstay.tools import tool


@tool
def look_up(term: str) -> str:
    """Looks a term up."""
    return term


analyst = Agent(
    role="Analyst",
    goal="Know it",
    backstory="Thorough.",
    max_iter=15,
    max_rpm=10,
    llm="gpt-4o-mini",
    tools=[look_up],
)
writer = Agent(role="Writer", goal="Write", backstory="Brief.", llm="gpt-4o-mini")
