"""Ours: the journal on, as it is by default."""

from __future__ import annotations

import sys

from bench.peers.measuring import KEY, MODEL, TASKS, at_once, each, serve
from jackstay import LLM, Agent, Crew, Task
from jackstay.tools import tool


@tool
def word_count(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())


def main(url: str) -> None:
    llm = LLM(MODEL, base_url=url, api_key=KEY)

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
            "at_once": at_once(lambda: crew().akickoff()),
        },
        packages=("jackstay", "pydantic-ai-slim", "openai"),
        durability="each step in SQLite before the next one, WAL, synchronous=NORMAL",
    )


if __name__ == "__main__":
    main(sys.argv[1])
