"""Pitfall 2: a budget bounds what nobody looks at."""

import logging

from jackstay import Agent, Budget, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def report(topic: str) -> str:
    try:
        return crew.kickoff(inputs={"topic": topic}, budget=Budget(usd="0.10")).raw
    except Exception:
        logger.exception("no report")
        return ""
