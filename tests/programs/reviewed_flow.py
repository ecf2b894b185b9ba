"""A flow that waits for people twice: about what its first method has returned, with a join beside it, and in a task of a
crew inside a later method. Every call of a method adds a line to a file outside of the journal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jackstay import LLM, Agent, Crew, Flow, Task, and_, answer, human_feedback, listen, start
from jackstay.errors import HumanFeedbackPending
from jackstay.testing import FaultPoints

MODEL = "openai/gpt-4o-mini"


def called(method: str) -> None:
    with Path(os.environ["COUNTER"]).open("a") as counter:
        counter.write(f"{method}\n")


class Reviewed(Flow):  # type: ignore[type-arg]
    @start()
    @human_feedback("Is the plan good?", emit=["approved", "rejected"], llm=MODEL)
    def plan(self) -> str:
        called("plan")
        self.state["plan"] = LLM(MODEL).call("Plan")
        return str(self.state["plan"])

    @start()
    async def facts(self) -> str:
        called("facts")
        return str(await LLM(MODEL).acall("Facts"))

    @listen("approved")
    def note(self, result: Any) -> None:
        called("note")
        self.state["said"] = result.feedback

    @listen(and_("plan", facts))
    def write(self) -> None:
        called("write")
        writer = Agent(role="Writer", goal="Write", backstory="Exact.", llm=MODEL)
        task = Task(name="text", description="Write", expected_output="A text", agent=writer, human_input=True)
        self.state["text"] = Crew(name="writers", agents=[writer], tasks=[task]).kickoff().raw

    @listen(and_(note, write))
    def end(self) -> str:
        called("end")
        return f"{self.state['plan']}, {self.state['said']}, {self.state['text']}"


def run(points: FaultPoints, key: str | None) -> dict[str, Any]:
    """`DO` says what: kickoff, answer (with `TEXT`), or resume (a pause of the flow `FLOW_ID`, with `TEXT`)."""
    do, text = os.environ["DO"], os.environ.get("TEXT", "")
    if do == "answer":
        answer(key or "", text)
        return {}
    if do == "kickoff":
        result = Reviewed().kickoff(run_key=key)
    else:
        result = Reviewed.from_pending(os.environ["FLOW_ID"]).resume(text)
    if isinstance(result, HumanFeedbackPending):
        return {"asks": result.context.message, "flow_id": result.context.flow_id}
    return {"raw": result}
