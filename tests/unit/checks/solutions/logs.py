"""Practice 3: structured logs; a program's answer may be printed."""

import json
import logging

from jackstay import Agent, Crew, Task
from jackstay.flow import Flow, start

logger = logging.getLogger(__name__)

analyst = Agent(role="Analyst", goal="Know {topic}", backstory="Thorough.", llm="gpt-4o-mini")
task = Task(description="Research {topic}", expected_output="Three facts", agent=analyst)
crew = Crew(agents=[analyst], tasks=[task])


class Report(Flow):
    @start()
    def write(self) -> str:
        try:
            result = crew.kickoff(inputs={"topic": "boats"})
            logger.info(json.dumps({"event": "completed", "tokens": result.token_usage.total_tokens}))
            return result.raw
        except Exception as error:
            logger.error(json.dumps({"event": "failed", "error": str(error)}))
            raise


if __name__ == "__main__":
    print(Report().kickoff())
