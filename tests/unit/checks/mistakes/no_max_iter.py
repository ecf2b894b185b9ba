"""Practice 4: an agent with tools, and nothing that bounds it."""

from jackstay import Agent
from jackstay.tools import tool


@tool
def look_up(term: str) -> str:
    """Looks a term up."""
    return term


analyst = Agent(  # finds: unbounded-agent
    role="Analyst", goal="Know it", backstory="Thorough.", llm="gpt-4o-mini", tools=[look_up]
)
lead = Agent(  # finds: unbounded-agent
    role="Lead", goal="Lead", backstory="Calm.", llm="gpt-4o-mini", allow_delegation=True
)
