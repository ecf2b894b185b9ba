"""Pitfall 2, practice 2: `result.token_usage` and the cost are logged."""

import logging

from jackstay import Agent, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def report(topic: str) -> str:
    try:
        result = crew.kickoff(inputs={"topic": topic})
    except Exception:
        logger.exception("no report")
        return ""
    logger.info("%s tokens, %s USD", result.token_usage.total_tokens, result.cost_usd)
    return result.raw
