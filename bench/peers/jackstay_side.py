"""Ours: the journal on, as it is by default."""

from __future__ import annotations

import sys

from bench.peers.measuring import KEY, MODEL, crew_workloads, serve
from jackstay import LLM, Agent, Crew, Task
from jackstay.tools import tool


@tool
def word_count(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())


def main(url: str) -> None:
    llm = LLM(MODEL, base_url=url, api_key=KEY)
    serve(
        crew_workloads(Agent, Task, Crew, llm=llm, tool=word_count),
        packages=("jackstay", "pydantic-ai-slim", "openai"),
        durability="each step in SQLite before the next one, WAL, synchronous=NORMAL",
    )


if __name__ == "__main__":
    main(sys.argv[1])
