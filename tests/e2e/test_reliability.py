"""The table of docs/reliability.md is what is measured; the waits are real once; a bad day is outlasted."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from jackstay import LLM, Agent, Crew, Retry, Task
from jackstay.engine.clock import Clock
from jackstay.errors import ModelOverloaded
from jackstay.testing import Fault
from tests.e2e.reliability import in_page, table


def crew_of(llm: LLM) -> Crew:
    agent = Agent(role="Writer", goal="g", backstory="b", llm=llm)
    return Crew(agents=[agent], tasks=[Task(description="Write {topic}", expected_output="Text", agent=agent)])


def test_page_says_what_happens():
    assert table() == in_page(), "run python -m tests.e2e.reliability, and look at what has changed"


def test_model_at_503_for_ever_sees_four_requests_at_0_1_3_and_7_seconds(stub, make_runtime):
    make_runtime(clock=Clock(), retry=Retry(jitter=0))
    stub.rule(Fault.http(503))

    with pytest.raises(ModelOverloaded) as caught:
        crew_of(LLM("gpt-4o-mini")).kickoff({"topic": "t"})

    assert caught.value.exhausted
    at_s = [request.received_s for request in stub.requests]
    waits = [later - earlier for earlier, later in pairwise(at_s)]
    assert waits == [pytest.approx(planned, rel=0.1) for planned in (1, 2, 4)]


def test_hundred_of_a_hundred_runs_outlast_a_bad_day(stub, make_runtime):
    # 41 % of the requests fail. Four attempts leave 3 runs of 100 without an answer, on average; twelve leave none.
    make_runtime(retry=Retry(max_attempts=12))
    for fault, share in (("429", 0.30), ("500", 0.10), ("hang", 0.01)):
        stub.fault_by_chance(fault, share, seed=7)
    crew = crew_of(LLM("gpt-4o-mini", timeout=1))

    async def program() -> list[Any]:
        slots = asyncio.Semaphore(10)

        async def one(number: int) -> Any:
            async with slots:
                return await crew.akickoff({"topic": str(number)})

        return await asyncio.gather(*(one(number) for number in range(100)))

    outputs = asyncio.run(program())

    assert len([output for output in outputs if output.raw]) == 100
    assert len(stub.requests) > 140
    assert sum(output.token_usage.total_tokens for output in outputs) == stub.total_usage().total_tokens
