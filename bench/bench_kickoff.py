"""CPU of a one-task kickoff, journal on, beside one bare `pydantic_ai.direct` call against the same stub.

Both send the same messages with one client that is kept. The limit: 1.7 × the bare call, at most 3 commits and one
reservation. CPU of this process only (the stub is another one). Short rounds, interleaved: the ratio is the median of
the rounds' ratios, since the machine's speed changes between rounds.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydantic_ai.direct import model_request
from pydantic_ai.messages import ModelRequest, SystemPromptPart, UserPromptPart
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from bench.harness import heading, scratch_folder, stub_process
from jackstay import LLM, Agent, Crew, Runtime, Task
from jackstay.core.prompts import system_text, task_text

ROUNDS, CALLS, LIMIT = 25, 30, 1.7


def crew_at(url: str) -> Crew:
    llm = LLM("gpt-4o-mini", base_url=url, api_key="stub-key-0001")
    agent = Agent(role="Analyst", goal="Research AI agents", backstory="Expert researcher.", llm=llm)
    task = Task(description="Research AI agents", expected_output="A brief research summary", agent=agent)
    return Crew(agents=[agent], tasks=[task])


def cpu_ms(started: float, count: int) -> float:
    return (time.process_time() - started) * 1000 / count


async def bare(model: Any, system: str, user: str) -> float:
    started = time.process_time()
    for _ in range(CALLS):
        # Made for each call, as a program does that asks something new each time.
        messages = [ModelRequest(parts=[SystemPromptPart(system), UserPromptPart(user)])]
        await model_request(model, messages, model_settings={"max_retries": 0, "timeout": 60, "request_timeout": 60})
    return cpu_ms(started, CALLS)


async def ours(crew: Crew) -> float:
    started = time.process_time()
    for _ in range(CALLS):
        await crew.akickoff()
    return cpu_ms(started, CALLS)


def ours_sync(crew: Crew) -> float:
    started = time.process_time()
    for _ in range(CALLS):
        crew.kickoff()
    return cpu_ms(started, CALLS)


def main() -> int:
    commits: list[str] = []
    with (
        stub_process("--text", "The summary is short.") as stub,
        scratch_folder(),
        Runtime(fault_point=commits.append) as runtime,
    ):
        crew = crew_at(stub.openai_url)
        spec = crew.to_spec({}).tasks[0]
        texts = (system_text(spec.agent), task_text(spec, ""))
        provider = OpenAIProvider(base_url=stub.openai_url, api_key="stub-key-0001")
        model = OpenAIChatModel("gpt-4o-mini", provider=provider)
        with asyncio.Runner() as runner:
            runner.run(bare(model, *texts))
            runner.run(ours(crew))
            figures: dict[str, list[float]] = {"bare": [], "kickoff": [], "akickoff": []}
            for _ in range(ROUNDS):
                figures["bare"].append(runner.run(bare(model, *texts)))
                figures["akickoff"].append(runner.run(ours(crew)))
                figures["kickoff"].append(ours_sync(crew))
        stub.reset()
        commits.clear()
        result = crew.kickoff()
        reservations = runtime.journal.reservations(result.run_id)
        assert len(stub.requests) == len(reservations) == 1
        made = commits.count("journal.committed")
    print(heading("one-task kickoff, CPU", "pydantic-ai-slim", "openai", "sqlalchemy"))
    floor = sum(figures["bare"])
    for name, values in figures.items():
        spread = f"rounds: {min(values):.2f} to {max(values):.2f}"
        print(f"  {name:<10} {statistics.mean(values):6.2f} ms   {sum(values) / floor:5.2f} ×   ({spread})")
    print(
        f"  limit {LIMIT} ×; per kickoff: {made} commits (limit 3), {len(reservations)} reservation, 1 request at the stub"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
