"""Pitfall 1, practice 1: try/except with logging; in the function that asks, or around it."""

import logging

from jackstay import Agent, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def ask(topic: str) -> str:
    result = crew.kickoff(inputs={"topic": topic})
    logger.info("%s tokens", result.token_usage.total_tokens)
    return result.raw


def report(topic: str) -> str:
    try:
        return ask(topic)
    except Exception:
        logger.exception("no report on %s", topic)
        return ""
