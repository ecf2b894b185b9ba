"""The exercise's solution, as the seed has it, with the imports changed and the cost taken from the result."""

import logging
from datetime import datetime

from pydantic import BaseModel

from jackstay import Agent, Crew, Process, Task
from jackstay.flow.flow import Flow, listen, start

logging.basicConfig(level=logging.INFO, format="%(asctime)s [%(levelname)s] %(message)s")
logger = logging.getLogger("production")


class RunState(BaseModel):
    topic: str = ""
    result: str = ""
    error: str = ""
    token_count: int = 0
    cost_estimate: float = 0.0
    success: bool = False


class ProductionFlow(Flow[RunState]):
    @start()
    def execute(self):
        logger.info("Flow started: topic=%s", self.state.topic)
        start_time = datetime.now()
        try:
            researcher = Agent(
                role="Analyst",
                goal=f"Research {self.state.topic}",
                backstory="Expert researcher.",
                llm="gpt-4o-mini",
            )
            task = Task(
                description=f"Research {self.state.topic}",
                expected_output="A brief research summary",
                agent=researcher,
            )
            crew = Crew(agents=[researcher], tasks=[task], process=Process.sequential)
            result = crew.kickoff()
            self.state.result = result.raw
            self.state.token_count = result.token_usage.total_tokens
            self.state.cost_estimate = float(result.cost_usd or 0)
            self.state.success = True
            elapsed = (datetime.now() - start_time).total_seconds()
            logger.info("Completed: %s tokens, %.1fs", self.state.token_count, elapsed)
        except Exception as e:
            self.state.error = str(e)
            self.state.success = False
            logger.error("Failed: %s", e)

    @listen(execute)
    def summarize(self):
        if self.state.success:
            words = len(self.state.result.split())
            print(f"Summary: {words} words generated on '{self.state.topic}'")
        else:
            print(f"Error: {self.state.error}")


flow = ProductionFlow()
flow.kickoff(inputs={"topic": "AI agents"})
