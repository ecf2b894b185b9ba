"""`Agent.kickoff`: an agent by itself, as a run and inside one."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Flow, LiteAgentOutput, Runtime, start
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, GuardrailFailed
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent


class Fact(BaseModel):
    year: int


def asked(worker: Any, messages: Any = "When?", **more: Any) -> LiteAgentOutput:
    output = worker.kickoff(messages, **more)
    assert isinstance(output, LiteAgentOutput)
    return output


@pytest.mark.promise("agent.kickoff")
def test_it_is_a_run_of_its_own(runtime: Runtime) -> None:
    output = asked(agent(ScriptedModel(["1969"])))

    (run,) = runtime.journal.runs(RunFilter())
    assert (run.kind, run.name, run.status, run.id) == ("agent", "Analyst", "succeeded", output.run_id)
    assert (output.raw, output.agent_role) == ("1969", "Analyst")
    assert output.messages[-2:] == [{"role": "user", "content": "When?"}, {"role": "assistant", "content": "1969"}]


@pytest.mark.promise("agent.kickoff")
def test_its_usage_is_that_of_this_call() -> None:
    worker = agent(ScriptedModel(["a", "b"]))
    asked(worker)

    assert asked(worker).usage_metrics["successful_requests"] == 1


def test_earlier_messages_come_before_the_last() -> None:
    model = ScriptedModel(["fine"])
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Ho"},
        {"role": "user", "content": "So?"},
    ]

    asked(agent(model), talk)

    assert [message["role"] for message in model.calls[0].messages] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize("messages", ["", [], [{"role": "assistant", "content": "Ho"}]])
def test_somebody_has_to_ask_something(messages: Any) -> None:
    with pytest.raises(DefinitionError, match="the last of the messages"):
        agent(ScriptedModel()).kickoff(messages)


@pytest.mark.promise("agent.kickoff", "tool.structured_output")
def test_a_response_format_is_kept_to_and_rebuilt_from_the_record() -> None:
    model = ScriptedModel(['{"year": "soon"}', '{"year": 1969}'])
    worker = agent(model)

    outputs = [asked(worker, response_format=Fact, run_key="k") for _ in range(2)]

    assert [output.pydantic for output in outputs] == [Fact(year=1969)] * 2
    assert len(model.calls) == 2


def test_a_failed_one_goes_on_without_asking_again_what_was_answered() -> None:
    used: list[int] = []

    @tool
    def look_up(number: int) -> str:
        """Looks it up."""
        used.append(number)
        return "found"

    model = ScriptedModel([tool_call("look_up", number=1), RuntimeError("down")])
    worker = agent(model, tools=[look_up])
    with pytest.raises(RuntimeError, match="down"):
        worker.kickoff("When?", run_key="k")
    model.add("1969")

    assert asked(worker, run_key="k").raw == "1969"
    assert (used, len(model.calls)) == ([1], 3)


@pytest.mark.promise("agent.guardrail")
def test_its_guardrail_sends_the_answer_back() -> None:
    def short(output: LiteAgentOutput) -> tuple[bool, Any]:
        return (True, output) if len(output.raw.split()) == 1 else (False, "too long")

    model = ScriptedModel(["in 1969", "1969"])
    assert asked(agent(model, guardrail=short)).raw == "1969"
    assert "too long" in model.calls[1].last_user
    with pytest.raises(GuardrailFailed, match="after 0 retries"):
        agent(ScriptedModel(["in 1969"]), guardrail=short, guardrail_max_retries=0).kickoff("When?")


@pytest.mark.promise("agent.akickoff")
def test_in_a_running_loop_kickoff_is_to_be_awaited() -> None:
    async def ask() -> tuple[Any, ...]:
        worker = agent(ScriptedModel(["a", "b", "c"]))
        pending: Any = worker.kickoff("When?")
        assert inspect.iscoroutine(pending)
        return await pending, await worker.kickoff_async("When?"), await worker.akickoff("When?")

    assert [output.raw for output in asyncio.run(ask())] == ["a", "b", "c"]


def test_in_a_flow_it_is_a_step_that_a_resumed_run_does_not_repeat(runtime: Runtime) -> None:
    model, failing = ScriptedModel(["1969"]), [True]
    worker = agent(model)

    class Asking(Flow[dict[str, Any]]):
        @start()
        def begin(self) -> str:
            output = asked(worker)
            if failing.pop() if failing else False:
                raise RuntimeError("down")
            return output.raw

    with pytest.raises(RuntimeError, match="down"):
        Asking().kickoff(run_key="k")

    assert Asking().kickoff(run_key="k") == "1969"
    assert len(model.calls) == 1
    (run,) = runtime.journal.runs(RunFilter())
    (row,) = [each for each in runtime.journal.steps(run.id) if each.kind == "agent"]
    assert row.path.startswith("begin#1/analyst~")
