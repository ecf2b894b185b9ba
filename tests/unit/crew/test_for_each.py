"""`kickoff_for_each`: what it gives back, and that its items keep apart."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jackstay import Crew, CrewOutput, Flow, start
from jackstay.core.records import RunFilter
from jackstay.crew import CrewOutputs
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, task

ITEMS = [{"n": n} for n in (1, 2, 3)]


def answer(call: Any) -> Any:
    return RuntimeError("no luck") if "item 2" in call.last_user else "fine"


def crew_of(model: ScriptedModel | None = None, **more: Any) -> Crew:
    worker = agent(model or ScriptedModel(default=answer))
    return crew(task(worker, "prepare"), task(worker, "item {n}"), **more)


def test_an_item_that_is_no_mapping_is_named_and_nothing_is_begun(runtime) -> None:
    wrong: Any = [{"n": 0}, 5]
    with pytest.raises(TypeError, match="item 1: inputs must be a mapping of names to values, not int"):
        crew_of().kickoff_for_each(wrong)
    assert runtime.journal.runs(RunFilter()) == []


@pytest.mark.promise("run.for_each.isolation")
def test_the_failed_items_are_listed_and_the_first_error_can_be_raised() -> None:
    outputs = crew_of().kickoff_for_each(ITEMS)

    assert isinstance(outputs, list)
    assert [output.ok for output in outputs] == [True, False, True]
    assert outputs.failed == [outputs[1]]
    assert (outputs[1].raw, outputs[1].error) == ("", "RuntimeError: no luck")
    with pytest.raises(RuntimeError, match="no luck"):
        outputs.raise_if_any()


def test_where_none_failed_nothing_is_listed_or_raised() -> None:
    outputs = crew_of(ScriptedModel(default="fine")).kickoff_for_each(ITEMS)

    outputs.raise_if_any()

    assert outputs.failed == []


def test_of_several_failures_the_error_that_is_raised_says_how_many_there_are() -> None:
    outputs = crew_of().kickoff_for_each([{"n": 2}, {"n": 1}, {"n": 2}])

    with pytest.raises(RuntimeError) as caught:
        outputs.raise_if_any()

    assert "2 of 3 items failed" in "".join(caught.value.__notes__)


@pytest.mark.promise("crew.akickoff_for_each")
@pytest.mark.parametrize("name", ["akickoff_for_each", "kickoff_for_each_async"])
def test_the_asynchronous_forms_give_back_the_same(name: str) -> None:
    outputs = asyncio.run(getattr(crew_of(), name)(ITEMS))

    assert [output.ok for output in outputs] == [True, False, True]
    assert len(outputs.failed) == 1


def test_what_a_failed_item_has_used_is_told_and_counts(runtime: Any) -> None:
    made = crew_of(ScriptedModel(default=answer))

    outputs = made.kickoff_for_each(ITEMS)

    assert [output.token_usage.successful_requests for output in outputs] == [2, 1, 2]
    assert outputs.token_usage.successful_requests == 5
    assert made.usage_metrics == outputs.token_usage
    assert outputs[1].run_id not in ("", outputs[0].run_id)


@pytest.mark.promise("crew.kickoff_for_each")
def test_one_warning_counts_the_failures_and_says_how_they_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    outputs = crew_of().kickoff_for_each([{"n": 2}, {"n": 1}, {"n": 2}])

    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("2 of 3 items failed (the first: no luck); to try them again: jackstay resume ")
    assert outputs[0].run_id[:13] not in warning  # the batch's own id


def test_inside_a_flow_one_warning_counts_the_failures_too(caplog: pytest.LogCaptureFixture) -> None:
    class Many(Flow[dict[str, Any]]):
        @start()
        def each(self) -> Any:
            return [output.ok for output in crew_of().kickoff_for_each(ITEMS)]

    assert Many().kickoff() == [True, False, True]

    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("1 of 3 items failed (the first: no luck); jackstay show ")


def test_with_a_concurrency_of_one_an_item_begins_when_the_one_before_has_ended() -> None:
    order: list[str] = []

    def ended(output: CrewOutput) -> None:
        order.append(f"end {output.tasks_output[1].description}")

    made = crew_of(
        ScriptedModel(default="fine"),
        before_kickoff_callbacks=[lambda inputs: order.append(f"begin {inputs['n']}")],
        after_kickoff_callbacks=[ended],
        task_callback=lambda output: order.append(output.description),
    )

    made.kickoff_for_each(ITEMS, concurrency=1)

    assert order == [text for n in (1, 2, 3) for text in (f"begin {n}", "prepare", f"item {n}", f"end item {n}")]


def test_items_know_nothing_of_one_another() -> None:
    def own(inputs: dict[str, Any]) -> dict[str, Any]:
        inputs["seen"].append(inputs["n"])
        return inputs

    shared: list[int] = []
    made = crew_of(ScriptedModel(default=lambda call: call.last_user), before_kickoff_callbacks=[own])

    outputs = made.kickoff_for_each([{"n": n, "seen": shared} for n in (1, 2, 3)])

    assert isinstance(outputs, CrewOutputs)
    assert shared == []
    for n, output in enumerate(outputs, 1):
        assert f"item {n}" in output.raw
