"""A router that sends the flow back to its attempt after a failure, three attempts at most. Arguments: topics."""

import json
import sys
from typing import Literal

from pydantic import BaseModel

from jackstay import Agent, Crew, Task
from jackstay.flow.flow import Flow, listen, or_, router, start


class Climb(BaseModel):
    topic: str = ""
    attempts: int = 0
    text: str = ""
    ended: str = ""


class StubbornFlow(Flow[Climb]):
    @start()
    def pack(self):
        return "packed"

    @listen(or_(pack, "once more"))
    def climb(self):
        self.state.attempts += 1
        climber = Agent(role="Climber", goal="Climb {topic}", backstory="Stubborn.", llm="gpt-4o-mini")
        task = Task(description="Climb {topic}", expected_output="A report", agent=climber)
        try:
            self.state.text = Crew(agents=[climber], tasks=[task]).kickoff(inputs={"topic": self.state.topic}).raw
        except Exception as error:  # noqa: BLE001 - what the row is about
            print(f"attempt {self.state.attempts}: {error}")

    @router(climb)
    def judge(self) -> Literal["once more", "up", "down"]:
        if self.state.text:
            return "up"
        return "once more" if self.state.attempts < 3 else "down"

    @listen("up")
    def cheer(self):
        self.state.ended = "up"

    @listen("down")
    def turn_back(self):
        self.state.ended = "down"


if __name__ == "__main__":
    states = []
    for topic in sys.argv[1:]:
        flow = StubbornFlow()
        flow.kickoff(inputs={"topic": topic})
        states.append(flow.state.model_dump(exclude={"id"}))
    print(json.dumps(states))
