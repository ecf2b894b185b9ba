"""What declared flows refer to in tests."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from jackstay import Agent, Crew, Flow, Retry, Task, human_feedback, listen, persist, router, start
from jackstay.tools import tool


class Desk:
    """A provider: a person who always says the same."""

    asked: list[str]

    def __init__(self) -> None:
        self.asked = []

    def request_feedback(self, context: Any, flow: Any) -> str:
        self.asked.append(context.message)
        return "good"


desk = Desk()


class Verdict(StrEnum):
    good = "fine"
    bad = "bad"


class Piece(BaseModel):
    topic: str = "tides"
    words: int = 0


class Writing(Flow[Piece]):
    """Writes a piece."""

    max_method_calls = 9
    failures = 0

    @start("again", retry=Retry(max_attempts=2, backoff_s=0))
    async def write(self) -> str:
        await asyncio.sleep(0)
        Writing.failures += 1
        if Writing.failures == 1:
            raise ConnectionError("once")
        return self.polished(self.state.topic)

    @listen(write)
    @human_feedback("Is it good?", emit=["good", "again"], llm="sim/demo", provider=desk)
    def show(self, text: str) -> str:
        """Shows it."""
        return text

    @persist
    @listen("good")
    def count(self) -> int:
        self.state.words = len(self.method_text().split())
        return self.state.words

    @router(count)
    def judge(self, words: int) -> Verdict:
        return Verdict.good if words else Verdict.bad

    @listen("bad")
    def drop(self) -> None: ...

    def polished(self, text: str) -> str:
        return f"polished {text}"

    def method_text(self) -> str:
        return "two words"


@tool(side_effect=True)
def pay(euros: int) -> str:
    """Pays."""
    raise AssertionError("nothing may be paid")


@tool("count words")
def count_words(text: str, least: int = 0) -> int:
    """Counts."""
    return max(least, len(text.split()))


async def slowly(text: str) -> str:
    await asyncio.sleep(0)
    return f"{text}, slowly"


def noted(flow: Flow[Any], text: str) -> str:
    flow.state["noted"] = text
    return text


def joined(first: str, second: str = "") -> str:
    return f"{first} and {second}"


def choose(value: Any) -> Verdict:
    return Verdict.good


def failing() -> None:
    raise RuntimeError("not today")


reached: list[str] = []
"""What `reach` was called with."""


def reach(place: str) -> str:
    reached.append(place)
    if place == "b" and len(reached) == 2:
        raise ConnectionError("no way")
    return place.upper()


judge = Agent(role="Judge", goal="Judge", backstory="Strict.", llm="sim/demo")


def small_crew() -> Crew:
    task = Task(description="Write about {topic}", expected_output="A line", agent=judge)
    return Crew(name="small", agents=[judge], tasks=[task])


not_callable = 7
