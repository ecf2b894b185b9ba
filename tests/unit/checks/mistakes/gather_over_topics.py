"""Pitfall 6: the semaphore and the gather, in which one failure ends all."""

import asyncio
import logging

from jackstay import Agent, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


async def process_batch(topics: list[str], concurrency: int = 3) -> list[str]:
    semaphore = asyncio.Semaphore(concurrency)

    async def process_one(topic: str) -> str:
        async with semaphore:
            result = await crew.akickoff(inputs={"topic": topic})  # finds: hand-made-batch
            logger.info("%s tokens", result.token_usage.total_tokens)
            return result.raw

    try:
        return await asyncio.gather(*[process_one(topic) for topic in topics])
    except Exception:
        logger.exception("the batch failed")
        return []
