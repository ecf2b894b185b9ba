"""Tools called outside any agent, and what surrounds their functions everywhere: result schemas, variables, uses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Runtime
from jackstay.errors import ToolFailure
from jackstay.testing import ScriptedModel, tool_call
from jackstay.testing.plugin import MakeRuntime
from jackstay.tools import BaseTool, CrewStructuredTool, EnvVar, tool
from tests.unit.crew.building import agent, crew, one_task, task


class Height(BaseModel):
    metres: float


@tool(max_usage_count=2)
def tide(place: str, hour: int = 6) -> str:
    """The height of the tide."""
    return f"{place} at {hour}"


class Later(BaseTool):
    name: str = "Later"
    description: str = "Takes a moment."

    async def _run(self, x: int) -> int:
        await asyncio.sleep(0)
        return x + 1


@pytest.fixture(autouse=True)
def unused() -> None:
    tide.reset_usage_count()


def told(model: ScriptedModel) -> str:
    return str(model.calls[-1].messages[-1]["content"])


def using(one: Any, call: Any) -> tuple[Any, ScriptedModel]:
    model = ScriptedModel([call, "done"])
    return one_task(model, agent_fields={"tools": [one]}).kickoff(), model


# --- directly --------------------------------------------------------------------------------------------------------


@pytest.mark.promise("tool.run")
def test_a_direct_call_checks_and_converts_its_arguments() -> None:
    assert tide.run(place="Brest", hour="7") == "Brest at 7"
    with pytest.raises(
        ValueError, match=r"the arguments of the tool 'tide' do not fit: place: Field required; give \{"
    ):
        tide.run(hour=7)


def test_a_direct_call_counts_and_is_refused_as_a_failure_when_the_tool_is_used_up() -> None:
    tide.run("Brest")
    tide.run("Brest")

    refused = tide.run("Brest")

    assert isinstance(refused, ToolFailure)
    assert refused.reason == "usage_limit"
    assert tide.current_usage_count == 2


def test_uses_of_a_tool_without_a_limit_are_counted_too(jackstay_runtime: Runtime) -> None:
    later = Later()

    using(later, tool_call("later", x=1))

    assert later.current_usage_count == 1


def test_an_asynchronous_tool_runs_to_its_end_for_a_caller_who_blocks() -> None:
    assert Later().run(x=1) == 2


def test_an_asynchronous_tool_is_awaited_where_a_loop_is_running() -> None:
    async def main() -> tuple[int, int]:
        return await Later().run(x=1), await Later().arun(x=2)

    assert asyncio.run(main()) == (2, 3)


def test_a_synchronous_tool_can_be_awaited() -> None:
    assert asyncio.run(tide.arun(place="Brest")) == "Brest at 6"


def test_the_formatted_description_has_name_arguments_and_description() -> None:
    name, arguments, description = Later().formatted_description.split("\n")

    assert (name, description) == ("Tool Name: later", "Tool Description: Takes a moment.")
    assert arguments.startswith('Tool Arguments: {"properties": {"x": ')


def test_a_structured_tool_takes_one_dict_or_json() -> None:
    made = tide.to_structured_tool()

    assert isinstance(made, CrewStructuredTool)
    assert made.invoke({"place": "Brest"}) == "Brest at 6"
    assert made.invoke('{"place": "Brest", "hour": 9}') == "Brest at 9"
    assert list(made.args) == ["place", "hour"]
    assert isinstance(made.invoke({"place": "Brest"}), ToolFailure)
    assert tide.current_usage_count == 0
    with pytest.raises(ValueError, match="one JSON object, not list"):
        made.invoke("[1]")


def test_a_structured_tool_is_made_of_a_function() -> None:
    def depth(place: str) -> str:
        """The depth."""
        return place

    made = CrewStructuredTool.from_function(depth)
    named = CrewStructuredTool.from_function(depth, name="Sound", description="Sounds.", result_as_answer=True)

    assert (made.name, made.description, asyncio.run(made.ainvoke({"place": "x"}))) == ("depth", "The depth.", "x")
    assert (named.name, named.description, named.to_def().result_as_answer) == ("Sound", "Sounds.", True)


@pytest.mark.promise("tool.decorator")
def test_the_decorator_takes_a_name_with_options() -> None:
    @tool("High Water", result_as_answer=True, result_schema=Height)
    def water() -> dict[str, float]:
        """High water."""
        return {"metres": 3.2}

    assert (water.name, water.to_def().spec.name, water.to_def().result_as_answer) == ("High Water", "high_water", True)


@pytest.mark.parametrize("option", ["nmae", "name", "description"])
def test_the_decorator_has_no_other_options(option: str) -> None:
    with pytest.raises(TypeError, match=f"@tool has no option {option}"):
        tool(**{option: "x"})  # type: ignore[call-overload]


# --- results ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("result", [{"metres": "3.2"}, '{"metres": 3.2}', Height(metres=3.2)])
def test_a_result_is_read_by_its_schema(result: Any, jackstay_runtime: Runtime) -> None:
    @tool(result_schema=Height)
    def height() -> Any:
        """The height."""
        return result

    _, model = using(height, tool_call("height"))

    assert height.run() == Height(metres=3.2)
    assert told(model) == '{"metres":3.2}'


def test_a_result_that_does_not_fit_is_a_failure(jackstay_runtime: Runtime) -> None:
    @tool(result_schema=Height)
    async def height() -> Any:
        """The height."""
        return {"feet": 9}

    output, model = using(height, tool_call("height"))

    assert told(model) == "Error: the result of height does not fit Height: metres: Field required"
    assert [failure.reason for failure in output.tool_failures] == ["invalid_result"]


def test_a_failure_is_no_result_to_be_checked(jackstay_runtime: Runtime) -> None:
    @tool(result_schema=Height)
    def height() -> Any:
        """The height."""
        return ToolFailure("no gauge")

    _, model = using(height, tool_call("height"))

    assert told(model) == "Error: no gauge"


# --- variables -------------------------------------------------------------------------------------------------------


def test_a_missing_variable_is_named_before_the_tool_is_called(
    jackstay_make_runtime: MakeRuntime,
) -> None:
    called: list[str] = []
    needed = EnvVar(name="TIDE_KEY", description="the key of the tide service")
    optional = [EnvVar(name="TIDE_URL", required=False), EnvVar(name="TIDE_UNIT", default="m")]

    @tool(env_vars=[needed, *optional])
    def height() -> str:
        """The height."""
        called.append("height")
        return "3.2"

    jackstay_make_runtime()
    output, model = using(height, tool_call("height"))
    assert "needs TIDE_KEY (the key of the tide service), which the environment does not have" in told(model)
    assert [failure.reason for failure in output.tool_failures] == ["missing_variable"]
    assert called == []

    jackstay_make_runtime(environ={"TIDE_KEY": "k"})
    _, model = using(height, tool_call("height"))
    assert told(model) == "3.2"


# --- the record ------------------------------------------------------------------------------------------------------


def test_a_failure_has_its_traceback_and_only_its_own_row_stores_it(jackstay_runtime: Runtime) -> None:
    @tool
    def breaks() -> str:
        """Breaks."""
        raise LookupError("no gauge")

    output, _ = using(breaks, tool_call("breaks"))

    [failure] = output.tool_failures
    assert 'raise LookupError("no gauge")' in failure.traceback
    [row] = [each for each in jackstay_runtime.journal.steps(output.run_id) if each.kind == "task"]
    assert "Traceback" not in (row.result or "")


def test_a_task_from_the_record_has_its_failures_tracebacks(jackstay_runtime: Runtime) -> None:
    @tool
    def breaks() -> str:
        """Breaks."""
        raise LookupError("no gauge")

    model = ScriptedModel([tool_call("breaks"), "first", RuntimeError("the model broke")])
    worker = agent(model, tools=[breaks])
    made = crew(task(worker, "First"), task(worker, "Second"))
    with pytest.raises(RuntimeError) as failed:
        made.kickoff()
    model.add("second")

    output = made.kickoff(resume=failed.value.run_id)  # type: ignore[attr-defined]

    [failure] = output.tool_failures
    assert 'raise LookupError("no gauge")' in failure.traceback
