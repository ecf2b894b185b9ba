"""Which task is next and what it is told (semantics 6.3, 6.4, 6.6)."""

from __future__ import annotations

from typing import Any

import pytest

from jackstay.core.specs import AgentSpec, CrewSpec, ModelConfig, TaskSpec
from jackstay.core.tasks import CONTEXT_SEPARATOR, context_of, final_output, stages, task_keys

AGENT = AgentSpec("R", "G", "B", ModelConfig("m"))


def task(**fields: Any) -> TaskSpec:
    return TaskSpec(**{"key": "t", "name": None, "description": "d", "expected_output": "e", "agent": AGENT, **fields})


def crew(pattern: str) -> CrewSpec:
    """`s`: a synchronous task, `a`: an asynchronous one."""
    return CrewSpec("crew", tuple(task(async_execution=letter == "a") for letter in pattern))


@pytest.mark.parametrize(
    ("pattern", "planned"),
    [
        ("", []),
        ("s", [(0,)]),
        ("sss", [(0,), (1,), (2,)]),
        ("a", [(0,)]),
        ("aas", [(0, 1), (2,)]),
        ("saas", [(0,), (1, 2), (3,)]),
        ("sasa", [(0,), (1,), (2,), (3,)]),
        ("saa", [(0,), (1, 2)]),
    ],
)
def test_asynchronous_tasks_run_side_by_side_and_the_next_synchronous_one_waits(
    pattern: str, planned: list[tuple[int, ...]]
) -> None:
    assert stages(crew(pattern)) == planned


def test_without_a_context_of_its_own_a_task_gets_all_earlier_outputs() -> None:
    assert context_of(task(), 2, {0: "zero", 1: "one", 3: "three"}) == f"zero{CONTEXT_SEPARATOR}one"
    assert CONTEXT_SEPARATOR == "\n\n----------\n\n"


def test_named_context_comes_in_the_order_named() -> None:
    assert context_of(task(context=(1, 0)), 2, {0: "zero", 1: "one"}) == f"one{CONTEXT_SEPARATOR}zero"


def test_named_tasks_without_output_are_left_out() -> None:
    assert context_of(task(context=(0, 5)), 2, {0: "zero"}) == "zero"


def test_an_empty_context_is_no_context() -> None:
    assert context_of(task(context=()), 2, {0: "zero", 1: "one"}) == ""


def test_an_asynchronous_task_gets_only_what_it_names() -> None:
    assert context_of(task(async_execution=True), 2, {0: "zero"}) == ""
    assert context_of(task(async_execution=True, context=(0,)), 2, {0: "zero"}) == "zero"


def test_outputs_of_tasks_outside_the_crew_come_after() -> None:
    outside = task(context=(0,), given_context="before")

    assert context_of(outside, 1, {0: "zero"}) == f"zero{CONTEXT_SEPARATOR}before"


def test_an_empty_output_is_part_of_the_context() -> None:
    assert context_of(task(), 2, {0: "", 1: "one"}) == f"{CONTEXT_SEPARATOR}one"


@pytest.mark.parametrize(
    ("outputs", "final"), [({0: "a", 1: "b"}, 1), ({0: "a", 1: ""}, 0), ({0: "", 1: ""}, None), ({}, None)]
)
def test_the_final_output_is_the_last_that_said_something(outputs: dict[int, str], final: int | None) -> None:
    assert final_output(outputs) == final


def test_equal_keys_are_numbered() -> None:
    assert task_keys(["a", "b", "a", "a"]) == [("a", 1), ("b", 1), ("a", 2), ("a", 3)]
