"""A researcher with a tool, who may ask the writer; verbose if the argument says so, else as in production."""

import json
import logging
import sys

from jackstay import Agent, Crew, Task
from jackstay.tools import tool

logger = logging.getLogger("desk")


@tool
def look_up(topic: str) -> str:
    """Looks a topic up."""
    logger.warning("looking up %s", topic)
    return f"{topic}: eleven piers"


researcher = Agent(
    role="Researcher",
    goal="Collect facts",
    backstory="Asks first.",
    llm="gpt-4o-mini",
    tools=[look_up],
    allow_delegation=True,
)
writer = Agent(role="Writer", goal="Write clearly", backstory="Writes last.", llm="gpt-4o-mini")
research_task = Task(name="research", description="Research ports", expected_output="Facts", agent=researcher)
write_task = Task(name="write", description="Write on ports", expected_output="A paragraph", agent=writer)

if __name__ == "__main__":
    if sys.argv[1] == "block":
        from pasting import paste  # type: ignore[import-not-found]

        crew = paste(7, globals()).crew
    else:
        crew = Crew(
            name="desk",
            agents=[researcher, writer],
            tasks=[research_task, write_task],
            verbose=sys.argv[1] == "verbose",
        )
    result = crew.kickoff()
    if sys.argv[1] != "silent":
        print(json.dumps({"tokens": result.token_usage.total_tokens, "run_id": result.run_id}))
