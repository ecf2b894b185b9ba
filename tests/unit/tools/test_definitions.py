"""Tools as they are written: names, schemas, direct calls, what is refused."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from jackstay.errors import DefinitionError, JackstayError
from jackstay.tools import BaseTool, tool
from jackstay.tools.base_tool import as_tool_def, tool_defs
from jackstay.tools.naming import MAX_NAME, tool_name


@tool
def add(a: int, b: int = 2) -> int:
    """Adds two numbers.

    And says so.
    """
    return a + b


@tool("Web Search!")
def search(query: str, kind: Literal["web", "news"] = "web") -> str:
    """Searches."""
    return f"{kind}: {query}"


@tool(result_as_answer=True, max_usage_count=2)
async def fetch(url: str) -> str:
    """Fetches."""
    await asyncio.sleep(0)
    return f"got {url}"


class Arguments(BaseModel):
    city: str = Field(description="Which city")
    days: int = Field(default=1, ge=1)


class Weather(BaseTool):
    name: str = "Weather Report"
    description: str = "Tells the weather."
    args_schema: type[BaseModel] | None = Arguments
    unit: str = "C"

    def _run(self, city: str, days: int = 1) -> str:
        return f"{city}: {days * 10} {self.unit}"


class AsyncTool(BaseTool):
    name: str = "async"
    description: str = "Asynchronous."

    async def _arun(self, x: int) -> int:
        return x + 1


@pytest.mark.promise("tool.decorator")
def test_a_function_becomes_a_tool() -> None:
    spec = add.to_def().spec

    assert spec.name == "add"
    assert spec.description == "Adds two numbers.\n\nAnd says so."
    assert spec.parameters == {
        "properties": {"a": {"title": "A", "type": "integer"}, "b": {"default": 2, "title": "B", "type": "integer"}},
        "required": ["a"],
        "type": "object",
    }


@pytest.mark.promise("tool.run")
def test_a_tool_of_a_function_is_still_that_function() -> None:
    assert add(1) == add.run(1) == add.run(a=1, b=2) == 3


@pytest.mark.promise("tool.names")
def test_names_are_made_fit_for_models() -> None:
    assert search.name == "Web Search!"
    assert search.to_def().spec.name == "web_search"
    assert tool_name("Größe & Länge") == "gr_e_l_nge"
    assert len(tool_name("x" * 200)) == MAX_NAME == 64
    assert tool_name("!!!") == "tool"


def test_options_of_the_decorator() -> None:
    made = fetch.to_def()

    assert made.result_as_answer
    assert made.max_usage_count == 2
    assert not add.to_def().result_as_answer
    assert asyncio.run(fetch.arun("u")) == "got u"


@pytest.mark.promise("tool.base_tool")
def test_a_class_with_a_schema_of_its_own() -> None:
    made = Weather(unit="F").to_def()

    assert made.spec.name == "weather_report"
    assert made.spec.parameters["properties"]["city"]["description"] == "Which city"
    assert made.call(**made.validate({"city": "Rome", "days": "2"})) == "Rome: 20 F"


@pytest.mark.promise("tool.base_tool", "tool.run")
def test_a_class_that_only_has_an_asynchronous_method() -> None:
    made = AsyncTool().to_def()

    assert made.spec.parameters["required"] == ["x"]
    assert asyncio.run(AsyncTool().arun(1)) == 2


@pytest.mark.promise("tool.base_tool")
def test_a_tool_without_a_schema_has_that_of_its_signature() -> None:
    for made in (add, AsyncTool(), Weather(unit="F")):
        schema = made.args_schema
        assert isinstance(schema, type)
        assert schema.model_json_schema()["properties"] == made.to_def().spec.parameters["properties"]
    assert Weather(unit="F").args_schema is Arguments


@pytest.mark.promise("tool.arguments")
def test_arguments_are_converted_and_checked() -> None:
    made = add.to_def()

    assert made.validate({"a": "3"}) == {"a": 3, "b": 2}
    with pytest.raises(ValueError, match="a: Field required"):
        made.validate({"b": 1})
    with pytest.raises(ValueError, match="a: Input should be a valid integer"):
        made.validate({"a": "three"})
    with pytest.raises(ValueError, match=r"kind: Input should be 'web' or 'news'"):
        search.to_def().validate({"query": "x", "kind": "maps"})


def test_models_inside_arguments_are_built() -> None:
    @tool
    def plan(first: Arguments, rest: list[Arguments]) -> str:
        """Plans."""
        return ""

    checked = plan.to_def().validate({"first": {"city": "Rome"}, "rest": [{"city": "Oslo", "days": 2}]})

    assert checked == {"first": Arguments(city="Rome"), "rest": [Arguments(city="Oslo", days=2)]}


@pytest.mark.promise("tool.max_usage_count")
def test_a_usage_count_is_claimed_under_a_limit_and_can_be_reset() -> None:
    fetch.reset_usage_count()
    made = fetch.to_def()
    assert made.claim is not None

    assert [made.claim(), made.claim(), made.claim()] == [True, True, False]
    assert fetch.current_usage_count == 2
    fetch.reset_usage_count()
    assert made.claim()
    fetch.reset_usage_count()


@pytest.mark.promise("tool.decorator")
def test_a_function_without_a_docstring_is_refused() -> None:
    with pytest.raises(DefinitionError, match="the tool function silent has no docstring; write what it does"):

        @tool
        def silent(a: int) -> int:
            return a


@pytest.mark.parametrize("given", [lambda q: q, "search", 3, object()])
def test_what_is_no_tool_is_refused(given: Any) -> None:
    with pytest.raises(DefinitionError, match="agent 'A' has a tool that is a") as caught:
        as_tool_def(given, "agent 'A'")

    assert isinstance(caught.value, JackstayError)
    assert "@tool" in str(caught.value)


def test_an_annotation_that_cannot_be_resolved_is_named() -> None:
    @tool
    def lost(a: NoSuchClass) -> str:  # type: ignore[name-defined]  # noqa: F821
        """Lost."""
        return ""

    with pytest.raises(DefinitionError, match=r"the tool 'lost'.*NoSuchClass"):
        lost.to_def()


def test_a_tool_without_a_run_method_says_so() -> None:
    with pytest.raises(DefinitionError, match="the tool 'empty' does nothing: write _run"):
        BaseTool(name="empty", description="x").run()


def test_an_argument_that_the_schema_cannot_name_is_refused_clearly() -> None:
    @tool
    def private(_a: int) -> str:
        """Private."""
        return ""

    with pytest.raises(DefinitionError, match=r"the tool 'private'.*_a"):
        private.to_def()


def test_two_tools_of_one_name_are_refused_and_one_given_twice_is_one() -> None:
    @tool("web search")
    def other(query: str) -> str:
        """Searches elsewhere."""
        return query

    assert len(tool_defs([add, search, add], "agent 'A'")) == 2
    with pytest.raises(DefinitionError, match="agent 'A' has two tools that models see as 'web_search'"):
        tool_defs([search, other], "agent 'A'")
