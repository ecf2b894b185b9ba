"""What follows from tools: failures that they state, results that answer equal calls, loops that go round in circles."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from jackstay import Runtime
from jackstay.core.records import RunFilter, StepRow
from jackstay.engine.clock import Clock
from jackstay.errors import NoProgress, ToolExecutionFailedError
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import ToolFailure, ToolFailurePolicy, tool
from tests.unit.crew.building import agent, crew, one_task, task


def tool_rows(runtime: Runtime) -> list[StepRow]:
    run = runtime.journal.runs(RunFilter())[0]
    return [row for row in runtime.journal.steps(run.id) if row.kind == "tool"]


def flags(runtime: Runtime) -> list[str | None]:
    return [row.flags for row in tool_rows(runtime)]


@tool
def described(scope: str, function: str) -> str:
    """Has arguments that are called like ours."""
    return f"{scope} {function}"


def test_a_tools_arguments_may_have_any_name() -> None:
    model = ScriptedModel([tool_call("described", scope="a", function="b"), "done"])

    using(described, model=model).kickoff()

    assert model.calls[-1].messages[-1]["content"] == "a b"


# --- failures ------------------------------------------------------------------------------------------------------


@tool
def returns_failure(place: str) -> Any:
    """Says that it failed."""
    return ToolFailure(f"no tide at {place}", code="no_such_place", retryable=True)


@tool
def raises_failure(place: str) -> str:
    """Says that it failed."""
    raise ToolFailure(f"no tide at {place}", code="no_such_place", retryable=True)


@tool
def breaks(place: str) -> str:
    """Breaks."""
    raise LookupError(f"no record of {place}")


@tool(max_usage_count=1)
def once(place: str) -> str:
    """Once only."""
    return place


def using(one: Any, *, times: int = 1, model: Any = None, **fields: Any) -> Any:
    calls = [tool_call(one.name, place=f"Rome {n}") for n in range(times)]
    return one_task(model or ScriptedModel([*calls, "done"]), agent_fields={"tools": [one]}, **fields)


@pytest.mark.promise("tool.failures", "crew.crew_output")
@pytest.mark.parametrize("one", [returns_failure, raises_failure])
def test_a_failure_that_a_tool_states_is_told_to_the_model_and_listed_in_the_result(one: Any, runtime: Runtime) -> None:
    model = ScriptedModel([tool_call(one.name, place="Rome"), "done"])

    output = using(one, model=model).kickoff()

    assert model.calls[-1].messages[-1]["content"] == "Error: no tide at Rome"
    assert output.has_tool_failures
    assert output.tasks_output[0].tool_failures == output.tool_failures
    [failure] = output.tool_failures
    assert (failure.tool_name, failure.reason, failure.code) == (one.name, "tool_reported", "no_such_place")
    assert (failure.retryable, failure.agent, failure.arguments) == (True, "Analyst", '{"place": "Rome"}')
    [row] = tool_rows(runtime)
    assert (row.status, row.path) == ("failed", failure.path)


@pytest.mark.promise("run.tool_errors")
@pytest.mark.parametrize(
    ("one", "times", "reason", "code"),
    [(breaks, 1, "exception", "LookupError"), (once, 2, "usage_limit", "tool_misuse")],
)
def test_other_failures_are_listed_with_their_reason_and_end_nothing(
    one: Any, times: int, reason: str, code: str
) -> None:
    once.reset_usage_count()

    output = using(one, times=times, tool_failure_policy="raise").kickoff()

    assert output.raw == "done"
    assert [(each.reason, each.code) for each in output.tool_failures] == [(reason, code)]


@pytest.mark.parametrize(
    ("call", "reason"), [(tool_call("nothing", x=1), "unknown_tool"), (tool_call("once", x=1), "invalid_input")]
)
def test_calls_that_the_model_got_wrong_are_listed(call: Any, reason: str) -> None:
    output = using(once, model=ScriptedModel([call, "done"])).kickoff()

    assert [each.reason for each in output.tool_failures] == [reason]


def test_a_run_without_failures_lists_none() -> None:
    once.reset_usage_count()
    output = using(once).kickoff()

    assert not output.has_tool_failures


def test_failures_are_those_of_the_task_and_are_there_again_after_a_resume(runtime: Runtime) -> None:
    model = ScriptedModel([tool_call("breaks", place="Rome"), "one", "two", ValueError("down"), "three"])
    worker = agent(model, tools=[breaks])
    made = crew(task(worker, "first"), task(worker, "second"), task(worker, "third"))
    with pytest.raises(ValueError, match="down"):
        made.kickoff()

    output = made.kickoff(resume=runtime.journal.runs(RunFilter())[0].id)

    assert [len(each.tool_failures) for each in output.tasks_output] == [1, 0, 0]
    assert output.tool_failures[0].reason == "exception"


@pytest.mark.promise("tool.failures")
def test_the_policy_raise_ends_the_run_with_a_typed_error(runtime: Runtime) -> None:
    with pytest.raises(ToolExecutionFailedError, match="'returns_failure' failed: no tide at Rome 0") as caught:
        using(returns_failure, tool_failure_policy="raise").kickoff()

    assert caught.value.record.code == "no_such_place"
    assert runtime.journal.runs(RunFilter())[0].status == "failed"


def test_the_policy_ignore_lists_nothing_and_records_it_all_the_same(runtime: Runtime) -> None:
    output = using(returns_failure, tool_failure_policy=ToolFailurePolicy.IGNORE).kickoff()

    assert output.tool_failures == []
    assert [row.status for row in tool_rows(runtime)] == ["failed"]


@pytest.mark.parametrize("policy", ["warn", "ignore"])
def test_the_policy_warn_is_the_default_and_warns(policy: str, runtime: Runtime) -> None:
    heard: list[str] = []
    runtime.observers.append(lambda event: heard.append(event.data["text"]) if event.name == "warning" else None)

    fields: dict[str, Any] = {} if policy == "warn" else {"tool_failure_policy": policy}

    using(returns_failure, **fields).kickoff()

    assert [("no tide at Rome 0" in text) for text in heard] == ([True] if policy == "warn" else [])


@pytest.mark.promise("agent.tool_failure_policy", "task.tool_failure_policy", "crew.tool_failure_policy")
@pytest.mark.parametrize("nearest", ["tool", "task", "agent", "crew"])
def test_the_nearest_policy_counts(nearest: str) -> None:
    order = ["tool", "task", "agent", "crew"]
    at = order.index(nearest)
    policies: dict[str, Any] = {
        name: "raise" if name == nearest else ("ignore" if order.index(name) > at else None) for name in order
    }
    one = tool("look", tool_failure_policy=policies["tool"])(returns_failure.func)
    worker = agent(
        ScriptedModel([tool_call("look", place="Rome"), "done"]), tools=[one], tool_failure_policy=policies["agent"]
    )
    made = crew(task(worker, tool_failure_policy=policies["task"]), tool_failure_policy=policies["crew"])

    with pytest.raises(ToolExecutionFailedError):
        made.kickoff()


def test_a_resumed_run_lists_the_failures_that_it_had_gone_on_from() -> None:
    model = ScriptedModel([tool_call("returns_failure", place="Brest"), OSError("no line")])
    made = using(returns_failure, model=model)
    with pytest.raises(OSError, match="no line"):
        made.kickoff(run_key="again")

    model.add("done")
    output = made.kickoff(run_key="again")

    assert [failure.code for failure in output.tool_failures] == ["no_such_place"]


# --- the cache -----------------------------------------------------------------------------------------------------


class Later(Clock):
    late_s = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.late_s)


def looking(*answers: Any, **options: Any) -> tuple[Any, list[str], ScriptedModel]:
    """An agent with a tool that counts, and what it was called with."""
    called: list[str] = []

    @tool(**options)
    def look(place: str) -> str:
        """Looks."""
        called.append(place)
        return f"{place} {len(called)}"

    model = ScriptedModel([*answers, "done"])
    return one_task(model, agent_fields={"tools": [look]}), called, model


ROME, OSLO = tool_call("look", place="Rome"), tool_call("look", place="Oslo")


@pytest.mark.promise("agent.cache", "crew.cache")
def test_without_asking_for_it_nothing_is_cached(runtime: Runtime) -> None:
    made, called, _ = looking(ROME, ROME)
    made.kickoff()

    assert called == ["Rome", "Rome"]
    assert flags(runtime) == [None, None]


@pytest.mark.promise("run.tool_cache")
def test_an_equal_call_of_the_run_is_answered_by_the_result_and_the_record_says_so(runtime: Runtime) -> None:
    made, called, model = looking(ROME, OSLO, ROME, cache_ttl_s=60)
    made.kickoff()

    assert called == ["Rome", "Oslo"]
    assert model.calls[-1].messages[-1]["content"] == "Rome 1"
    assert flags(runtime) == ["kept", "kept", "cached"]


def test_another_run_calls_it_again() -> None:
    made, called, _ = looking(ROME, "done", ROME, cache_ttl_s=60)
    made.kickoff()
    made.kickoff()

    assert called == ["Rome", "Rome"]


@pytest.mark.promise("run.tool_cache")
def test_a_result_that_is_too_old_answers_nothing(jackstay_make_runtime: Any) -> None:
    clock = Later()
    jackstay_make_runtime(clock=clock)

    def later(call: Any) -> Any:
        clock.late_s = 61
        return ROME

    made, called, _ = looking(ROME, later, cache_ttl_s=60)
    made.kickoff()

    assert called == ["Rome", "Rome"]


def test_the_cache_function_may_keep_a_result_out() -> None:
    asked: list[Any] = []

    def veto(arguments: Any, result: Any) -> bool:
        asked.append((arguments, result))
        return bool(arguments["place"] != "Rome")

    made, called, _ = looking(ROME, OSLO, OSLO, ROME, cache_ttl_s=60, cache_function=veto)
    made.kickoff()

    assert called == ["Rome", "Oslo", "Rome"]
    assert asked[0] == ({"place": "Rome"}, "Rome 1")


def test_a_cache_function_alone_caches_nothing_and_is_not_asked() -> None:
    made, called, _ = looking(ROME, ROME, cache_function=lambda *_: 1 / 0)
    made.kickoff()

    assert called == ["Rome", "Rome"]


def test_a_cache_function_that_breaks_costs_the_cache_only() -> None:
    made, called, _ = looking(ROME, ROME, cache_ttl_s=60, cache_function=lambda *_: 1 / 0)

    assert made.kickoff().raw == "done"
    assert called == ["Rome", "Rome"]


@pytest.mark.promise("run.tool_cache")
def test_a_failure_is_never_cached() -> None:
    calls: list[str] = []

    @tool(cache_ttl_s=60)
    def look(place: str) -> Any:
        """Looks."""
        calls.append(place)
        return ToolFailure("not now")

    one_task(ScriptedModel([ROME, ROME, "done"]), agent_fields={"tools": [look]}).kickoff()

    assert calls == ["Rome", "Rome"]


def test_a_resumed_run_knows_what_was_cached(runtime: Runtime) -> None:
    made, called, _ = looking(ROME, ValueError("down"), ROME, cache_ttl_s=60)
    with pytest.raises(ValueError, match="down"):
        made.kickoff()

    made.kickoff(resume=runtime.journal.runs(RunFilter())[0].id)

    assert called == ["Rome"]
    assert flags(runtime) == ["kept", "cached"]


# --- no progress ---------------------------------------------------------------------------------------------------


def still(*answers: Any, default: Any = None, **options: Any) -> tuple[Any, list[str], ScriptedModel]:
    """A tool whose result is always the same for a place."""
    called: list[str] = []

    @tool(**options)
    def look(place: str) -> str:
        """Looks."""
        called.append(place)
        return f"nothing at {place}"

    model = ScriptedModel(answers, default=default)
    return one_task(model, agent_fields={"tools": [look]}), called, model


def test_the_same_call_with_the_same_result_three_times_ends_the_loop(runtime: Runtime) -> None:
    made, called, model = still(default=ROME)

    with pytest.raises(NoProgress, match=r"agent 'Analyst' made the same tool call .* look\(.*Rome.*polling=True"):
        made.kickoff()

    assert len(called) == len(model.calls) == 3
    run = runtime.journal.runs(RunFilter())[0]
    assert (run.status, run.reason) == ("failed", "no_progress")


def test_going_back_and_forth_ends_the_loop() -> None:
    made, called, _ = still(ROME, OSLO, ROME, OSLO)

    with pytest.raises(NoProgress, match="back and forth"):
        made.kickoff()

    assert called == ["Rome", "Oslo", "Rome", "Oslo"]


def test_the_same_mistake_three_times_ends_the_loop() -> None:
    made, _, model = still(default=tool_call("nothing", x=1))

    with pytest.raises(NoProgress):
        made.kickoff()

    assert len(model.calls) == 3


def test_a_polling_tool_may_be_asked_until_something_comes() -> None:
    made, called, _ = still(*[ROME] * 8, "done", polling=True)

    assert made.kickoff().raw == "done"
    assert len(called) == 8


def test_equal_calls_with_other_results_are_progress() -> None:
    made, called, _ = looking(*[ROME] * 6)

    assert made.kickoff().raw == "done"
    assert len(called) == 6


def test_equal_calls_in_one_turn_are_one_turn() -> None:
    made, called, _ = still([ROME, ROME, ROME], "done")

    assert made.kickoff().raw == "done"
    assert len(called) == 3


def test_a_resumed_run_ends_there_again_without_a_call_until_the_tool_is_marked(runtime: Runtime) -> None:
    made, called, model = still(ROME, ROME, ROME, "done")
    for resume in (None, "it"):
        with pytest.raises(NoProgress):
            made.kickoff(resume=resume and runtime.journal.runs(RunFilter())[0].id)
    assert len(called) == 3

    made.tasks[0].agent.tools[0].polling = True

    assert made.kickoff(resume=runtime.journal.runs(RunFilter())[0].id).raw == "done"
    assert (len(called), len(model.calls)) == (3, 4)
