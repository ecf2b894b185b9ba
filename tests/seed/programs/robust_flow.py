"""A flow whose crew may fail: the failure is caught, kept in the state, and handed to the next method.

Arguments: topics, one kickoff each.
"""

import json
import sys

from pydantic import BaseModel

from jackstay import Agent, Crew, Task
from jackstay.flow.flow import Flow, listen, start


class Report(BaseModel):
    topic: str = ""
    text: str = ""
    problem: str = ""
    done: bool = False


class CarefulFlow(Flow[Report]):
    @start()
    def write(self):
        try:
            result = self.crew().kickoff(inputs={"topic": self.state.topic})
            self.state.text, self.state.done = result.raw, True
            print(f"written: {len(result.raw)} characters")
        except Exception as error:  # noqa: BLE001 - what the row is about
            self.state.problem = str(error)
            print(f"failed: {error}")

    @listen(write)
    def pass_on(self):
        print(f"passed on: {self.state.text}" if self.state.done else f"alarm: {self.state.problem}")

    def crew(self) -> Crew:
        reporter = Agent(role="Reporter", goal="Report on {topic}", backstory="Brief and exact.", llm="gpt-4o-mini")
        report = Task(description="Write a report on {topic}", expected_output="One paragraph", agent=reporter)
        return Crew(agents=[reporter], tasks=[report])


if __name__ == "__main__":
    states = []
    for topic in sys.argv[1:]:
        flow = CarefulFlow()
        flow.kickoff(inputs={"topic": topic})
        states.append(flow.state.model_dump())
    print(json.dumps(states))
