"""CPU of one model call through the pipeline with everything on, beside one bare `pydantic_ai.direct` call.

Everything: the journal, a fallback behind its circuit breaker, a budget of the run and one of the project, limits of
requests, tokens and concurrency of the key (so high that nobody waits), a retry policy, a deadline. Both sides send
the same messages to the same stub (another process) with clients that are kept; the stub counts one request per call.
Alone: one after the other. At once: 200 together against a model that takes 200 ms. Rounds are interleaved.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelRequest, SystemPromptPart, UserPromptPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from bench.harness import heading, scratch_folder, stub_process
from jackstay import LLM, Agent, Budget, Crew, Retry, Runtime, Task
from jackstay.core.prompts import system_text, task_text
from jackstay.testing import RemoteStub

ROUNDS, CALLS, AT_ONCE = 15, 30, 200
FILE = """
[budgets.project]
usd = 1_000_000
[limits.openai]
requests_per_min = 60_000_000
tokens_per_min = 60_000_000_000
concurrent = 10_000
"""
One = Callable[[int], Awaitable[Any]]


def crew_at(url: str, **more: Any) -> Crew:
    bound: dict[str, Any] = {"max_tokens": 100, "api_key": "stub-key-0001", "base_url": url}
    agent = Agent(role="Analyst", goal="Research {topic}", backstory="Expert.", llm=LLM("gpt-4o-mini", **bound, **more))
    task = Task(description="Research {topic}", expected_output="A brief summary", agent=agent)
    return Crew(agents=[agent], tasks=[task])


def bare(url: str, crew: Crew) -> One:
    model = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(base_url=url, api_key="stub-key-0001"))
    settings: Any = {"max_tokens": 100, "max_retries": 0, "timeout": 60, "request_timeout": 60}

    async def one(number: int) -> Any:
        spec = crew.to_spec({"topic": f"topic {number}"}).tasks[0]
        parts: list[Any] = [SystemPromptPart(system_text(spec.agent)), UserPromptPart(task_text(spec, ""))]
        return await model_request(model, [ModelRequest(parts=parts)], model_settings=settings)

    return one


def everything(url: str) -> One:
    crew = crew_at(url, fallbacks=["gpt-4.1-mini"], retry=Retry(), deadline_s=600)
    budget = Budget(usd=1_000)
    return lambda number: crew.akickoff(inputs={"topic": f"topic {number}"}, budget=budget)


def plain(url: str) -> One:
    crew = crew_at(url)
    return lambda number: crew.akickoff(inputs={"topic": f"topic {number}"})


async def alone(one: One) -> float:
    started = time.process_time()
    for number in range(CALLS):
        await one(number)
    return (time.process_time() - started) * 1000 / CALLS


async def at_once(one: One) -> float:
    started = time.process_time()
    await asyncio.gather(*(one(number) for number in range(AT_ONCE)))
    return (time.process_time() - started) * 1000 / AT_ONCE


def measured(
    stub: RemoteStub, runtimes: dict[str, Runtime | None], calls: dict[str, One], ask: Any, count: int
) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = {name: [] for name in calls}
    with asyncio.Runner() as runner:
        for turn in range(ROUNDS + 1):
            for name, one in calls.items():
                stub.reset()
                runtime = runtimes[name]
                if runtime is None:
                    took = runner.run(ask(one))
                else:
                    with_current(runtime)
                    took = runner.run(ask(one))
                assert len(stub.requests) == count, f"{name}: {len(stub.requests)} requests, not {count}"
                if turn:  # the first round is for imports and connections
                    figures[name].append(took)
    return figures


def with_current(runtime: Runtime) -> None:
    """Makes it the current one (both stay open over all rounds)."""
    from jackstay.engine import runtime as module

    if runtime in module._stack:
        module._stack.remove(runtime)
    module._stack.append(runtime)


def report(title: str, figures: dict[str, list[float]]) -> None:
    print(f"  {title}")
    floor = statistics.median(figures["bare"])
    for name, values in figures.items():
        spread = f"rounds: {min(values):.2f} to {max(values):.2f}"
        print(
            f"    {name:<11} {statistics.median(values):6.2f} ms   {statistics.median(values) / floor:5.2f} ×   ({spread})"
        )


def main() -> int:
    print(heading("one model call, CPU per call", "pydantic-ai-slim", "openai", "sqlalchemy"))
    for title, ask, count, options in (
        (f"alone ({CALLS} one after the other)", alone, CALLS, ()),
        (f"{AT_ONCE} at once, 200 ms model", at_once, AT_ONCE, ("--latency", "0.2")),
    ):
        with stub_process(*options, "--text", "Short.") as stub, scratch_folder() as folder:
            (folder / "full").mkdir()
            (folder / "full" / "jackstay.toml").write_text(FILE)
            (folder / "plain").mkdir()
            url = stub.openai_url
            with Runtime(folder=folder / "full") as full, Runtime(folder=folder / "plain") as simple:
                runtimes: dict[str, Runtime | None] = {"bare": None, "journal": simple, "everything": full}
                calls = {"bare": bare(url, crew_at(url)), "journal": plain(url), "everything": everything(url)}
                report(title, measured(stub, runtimes, calls, ask, count))
    return 0


if __name__ == "__main__":
    sys.exit(main())
