"""Pitfall 4: the policy of model calls, and a loop of one's own with a run key in it."""

import logging
import time

from jackstay import LLM, Agent, Crew, Retry, Task

logger = logging.getLogger(__name__)

model = LLM("gpt-4o-mini", fallbacks=["gpt-4.1-mini"])
analyst = Agent(
    role="Analyst", goal="Know it", backstory="Thorough.", llm=model, retry=Retry(max_attempts=3, backoff_s=1)
)
task = Task(description="Research it", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def run_with_retry(max_retries: int = 3) -> str:
    for attempt in range(max_retries):
        try:
            result = crew.kickoff(run_key="facts of today")
            logger.info("%s tokens", result.token_usage.total_tokens)
            return result.raw
        except Exception as error:
            logger.warning("attempt %s failed: %s", attempt + 1, error)
            if attempt == max_retries - 1:
                raise
            time.sleep(2**attempt)
    return ""
