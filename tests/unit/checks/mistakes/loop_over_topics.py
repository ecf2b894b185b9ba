"""Pitfall 6: a loop instead of `kickoff_for_each`."""

import logging

from jackstay import Agent, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def reports(topics: list[str]) -> list[str]:
    found = []
    try:
        for topic in topics:
            result = crew.kickoff(inputs={"topic": topic})  # finds: hand-made-batch
            logger.info("%s tokens", result.token_usage.total_tokens)
            found.append(result.raw)
    except Exception:
        logger.exception("no more reports")
    return found


def short(topics: list[str]) -> list[str]:
    try:
        return [crew.kickoff(inputs={"topic": topic}).raw for topic in topics]  # finds: hand-made-batch
    except Exception:
        logger.exception("none")
        return []
