"""Rate limits around model calls: kept, fair, heard from providers, and costing nothing where there are none."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest

from jackstay import Agent, Crew, Retry, Runtime, Task
from jackstay.core.limits import Limit
from jackstay.core.specs import ModelConfig
from jackstay.engine.clock import Clock
from jackstay.errors import ConfigurationError, DeadlineExceeded
from jackstay.testing import Fault
from tests.e2e.conftest import let_engine_rest
from tests.e2e.ledger import Ledger
from tests.e2e.pacing import arrivals, check_pace
from tests.limiter_counts import counted

MODEL = "gpt-4o-mini"
FAST = 1200
"""Per minute: one in 51 ms."""
STEP_S = 60 / (FAST * 0.98)


@pytest.fixture
def clock() -> Clock:
    """The real one: what is told here is when requests arrive."""
    return Clock()


def crew_of(*, tasks: int = 1, role: str = "Writer", crew_rpm: int | None = None, **agent: Any) -> Crew:
    writer = Agent(**{"role": role, "goal": "g", "backstory": "b", "llm": MODEL, **agent})
    made = [Task(description=f"Write {{topic}} {n}", expected_output="Text", agent=writer) for n in range(tasks)]
    return Crew(agents=[writer], tasks=made, max_rpm=crew_rpm)


def topics(count: int) -> list[Mapping[str, Any]]:
    return [{"topic": f"topic {n}"} for n in range(count)]


def in_file(tmp_path: Any, text: str) -> None:
    (tmp_path / "jackstay.toml").write_text(text)


def on_loop(runtime: Runtime, work: Any) -> Any:
    return runtime.engine_loop.submit(work).future.result(20)


@pytest.mark.parametrize("limited", ["agent", "crew"])
def test_max_rpm_is_kept_through_kickoff_for_each(stub, runtime, limited):
    crew = crew_of(crew_rpm=FAST) if limited == "crew" else crew_of(max_rpm=FAST)

    crew.kickoff_for_each(topics(30), concurrency=30)

    check_pace(arrivals(stub.requests), FAST)
    assert len(stub.requests) == 30


@pytest.mark.promise("agent.max_rpm")
def test_max_rpm_is_kept_by_copies_and_equal_definitions_and_async_kickoffs(stub, runtime):
    async def all_at_once() -> None:
        shared = crew_of(max_rpm=FAST)
        kickoffs = [shared.akickoff(topic) for topic in topics(10)]
        kickoffs += [crew_of(max_rpm=FAST).akickoff(topic) for topic in topics(10)]
        kickoffs += [shared.model_copy(deep=True).kickoff_async(topic) for topic in topics(10)]
        await asyncio.gather(*kickoffs)

    asyncio.run(all_at_once())

    check_pace(arrivals(stub.requests), FAST)


@pytest.mark.promise("crew.max_rpm")
def test_agents_of_one_crew_share_the_crews_limit(stub, runtime):
    agents = [Agent(role=f"Writer {n}", goal="g", backstory="b", llm=MODEL) for n in range(3)]
    tasks = [
        Task(description=f"Write {n}", expected_output="t", agent=agents[n % 3], async_execution=n < 29)
        for n in range(30)
    ]

    Crew(agents=agents, tasks=tasks, max_rpm=FAST).kickoff()

    check_pace(arrivals(stub.requests), FAST)


def test_the_slower_of_two_limits_holds(stub, make_runtime, tmp_path):
    in_file(tmp_path, f"[limits.openai]\nrequests_per_min = {FAST * 20}\n")
    make_runtime()

    crew_of(max_rpm=FAST, crew_rpm=FAST * 10).kickoff_for_each(topics(20), concurrency=20)

    check_pace(arrivals(stub.requests), FAST)


def test_calls_that_a_wider_limit_held_up_go_out_at_the_pace_of_the_narrower(stub, make_runtime, tmp_path):
    in_file(tmp_path, "[limits.openai]\nrequests_per_min = 60000\n")
    runtime = make_runtime()
    runtime_learns(runtime, 429, {"retry-after": "1.5"})

    crew_of(max_rpm=FAST).kickoff_for_each(topics(15), concurrency=15)

    check_pace(arrivals(stub.requests), FAST, jitter_s=0.2)


def test_a_limit_does_not_slow_others_of_the_same_key(stub, make_runtime, tmp_path):
    in_file(tmp_path, '[limits.openai]\nrequests_per_min = 30000\n[limits."openai/gpt-4o"]\nrequests_per_min = 30\n')
    make_runtime()
    slow, fast = crew_of(llm="gpt-4o", tasks=2, role="Slow"), crew_of(tasks=8, role="Fast")

    thread = threading.Thread(target=slow.kickoff, args=({"topic": "slow"},))
    thread.start()
    fast.kickoff({"topic": "fast"})
    early = {request.model for request in stub.requests if request.model == MODEL}, len(stub.requests)
    thread.join()

    assert early[0] == {MODEL}
    assert early[1] <= 9  # the slow one's second call, two seconds after its first, was still to come


def test_runs_take_turns(stub, make_runtime, tmp_path):
    in_file(tmp_path, f"[limits.openai]\nrequests_per_min = {FAST}\n")
    make_runtime()
    many, few = crew_of(role="Many"), crew_of(tasks=3, role="Few")

    tasks = [
        Task(description=f"Do {n}", expected_output="t", agent=many.agents[0], async_execution=n < 39)
        for n in range(40)
    ]
    crowd = threading.Thread(target=Crew(agents=many.agents, tasks=tasks).kickoff)
    crowd.start()
    stub.wait_for(lambda seen: bool(seen.requests))
    few.kickoff({"topic": "x"})
    crowd.join()

    systems = [request.system for request in stub.requests]
    last_of_few = max(index for index, text in enumerate(systems) if "Few" in text)
    assert last_of_few < 20  # behind forty calls that came first


def test_concurrent_bounds_what_is_under_way(stub, make_runtime, tmp_path):
    in_file(tmp_path, "[limits.openai]\nconcurrent = 3\n")
    make_runtime()
    stub.latency_s = 0.05

    crew_of().kickoff_for_each(topics(12), concurrency=12)

    assert max(request.in_flight for request in stub.requests) <= 3


def test_tokens_are_reserved_and_settled(stub, make_runtime, tmp_path):
    in_file(tmp_path, "[limits.openai]\ntokens_per_min = 90000\n")
    runtime = make_runtime()

    crew_of().kickoff_for_each(topics(10), concurrency=10)

    let_engine_rest(runtime)
    took = sum(request.usage.total_tokens for request in stub.requests)
    (state,) = runtime.journal.limits()
    assert counted(runtime.journal, state.name) == (10, took)


def test_the_environment_overrides_the_file(stub, make_runtime, tmp_path):
    in_file(tmp_path, "[limits.openai]\nrequests_per_min = 1\n")
    make_runtime(environ={**stub.environ(), "JACKSTAY_LIMITS": f"openai:requests_per_min={FAST},concurrent=9"})

    crew_of(tasks=4).kickoff({"topic": "x"})

    check_pace(arrivals(stub.requests), FAST)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[limits.openai]\nrequests_per_min = 0\n", r"jackstay.toml: limits.openai cannot be used: .*at least 1"),
        ("[limits.openai]\nrpm = 3\n", r"limits.openai cannot be used: 'rpm' is unknown; known: requests_per_min"),
        ("[limits.opnai]\nconcurrent = 3\n", r"limits.opnai cannot be used: there is no provider 'opnai'"),
        ("[limits]\nopenai = 3\n", r"limits.openai is one value; write it as a section"),
        ("[limits.openai]\n", r"limits.openai cannot be used: it sets nothing"),
    ],
)
def test_a_limit_that_cannot_be_used_is_said_before_any_request(stub, make_runtime, tmp_path, text, said):
    in_file(tmp_path, text)
    make_runtime()

    with pytest.raises(ConfigurationError, match=said):
        crew_of().kickoff({"topic": "x"})

    assert stub.requests == []


@pytest.mark.parametrize("text", ["openai:rpm=3", "openai", "openai:requests_per_min=many", ":concurrent=3"])
def test_a_setting_that_cannot_be_used_is_said_before_any_request(stub, make_runtime, text):
    make_runtime(environ={**stub.environ(), "JACKSTAY_LIMITS": text})

    with pytest.raises(ConfigurationError, match="JACKSTAY_LIMITS"):
        crew_of().kickoff({"topic": "x"})

    assert stub.requests == []


def test_a_429_holds_other_calls_of_the_key_too_and_its_own_retry_comes_in_time(stub, runtime):
    stub.script([Fault.rate_limited(1)])
    refused = threading.Event()
    runtime.observers.append(lambda event: refused.set() if event.name == "retry" else None)
    crew = crew_of(retry=Retry(jitter=0))
    first = threading.Thread(target=crew.kickoff, args=({"topic": "first"},))
    first.start()
    refused.wait(10)

    crew.kickoff({"topic": "second"})
    first.join()

    times = arrivals(stub.requests)
    assert len(times) == 3
    assert 0.9 < times[1] - times[0] < 2.0
    assert 0.9 < times[2] - times[0] < 2.0


def test_a_call_that_has_a_fallback_does_not_sit_out_a_pause(stub, runtime):
    runtime_learns(runtime, 429, {"retry-after": "30"})
    on_loop(runtime, runtime.asker(ModelConfig("anthropic/claude-sonnet-4-5")).prepare)

    began = time.monotonic()
    crew_of(llm=[MODEL, "anthropic/claude-sonnet-4-5"]).kickoff({"topic": "x"})

    assert time.monotonic() - began < 10


def runtime_learns(runtime: Runtime, status: int, headers: dict[str, str]) -> None:
    async def learn() -> None:
        runtime.limiter.learn("openai", "OPENAI_API_KEY", MODEL, status, headers)

    on_loop(runtime, learn)


def test_a_pause_of_a_limited_key_reaches_other_processes(stub, make_runtime, tmp_path):
    in_file(tmp_path, "[limits.openai]\nrequests_per_min = 6000\n")
    runtime = make_runtime()
    runtime_learns(runtime, 200, {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1500ms"})
    make_runtime()  # another process, as far as the database knows

    began = time.time()
    crew_of().kickoff({"topic": "x"})

    assert 1.0 < stub.requests[0].received_s - began < 4


def test_in_a_pause_of_a_limited_key_only_the_patient_wait(stub, make_runtime, tmp_path):
    in_file(tmp_path, f"[limits.openai]\nrequests_per_min = {FAST}\n")
    runtime = make_runtime()
    runtime_learns(runtime, 429, {"retry-after": "1.5"})

    async def three() -> list[float]:
        limits = runtime.limiter.limits_for("openai", "OPENAI_API_KEY", MODEL)
        return await asyncio.gather(*(waited(limits, patient=patient) for patient in (True, False, True)))

    async def waited(limits: tuple[Limit, ...], *, patient: bool) -> float:
        async with runtime.limiter.turn(limits, run_id="run", patient=patient) as turn:
            return turn.waited_s

    first, impatient, last = on_loop(runtime, three)

    assert impatient < 1
    assert 1.2 < first < 3
    assert 1.2 < last < 3


def test_a_lower_limit_that_a_provider_announces_is_adopted(stub, make_runtime, tmp_path):
    in_file(tmp_path, "[limits.openai]\nrequests_per_min = 60000\n")
    runtime = make_runtime()
    runtime_learns(runtime, 200, {"x-ratelimit-limit-requests": str(FAST)})

    crew_of().kickoff_for_each(topics(20), concurrency=20)

    check_pace(arrivals(stub.requests), FAST)


def test_a_wait_is_told(stub, make_runtime, tmp_path):
    heard = []
    runtime = make_runtime()
    runtime.observers.append(lambda event: heard.append(event) if event.name == "limit_wait" else None)

    crew_of(max_rpm=120, tasks=2).kickoff({"topic": "x"})

    assert heard[-1].path == "write_topic_1#1/llm#1"
    assert heard[-1].data["model"] == MODEL
    assert heard[-1].data["waited_s"] > 0.1


def test_a_wait_ends_with_the_time_limit(stub, runtime):
    crew = crew_of(max_rpm=1, tasks=2, max_execution_time=1)

    with pytest.raises(DeadlineExceeded, match="waiting for its turn within agent:"):
        crew.kickoff({"topic": "x"})

    assert len(stub.requests) == 1


def test_a_cancel_while_waiting_leaves_nothing_behind(stub, runtime):
    limits = (Limit("x", requests_per_min=30),)

    async def cancel_and_go_on() -> float:
        limiter = runtime.limiter
        async with limiter.turn(limits, run_id="first"):
            pass
        waiting = [asyncio.ensure_future(enter(f"run {n}")) for n in range(5)]
        await asyncio.sleep(0.1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for _ in range(10):  # the limiter hears that nobody waits any more
            await asyncio.sleep(0)
        async with limiter.turn(limits, run_id="last") as turn:
            return turn.waited_s

    async def enter(run_id: str) -> None:
        async with runtime.limiter.turn(limits, run_id=run_id):
            raise AssertionError("nobody was to go out")

    assert on_loop(runtime, cancel_and_go_on) < 2.1  # one turn's time, not six


def test_a_turn_that_was_not_used_is_the_next_calls(stub, runtime):
    limits = (Limit("x", requests_per_min=30),)

    async def refuse_and_go_on() -> float:
        async with runtime.limiter.turn(limits, run_id="first") as turn:
            turn.unused()
        async with runtime.limiter.turn(limits, run_id="second") as turn:
            return turn.waited_s

    assert on_loop(runtime, refuse_and_go_on) < 0.5


def test_without_limits_the_database_is_not_asked(stub, runtime):
    crew_of(tasks=3).kickoff({"topic": "x"})

    assert runtime.journal.limits() == []


def test_nothing_waits_and_nothing_is_under_way_in_the_end(stub, make_runtime, tmp_path):
    in_file(tmp_path, "[limits.openai]\nrequests_per_min = 6000\ntokens_per_min = 1000000\nconcurrent = 2\n")
    runtime = make_runtime()

    crew_of(tasks=2).kickoff_for_each(topics(8))

    let_engine_rest(runtime)
    (state,) = runtime.journal.limits()
    assert (state.in_use, state.waiting) == (0, 0)
    assert {call.status for call in Ledger.of(runtime).calls} == {"succeeded"}
