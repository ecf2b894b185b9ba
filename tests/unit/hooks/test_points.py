"""Interception points around kickoffs, tasks and methods."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Flow, start
from jackstay.errors import HookAborted, OutputError
from jackstay.hooks import (
    ExecutionEndContext,
    ExecutionStartContext,
    InterceptionContext,
    InterceptionPoint,
    LLMCallHookContext,
    StepContext,
    dispatch,
    get_hooks,
    on,
    register_scoped,
    scoped_hooks,
)
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, one_task, prompts, task


class Answer(BaseModel):
    city: str


class OneMethod(Flow[dict[str, Any]]):
    called = 0

    @start()
    def begin(self) -> str:
        type(self).called += 1
        return "a"


@pytest.mark.promise("around.interception")
def test_the_start_and_the_end_of_a_kickoff_are_seen() -> None:
    seen: list[Any] = []

    @on(InterceptionPoint.EXECUTION_START)
    def begun(context: ExecutionStartContext) -> None:
        seen.append((context.crew.name if context.crew else None, context.inputs))

    @on(InterceptionPoint.EXECUTION_END)
    def ended(context: ExecutionEndContext) -> None:
        seen.append((context.status, context.error))

    one_task(ScriptedModel(["done"]), "About {topic}").kickoff({"topic": "tides"})
    with pytest.raises(RuntimeError, match="down"):
        one_task(ScriptedModel([RuntimeError("down")])).kickoff()

    assert seen == [("crew", {"topic": "tides"}), ("completed", None), ("crew", {}), ("failed", "down")]


@pytest.mark.promise("around.interception")
def test_a_kickoff_that_is_forbidden_asks_nothing() -> None:
    model = ScriptedModel(["done"])

    @on(InterceptionPoint.EXECUTION_START)
    def never(context: ExecutionStartContext) -> None:
        raise HookAborted("not today")

    with pytest.raises(HookAborted, match="not today"):
        one_task(model).kickoff()

    assert model.calls == []


def test_the_context_of_a_task_and_its_text_are_what_hooks_leave() -> None:
    model = ScriptedModel(["first", "second"])
    worker = agent(model)

    @on(InterceptionPoint.PRE_STEP)
    def more(context: StepContext) -> None:
        context.payload += " and what hooks add"

    @on(InterceptionPoint.POST_STEP)
    def louder(context: StepContext) -> str:
        return str(context.output).upper()

    result = crew(task(worker, "One"), task(worker, "Two")).kickoff()

    assert [output.raw for output in result.tasks_output] == ["FIRST", "SECOND"]
    assert "FIRST and what hooks add" in prompts(model)[1]


def test_what_hooks_leave_of_a_task_is_read_again_when_the_run_is_resumed() -> None:
    called: list[str] = []
    worker = agent(ScriptedModel(["first", RuntimeError("down"), "second"]))
    made = crew(task(worker, "One"), task(worker, "Two"))

    @on(InterceptionPoint.PRE_STEP)
    def before(context: StepContext) -> str:
        called.append(f"before {context.step_name}")
        return "context"

    @on(InterceptionPoint.POST_STEP)
    def after(context: StepContext) -> str:
        called.append(f"after {context.step_name}")
        return f"{context.output}!"

    with pytest.raises(RuntimeError, match="down"):
        made.kickoff(run_key="k")
    result = made.kickoff(run_key="k")

    assert [output.raw for output in result.tasks_output] == ["first!", "second!"]
    assert called == ["before one", "after one", "before two", "after two"]


def test_a_text_that_does_not_fit_the_tasks_output_is_an_error() -> None:
    @on(InterceptionPoint.POST_STEP)
    def spoilt(context: StepContext) -> str:
        return "no JSON"

    with pytest.raises(OutputError, match="post_step hook"):
        one_task(ScriptedModel(['{"city": "Oslo"}']), output_pydantic=Answer).kickoff()


@pytest.mark.promise("flowing.hooks")
def test_a_method_that_is_forbidden_is_not_called() -> None:
    @on(InterceptionPoint.PRE_STEP)
    def never(context: StepContext) -> None:
        assert (context.kind, context.step_name) == ("flow_method", "begin")
        raise HookAborted("not this one")

    with pytest.raises(HookAborted, match="not this one"):
        OneMethod().kickoff()

    assert OneMethod.called == 0


@pytest.mark.promise("around.interception")
def test_dispatch_calls_the_hooks_of_a_point_for_a_context_of_ones_own() -> None:
    def doubled(context: Any) -> Any:
        return context.payload * 2

    with scoped_hooks():
        register_scoped(InterceptionPoint.POST_STEP, doubled)
        assert dispatch(InterceptionPoint.POST_STEP, InterceptionContext(2)).payload == 4
        register_scoped(InterceptionPoint.POST_MODEL_CALL, doubled)
        assert dispatch(InterceptionPoint.POST_MODEL_CALL, LLMCallHookContext(response="ab")).response == "abab"
    assert get_hooks(InterceptionPoint.POST_STEP) == []
    with pytest.raises(RuntimeError, match="scoped_hooks"):
        register_scoped(InterceptionPoint.POST_STEP, doubled)
