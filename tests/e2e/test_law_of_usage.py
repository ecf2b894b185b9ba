"""Every request that the stub saw is in the journal, once: its count = attempts of recorded calls + lost ones."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from jackstay import LLM, Agent, Crew, Flow, Runtime, Task, start
from jackstay.errors import ModelError
from jackstay.journal import GROUPINGS, UsageFilter, total
from jackstay.testing import Fault, Stub
from jackstay.tools import tool
from tests.e2e.ledger import Ledger

MODEL = "openai/gpt-4o-mini"


@tool
def look_up(query: str) -> str:
    """Finds facts."""
    return f"facts on {query}"


def crew_of(*, stream: bool = False, tasks: int = 2) -> Crew:
    agent = Agent(role="Writer", goal="g", backstory="b", llm=LLM(MODEL, stream=stream), tools=[look_up])
    made = [
        Task(description=f"Write part {number} on {{topic}}", expected_output="Text", agent=agent)
        for number in range(tasks)
    ]
    return Crew(agents=[agent], tasks=made)


@pytest.fixture(autouse=True)
def _law_holds(stub, runtime) -> Iterator[None]:
    """After every test of this file."""
    yield
    ledger = Ledger.of(runtime)
    assert len(stub.requests) == ledger.counted
    assert stub.total_usage().total_tokens == sum(
        call.input_tokens + call.output_tokens for call in ledger.calls if "estimated" not in (call.flags or "")
    )


@pytest.mark.parametrize("faults", [["429:2"], ["500"], ["429", "500", "reset"], ["invalid_json"]])
@pytest.mark.parametrize("stream", [False, True])
def test_retried_call_is_counted_with_each_of_its_requests(stub, runtime, faults, stream):
    retries = []
    runtime.observers.append(lambda event: retries.append(event) if event.name == "retry" else None)
    for index, fault in enumerate(faults):
        stub.fault_at(index, fault)

    output = crew_of(stream=stream).kickoff({"topic": "tides"})

    assert output.token_usage.total_tokens == stub.total_usage().total_tokens
    assert output.token_usage.successful_requests == len(stub.requests) - len(faults)
    assert len(retries) == len(faults)


def test_streamed_answers_are_billed_as_the_provider_reported(stub, runtime):
    output = crew_of(stream=True).kickoff({"topic": "tides"})

    assert all(request.stream for request in stub.requests)
    assert output.token_usage.total_tokens == stub.total_usage().total_tokens
    assert [task.token_usage.total_tokens for task in output.tasks_output] == _per_task(stub)


def test_stream_that_breaks_off_is_asked_again_and_counted(stub, runtime):
    stub.fault_at(1, Fault.cut(after_chunks=2))

    output = crew_of(stream=True).kickoff({"topic": "tides"})

    assert output.token_usage.total_tokens == stub.total_usage().total_tokens


def test_cancelled_call_has_a_row_with_estimated_usage(stub, runtime):
    async def program() -> None:
        running = asyncio.create_task(crew_of().akickoff({"topic": "tides"}))
        await asyncio.to_thread(stub.wait_for, lambda s: s.in_flight == 1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    with stub.held():
        asyncio.run(program())

    (call,) = Ledger.of(runtime).calls
    assert (call.status, call.attempts) == ("cancelled", 1)
    assert call.flags is not None
    assert "estimated" in call.flags
    assert call.input_tokens > 0


@pytest.mark.parametrize(("fault", "requests"), [("429", 4), ("500", 4), ("401", 1), ("quota", 1)])
def test_failed_call_is_counted_with_every_request_that_it_cost(stub, runtime, fault, requests):
    stub.rule(Fault.parse(fault))

    with pytest.raises(ModelError) as caught:
        crew_of().kickoff({"topic": "tides"})

    assert caught.value.exhausted
    assert len(stub.requests) == requests
    assert Ledger.of(runtime).runs[0].status == "failed"


@pytest.mark.promise("run.usage.own")
def test_failed_run_that_is_resumed_is_billed_for_both_lives(stub, runtime):
    stub.rule(Fault.parse("500"), user="part 1", times=4)
    with pytest.raises(ModelError):
        crew_of().kickoff({"topic": "tides"}, run_key="both")

    output = crew_of().kickoff({"topic": "tides"}, run_key="both")

    assert output.token_usage.total_tokens == stub.total_usage().total_tokens
    assert Ledger.of(runtime).runs[0].attempts == 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_law_holds_for_many_crews_at_once_with_faults_by_chance(stub, runtime, seed):
    for fault, share in (("429", 0.1), ("500", 0.1), ("reset", 0.05), ("invalid_json", 0.05)):
        stub.fault_by_chance(fault, share, seed=seed)

    async def program() -> list[object]:
        crews = [crew_of(stream=bool(number % 2)).akickoff({"topic": f"topic {number}"}) for number in range(12)]
        return await asyncio.gather(*crews, return_exceptions=True)

    results = asyncio.run(program())

    assert all(isinstance(result, ModelError) or hasattr(result, "raw") for result in results), results


def test_usage_of_concurrent_runs_is_kept_apart(stub, runtime):
    async def program() -> list[int]:
        outputs = await asyncio.gather(*(crew_of().akickoff({"topic": f"topic {n}."}) for n in range(8)))
        return [output.token_usage.total_tokens for output in outputs]

    used = asyncio.run(program())

    at_stub = [0] * 8
    for request in stub.requests:
        assert request.usage is not None
        (run,) = (n for n in range(8) if f"topic {n}." in request.last_user)
        at_stub[run] += request.usage.total_tokens
    assert used == at_stub


def _per_task(stub: Stub) -> list[int]:
    sums = [0, 0]
    for request in stub.requests:
        assert request.usage is not None
        sums["part 1" in request.last_user] += request.usage.total_tokens
    return sums


# --- the same law for every way to look at it ------------------------------------------------------------------------


@tool
def ask_around(query: str) -> str:
    """Asks another crew."""
    return crew_of(tasks=1).kickoff({"topic": query}).raw


class Survey(Flow[dict]):
    """A crew with a tool that starts another crew, and a model asked in between."""

    @start()
    def first(self) -> str:
        LLM(MODEL).call(f"Ponder {self.state['topic']}")
        agent = Agent(role="Asker", goal="g", backstory="b", llm=LLM(MODEL, stream=True), tools=[ask_around])
        task = Task(description=f"Ask about {self.state['topic']}", expected_output="Text", agent=agent)
        return Crew(name="Askers", agents=[agent], tasks=[task]).kickoff().raw


def check_every_grouping(stub: Stub, runtime: Runtime) -> None:
    known = [request.usage for request in stub.requests if request.usage is not None]
    estimated = [call for call in Ledger.of(runtime).calls if "estimated" in (call.flags or "")]
    totals = {by: total(runtime.journal.usage(UsageFilter(by))) for by in GROUPINGS}

    for sums in totals.values():
        assert sums.requests + sums.lost == len(stub.requests)
        assert sums.prompt_tokens - sum(call.input_tokens for call in estimated) == sum(u.input_tokens for u in known)
        assert sums.completion_tokens == sum(u.output_tokens for u in known)
        assert sums == totals["run"]


@pytest.mark.parametrize("seed", range(4))
def test_sums_by_anything_are_the_stub_s_own_count(stub, runtime, seed):
    for fault, share in (("429", 0.15), ("500", 0.15), ("reset", 0.05), ("invalid_json", 0.05)):
        stub.fault_by_chance(fault, share, seed=seed)

    async def program() -> None:
        crews = [crew_of(stream=bool(n % 2)).akickoff({"topic": f"topic {n}"}) for n in range(6)]
        flows = [Survey().kickoff_async({"topic": f"survey {n}"}) for n in range(4)]
        await asyncio.gather(*crews, *flows, return_exceptions=True)

    asyncio.run(program())

    check_every_grouping(stub, runtime)
    used = {row.key: row.requests for row in runtime.journal.usage(UsageFilter("flow"))}
    assert used.keys() == {"Survey", None}


def test_sums_by_anything_count_calls_that_were_cancelled(stub, runtime):
    async def program() -> None:
        running = [asyncio.create_task(crew_of().akickoff({"topic": f"topic {n}"})) for n in range(3)]
        await asyncio.to_thread(stub.wait_for, lambda s: s.in_flight == 3)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    with stub.held():
        asyncio.run(program())
    crew_of().kickoff({"topic": "tides"})

    check_every_grouping(stub, runtime)
    (row,) = runtime.journal.usage(UsageFilter("agent"))
    assert (row.key, row.cancelled, row.estimated, row.calls) == ("Writer", 3, 3, 3 + len(stub.requests) - 3)


def test_a_kickoff_s_usage_is_the_sum_of_its_tasks_and_of_its_agents(stub, runtime):
    output = crew_of(tasks=3).kickoff({"topic": "tides"})

    for by in ("task", "agent", "run"):
        whole = total(runtime.journal.usage(UsageFilter(by, run_ids=(output.run_id,))))
        assert whole.prompt_tokens == output.token_usage.prompt_tokens
        assert whole.completion_tokens == output.token_usage.completion_tokens
        assert whole.cost_usd == output.cost_usd == sum((task.cost_usd or 0) for task in output.tasks_output)
    assert sum(task.token_usage.total_tokens for task in output.tasks_output) == output.token_usage.total_tokens


def test_calls_of_a_crew_that_a_tool_started_are_that_tool_s_and_that_crew_s(stub, runtime):
    Survey().kickoff({"topic": "tides"})

    by_tool = {row.key: row.calls for row in runtime.journal.usage(UsageFilter("tool"))}
    by_crew = {row.key: row.calls for row in runtime.journal.usage(UsageFilter("crew"))}
    assert by_tool["ask_around"] == by_crew["crew"] > 0
    assert by_crew[None] == 1
    assert by_tool[None] == by_crew["Askers"] + 1
