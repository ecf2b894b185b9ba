"""Pitfall 6: `kickoff_for_each`; and, by hand, each item on its own."""

import asyncio
import logging

from jackstay import Agent, Crew, Task

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


def reports(topics: list[str]) -> list[str]:
    results = crew.kickoff_for_each(inputs=[{"topic": topic} for topic in topics], concurrency=2)
    for result in results:
        logger.info("%s tokens", result.token_usage.total_tokens)
    return [result.raw for result in results]


def one_by_one(topics: list[str]) -> list[str]:
    found = []
    for topic in topics:
        try:
            found.append(crew.kickoff(inputs={"topic": topic}).raw)
        except Exception:
            logger.exception("no report on %s", topic)
    return found


async def together(topics: list[str]) -> list[str]:
    async def one(topic: str) -> str:
        try:
            return (await crew.akickoff(inputs={"topic": topic})).raw
        except Exception:
            logger.exception("no report on %s", topic)
            return ""

    return await asyncio.gather(*[one(topic) for topic in topics])
