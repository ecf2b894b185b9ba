"""A day in the life of a project: runs of every kind and end, made once, and what was exposed then."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from jackstay import LLM, Agent, BaseLLM, Budget, Crew, Flow, Runtime, Task, start
from jackstay.errors import BudgetExceeded, ModelError, RunWaiting
from jackstay.journal import UsageFilter, UsageRow
from jackstay.testing import Fault, Stub
from jackstay.tools import tool
from tests.e2e.ledger import HurriedClock, Ledger
from tests.e2e.metrics.scraping import Scraped, free_port

SECRET = "sk-canary-0123456789abcdef"
TOML = """
[metrics]
port = {port}

[budgets.project]
usd = 5
tokens = 1000000
calls = 1000
per = "day"
unpriced = ["parrot"]

[limits."openai/gpt-4.1-mini"]
concurrent = 1
"""


@dataclass(frozen=True)
class Day:
    scraped: Scraped
    ledger: Ledger
    usage: list[UsageRow]
    """By model."""
    requests: int
    """What the stub has received."""
    folder: Path
    environ: dict[str, str]


class Parrot(BaseLLM):
    """A model of the user's own: its price is unknown, and nothing is sent."""

    def call(self, *args: Any, **more: Any) -> str:
        return "x" * 400


@tool
def look_up(name: str) -> str:
    """Looks a name up."""
    return f"{name} was found"


def crew(name: str, llm: Any, *, tasks: int = 1, tools: Any = ()) -> Crew:
    agent = Agent(role="Writer", goal="Write", backstory="b", llm=llm, tools=list(tools))
    made = [Task(description=f"Write {n} of {{topic}}", expected_output="Text", agent=agent) for n in range(tasks)]
    return Crew(name=name, agents=[agent], tasks=made)


class Evening(Flow):
    @start()
    def write(self) -> str:
        return str(crew("inner", "gpt-4o-mini").kickoff(inputs={"topic": "tea"}))


TOPIC = {"topic": "tides"}


def kick_off_everything(stub: Stub) -> None:
    crew("desk", "gpt-4o-mini", tasks=2, tools=[look_up]).kickoff(inputs=TOPIC)
    stub.rule(Fault.http(500), model="^gpt-4.1$", times=2)
    crew("tried again", "gpt-4.1").kickoff(inputs=TOPIC)
    stub.rule(Fault.http(500), model="^gpt-4o$")
    for _ in range(5):  # after so many the model is left alone
        crew("fallen back", ["gpt-4o", "anthropic/claude-sonnet-4-5"]).kickoff(inputs=TOPIC)
    stub.rule(Fault.http(401), model="^gpt-4.1-nano$")
    with suppress(ModelError):
        crew("refused", "gpt-4.1-nano").kickoff(inputs=TOPIC)
    with suppress(BudgetExceeded):
        crew("too dear", "gpt-4o-mini", tasks=2).kickoff(inputs=TOPIC, budget=Budget(calls=1))
    with suppress(RunWaiting):
        crew("paused", "gpt-4o-mini", tasks=2).kickoff(inputs=TOPIC, budget=Budget(calls=1, on_exceed="pause"))
    crew("items", "gpt-4o-mini").kickoff_for_each([{"topic": "one"}, {"topic": "two"}])
    Evening(name="evening").kickoff()
    crew("own", Parrot("parrot")).kickoff(inputs=TOPIC)
    crew(f"desk of {SECRET}", "gpt-4o-mini").kickoff(inputs=TOPIC)
    asyncio.run(side_by_side(stub))
    asyncio.run(given_up(stub))


async def side_by_side(stub: Stub) -> None:
    """The second one waits for its limit until the first one is answered, for longer than what is worth telling."""
    stub.rule(Fault.drip(0.02), model="^gpt-4.1-mini$")
    made = crew("queue", LLM("gpt-4.1-mini", stream=True))
    await asyncio.gather(*(made.akickoff(inputs={"topic": str(n)}) for n in range(2)))


async def given_up(stub: Stub) -> None:
    stub.rule(Fault.hang(), model="^o4-mini$")
    before = len(stub.requests)
    task = asyncio.create_task(crew("given up", "o4-mini").akickoff(inputs=TOPIC))
    while len(stub.requests) == before:
        await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


@pytest.fixture(scope="session")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    folder, port = tmp_path_factory.mktemp("day"), free_port()
    (folder / "jackstay.toml").write_text(TOML.format(port=port), encoding="utf-8")
    with Stub() as stub:
        environ = {**stub.environ(), "HOME": str(folder), "CANARY_API_KEY": SECRET, "JACKSTAY_CONSOLE": "off"}
        with Runtime(environ=environ, folder=folder, clock=HurriedClock()) as runtime:
            kick_off_everything(stub)
            scraped = Scraped.of(f"http://127.0.0.1:{port}/metrics")
            usage = runtime.journal.usage(UsageFilter(by="model"))
            made = Day(scraped, Ledger.of(runtime), usage, len(stub.requests), folder, environ)
    return made
