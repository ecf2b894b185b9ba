"""A long flow: two crews side by side, a join, a router, a third crew. Arguments: the state's id, and how it ends.

With "dies" the process is killed in the last crew's method.
"""

import json
import os
import signal
import sys
from typing import Literal

from pydantic import BaseModel

from jackstay import Agent, Crew, Task
from jackstay.flow.flow import Flow, and_, listen, router, start
from jackstay.flow.persistence import persist


class Report(BaseModel):
    north: str = ""
    south: str = ""
    text: str = ""
    checked: int = 0


def ask(place: str) -> str:
    agent = Agent(role="Surveyor", goal="Survey", backstory="Exact.", llm="gpt-4o-mini")
    task = Task(description=f"Survey the {place}", expected_output="A line", agent=agent)
    return Crew(agents=[agent], tasks=[task]).kickoff().raw


@persist
class Survey(Flow[Report]):
    @start()
    def look_north(self):
        self.state.north = ask("north")

    @start()
    def look_south(self):
        self.state.south = ask("south")

    @router(and_(look_north, look_south))
    def check(self) -> Literal["complete", "lacking"]:
        self.state.checked += 1
        return "complete" if self.state.north and self.state.south else "lacking"

    @listen("complete")
    def write(self):
        if sys.argv[2] == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        self.state.text = ask("whole")

    @listen("lacking")
    def give_up(self):
        raise AssertionError("both were looked at")


if __name__ == "__main__":
    flow = Survey()
    flow.kickoff(inputs={"id": sys.argv[1]})
    print(json.dumps(flow.state.model_dump()))
