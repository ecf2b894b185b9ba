"""Hooks around model calls and tool calls: what they see, change and forbid, and that a resume does not call them again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jackstay import Runtime
from jackstay.core.records import RunFilter, StepRow
from jackstay.errors import HookAborted
from jackstay.hooks import (
    InterceptionPoint,
    LLMCallHookContext,
    ToolCallHookContext,
    after_llm_call,
    after_tool_call,
    before_llm_call,
    before_tool_call,
    clear_all_global_hooks,
    get_before_llm_call_hooks,
    on,
    register_before_llm_call_hook,
    scoped_hooks,
    unregister,
    unregister_before_llm_call_hook,
)
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent, crew, one_task, task


def rows(runtime: Runtime, kind: str) -> list[StepRow]:
    run = runtime.journal.runs(RunFilter())[0]
    return [row for row in runtime.journal.steps(run.id) if row.kind == kind]


def searching(answers: list[Any], used: list[str] | None = None) -> Any:
    @tool
    def search(query: str) -> str:
        """Searches."""
        if used is not None:
            used.append(query)
        return f"found {query}"

    return one_task(ScriptedModel(answers), agent_fields={"tools": [search]})


@pytest.mark.promise("around.tool_hooks")
@pytest.mark.parametrize("tools", ["search", "Search", ["search"], ("other", "SEARCH ")])
def test_a_veto_counts_for_a_tool_by_its_name_alone_or_in_a_list_as_it_is_written(tools: Any) -> None:
    used: list[str] = []
    made = searching([tool_call("search", query="x"), "done"], used)

    @before_tool_call(tools=tools)
    def never(context: ToolCallHookContext) -> bool:
        return False

    made.kickoff()

    assert used == []


@pytest.mark.promise("around.llm_hooks")
def test_one_agents_name_stands_for_a_list_of_one() -> None:
    seen: list[str] = []

    @before_llm_call(agents="Analyst")
    def look(context: LLMCallHookContext) -> None:
        seen.append(context.agent.role if context.agent else "")

    one_task(ScriptedModel(["done"])).kickoff()
    one_task(ScriptedModel(["done"]), agent_fields={"role": "A"}).kickoff()

    assert seen == ["Analyst"]


# --- model calls -------------------------------------------------------------------------------------------------------


@pytest.mark.promise("around.llm_hooks")
def test_a_hook_before_a_model_call_sees_whose_it_is_and_changes_what_is_sent() -> None:
    seen: list[LLMCallHookContext] = []
    model = ScriptedModel(["done"])

    @before_llm_call
    def remind(context: LLMCallHookContext) -> None:
        seen.append(context)
        context.messages.append({"role": "user", "content": "Be brief."})

    one_task(model, "Find it").kickoff()

    assert model.calls[0].last_user == "Be brief."
    [context] = seen
    assert context.agent is not None
    assert context.task is not None
    assert context.crew is not None
    assert (context.agent.role, context.agent.goal, context.task.description) == ("Analyst", "Know it all", "Find it")
    assert (context.crew.name, context.iterations, context.llm) == ("crew", 1, model)


def test_what_is_changed_before_one_call_is_not_in_the_next_one() -> None:
    @before_llm_call
    async def remind(context: LLMCallHookContext) -> None:
        await asyncio.sleep(0)
        context.messages.append({"role": "user", "content": "Be brief."})

    made = searching([tool_call("search", query="tides"), "done"])

    made.kickoff()

    second = made.agents[0].llm.calls[1].messages
    assert [message["content"] for message in second].count("Be brief.") == 1


@pytest.mark.promise("around.llm_hooks")
def test_false_before_a_model_call_ends_the_task_before_anything_is_sent(runtime: Runtime) -> None:
    model = ScriptedModel(["done"])

    @before_llm_call
    def forbidden(context: LLMCallHookContext) -> bool:
        return False

    with pytest.raises(HookAborted, match="blocked by the hook forbidden"):
        one_task(model).kickoff()

    assert model.calls == []
    assert [(row.status, row.attempts) for row in rows(runtime, "llm")] == [("failed", 0)]


@pytest.mark.promise("around.llm_hooks")
def test_a_hook_after_a_model_call_replaces_the_answer_and_the_row_keeps_what_was_said(runtime: Runtime) -> None:
    @after_llm_call(agents=["Analyst"])
    def redacted(context: LLMCallHookContext) -> str | None:
        assert context.response is not None
        return context.response.replace("Oslo", "[city]")

    @after_llm_call(agents=["Nobody"])
    def never(context: LLMCallHookContext) -> str:
        raise AssertionError

    assert one_task(ScriptedModel(["In Oslo"])).kickoff().raw == "In [city]"
    assert "In Oslo" in (rows(runtime, "llm")[0].result or "")


def test_a_hook_that_fails_is_told_and_recorded_and_the_run_goes_on(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    @before_llm_call
    def broken(context: LLMCallHookContext) -> None:
        raise LookupError("no such thing")

    assert one_task(ScriptedModel(["done"])).kickoff().raw == "done"

    assert "hook broken failed: LookupError: no such thing" in caplog.text
    [row] = [row for row in rows(runtime, "step") if row.name == "pre_model_call"]
    assert "no such thing" in (row.result or "")


def test_a_resumed_run_reads_what_hooks_have_said_and_does_not_call_them_again() -> None:
    called: list[str] = []
    model = ScriptedModel(["first", RuntimeError("down"), "second"])
    worker = agent(model)
    made = crew(task(worker, "One"), task(worker, "Two"))

    @before_llm_call
    def before(context: LLMCallHookContext) -> None:
        called.append(f"before {context.task.name or context.task.description}" if context.task else "")
        context.messages[-1]["content"] += " (hooked)"

    @after_llm_call
    def after(context: LLMCallHookContext) -> str:
        called.append(f"after {context.response}")
        return f"{context.response}!"

    with pytest.raises(RuntimeError, match="down"):
        made.kickoff(run_key="k")
    result = made.kickoff(run_key="k")

    assert [output.raw for output in result.tasks_output] == ["first!", "second!"]
    assert called == ["before One", "after first", "before Two", "after second"]
    assert "first!" in model.calls[2].last_user


def test_hooks_that_are_registered_later_do_not_look_at_what_is_recorded() -> None:
    seen: list[Any] = []
    made = searching([tool_call("search", query="tides"), RuntimeError("down"), "done"])
    with pytest.raises(RuntimeError, match="down"):
        made.kickoff(run_key="k")
    after_llm_call(lambda context: seen.append(context.response))
    after_tool_call(lambda context: seen.append(context.tool_result))

    made.kickoff(run_key="k")

    assert seen == ["done"]


def test_an_answer_that_its_hook_has_not_been_through_with_is_shown_to_it_by_the_resume() -> None:
    model = ScriptedModel(["draft"])
    allowed: list[bool] = []

    @after_llm_call
    def checked(context: LLMCallHookContext) -> str:
        if not allowed:
            raise HookAborted("nobody has allowed it")
        return f"{context.response}, checked"

    made = one_task(model)
    with pytest.raises(HookAborted, match="nobody has allowed it"):
        made.kickoff(run_key="k")
    allowed.append(True)

    assert made.kickoff(run_key="k").raw == "draft, checked"
    assert len(model.calls) == 1


def test_a_replay_reads_what_hooks_have_said_of_the_tasks_before_it(runtime: Runtime) -> None:
    called: list[str] = []
    worker = agent(ScriptedModel(["first", "second", "third"]))
    made = crew(task(worker, "One", name="one"), task(worker, "Two", name="two"))

    @after_llm_call
    def after(context: LLMCallHookContext) -> str:
        called.append(str(context.response))
        return f"{context.response}!"

    made.kickoff()
    made.replay("two")

    assert called == ["first", "second", "third"]


def test_the_bill_of_a_run_with_hooks_is_that_of_its_model_calls() -> None:
    plain = one_task(ScriptedModel(["done"])).kickoff()
    after_llm_call(lambda context: "another text, much longer than what the model has said")

    hooked = one_task(ScriptedModel(["done"])).kickoff()

    assert hooked.token_usage == plain.token_usage


# --- tool calls --------------------------------------------------------------------------------------------------------


@pytest.mark.promise("around.tool_hooks")
def test_a_hook_before_a_tool_call_changes_its_arguments_and_one_after_it_what_the_model_reads(
    runtime: Runtime,
) -> None:
    used: list[str] = []
    raw: list[Any] = []

    @before_tool_call(tools=["search"], agents=["Analyst"])
    def polite(context: ToolCallHookContext) -> None:
        context.tool_input["query"] += ", please"

    @after_tool_call(tools=["search"])
    def shouted(context: ToolCallHookContext) -> str | None:
        raw.append((context.raw_tool_result, context.tool.name))
        return context.tool_result.upper() if context.tool_result else None

    made = searching([tool_call("search", query="tides"), "done"], used)

    made.kickoff()

    assert used == ["tides, please"]
    assert raw == [("found tides, please", "search")]
    assert made.agents[0].llm.calls[1].messages[-1]["content"] == "FOUND TIDES, PLEASE"
    assert "found tides, please" in (rows(runtime, "tool")[0].result or "")


@pytest.mark.promise("around.tool_hooks")
def test_false_before_a_tool_call_is_told_to_the_model_and_the_tool_is_not_called(runtime: Runtime) -> None:
    used: list[str] = []

    @before_tool_call
    def never(context: ToolCallHookContext) -> bool:
        return False

    made = searching([tool_call("search", query="tides"), "done"], used)

    assert made.kickoff().raw == "done"
    assert used == []
    assert "the tool 'search' was blocked" in made.agents[0].llm.calls[1].messages[-1]["content"]
    assert [row.status for row in rows(runtime, "tool")] == ["failed"]


def test_a_tool_that_acts_is_not_called_again_and_its_hooks_neither_when_the_run_is_resumed() -> None:
    called: list[str] = []

    @tool(side_effect=True)
    def post(text: str) -> str:
        """Posts."""
        called.append(f"post {text}")
        return "posted"

    @before_tool_call
    def before(context: ToolCallHookContext) -> None:
        called.append("before")
        context.tool_input["text"] = "hello"

    @after_tool_call
    def after(context: ToolCallHookContext) -> str:
        called.append("after")
        return "posted!"

    model = ScriptedModel([tool_call("post", text="hi"), RuntimeError("down"), "done"])
    made = one_task(model, agent_fields={"tools": [post]})
    with pytest.raises(RuntimeError, match="down"):
        made.kickoff(run_key="k")

    assert made.kickoff(run_key="k").raw == "done"
    assert called == ["before", "post hello", "after"]
    assert model.calls[2].messages[-1]["content"] == "posted!"


@pytest.mark.promise("around.interception")
def test_hook_aborted_at_a_point_forbids_as_false_does() -> None:
    @on(InterceptionPoint.PRE_TOOL_CALL, tools=["search"])
    def guard(context: ToolCallHookContext) -> None:
        raise HookAborted("searching is not allowed", source="policy")

    made = searching([tool_call("search", query="tides"), "done"])

    made.kickoff()

    assert made.agents[0].llm.calls[1].messages[-1]["content"] == "Error: searching is not allowed"


# --- registering -------------------------------------------------------------------------------------------------------


@pytest.mark.promise("around.interception")
def test_scoped_hooks_count_for_the_block_alone() -> None:
    called: list[str] = []

    def look(context: LLMCallHookContext) -> None:
        called.append("scoped")

    with scoped_hooks({InterceptionPoint.PRE_MODEL_CALL: [look]}):
        one_task(ScriptedModel(["done"])).kickoff()
    one_task(ScriptedModel(["done"])).kickoff()

    assert called == ["scoped"]


def test_hooks_are_listed_unregistered_and_cleared_by_crewais_names() -> None:
    @before_llm_call(agents=["Analyst"])
    def one(context: LLMCallHookContext) -> None: ...

    def two(context: LLMCallHookContext) -> None: ...

    register_before_llm_call_hook(two)

    assert get_before_llm_call_hooks() == [one, two]
    assert unregister(InterceptionPoint.PRE_MODEL_CALL, one)
    assert unregister_before_llm_call_hook(two)
    assert not unregister_before_llm_call_hook(two)
    register_before_llm_call_hook(two)
    assert clear_all_global_hooks() == {"llm_hooks": (1, 0), "tool_hooks": (0, 0)}
