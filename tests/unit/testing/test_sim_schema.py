"""Values written for a schema fit it: checked by pydantic for models, by a small checker of our own for any schema."""

from __future__ import annotations

import json
import re
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, HttpUrl

from jackstay.models.sim_draw import Draw
from jackstay.models.sim_schema import SchemaWriter
from jackstay.models.sim_words import Words

WORDS = Words("Research AI agents in 7 countries", "AI agents", (7.0,))


def written(schema: dict[str, Any], key: str = "k") -> Any:
    return json.loads(json.dumps(SchemaWriter(schema, WORDS, Draw(key)).write()))


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Address(BaseModel):
    street: Annotated[str, Field(min_length=3, max_length=12)]
    code: Annotated[str, Field(pattern=r"^\d{5}$")]


class Node(BaseModel):
    name: str
    children: list[Node] = []
    parent: Node | None = None


class Everything(BaseModel):
    title: str
    colour: Colour
    kind: Literal["a", "b"]
    size: Annotated[int, Field(ge=3, lt=9, multiple_of=2)]
    share: Annotated[float, Field(gt=0, lt=1)]
    price: Decimal
    when: datetime
    day: date
    ident: UUID
    link: HttpUrl
    home: Address
    others: Annotated[list[Address], Field(min_length=1, max_length=2)]
    names: Annotated[set[Colour], Field(max_length=2)]
    either: int | str
    maybe: Address | None
    pair: tuple[int, str]
    table: dict[str, Annotated[int, Field(le=5)]]
    optional: int = 4
    tree: Node


@pytest.mark.parametrize("key", [str(number) for number in range(30)])
def test_pydantic_models_accept_what_is_written_for_them(key):
    value = written(Everything.model_json_schema(), key)

    model = Everything.model_validate(value)

    assert model.optional == 4
    assert len(model.table) == 2


def test_recursive_models_end():
    Node.model_validate(written(Node.model_json_schema()))


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
            {"query": "AI agents"},
        ),
        ({"type": "integer", "minimum": 5, "maximum": 9}, 7),
        ({"const": "x"}, "x"),
        ({"type": "string", "enum": ["teams", "agents"]}, "agents"),
        ({"type": "null"}, None),
        ({"type": ["null", "boolean"]}, False),
        ({"type": "string", "description": "one of the following coworkers: Senior Writer"}, "AI agents"),
        ({"type": "object", "properties": {"n": {"type": "integer", "default": 3}}}, {"n": 3}),
    ],
)
def test_values_come_from_the_task_where_they_can(schema, expected):
    assert written(schema) == expected


def test_coworker_is_one_of_those_that_the_description_lists():
    schema = {"properties": {"coworker": {"type": "string", "description": "coworkers: Writer, Chief Editor"}}}

    assert written(schema)["coworker"] in ("Writer", "Chief Editor")


@pytest.mark.parametrize(
    "pattern",
    [r"^\d{3}-\d{4}$", r"^[A-Z]{2,4}[0-9]+$", r"(foo|bar)baz?", r"^[^a-z]+$", r"\w+@\w+\.com", r"^(a)\1$", r"^$", "["],
)
def test_patterns_are_matched_or_answered_with_the_topic(pattern):
    value = written({"type": "string", "pattern": pattern})

    try:
        assert re.search(pattern, value)
    except re.error:
        assert value == "AI agents"


# --- any schema ----------------------------------------------------------------------------------------------------


def fits(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """The part of JSON Schema that the strategies below use."""
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "const" in schema:
        return value == schema["const"]
    if "enum" in schema:
        return value in schema["enum"]
    if "anyOf" in schema:
        return any(fits(value, one, root) for one in schema["anyOf"])
    if "allOf" in schema:
        return all(fits(value, one, root) for one in schema["allOf"])
    return fits_type(value, schema, root)


def fits_type(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> bool:
    match schema["type"]:
        case "object":
            return (
                isinstance(value, dict)
                and set(schema.get("required", ())) <= set(value)
                and all(fits(one, schema["properties"][key], root) for key, one in value.items())
            )
        case "array":
            unique = len({json.dumps(one, sort_keys=True) for one in value}) == len(value)
            return (
                schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 99)
                and (unique or not schema.get("uniqueItems"))
                and all(fits(one, schema["items"], root) for one in value)
            )
        case "integer":
            return type(value) is int and in_range(value, schema)
        case "number":
            return type(value) in (int, float) and in_range(value, schema)
        case "string":
            return isinstance(value, str) and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9)
        case "boolean":
            return isinstance(value, bool)
        case _:
            return value is None


def in_range(value: float, schema: dict[str, Any]) -> bool:
    low, high = schema.get("minimum", value), schema.get("maximum", value)
    above, below = schema.get("exclusiveMinimum", value - 1), schema.get("exclusiveMaximum", value + 1)
    return (
        low <= value <= high
        and above < value < below
        and value % schema.get("multipleOf", 1 if value == int(value) else value) == 0
    )


def ranges(kind: str, numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda low, size, ends: {"type": kind, **{key: low + (size if "max" in key.lower() else 0) for key in ends}},
        numbers,
        st.integers(3, 1000),
        st.sampled_from(
            [
                (),
                ("minimum",),
                ("maximum",),
                ("minimum", "maximum"),
                ("exclusiveMinimum", "exclusiveMaximum"),
                ("exclusiveMinimum",),
            ]
        ),
    )


SIMPLE = st.one_of(
    ranges("integer", st.integers(-1000, 1000)),
    ranges("number", st.floats(-1000, 1000, allow_nan=False).map(lambda number: round(number, 3))),
    st.builds(
        lambda low, more: {"type": "string", "minLength": low, "maxLength": low + more},
        st.integers(0, 30),
        st.integers(0, 30),
    ),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(lambda values: {"enum": values}, st.lists(st.one_of(st.text(), st.integers(), st.none()), min_size=1)),
    st.builds(lambda value: {"const": value}, st.one_of(st.text(), st.integers())),
    st.builds(lambda step: {"type": "integer", "multipleOf": step}, st.integers(1, 40)),
    st.just({"$ref": "#/$defs/Self"}),
)


def compound(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    names = st.sampled_from(["query", "title", "score", "items", "email", "note", "url", "count"])
    return st.one_of(
        st.builds(
            lambda properties, needed: {
                "type": "object", "properties": properties, "required": [key for key in properties if key in needed],
            },
            st.dictionaries(names, inner, max_size=4),
            st.sets(names),
        ),
        st.builds(lambda item, low, more: {"type": "array", "items": item, "minItems": low, "maxItems": low + more},
                  inner, st.integers(0, 3), st.integers(0, 3)),
        st.builds(lambda branches: {"anyOf": branches}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"allOf": [one]}, inner),
    )  # fmt: skip


SCHEMAS = st.recursive(SIMPLE, compound, max_leaves=12)
SELF = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "next": {"anyOf": [{"$ref": "#/$defs/Self"}, {"type": "null"}]}},
    "required": ["name", "next"],
}


@settings(max_examples=400, deadline=None)
@given(SCHEMAS, st.integers(0, 5))
def test_any_schema_gets_a_value_that_fits_it(schema, seed):
    root = {**schema, "$defs": {"Self": SELF}}

    assert fits(written(root, str(seed)), schema, root)
