"""Flows that run: state, inputs, order, arguments, failures, many at once."""

from __future__ import annotations

import asyncio
import enum
import threading
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from jackstay import Flow, Runtime, and_, listen, or_, router, start
from jackstay.core.records import RunFilter
from jackstay.errors import InputsError, JackstayError, MaxMethodCallsExceeded


class Address(BaseModel):
    city: str = ""


class State(BaseModel):
    topic: str = ""
    count: int = 0
    where: Address = Address()


class Typed(Flow[State]):
    @start()
    def begin(self) -> str:
        self.state.count += 1
        self.state.where.city = "Rome"
        return self.state.topic

    @listen(begin)
    async def end(self, topic: str) -> tuple[str, int, str]:
        await asyncio.sleep(0)
        return (topic, self.state.count, self.flow_id)


class Untyped(Flow):
    @start()
    def begin(self) -> None:
        self.state["seen"] = [*self.state.get("seen", []), "begin"]

    @listen(begin)
    def end(self) -> list[str]:
        self.state["seen"].append("end")
        return list(self.state["seen"])


# --- state and inputs ---------------------------------------------------------------------------------------------


@pytest.mark.promise("flow.state", "flowing.state.typed", "flowing.state.inputs")
def test_typed_state_takes_inputs_and_its_id_is_the_runs() -> None:
    flow = Typed()

    topic, count, state_id = flow.kickoff(inputs={"topic": "bees"})

    assert (topic, count, state_id) == ("bees", 1, flow.run_id)
    assert flow.state.where.city == "Rome"
    assert flow.flow_id == flow.run_id


def test_an_id_that_is_given_is_kept() -> None:
    flow = Typed()

    assert flow.kickoff(inputs={"id": "mine"})[2] == "mine"
    assert flow.flow_id == "mine" != flow.run_id


@pytest.mark.promise("flowing.state.untyped", "flowing.state.inputs")
def test_dict_state() -> None:
    flow = Untyped()
    assert flow.state["id"] == flow.flow_id != Untyped().flow_id

    assert flow.kickoff(inputs={"seen": ["before"]}) == ["before", "begin", "end"]
    assert flow.state["id"] == flow.run_id


@pytest.mark.promise("flowing.again")
def test_a_flow_that_is_kicked_off_again_keeps_its_state() -> None:
    flow = Typed()

    first, second = flow.kickoff(), flow.kickoff()

    assert (first[1], second[1]) == (1, 2)
    assert first[2] == second[2]


def test_state_set_before_the_kickoff_is_its_input() -> None:
    flow = Typed()
    flow.state.topic = "set before"

    assert flow.kickoff()[0] == "set before"


@pytest.mark.promise("flow.initial_state")
def test_an_initial_state_instance_is_not_shared() -> None:
    class WithInstance(Typed):
        initial_state = State(count=10)

    assert WithInstance().kickoff()[1] == WithInstance().kickoff()[1] == 11
    assert WithInstance.initial_state.count == 10


@pytest.mark.promise("flowing.state.inputs")
def test_unknown_inputs_are_ignored_by_a_typed_state() -> None:
    assert Typed().kickoff(inputs={"topic": "x", "nonsense": 1})[0] == "x"


@pytest.mark.promise("flowing.state.bad_inputs")
def test_an_input_of_the_wrong_type_is_named(runtime: Runtime) -> None:
    with pytest.raises(
        InputsError, match="Invalid inputs for structured state: count: Input should be a valid integer"
    ):
        Typed().kickoff(inputs={"count": "many"})

    assert runtime.journal.runs(RunFilter()) == []


@pytest.mark.parametrize("flow", [Typed, Untyped])
def test_inputs_that_cannot_be_stored_are_refused_before_anything_runs(flow: Any, runtime: Runtime) -> None:
    with pytest.raises(InputsError, match=r"client is a builtins\.object, which cannot be stored"):
        flow().kickoff(inputs={"client": object()})

    assert runtime.journal.runs(RunFilter()) == []


def test_refused_inputs_leave_no_trace_in_the_flow() -> None:
    flow = Untyped()
    with pytest.raises(InputsError):
        flow.kickoff(inputs={"client": object()})

    assert flow.kickoff() == ["begin", "end"]


def test_a_state_that_cannot_be_stored_is_named() -> None:
    flow = Untyped()
    flow.state["lock"] = threading.Lock()

    with pytest.raises(InputsError, match=r"the state of flow Untyped cannot be stored: lock is a _thread\.lock"):
        flow.kickoff()


def test_each_method_records_the_fields_that_it_changed(runtime: Runtime) -> None:
    flow = Typed()
    flow.kickoff()

    steps = {step.path: step.result or "" for step in runtime.journal.steps(flow.run_id or "")}

    assert '"count":1' in steps["begin#1"]
    assert '"topic"' not in steps["begin#1"].partition('"state":')[2].partition('"value"')[0]
    assert '"state":{}' in steps["end#1"]


# --- routers ------------------------------------------------------------------------------------------------------


class Verdict(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class Routed(Flow):
    """A router on top of the start, one by annotation, one by label chain."""

    @router()
    @start()
    def begin(self) -> Literal["one", "two"]:
        return self.state.get("go", "one")  # type: ignore[no-any-return]

    @listen("two")
    def nobody(self) -> str:
        return "two"

    @router("one")
    def judge(self, label: str) -> Verdict:
        self.state["label"] = label
        return Verdict.GOOD

    @listen(Verdict.GOOD)
    def praise(self, verdict: Verdict) -> Any:
        return (self.state["label"], verdict)


def test_routers_on_a_start_and_in_a_chain() -> None:
    assert Routed().kickoff() == ("one", Verdict.GOOD)
    assert Routed().kickoff(inputs={"go": "two"}) == "two"


class Loop(Flow):
    @start()
    def begin(self) -> None:
        self.state["n"] = 0

    @router(or_(begin, "again"))
    def count(self) -> str:
        self.state["n"] += 1
        return "again" if self.state["n"] < self.state.get("until", 3) else "done"

    @listen("done")
    def end(self) -> int:
        return int(self.state["n"])


def test_a_cycle_of_labels() -> None:
    assert Loop().kickoff() == 3


@pytest.mark.promise("flow.start")
def test_a_start_with_a_condition_runs_at_the_beginning_and_whenever_it_is_met() -> None:
    class Again(Flow):
        @start("again")
        def begin(self) -> int:
            self.state["n"] = self.state.get("n", 0) + 1
            return int(self.state["n"])

        @router(begin)
        def judge(self, n: int) -> str:
            return "again" if n < 3 else "done"

    flow = Again()
    flow.kickoff()

    assert flow.method_outputs == [1, "again", 2, "again", 3, "done"]


@pytest.mark.promise("flow.max_method_calls")
def test_a_cycle_without_an_end_is_stopped() -> None:
    flow = Loop(max_method_calls=5)

    with pytest.raises(MaxMethodCallsExceeded, match="max_method_calls is 5") as caught:
        flow.kickoff(inputs={"until": 100})

    assert isinstance(caught.value, RecursionError | JackstayError)


# --- arguments and results ----------------------------------------------------------------------------------------


class Joined(Flow):
    @start()
    def a(self) -> str:
        return "A"

    @listen(a)
    def b(self, given: str) -> str:
        return given + "B"

    @listen(and_(a, b))
    def both(self, last: str) -> str:
        return f"both after {last}"

    @listen(both)
    def without_parameter(self) -> None:
        return None


@pytest.mark.promise("flow.listen", "flowing.result", "flowing.argument")
def test_arguments_are_what_completed_last_and_the_result_is_the_last_methods() -> None:
    assert Joined().kickoff() is None

    class Shorter(Joined):
        def without_parameter(self) -> None: ...

    assert Shorter().kickoff() == "both after AB"


@pytest.mark.promise("flow.akickoff")
def test_the_same_flow_awaited() -> None:
    class Shorter(Joined):
        def without_parameter(self) -> None: ...

    assert asyncio.run(Shorter().akickoff()) == asyncio.run(Shorter().kickoff_async()) == "both after AB"


# --- again -------------------------------------------------------------------------------------------------------------


def test_a_finished_run_key_gives_result_and_state_without_running() -> None:
    flow = Typed()
    first = flow.kickoff(inputs={"topic": "x"}, run_key="k")

    other = Typed()
    again = other.kickoff(inputs={"topic": "x"}, run_key="k")

    assert again == first
    assert (other.state.count, other.state.where) == (1, Address(city="Rome"))


@pytest.mark.promise("flowing.state.trigger_payload")
def test_what_has_triggered_a_run_is_given_to_start_methods_that_ask_for_it() -> None:
    class Triggered(Flow):
        @start()
        def plain(self) -> str:
            return "no payload"

        @start("again")
        async def asked(self, crewai_trigger_payload: dict[str, Any] | None = None) -> Any:
            return crewai_trigger_payload

        @listen(asked)
        def end(self, payload: Any, crewai_trigger_payload: str = "of starts alone") -> tuple[Any, str]:
            return payload, crewai_trigger_payload

        @listen(end)
        def last(self, told: Any) -> Any:
            return told

    class Begun(Triggered):
        @start()
        async def asked(self, crewai_trigger_payload: dict[str, Any] | None = None) -> Any:
            return crewai_trigger_payload

    payload = {"mail": "hello"}

    assert Begun().kickoff(inputs={"crewai_trigger_payload": payload}) == (payload, "of starts alone")
    assert Begun().kickoff() == (None, "of starts alone")
