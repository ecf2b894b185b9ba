"""CrewAI."""

from __future__ import annotations

import sys

from crewai import LLM, Agent, Crew, Task
from crewai.tools import tool

from bench.peers.measuring import KEY, MODEL, crew_workloads, serve


@tool("word_count")
def word_count(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())


def main(url: str) -> None:
    llm = LLM(model=f"openai/{MODEL}", base_url=url, api_key=KEY)
    serve(
        crew_workloads(Agent, Task, Crew, llm=llm, tool=word_count),
        packages=("crewai", "openai"),
        durability="each task's output in SQLite, as it always does (for its replay)",
    )


if __name__ == "__main__":
    main(sys.argv[1])
