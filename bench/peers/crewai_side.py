"""CrewAI, with one LLM object for all crews, so that its client is kept as the others' are."""

from __future__ import annotations

import sys

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

from bench.peers.measuring import KEY, MODEL, TASKS, at_once, each, serve


@tool("word_count")
def word_count(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())


def main(url: str) -> None:
    llm = LLM(model=f"openai/{MODEL}", base_url=url, api_key=KEY)

    def crew(tasks: int = 1, tools: tuple[object, ...] = ()) -> Crew:
        agent = Agent(
            role="Analyst", goal="Research AI agents", backstory="Expert researcher.", llm=llm, tools=list(tools)
        )
        work = [
            Task(description="Research AI agents", expected_output="A brief research summary", agent=agent)
            for _ in range(tasks)
        ]
        return Crew(agents=[agent], tasks=work)

    serve(
        {
            "one_task": each(crew().kickoff),
            "ten_tasks": each(crew(TASKS).kickoff),
            "tool_call": each(crew(tools=(word_count,)).kickoff),
            "fresh": each(lambda: crew().kickoff()),
            "construction": each(crew),
            # Of one crew object two kickoffs at once are refused: each has its own.
            "at_once": at_once(lambda: crew().akickoff()),
        },
        packages=("crewai", "openai"),
        durability="each task's output in SQLite, as it always does (for its replay)",
    )


if __name__ == "__main__":
    main(sys.argv[1])
