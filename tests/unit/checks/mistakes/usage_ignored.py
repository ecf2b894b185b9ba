"""Pitfall 2, practice 2: nobody looks at tokens or cost."""

import logging

from jackstay import Agent, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def report(topic: str) -> str:
    try:
        return crew.kickoff(inputs={"topic": topic}).raw  # finds: usage-ignored
    except Exception:
        logger.exception("no report")
        return ""
