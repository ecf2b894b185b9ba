"""Practice 5: a long flow that begins at the beginning after a crash."""

import logging

from jackstay import Agent, Crew, Runtime, Task
from jackstay.flow import Flow, listen, start

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


class Pipeline(Flow):  # finds: not-persisted
    @start()
    def research(self) -> str:
        return self.researched("research")

    @listen(research)
    def write(self, facts: str) -> str:
        try:
            first = crew.kickoff(inputs={"topic": facts})
            second = crew.kickoff(inputs={"topic": first.raw})
        except Exception:
            logger.exception("not written")
            raise
        logger.info("%s tokens", first.token_usage.total_tokens + second.token_usage.total_tokens)
        return second.raw

    def researched(self, topic: str) -> str:
        try:
            return crew.kickoff(inputs={"topic": topic}).raw
        except Exception:
            logger.exception("not researched")
            raise


def without_a_journal() -> Runtime:
    return Runtime(durability="off")  # finds: not-persisted


if __name__ == "__main__":
    Pipeline().kickoff()
