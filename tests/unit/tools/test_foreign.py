"""Tools of other libraries, taken by their shape: the shapes are LangChain's."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay.tools.base_tool import as_tool_def


class Query(BaseModel):
    q: str
    limit: int = 3


JSON_SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}


class FirstPydantic:
    """A class of pydantic 1, as far as it is looked at."""

    @classmethod
    def schema(cls) -> dict[str, Any]:
        return JSON_SCHEMA


class Subclass:
    """Made by inheriting, as LangChain's own documentation does."""

    name = "Sub Class"
    description = "From elsewhere."
    args_schema = None

    def _run(self, q: str, limit: int = 3, run_manager: Any = None) -> str:
        return f"{q} {limit} {run_manager}"

    def invoke(self, given: Any, config: Any = None) -> str:
        raise AssertionError("_run is called")


def made(**fields: Any) -> Any:
    return as_tool_def(SimpleNamespace(**{"name": "Foreign Tool", "description": "Elsewhere.", **fields}), "agent 'A'")


def called(tool: Any, **arguments: Any) -> Any:
    return tool.call(**tool.validate(arguments))


async def asynchronous(q: str) -> str:
    return f"async {q}"


def in_two_parts(q: str) -> tuple[str, list[int]]:
    return f"content {q}", [1]


@pytest.mark.promise("agent.tools")
def test_a_function_with_name_and_description_is_a_tool() -> None:
    tool = made(func=lambda q: f"func {q}")

    assert (tool.spec.name, tool.spec.description) == ("foreign_tool", "Elsewhere.")
    assert called(tool, q="x") == "func x"


def test_a_description_that_is_missing_is_the_name() -> None:
    assert made(func=lambda q: q, description="").spec.description == "Foreign Tool"


def test_a_tool_that_has_only_a_coroutine_is_awaited() -> None:
    tool = made(func=None, coroutine=asynchronous)

    assert asyncio.run(called(tool, q="x")) == "async x"


def test_parameters_that_its_library_fills_in_are_shown_to_no_model() -> None:
    tool = as_tool_def(Subclass(), "agent 'A'")

    assert list(tool.spec.parameters["properties"]) == ["q", "limit"]
    assert called(tool, q="x") == "x 3 None"


def test_a_pydantic_schema_is_the_arguments() -> None:
    tool = made(func=lambda **given: given, args_schema=Query)

    assert called(tool, q="x", limit="4") == {"q": "x", "limit": 4}
    with pytest.raises(ValueError, match="q: Field required"):
        tool.validate({})


@pytest.mark.parametrize("schema", [JSON_SCHEMA, FirstPydantic])
def test_a_json_schema_is_told_as_it_is(schema: Any) -> None:
    tool = made(func=lambda **given: given, args_schema=schema)

    assert tool.spec.parameters == JSON_SCHEMA
    assert called(tool, q="x", more=1) == {"q": "x", "more": 1}
    with pytest.raises(ValueError, match="q: required, and not given"):
        tool.validate({"more": 1})


def test_a_json_schema_that_is_closed_lets_nothing_else_through() -> None:
    tool = made(func=lambda **given: given, args_schema=JSON_SCHEMA | {"additionalProperties": False})

    with pytest.raises(ValueError, match="more: there is no such argument"):
        tool.validate({"q": "x", "more": 1})


def test_what_can_only_be_invoked_is_given_its_arguments_as_one() -> None:
    assert called(made(invoke=lambda given: given, args_schema=Query), q="x") == {"q": "x", "limit": 3}
    assert called(made(invoke=lambda given: f"invoked with {given}"), input="x") == "invoked with x"


def test_what_can_only_be_run_is_run() -> None:
    assert called(made(run=lambda q: f"run {q}"), q="x") == "run x"


def test_of_content_and_artifact_the_model_is_told_the_content() -> None:
    assert called(made(func=in_two_parts, response_format="content_and_artifact"), q="x") == "content x"


def test_a_result_that_is_returned_directly_is_the_answer() -> None:
    assert made(func=lambda q: q, return_direct=True).result_as_answer
    assert not made(func=lambda q: q).result_as_answer
