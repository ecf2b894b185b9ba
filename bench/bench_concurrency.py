"""200 `akickoff` at once against a model that takes 200 ms, beside 200 bare `pydantic_ai.direct` calls.

Printed: most requests in flight at the stub, wall time (0.2 s is ideal), CPU per call, and the longest time for which
the caller's event loop stood still. Then 100 concurrent kickoffs of one Crew object, from threads and awaited, each of
which has to get the answer to its own input.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
from jackstay.testing import RemoteStub

AT_ONCE, LATENCY_S, ROUNDS = 200, 0.2, 5


@dataclass
class Burst:
    wall_s: float
    cpu_ms: float
    stall_ms: float
    in_flight: int


def crew_at(url: str) -> Crew:
    llm = LLM("gpt-4o-mini", base_url=url, api_key="stub-key-0001")
    agent = Agent(role="Analyst", goal="Research {topic}", backstory="Expert researcher.", llm=llm)
    task = Task(description="Research {topic}", expected_output="A brief research summary", agent=agent)
    return Crew(agents=[agent], tasks=[task])


async def burst(stub: RemoteStub, one: Callable[[int], Awaitable[Any]]) -> Burst:
    stub.reset()
    longest, stopped = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not stopped:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before - 0.001)

    watcher = asyncio.create_task(watch())
    await asyncio.sleep(0)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(one(number) for number in range(AT_ONCE)))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    stopped = True
    await watcher
    assert len(stub.requests) == AT_ONCE, f"{len(stub.requests)} requests at the stub, not {AT_ONCE}"
    return Burst(wall, cpu * 1000 / AT_ONCE, longest * 1000, stub.max_in_flight)


def bare_call(url: str, crew: Crew) -> Callable[[int], Awaitable[Any]]:
    provider = OpenAIProvider(base_url=url, api_key="stub-key-0001", http_client=None)
    model = OpenAIChatModel("gpt-4o-mini", provider=provider)

    async def one(number: int) -> Any:
        spec = crew.to_spec({"topic": f"topic {number}"}).tasks[0]
        parts: list[Any] = [SystemPromptPart(system_text(spec.agent)), UserPromptPart(task_text(spec, ""))]
        settings: Any = {"max_retries": 0, "timeout": 60, "request_timeout": 60}
        return await model_request(model, [ModelRequest(parts=parts)], model_settings=settings)

    return one


def correct_from_one_object(crew: Crew) -> int:
    """How many of 100 concurrent kickoffs of one object got the answer to their own topic."""
    topics = [f"subject{number}" for number in range(100)]

    def sync(topic: str) -> bool:
        return topic in crew.kickoff(inputs={"topic": topic}).tasks_output[0].description

    async def awaited() -> list[bool]:
        outputs = await asyncio.gather(*(crew.akickoff(inputs={"topic": topic}) for topic in topics[50:]))
        return [topic in o.tasks_output[0].description for topic, o in zip(topics[50:], outputs, strict=True)]

    with ThreadPoolExecutor(50) as threads:
        from_threads = [threads.submit(sync, topic) for topic in topics[:50]]
        right = asyncio.run(awaited())
        return sum(right) + sum(future.result() for future in from_threads)


def main() -> int:
    rows: dict[str, list[Burst]] = {"bare": [], "akickoff": []}
    with stub_process("--latency", str(LATENCY_S), "--text", "Short.") as stub, scratch_folder(), Runtime():
        crew = crew_at(stub.openai_url)
        calls = {
            "bare": bare_call(stub.openai_url, crew),
            "akickoff": lambda number: crew.akickoff(inputs={"topic": f"topic {number}"}),
        }
        with asyncio.Runner() as runner:
            for name, one in calls.items():
                runner.run(burst(stub, one))
                rows[name] = []
            for _ in range(ROUNDS):
                for name, one in calls.items():
                    rows[name].append(runner.run(burst(stub, one)))
        right = correct_from_one_object(crew)
    print(heading(f"{AT_ONCE} at once, {LATENCY_S * 1000:.0f} ms model", "pydantic-ai-slim", "openai"))
    print("             wall s   CPU ms per call   longest stall ms   in flight at the stub")
    for name, bursts in rows.items():
        wall, cpu = (statistics.median(getattr(b, f) for b in bursts) for f in ("wall_s", "cpu_ms"))
        stall, flying = statistics.median(b.stall_ms for b in bursts), min(b.in_flight for b in bursts)
        print(f"  {name:<9} {wall:7.2f} {cpu:17.2f} {stall:18.1f} {flying:23}")
    ratio = statistics.median(b.stall_ms for b in rows["akickoff"]) / statistics.median(
        b.stall_ms for b in rows["bare"]
    )
    print(
        f"  stall {ratio:.2f} × the bare calls' (limit 1.5); one Crew object, 100 kickoffs at once: {right} of 100 right"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
