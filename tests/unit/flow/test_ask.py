"""`Flow.ask`: a text from a person in the middle of a method."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import pytest

from jackstay import Flow, Runtime, answer, listen, start
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, HumanFeedbackPending, InputsError
from jackstay.flow import flow_config
from jackstay.flow.input_provider import InputProvider, InputResponse


class Says:
    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, Any]]()

    def request_input(self, message: str, flow: Any, metadata: dict[str, Any] | None = None) -> Any:
        self.asked.append((message, metadata))
        said = self.answers.pop(0)
        if isinstance(said, BaseException):
            raise said
        return said


class Greets(Flow):  # type: ignore[type-arg]
    calls: list[str]
    broken = False

    @start()
    def begin(self) -> str:
        self.calls.append("begin")
        where = self.step("look up", self.look_up)
        name = self.ask("Who?", metadata={"of": "begin"})
        return f"{name} {where}"

    def look_up(self) -> str:
        self.calls.append("step")
        return "here"

    @listen(begin)
    def end(self, said: str) -> str:
        why = self.ask("Why?")
        if self.broken:
            raise OSError("disk full")
        return f"{said} {why}"


def greets(provider: Any = None, calls: list[str] | None = None) -> Greets:
    made = Greets(input_provider=provider)
    made.calls = [] if calls is None else calls
    return made


@pytest.mark.promise("human.ask")
def test_a_method_has_what_the_provider_says_and_a_resumed_one_does_not_ask_again() -> None:
    says = Says("Ann", InputResponse("because", {"channel": 1}))
    first = greets(says)
    first.broken = True
    with pytest.raises(OSError, match="disk full"):
        first.kickoff(run_key="k")

    assert greets(says).kickoff(run_key="k") == "Ann here because"
    assert says.asked == [("Who?", {"of": "begin"}), ("Why?", {})]
    assert isinstance(says, InputProvider)


@pytest.mark.promise("human.ask.pending")
def test_without_anybody_there_the_run_waits_and_only_the_methods_steps_are_remembered(runtime: Runtime) -> None:
    calls: list[str] = []
    pending = greets(calls=calls).kickoff(run_key="k")
    assert isinstance(pending, HumanFeedbackPending)
    assert (pending.context.message, pending.context.method_name) == ("Who?", "begin")
    answer("k", "Ann")

    flow = greets(calls=calls)
    assert isinstance(flow.kickoff(run_key="k"), HumanFeedbackPending)

    assert calls == ["begin", "step", "begin"]
    assert flow.resume("because") == "Ann here because"
    assert calls == ["begin", "step", "begin"]
    [row] = runtime.journal.runs(RunFilter())
    assert row.status == "succeeded"


@pytest.mark.parametrize("said", [OSError("no line"), None, InputResponse(None)])
@pytest.mark.promise("human.ask.none")
def test_a_provider_that_fails_or_has_nothing_is_none(said: Any) -> None:
    assert greets(Says(said, "x")).kickoff() == "None here x"


@pytest.mark.promise("human.ask.timeout")
def test_after_the_timeout_the_answer_is_none_and_stays_so() -> None:
    never, asked = threading.Event(), list[str]()

    class Slow:
        async def request_input(self, message: str, flow: Any, metadata: Any = None) -> str:
            asked.append(message)
            await asyncio.Event().wait()
            return "late"

    class Hurries(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> Any:
            return [self.ask("Who?", timeout=0.01)]

        @listen(begin)
        def end(self, said: Any) -> Any:
            if not never.is_set():
                never.set()
                raise OSError("disk full")
            return said

    with pytest.raises(OSError, match="disk full"):
        Hurries(input_provider=Slow()).kickoff(run_key="k")

    assert Hurries(input_provider=Slow()).kickoff(run_key="k") == [None]
    assert asked == ["Who?"]


@pytest.mark.promise("human.ask.provider")
def test_the_process_has_a_provider_and_the_flows_own_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow_config, "input_provider", Says("a", "b"))

    assert greets().kickoff() == "a here b"
    assert greets(Says("c", "d")).kickoff() == "c here d"


def test_asynchronous_methods_ask_without_standing_still() -> None:
    class Async:
        async def request_input(self, message: str, flow: Any, metadata: Any = None) -> str:
            await asyncio.sleep(0)
            return message.upper()

    class Two(Flow):  # type: ignore[type-arg]
        @start()
        async def left(self) -> Any:
            return await self.aask("left")

        @start()
        async def right(self) -> Any:
            return await self.aask("right")

        @listen(right)
        async def end(self) -> None:
            self.state["said"] = await self.aask("end")

    flow = Two(input_provider=Async())
    asyncio.run(flow.akickoff())
    assert flow.state["said"] == "END"


@pytest.mark.filterwarnings("ignore:ask")
@pytest.mark.parametrize("way", ["kickoff", "akickoff"])
def test_a_blocking_ask_in_an_asynchronous_method_is_answered_all_the_same(
    monkeypatch: pytest.MonkeyPatch, runtime: Runtime, tmp_path: Any, way: str
) -> None:
    monkeypatch.setattr("builtins.input", lambda prompt="": "typed")

    class Blocks(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> Any:
            return self.ask("Who?")

    with Runtime(folder=tmp_path / "own", environ={"JACKSTAY_CONSOLE": "on"}):
        said = Blocks().kickoff() if way == "kickoff" else asyncio.run(Blocks().akickoff())

    assert said == "typed"


def test_the_same_question_twice_is_asked_twice() -> None:
    class Twice(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> list[Any]:
            return [self.ask("Who?"), self.ask("Who?")]

    assert Twice(input_provider=Says("a", "b")).kickoff() == ["a", "b"]


def test_a_hundred_flows_ask_at_once_and_each_has_its_own_answer() -> None:
    class Echo:
        async def request_input(self, message: str, flow: Any, metadata: Any = None) -> str:
            return f"{message} of {flow.state['n']}"

    class Asks(Flow):  # type: ignore[type-arg]
        @start()
        async def begin(self) -> Any:
            return await self.aask(f"q{self.state['n']}")

    async def program() -> list[Any]:
        flow = Asks(input_provider=Echo())
        return await asyncio.gather(*(flow.akickoff(inputs={"n": n}) for n in range(100)))

    assert asyncio.run(program()) == [f"q{n} of {n}" for n in range(100)]


@pytest.mark.parametrize("limit", [-1, 0, "soon", True, math.inf, math.nan])
def test_outside_a_run_or_with_a_limit_that_is_none_it_is_refused(limit: Any) -> None:
    with pytest.raises(DefinitionError, match="outside a run"):
        greets().ask("Who?")

    class Wrong(Flow):  # type: ignore[type-arg]
        @start()
        def begin(self) -> Any:
            return self.ask("Who?", timeout=limit)

    with pytest.raises(InputsError, match="greater than 0"):
        Wrong().kickoff()
