"""The exercise: a flow with a typed state, a crew of two agents and a tool in it, three lines of report.

Argument: the topic.
"""

import json
import logging
import sys

from pydantic import BaseModel

from jackstay import Agent, Crew, Process, Task
from jackstay.flow.flow import Flow, listen, start
from jackstay.tools import tool

log = logging.getLogger("exercise")


class Progress(BaseModel):
    topic: str = ""
    result: str = ""
    error: str = ""
    token_count: int = 0
    cost_estimate: float = 0.0
    success: bool = False


@tool
def look_up(term: str) -> str:
    """Looks a term up in the dictionary."""
    return f"{term}: something that does things"


class ProductionFlow(Flow[Progress]):
    @start()
    def run_it(self):
        log.info(f"Flow started: topic={self.state.topic}, run_id={self.flow_id}")  # noqa: G004 - the seed's way
        try:
            result = self.crew().kickoff(inputs={"topic": self.state.topic})
        except Exception as error:
            self.state.error = str(error)
            log.exception("Flow failed")
            return
        self.state.result, self.state.success = result.raw, True
        self.state.token_count = result.token_usage.total_tokens
        self.state.cost_estimate = float(result.cost_usd or 0)
        log.info(f"Flow completed: {self.state.token_count:,} tokens, ~${self.state.cost_estimate:.4f}")  # noqa: G004

    @listen(run_it)
    def report(self):
        words = len(self.state.result.split())
        said = f"Summary: {words} words generated on '{self.state.topic}'"
        print(said if self.state.success else f"Error: {self.state.error}")

    def crew(self) -> Crew:
        analyst = Agent(role="Analyst", goal="Study {topic}", backstory="Curious.", llm="gpt-4o-mini", tools=[look_up])
        editor = Agent(role="Editor", goal="Write about {topic}", backstory="Plain words.", llm="gpt-4o-mini")
        tasks = [
            Task(description="Study {topic}", expected_output="Notes", agent=analyst),
            Task(description="Write a summary on {topic}", expected_output="A summary", agent=editor),
        ]
        return Crew(agents=[analyst, editor], tasks=tasks, process=Process.sequential)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] %(message)s")
    flow = ProductionFlow()
    flow.kickoff(inputs={"topic": sys.argv[1]})
    print(json.dumps({**flow.state.model_dump(), "run_id": flow.run_id}))
