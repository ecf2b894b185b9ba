"""When an agent goes round in circles: decided from its turns alone."""

from __future__ import annotations

import pytest

from jackstay.core.messages import ToolCall
from jackstay.core.progress import standstill, turn_of


@pytest.mark.parametrize("turns", ["", "a", "aa", "aab", "abab"[:3], "aabb", "abcabc", "abba", "aabaab"])
def test_turns_that_may_still_come_to_something_are_let_go_on(turns: str) -> None:
    assert standstill(list(turns)) is None


@pytest.mark.parametrize("turns", ["aaa", "baaa", "cbaaa"])
def test_three_equal_turns_in_a_row_are_a_standstill(turns: str) -> None:
    assert "3 times in a row" in (standstill(list(turns)) or "")


@pytest.mark.parametrize("turns", ["abab", "cabab", "ccbaba"])
def test_going_back_and_forth_twice_is_a_standstill(turns: str) -> None:
    assert "back and forth" in (standstill(list(turns)) or "")


def test_a_turn_is_the_same_however_its_arguments_are_spaced_and_its_calls_ordered() -> None:
    one, other = ToolCall("1", "look", '{"a":1, "b": 2}'), ToolCall("2", "read", "{}")
    again = ToolCall("3", "look", '{"b":2,"a":1}')

    assert turn_of([(one, "x"), (other, "y")]) == turn_of([(other, "y"), (again, "x")])


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (ToolCall("1", "look", '{"a": 2}'), "x"),
        (ToolCall("1", "read", '{"a": 1}'), "x"),
        (ToolCall("1", "look", '{"a": 1}'), "y"),
    ],
)
def test_another_question_or_another_result_is_another_turn(call: ToolCall, said: str) -> None:
    assert turn_of([(ToolCall("1", "look", '{"a": 1}'), "x")]) != turn_of([(call, said)])
