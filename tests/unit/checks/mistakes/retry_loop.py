"""Pitfall 4, by hand: each turn pays again for what had succeeded."""

import logging
import time

from jackstay import Agent, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def run_with_retry(inputs: dict, max_retries: int = 3) -> str:
    for attempt in range(max_retries):
        try:
            result = crew.kickoff(inputs=inputs)  # finds: hand-made-retry
            logger.info("%s tokens", result.token_usage.total_tokens)
            return result.raw
        except Exception as error:
            logger.warning("attempt %s failed: %s", attempt + 1, error)
            if attempt == max_retries - 1:
                raise
            time.sleep(2**attempt)
    return ""
