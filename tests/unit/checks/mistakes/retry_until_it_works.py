"""Pitfall 4, by hand, without an end."""

import logging

from jackstay import Agent, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def persist_in_asking() -> str:
    while True:
        try:
            result = crew.kickoff(inputs={"topic": "boats"})  # finds: hand-made-retry
            break
        except Exception:
            logger.exception("again")
    return f"{result.raw} {result.token_usage}"
