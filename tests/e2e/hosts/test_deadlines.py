"""A time limit ends what hangs, wherever it hangs: a typed error in time, the request closed, nothing left over."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from jackstay import LLM, Agent, BaseLLM, Budget, Crew, Flow, Retry, Task, listen, start
from jackstay.errors import ConfigurationError, DeadlineExceeded, DefinitionError
from jackstay.testing import Fault, Stub, tool_call
from jackstay.tools import tool
from tests.e2e.hosts.crews import MODEL, crew_of
from tests.e2e.ledger import Ledger

LIMIT_S = 0.5
LATE_S = 0.5
"""By how much the error may come after the limit."""


@contextmanager
def ends_in_time(limit_s: float = LIMIT_S) -> Iterator[Any]:
    started_s = time.monotonic()
    with pytest.raises(DeadlineExceeded) as caught:
        yield caught
    took_s = time.monotonic() - started_s
    # A hurried clock has moved on by the waits that it skipped: the limit comes so much sooner.
    assert limit_s * 0.9 <= took_s < limit_s + LATE_S


def closed(stub: Stub) -> None:
    """The provider sees within a second that nobody waits any more."""
    stub.wait_for(lambda s: s.in_flight == 0, timeout_s=1)
    assert stub.requests[-1].client_left


def only_run(runtime: Any) -> tuple[str, str | None]:
    (run,) = Ledger.of(runtime).runs
    return run.status, run.reason


@pytest.fixture
def warm(runtime, stub) -> Any:
    """The model libraries are loaded: the first call of a process takes longer than these limits."""
    crew_of(name="warm").kickoff({"topic": "warm"})
    return runtime


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a function is stuck in; opened at the end, so that its thread ends."""
    event = threading.Event()
    yield event
    event.set()


def newest(runtime: Any) -> Any:
    return Ledger.of(runtime).runs[0]


@pytest.mark.parametrize("limit_s", [LIMIT_S, 2.0])
@pytest.mark.parametrize("top", ["kickoff", "akickoff"])
def test_model_that_hangs_ends_at_the_runs_limit(warm, stub, top, limit_s):
    stub.hold()
    crew = crew_of(tasks=2)

    with ends_in_time(limit_s) as caught:
        if top == "kickoff":
            crew.kickoff({"topic": "t"}, deadline_s=limit_s)
        else:
            asyncio.run(crew.akickoff({"topic": "t"}, deadline_s=limit_s))

    closed(stub)
    assert len(stub.requests) == 2  # the warm one, and the one that hung
    run = newest(warm)
    assert (run.status, run.reason) == ("failed", "deadline")
    assert isinstance(caught.value, TimeoutError)
    assert any("jackstay resume" in note for note in caught.value.__notes__)


def test_run_that_met_its_limit_goes_on_when_resumed(warm, stub):
    stub.fault_at(2, Fault.hang())
    crew = crew_of(tasks=2)

    with ends_in_time():
        crew.kickoff({"topic": "t"}, deadline_s=LIMIT_S, run_key="k")
    output = crew.kickoff({"topic": "t"}, deadline_s=30, run_key="k")

    assert output.raw == "t"
    assert len(stub.requests) == 4


@pytest.mark.promise("agent.max_execution_time")
@pytest.mark.parametrize("where", ["crew", "task", "agent"])
def test_limits_of_definitions_hold(warm, stub, where):
    stub.hold()
    agent = Agent(
        role="W", goal="g", backstory="b", llm=MODEL, max_execution_time=LIMIT_S if where == "agent" else None
    )
    task = Task(description="d", expected_output="e", agent=agent, deadline_s=LIMIT_S if where == "task" else None)
    crew = Crew(agents=[agent], tasks=[task], deadline_s=LIMIT_S if where == "crew" else None)

    with ends_in_time():
        crew.kickoff()

    closed(stub)


def test_nearest_limit_wins(warm, stub):
    stub.hold()
    agent = Agent(role="W", goal="g", backstory="b", llm=MODEL, max_execution_time=60)
    crew = Crew(
        agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent, deadline_s=50)], deadline_s=40
    )

    with ends_in_time():
        crew.kickoff(deadline_s=LIMIT_S)


def test_limit_of_a_call_covers_its_retries_and_not_the_run(warm, stub):
    stub.fault_by_chance(Fault.hang(), 1.0)

    with ends_in_time():
        LLM(MODEL, timeout=0.2, deadline_s=LIMIT_S, retry=Retry(backoff_s=0.01)).call("hello")

    closed(stub)
    assert "deadline_s" not in str(stub.requests[-1].body)


def test_streamed_answer_that_stalls_ends_at_the_limit(warm, stub):
    stub.fault_at(1, Fault.stall())
    agent = Agent(role="W", goal="g", backstory="b", llm=LLM(MODEL, stream=True))
    crew = Crew(agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent)])

    with ends_in_time():
        crew.kickoff(deadline_s=LIMIT_S)

    closed(stub)


@pytest.mark.promise("agent.max_execution_time")
@pytest.mark.parametrize("top", ["kickoff", "akickoff"])
def test_sync_tool_that_blocks_is_abandoned_and_reported_with_its_stack(warm, stub, gate, top):
    told: list[str] = []
    warm.observers.append(lambda event: told.append(event.data["text"]) if event.name == "warning" else None)

    @tool
    def stuck(topic: str) -> str:
        """Blocks."""
        gate.wait(60)
        return "late"

    crew = crew_of(stuck)

    with ends_in_time():
        if top == "kickoff":
            crew.kickoff({"topic": "t"}, deadline_s=LIMIT_S)
        else:
            asyncio.run(crew.akickoff({"topic": "t"}, deadline_s=LIMIT_S))

    (text,) = told
    assert "stuck" in text
    assert "gate.wait(60)" in text
    run = newest(warm)
    assert "gate.wait(60)" in (run.error or "")
    (step,) = [step for step in Ledger.of(warm).steps if step.kind == "tool"]
    assert step.status == "cancelled"
    assert "gate.wait(60)" in (step.error or "")


def test_abandoned_function_gives_its_slot_back_and_starts_nothing_more(make_runtime, stub, gate):
    runtime = make_runtime(pool_size=1)
    crew_of(name="warm").kickoff({"topic": "warm"})
    late: list[BaseException] = []
    ended = threading.Event()

    @tool
    def stuck(topic: str) -> str:
        """Blocks, and goes on with work in the run when it wakes up."""
        gate.wait(60)
        for attempt in (lambda: crew_of(name="late").kickoff({"topic": "late"}), lambda: LLM(MODEL).call("late")):
            try:
                attempt()
            except BaseException as error:  # noqa: BLE001 - looked at below
                late.append(error)
        ended.set()
        return "late"

    with ends_in_time():
        crew_of(stuck).kickoff({"topic": "t"}, deadline_s=LIMIT_S)
    asked = len(stub.requests)

    @tool
    def other(topic: str) -> str:
        """Works."""
        return "fine"

    assert crew_of(other, name="next").kickoff({"topic": "n"}).raw == "n(fine)"
    gate.set()
    assert ended.wait(10)
    assert [type(error) for error in late] == [DeadlineExceeded, DeadlineExceeded]
    assert len(stub.requests) == asked + 2
    assert [run.name for run in Ledger.of(runtime).runs] == ["next", "crew", "warm"]


@pytest.mark.parametrize("top", ["kickoff", "akickoff"])
def test_async_tool_that_hangs_is_cancelled_on_its_loop(warm, top):
    seen: list[str] = []

    @tool
    async def patient(topic: str) -> str:
        """Waits."""
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise
        return "never"

    crew = crew_of(patient)
    with ends_in_time():
        if top == "kickoff":
            crew.kickoff({"topic": "t"}, deadline_s=LIMIT_S)
        else:
            asyncio.run(crew.akickoff({"topic": "t"}, deadline_s=LIMIT_S))

    assert seen == ["cancelled"]


@pytest.mark.parametrize("top", ["kickoff", "akickoff"])
def test_async_tool_that_refuses_to_be_cancelled_is_abandoned(warm, top):
    told: list[str] = []
    warm.observers.append(lambda event: told.append(event.data["text"]) if event.name == "warning" else None)

    @tool
    async def stubborn(topic: str) -> str:
        """Cannot be cancelled for a while."""
        end_s = time.monotonic() + 2
        while time.monotonic() < end_s:
            try:
                await asyncio.wait_for(asyncio.Event().wait(), 2)
            except (asyncio.CancelledError, TimeoutError):
                continue
        return "late"

    async def program() -> None:
        with ends_in_time():
            await crew_of(stubborn).akickoff({"topic": "t"}, deadline_s=LIMIT_S)

    if top == "akickoff":
        asyncio.run(program())
    else:
        with ends_in_time():
            crew_of(stubborn).kickoff({"topic": "t"}, deadline_s=LIMIT_S)

    assert any("stubborn" in text for text in told)


@pytest.mark.parametrize("asynchronous", [False, True])
def test_flow_method_that_blocks_ends_at_the_limit_and_nothing_follows(runtime, gate, asynchronous):
    went_on: list[str] = []

    class Stuck(Flow):  # type: ignore[type-arg]
        deadline_s = LIMIT_S

        @start()
        def begin(self) -> Any:
            return asyncio.Event().wait() if asynchronous else gate.wait(60)

        @listen(begin)
        def never(self) -> None:
            went_on.append("never")

    with ends_in_time():
        Stuck().kickoff()

    assert went_on == []
    assert only_run(runtime) == ("failed", "deadline")


def test_flows_limit_reaches_the_crew_in_its_method(warm, stub):
    stub.hold()
    told: list[str] = []
    warm.observers.append(lambda event: told.append(event.data["text"]) if event.name == "warning" else None)

    class Outer(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            return str(crew_of(name="inner").kickoff({"topic": "inner"}, deadline_s=60).raw)

    with ends_in_time():
        Outer(deadline_s=LIMIT_S).kickoff()

    closed(stub)
    assert told == []  # the method was waiting for what ended by itself: it is not abandoned


@pytest.mark.parametrize("how", ["returns", "raises"])
def test_method_that_swallows_the_limit_is_not_recorded_and_the_run_fails_by_it(warm, stub, how):
    stub.hold()
    went_on: list[str] = []

    class Swallowing(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            try:
                crew_of(name="inner").kickoff({"topic": "inner"})
            except Exception as error:
                if how == "raises":
                    raise ValueError("something else") from error
            return "fine"

        @listen(begin)
        def never(self) -> None:
            went_on.append("never")

    with ends_in_time():
        Swallowing().kickoff(deadline_s=LIMIT_S)

    assert went_on == []
    methods = [step.status for step in Ledger.of(warm).steps if step.kind == "method"]
    assert "succeeded" not in methods
    assert newest(warm).reason == "deadline"


def test_nested_kickoffs_own_limit_is_an_ordinary_error_for_the_method(warm, stub):
    stub.fault_at(1, Fault.hang())

    class Patient(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> str:
            try:
                crew_of(name="first").kickoff({"topic": "first"}, deadline_s=LIMIT_S)
            except DeadlineExceeded:
                return str(crew_of(name="second").kickoff({"topic": "second"}).raw)
            return "no limit"

    assert Patient().kickoff() == "second"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_custom_model_that_hangs_ends_at_the_limit(runtime, gate, asynchronous):
    class Slow(BaseLLM):
        def call(self, messages: Any, *_: Any, **__: Any) -> str:
            gate.wait(60)
            return "late"

    class AsyncSlow(Slow):
        async def acall(self, messages: Any, *_: Any, **__: Any) -> str:
            await asyncio.Event().wait()
            return "never"

    agent = Agent(role="W", goal="g", backstory="b", llm=(AsyncSlow if asynchronous else Slow)("mine"))
    crew = Crew(agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent)])

    with ends_in_time():
        crew.kickoff(deadline_s=LIMIT_S)

    assert only_run(runtime) == ("failed", "deadline")


def test_call_that_waits_for_room_in_a_budget_ends_at_the_limit(warm, stub):
    stub.hold()
    waiting = threading.Event()
    warm.observers.append(lambda event: waiting.set() if event.name == "budget_wait" else None)

    class Crowded(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> Any:
            return await asyncio.gather(LLM(MODEL).acall("one"), LLM(MODEL).acall("two"))

    with ends_in_time():
        Crowded(budget=Budget(calls=1)).kickoff(deadline_s=LIMIT_S)

    assert waiting.is_set()
    closed(stub)


@pytest.mark.parametrize("top", ["kickoff_for_each", "akickoff_for_each"])
def test_each_item_has_the_limit_for_itself(warm, stub, top):
    stub.fault_at(1, Fault.hang())
    crew = crew_of()
    items: list[Any] = [{"topic": "a"}, {"topic": "b"}]

    started_s = time.monotonic()
    if top == "kickoff_for_each":
        outputs = crew.kickoff_for_each(items, concurrency=1, deadline_s=LIMIT_S)
    else:
        outputs = asyncio.run(crew.akickoff_for_each(items, concurrency=1, deadline_s=LIMIT_S))

    assert time.monotonic() - started_s < 2 * LIMIT_S + LATE_S
    assert [output.ok for output in outputs] == [False, True]
    assert "DeadlineExceeded" in (outputs[0].error or "")


def test_callback_that_blocks_ends_at_the_limit(warm, gate):
    crew = crew_of()
    crew.task_callback = lambda _: gate.wait(60)

    with ends_in_time():
        crew.kickoff({"topic": "t"}, deadline_s=LIMIT_S)


def test_tool_that_returns_after_the_limit_is_not_told_to_the_model(warm, stub):
    class Slow(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> Any:
            @tool
            def slow(topic: str) -> str:
                """Swallows the limit."""
                try:
                    stub.hold()
                    crew_of(name="inner").kickoff({"topic": "inner"})
                except DeadlineExceeded:
                    pass
                finally:
                    stub.release()
                return "as if nothing had happened"

            return crew_of(slow).kickoff({"topic": "t"}).raw

    with ends_in_time():
        Slow().kickoff(deadline_s=LIMIT_S)

    assert [request.tool_results for request in stub.requests if getattr(request, "tool_results", None)] == []
    assert len(stub.requests) == 3


def test_side_by_side_tools_end_together(warm, stub, gate):
    @tool
    def stuck(topic: str) -> str:
        """Blocks."""
        gate.wait(60)
        return "late"

    stub.rule(lambda request: [tool_call("stuck", topic="a"), tool_call("stuck", topic="b")], user="side", times=1)

    with ends_in_time():
        crew_of(stuck, name="side").kickoff({"topic": "t"}, deadline_s=LIMIT_S)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "soon", True])
def test_limit_that_is_none_is_refused_in_plain_words(runtime, value):
    with pytest.raises(ConfigurationError, match="deadline_s"):
        crew_of().kickoff({"topic": "t"}, deadline_s=value)
    with pytest.raises(ConfigurationError, match="deadline_s"):
        LLM(MODEL, deadline_s=value)
    definitions: list[Callable[[], Any]] = [
        lambda: Task(description="d", expected_output="e", deadline_s=value),
        lambda: Crew(tasks=crew_of().tasks, deadline_s=value),
    ]
    for define in definitions:
        with pytest.raises(DefinitionError, match="deadline_s"):
            define()


def test_limits_are_no_part_of_the_definition(runtime):
    limited = crew_of()
    limited.deadline_s = limited.tasks[0].deadline_s = 7.0

    assert limited.fingerprint == crew_of().fingerprint
