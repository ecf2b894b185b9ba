"""A flow of five methods: one asks a model, one runs a crew of two tasks, one is a router."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from jackstay import LLM, Flow, listen, router, start
from jackstay.testing import FaultPoints
from tests.programs.crew_of_five import MODEL, crew_of


class Report(BaseModel):
    topic: str = ""
    plan: str = ""
    facts: list[str] = []
    verdicts: int = 0
    text: str = ""
    words: dict[str, int] = {}


def flow_of(points: FaultPoints) -> Flow[Report]:
    class Reporting(Flow[Report]):
        @start()
        def plan(self) -> str:
            self.state.plan = LLM(MODEL).call(f"Plan a report on {self.state.topic}")
            return self.state.plan

        @listen(plan)
        async def research(self, plan: str) -> str:
            self.state.facts.append("begun")
            output = await crew_of(points, ("Survey", "Compare")).akickoff(inputs={"topic": self.state.topic})
            self.state.facts += [task.raw for task in output.tasks_output]
            return output.raw

        @router(research)
        def judge(self) -> str:
            self.state.verdicts += 1
            return "enough" if LLM(MODEL).call(f"Is this enough? {self.state.facts[-1]}") else "give up"

        @listen("enough")
        async def write(self) -> None:
            for part in ("opening", "ending"):
                self.state.text += await LLM(MODEL).acall(f"Write the {part} from {self.state.facts}")

        @listen(write)
        def count(self) -> int:
            self.state.words = {"text": len(self.state.text.split())}
            return self.state.words["text"]

    return Reporting()


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """What the flow gave back, in values that two runs can be compared by."""
    flow = flow_of(points)
    result = flow.kickoff(inputs={"topic": "tides"}, run_key=key)
    state = flow.state.model_dump()
    state.pop("id")  # the run's
    return {"run_id": flow.run_id, "raw": result, "state": state, "usage": flow.usage_metrics.model_dump()}
