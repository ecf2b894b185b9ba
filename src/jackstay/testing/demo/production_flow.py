"""A production-ready flow: structured state, a crew of two with a tool, logging, errors, tokens and cost.

It is an ordinary program. Run it with `python production_flow.py "AI agents"`, or with `jackstay run` to see its
progress; set OPENAI_API_KEY, or JACKSTAY_MODEL=sim/demo for a simulated model.
"""
# ruff: noqa: BLE001, T201 - a user's program, not a part of the library

from __future__ import annotations

import logging
import sys

from pydantic import BaseModel

from jackstay import LLM, Agent, Crew, Process, Task
from jackstay.flow import Flow, listen, start
from jackstay.tools import tool

logger = logging.getLogger("production")


class RunState(BaseModel):
    """What the flow knows. Jackstay stores it after each method, and adds an `id`."""

    topic: str = ""
    result: str = ""
    error: str = ""
    token_count: int = 0
    cost_estimate: float | None = None  # None: the price of a call is not known, which is not the same as free
    success: bool = False


@tool
def search_notes(query: str) -> str:
    """Searches the team's notes and returns what they say."""
    return f"Notes on {query}: start small, measure before and after, write down who decides."


@tool
def count_words(text: str) -> int:
    """Counts the words of a draft."""
    return len(text.split())


def make_crew() -> Crew:
    llm = LLM(model="gpt-4o-mini", max_tokens=700)
    researcher = Agent(
        role="Researcher",
        goal="Find out what matters about {topic}",
        backstory="You read a lot and remember the essential.",
        tools=[search_notes],
        llm=llm,
    )
    writer = Agent(
        role="Writer",
        goal="Explain {topic} so that everybody understands it",
        backstory="You write short sentences.",
        tools=[count_words],
        llm=llm,
    )
    research = Task(
        name="research", description="Research {topic}", expected_output="Five facts in bullets", agent=researcher
    )
    write = Task(
        name="write", description="Write about {topic}", expected_output="A text of about 250 words", agent=writer
    )
    return Crew(agents=[researcher, writer], tasks=[research, write], process=Process.sequential)


class ProductionFlow(Flow[RunState]):
    @start()
    def execute(self) -> None:
        logger.info("Flow started: topic=%s, run_id=%s", self.state.topic, self.flow_id)
        try:
            result = make_crew().kickoff(inputs={"topic": self.state.topic})
        except Exception as error:
            self.state.error = str(error)
            logger.error("Flow failed: %s", error)
            return
        self.state.result = result.raw
        self.state.token_count = result.token_usage.total_tokens
        self.state.cost_estimate = None if result.cost_usd is None else float(result.cost_usd)
        self.state.success = True
        cost = "cost unknown" if self.state.cost_estimate is None else f"~${self.state.cost_estimate:.4f}"
        logger.info("Flow completed: %s tokens, %s", f"{self.state.token_count:,}", cost)

    @listen(execute)
    def summarize(self) -> None:
        if self.state.success:
            print(f"Summary: {len(self.state.result.split())} words generated on '{self.state.topic}'")
        else:
            print(f"Error: {self.state.error}")


def main(topic: str) -> ProductionFlow:
    logging.basicConfig(level=logging.WARNING, format="[%(levelname)s] %(message)s", stream=sys.stdout)
    logger.setLevel(logging.INFO)
    flow = ProductionFlow()
    flow.kickoff(inputs={"topic": topic})
    return flow


if __name__ == "__main__":
    flow = main(" ".join(sys.argv[1:]) or "AI agents")
    sys.exit(0 if flow.state.success else 1)
