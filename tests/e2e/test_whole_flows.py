"""A flow as a whole: what it used is what the provider counted; its limit and its cancel reach everything inside; it runs many
times at once."""

from __future__ import annotations

import asyncio
import threading
from decimal import Decimal
from typing import Any

import pytest

import jackstay
from jackstay import LLM, Agent, Budget, Flow, Retry, Runtime, and_, listen, start
from jackstay.errors import BudgetExceeded, DeadlineExceeded, RunCancelled
from jackstay.testing import Stub
from tests.e2e.hosts.crews import MODEL, answer, crew_of
from tests.e2e.ledger import HurriedClock, Ledger

IN_USD, OUT_USD = Decimal("0.15") / 10**6, Decimal("0.60") / 10**6
"""Of gpt-4o-mini, per token."""

DECLARED = f"""
schema: crewai.flow/v1
name: Declared
methods:
  ask:
    start: true
    do:
      call: crew
      with:
        agents: {{w: {{role: Worker, goal: Work, backstory: b, llm: {MODEL}}}}}
        tasks: [{{description: "topic=<{{topic}}>", expected_output: Text, agent: w}}]
      inputs: {{topic: "${{state.topic}}"}}
  check:
    listen: ask
    do:
      call: agent
      with: {{role: Judge, goal: Judge, backstory: b, llm: {MODEL}, input: "${{outputs.ask}}"}}
"""


class Inner(Flow[dict[str, Any]]):
    @start()
    async def work(self) -> Any:
        return await crew_of(name="inner", tasks=2).akickoff({"topic": self.state["topic"]})


class Outer(Flow[dict[str, Any]]):
    """Crews side by side, a flow in a flow, an agent and a model by themselves: eight calls."""

    @start()
    def left(self) -> Any:
        return crew_of(name="left").kickoff({"topic": self.state["topic"]})

    @start()
    async def right(self) -> Any:
        return await asyncio.gather(
            crew_of(name="right").akickoff({"topic": "r"}), Inner().akickoff({"topic": self.state["topic"]})
        )

    @listen(and_(left, right))
    def after(self) -> Any:
        LLM(MODEL).call("Is that so?")
        return Agent(role="Judge", goal="g", backstory="b", llm=MODEL).kickoff("Judge it")

    @listen(after)
    def declared(self) -> str:
        return str(Flow.from_declaration(DECLARED).kickoff({"topic": self.state["topic"]}).raw)


@pytest.mark.promise("flow.usage_metrics")
def test_what_a_flow_used_is_what_the_provider_counted_over_all_that_is_inside(stub: Stub, runtime: Runtime) -> None:
    flow = Outer()

    flow.kickoff({"topic": "tides"})

    counted, metrics = stub.total_usage(), flow.usage_metrics
    assert len(stub.requests) == metrics.successful_requests == 8
    assert metrics.prompt_tokens == counted.input_tokens > 0
    assert metrics.completion_tokens == counted.output_tokens > 0
    assert flow.cost_usd == counted.input_tokens * IN_USD + counted.output_tokens * OUT_USD
    (run,) = Ledger.of(runtime).runs
    assert runtime.journal.bill(run.id).total.cost_usd == flow.cost_usd


@pytest.mark.parametrize("made", [Outer, lambda: Flow.from_declaration(DECLARED)], ids=["class", "declared"])
def test_a_cancel_of_a_flow_stops_all_that_is_inside(stub: Stub, runtime: Runtime, made: Any) -> None:
    stub.hold()
    raised: list[BaseException] = []

    def work() -> None:
        try:
            made().kickoff({"topic": "t"}, run_key="k")
        except BaseException as error:  # noqa: BLE001 - a stop is no Exception, and the test looks at it
            raised.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    at_once = 3 if made is Outer else 1
    stub.wait_for(lambda s: s.in_flight == at_once, timeout_s=20)

    jackstay.cancel("k")

    thread.join(5)
    assert [type(error) for error in raised] == [RunCancelled]
    stub.wait_for(lambda s: s.in_flight == 0, timeout_s=1)
    assert len(stub.requests) == at_once
    assert [run.status for run in Ledger.of(runtime).runs] == ["cancelled"]


@pytest.mark.parametrize("made", [Outer, lambda: Flow.from_declaration(DECLARED)], ids=["class", "declared"])
def test_a_limit_of_a_flow_reaches_all_that_is_inside_and_it_goes_on_later(
    stub: Stub, runtime: Runtime, made: Any
) -> None:
    crew_of(name="warm").kickoff({"topic": "warm"})  # the first call of a process takes longer than the limit
    before = len(stub.requests)
    stub.hold()
    flow = made()
    flow.deadline_s = 0.5

    with pytest.raises(DeadlineExceeded):
        flow.kickoff({"topic": "t"}, run_key="k")
    held = len(stub.requests) - before
    stub.release()
    flow.deadline_s = None
    flow.kickoff({"topic": "t"}, run_key="k")

    undisturbed = 8 if made is Outer else 2
    assert held == (3 if made is Outer else 1)
    assert len(stub.requests) - before == undisturbed + held
    assert Ledger.of(runtime).runs[0].status == "succeeded"


def test_a_budget_of_a_declared_flow_stops_it_before_the_call_that_does_not_fit(stub: Stub, runtime: Runtime) -> None:
    flow = Flow.from_declaration(DECLARED)

    with pytest.raises(BudgetExceeded):
        flow.kickoff({"topic": "t"}, budget=Budget(calls=1))

    assert len(stub.requests) == 1


@pytest.mark.promise("flow.kickoff")
@pytest.mark.parametrize("one_object", [True, False])
def test_a_hundred_kickoffs_at_once_do_not_notice_one_another(stub: Stub, runtime: Runtime, one_object: bool) -> None:
    stub.rule(answer)

    class Echo(Flow):  # type: ignore[type-arg]
        @start()
        async def inquire(self) -> str:
            said = await crew_of(name="echo").akickoff({"topic": f"topic {self.state['n']}"})
            self.state["said"] = said.raw
            return str(said.raw)

        @listen(inquire)
        def join(self, text: str) -> tuple[int, str, str]:
            return self.state["n"], text, self.state["said"]

    shared = Echo()

    async def together() -> list[Any]:
        return await asyncio.gather(*((shared if one_object else Echo()).akickoff({"n": n}) for n in range(100)))

    assert asyncio.run(together()) == [(n, f"topic {n}", f"topic {n}") for n in range(100)]
    assert len({run.id for run in Ledger.of(runtime).runs}) == 100


@pytest.mark.promise("flowing.retry")
def test_tries_of_a_method_are_a_second_and_two_apart(stub: Stub, runtime: Runtime, clock: HurriedClock) -> None:
    class Patient(Flow):  # type: ignore[type-arg]
        tries = 0

        @start()
        def begin(self) -> str:
            return "x"

        @listen(begin, retry=Retry(max_attempts=3, backoff_s=1, jitter=0))
        def fetch(self, x: str) -> str:
            Patient.tries += 1
            raise ConnectionError(f"{x} {Patient.tries}")

    with pytest.raises(ConnectionError, match="x 3"):
        Patient().kickoff()

    assert [slept_s for slept_s in clock.slept_s if slept_s >= 1] == [1.0, 2.0]


def test_two_thousand_asynchronous_branches_run_side_by_side(runtime: Runtime) -> None:
    count = 2000
    inside: list[int] = []

    class Wide(Flow):  # type: ignore[type-arg]
        all_inside: asyncio.Event

        @start()
        async def begin(self) -> None:
            self.all_inside = asyncio.Event()

    def branch(number: int) -> Any:
        async def method(self: Any) -> int:
            inside.append(number)
            if len(inside) == count:
                self.all_inside.set()
            await self.all_inside.wait()
            return number

        return listen("begin")(method)

    wide = type("Widest", (Wide,), {f"branch{number}": branch(number) for number in range(count)})

    assert wide().kickoff() in range(count)
    assert sorted(inside) == list(range(count))
