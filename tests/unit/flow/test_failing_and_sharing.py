"""Flows that fail and go on, flows that run at the same time, and what a flow costs."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Agent, Crew, Flow, Runtime, Task, and_, listen, start
from jackstay.core.records import RunFilter
from jackstay.testing import ScriptedModel


class Broken(Exception):
    def __init__(self, *, part: str) -> None:
        super().__init__(f"{part} broke")
        self.part = part


class Siblings(Flow):
    cancelled: threading.Event
    waiting: threading.Event

    @start()
    async def waits(self) -> None:
        self.waiting.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    @start()
    def breaks(self) -> None:
        assert self.waiting.wait(20)
        raise Broken(part="this")

    @listen(breaks)
    def never(self) -> None:
        raise AssertionError("ran after a failure")


@pytest.mark.promise("flowing.failure")
def test_an_exception_reaches_the_caller_as_raised_and_siblings_are_cancelled(runtime: Runtime) -> None:
    flow = Siblings()
    flow.cancelled, flow.waiting = threading.Event(), threading.Event()

    with pytest.raises(Broken) as caught:
        flow.kickoff()

    assert flow.cancelled.is_set()
    assert caught.value.part == "this"
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.status, run.reason) == ("failed", "error")
    assert [note for note in caught.value.__notes__ if f"jackstay resume {run.id[:13]}" in note]
    assert "raised in method breaks (breaks#1) of flow Siblings" in caught.value.__notes__


def test_an_exception_out_of_a_flow_in_a_flow_says_both_methods() -> None:
    class Outer(Flow):
        @start()
        def around(self) -> Any:
            return TwoSteps().kickoff()

    with pytest.raises(AttributeError) as caught:
        Outer().kickoff()

    notes = [note.partition(" (")[0] for note in caught.value.__notes__ if note.startswith("raised in")]
    assert notes == ["raised in method one", "raised in method around"]


class TwoSteps(Flow):
    broken = True
    ran: list[str]

    @start()
    def one(self) -> str:
        self.ran.append("one")
        self.state["field"] = [1]
        return "ONE"

    @listen(one)
    def two(self, given: str) -> str:
        self.ran.append("two")
        self.state["field"].append(2)
        if self.broken:
            raise ValueError("two broke")
        return f"{given} {self.state['field']}"


@pytest.mark.promise("flowing.resume")
def test_a_failed_flow_goes_on_with_the_method_that_failed_and_the_state_before_it() -> None:
    flow = TwoSteps()
    flow.ran = []
    with pytest.raises(ValueError, match="two broke"):
        flow.kickoff(run_key="k")

    flow = TwoSteps()
    flow.broken, flow.ran = False, []

    assert flow.kickoff(run_key="k") == "ONE [1, 2]"
    assert flow.ran == ["two"]


# --- many at once -------------------------------------------------------------------------------------------------


class Meeting(Flow):
    """Two kickoffs of one object have to be inside at the same time."""

    barrier: threading.Barrier

    @start()
    def begin(self) -> Any:
        self.state["mine"] = self.state["n"]
        self.barrier.wait(20)
        return (self.state["n"], self.state["mine"], self.state["id"])


@pytest.mark.promise("flow.kickoff")
def test_one_flow_object_runs_many_times_at_once() -> None:
    flow = Meeting()
    flow.barrier = threading.Barrier(5)

    async def together() -> list[Any]:
        return await asyncio.gather(*(flow.akickoff(inputs={"n": n}) for n in range(5)))

    results = asyncio.run(together())

    assert [(n, mine) for n, mine, _ in results] == [(n, n) for n in range(5)]
    assert len({state_id for _, _, state_id in results}) == 5


class Waiting(Flow):
    """The first kickoff waits inside until it is let go."""

    inside: threading.Event
    go: threading.Event

    @start()
    def begin(self) -> Any:
        if self.state["n"] == 0:
            self.inside.set()
            self.go.wait(20)
        return self.state["n"]


def test_a_kickoff_that_ends_does_not_change_the_state_of_one_that_is_running() -> None:
    flow = Waiting()
    flow.inside, flow.go = threading.Event(), threading.Event()

    async def one_after_the_other() -> list[Any]:
        first = asyncio.create_task(flow.akickoff(inputs={"n": 0}))
        await asyncio.to_thread(flow.inside.wait, 20)
        second = await flow.akickoff(inputs={"n": 1})
        flow.go.set()
        return [await first, second]

    assert asyncio.run(one_after_the_other()) == [0, 1]
    assert flow.state["n"] == 0  # it ended last


class Wide(Flow):
    """As many branches as are set on it, all of them inside at the same time."""

    inside = 0
    all_inside: asyncio.Event

    @start()
    async def begin(self) -> None:
        self.all_inside = asyncio.Event()


def branch(number: int, count: int) -> Any:
    async def method(self: Any) -> int:
        self.inside += 1
        if self.inside == count:
            self.all_inside.set()
        await self.all_inside.wait()
        return number

    return listen("begin")(method)


def test_a_thousand_asynchronous_branches_run_side_by_side() -> None:
    count = 1000
    made = type("Thousand", (Wide,), {f"branch{number}": branch(number, count) for number in range(count)})
    flow = made()

    assert flow.kickoff() in range(count)

    assert flow.inside == count


def test_sixty_four_synchronous_branches_run_side_by_side() -> None:
    barrier = threading.Barrier(64)
    named = {f"branch{number}": start()(lambda self: barrier.wait(60)) for number in range(64)}
    many = type("Many", (Flow,), named)

    assert many().kickoff() in range(64)


class Joining(Flow):
    """One call of each listener at most; the second start fails when it is told to."""

    max_method_calls = 1

    @start()
    def one(self) -> None:
        self.state["ran"] = [*self.state.get("ran", []), "one"]

    @start()
    def two(self) -> None:
        if self.state["breaks"]:
            raise Broken(part="two")

    @listen(and_(one, two))
    def both(self) -> None:
        self.state["ran"].append("both")


def test_a_flow_that_is_kicked_off_again_counts_and_joins_anew_and_keeps_its_state() -> None:
    flow = Joining()
    with pytest.raises(Broken):
        flow.kickoff(inputs={"breaks": True})
    kept = flow.flow_id
    flow.state["ran"] = []  # whether `one` was there before it was stopped

    flow.kickoff(inputs={"breaks": False})
    flow.kickoff()

    assert flow.state["ran"] == ["one", "both", "one", "both"]
    assert flow.flow_id == kept


# --- usage --------------------------------------------------------------------------------------------------------


class WithCrew(Flow):
    model: ScriptedModel

    @start()
    def begin(self) -> Any:
        worker = Agent(role="R", goal="G", backstory="B", llm=self.model)
        return Crew(agents=[worker], tasks=[Task(description="D", expected_output="E", agent=worker)]).kickoff()


@pytest.mark.promise("flow.usage_metrics")
def test_usage_covers_everything_inside() -> None:
    flow = WithCrew()
    flow.model = ScriptedModel(["said", "said more"])

    first = flow.kickoff()
    of_first, run_of_first = flow.usage_metrics, flow.run_id
    second = flow.kickoff()

    assert of_first == first.token_usage
    assert flow.usage_metrics == second.token_usage
    assert (of_first.successful_requests, flow.usage_metrics.successful_requests) == (1, 1)
    assert (first.run_id, first.path[:8]) == (run_of_first, "begin#1/")
    assert flow.cost_usd is None


class Outcome(BaseException):
    """As test runners have: no `Exception`, so that programs do not catch it."""


@pytest.mark.parametrize("kind", [Outcome, GeneratorExit])
def test_what_is_raised_past_every_except_clause_ends_the_run_and_reaches_the_caller(
    runtime: Runtime, kind: type[BaseException]
) -> None:
    raised = [kind("enough")]

    class Ends(Flow):
        @start()
        def begin(self) -> int:
            if raised:
                raise raised.pop()
            return 1

    with pytest.raises(kind, match="enough"):
        Ends().kickoff(run_key="once")

    (run,) = runtime.journal.runs(RunFilter())
    assert run.status != "running"
    assert Ends().kickoff(run_key="once") == 1


def test_an_exception_of_a_coroutine_that_is_no_exception_ends_the_run(runtime: Runtime) -> None:
    class Ends(Flow):
        @start()
        async def begin(self) -> None:
            raise Outcome("enough")

    with pytest.raises(Outcome, match="enough"):
        Ends().kickoff()

    (run,) = runtime.journal.runs(RunFilter())
    assert run.status != "running"


def test_an_exception_that_cannot_say_anything_fails_the_flow_as_it_was_raised(runtime: Runtime) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise TypeError("no words")

        def add_note(self, note: str) -> None:
            raise TypeError("no notes")

    class Fails(Flow):
        @start()
        def begin(self) -> None:
            raise Mute

    with pytest.raises(Mute):
        Fails().kickoff()

    (run,) = runtime.journal.runs(RunFilter())
    assert run.status == "failed"
    assert "Mute, whose text cannot be made: TypeError('no words')" in str(run.error)


def test_a_result_that_no_later_process_could_read_is_said(runtime: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    made = type("Elsewhere", (BaseModel,), {"__module__": "nowhere", "__annotations__": {"n": int}})

    class Returns(Flow):
        @start()
        def begin(self) -> Any:
            return made(n=1)

    result = Returns().kickoff()

    assert result.n == 1
    (row,) = (row for row in runtime.journal.steps(runtime.journal.runs(RunFilter())[0].id) if row.kind == "method")
    assert row.status == "opaque"
    assert "on resume the method is executed again" in caplog.text
