"""`{variable}` in definitions: CrewAI's rules (semantics 6.2), one error type everywhere (9.11)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jackstay.core.interpolation import check_inputs, interpolate, placeholders
from jackstay.errors import InputsError, JackstayError, MissingVariableError


def filled(template: str, inputs: dict[str, object]) -> str:
    return interpolate(template, inputs, field="description", owner="task 'T'")


@pytest.mark.promise("run.interpolation")
@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("about {topic}", "about T"),
        ("{topic}{topic}", "TT"),
        ("{{topic}}", "{T}"),
        ('{"topic": 1}', '{"topic": 1}'),
        ("{ topic }", "{ topic }"),
        ("{}", "{}"),
        ("{0} {1a}", "{0} {1a}"),
        ("{topic.x} {topic[0]} {topic!r} {topic:>4}", "{topic.x} {topic[0]} {topic!r} {topic:>4}"),
        ("{a-b} {_c1}", "dash under"),
        ("{topïc}", "{topïc}"),
        ("{top\nic}", "{top\nic}"),
    ],
)
def test_only_plain_names_in_braces_are_placeholders(template: str, expected: str) -> None:
    assert filled(template, {"topic": "T", "a-b": "dash", "_c1": "under"}) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (3, "3"),
        (2.5, "2.5"),
        (True, "True"),
        (None, "None"),
        ([1, "a"], "[1, 'a']"),
        ({"k": 1}, "{'k': 1}"),
    ],
)
def test_values_are_written_with_str(value: object, text: str) -> None:
    assert filled("{v}", {"v": value}) == text


def test_a_value_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    assert filled("{a}", {"a": "{b}", "b": "no"}) == "{b}"


def test_backslashes_and_groups_in_values_stay_as_they_are() -> None:
    assert filled("{a}", {"a": r"\1 \g<0> \n"}) == r"\1 \g<0> \n"


def test_without_inputs_placeholders_stay() -> None:
    assert filled("about {topic}", {}) == "about {topic}"


@pytest.mark.promise("run.interpolation.missing")
def test_a_missing_variable_is_named_with_its_field_and_owner() -> None:
    with pytest.raises(MissingVariableError) as caught:
        interpolate("{topic} of {year}", {"topic": "T"}, field="goal", owner="agent 'Analyst'")

    error = caught.value
    assert isinstance(error, JackstayError)
    assert isinstance(error, ValueError)
    assert (error.variable, error.field, error.owner) == ("year", "goal", "agent 'Analyst'")
    assert "'year' in goal of agent 'Analyst' (inputs given: topic)" in str(error)


def test_the_remedy_that_a_missing_variable_names_works() -> None:
    with pytest.raises(MissingVariableError) as caught:
        filled("{year}", {"topic": "T"})

    assert "{ year }" in str(caught.value)
    assert filled("{ year }", {"topic": "T"}) == "{ year }"


def test_placeholders_in_order_and_once() -> None:
    assert placeholders("{b} {a} {b} { c } {d-e}") == ["b", "a", "d-e"]


@given(st.dictionaries(st.from_regex(r"[A-Za-z_][A-Za-z0-9_\-]*", fullmatch=True), st.text(), min_size=1, max_size=4))
def test_a_template_of_all_variables_becomes_their_values(inputs: dict[str, str]) -> None:
    template = "|".join(f"{{{name}}}" for name in inputs)

    assert placeholders(template) == list(inputs)
    assert filled(template, dict(inputs)) == "|".join(inputs.values())


# --- inputs -------------------------------------------------------------------------------------------------------


@pytest.mark.promise("run.interpolation.values")
def test_plain_inputs_pass_and_are_copied() -> None:
    given_inputs = {"a": 1, "b": [None, {"c": 2.5}], "d": True}

    checked = check_inputs(given_inputs)

    assert checked == given_inputs
    assert checked is not given_inputs
    assert check_inputs(None) == {}


@pytest.mark.promise("run.interpolation.values")
@pytest.mark.parametrize("inputs", ["topic", 3, ["a"], object()])
def test_inputs_that_are_no_mapping_are_a_type_error(inputs: object) -> None:
    with pytest.raises(TypeError, match="inputs must be a mapping"):
        check_inputs(inputs)


@pytest.mark.promise("run.interpolation.values")
@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        ({"a": object()}, "'a'] is a object"),
        ({"a": {"b": [1, {2, 3}]}}, "a.b[1]"),
        ({"a": b"x"}, "is a bytes"),
        ({"a": float("nan")}, "nan"),
        ({3: "x"}, "name 3"),
    ],
)
def test_inputs_that_cannot_be_used_are_named(inputs: dict[object, object], named: str) -> None:
    with pytest.raises(InputsError) as caught:
        check_inputs(inputs)

    assert named in str(caught.value)


def test_inputs_that_contain_themselves_are_refused() -> None:
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(InputsError, match="'loop'"):
        check_inputs({"loop": endless})


def test_names_inside_nested_inputs_are_strings_too() -> None:
    with pytest.raises(InputsError, match="name 7"):
        check_inputs({"a": {7: "x"}})
