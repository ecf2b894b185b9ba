"""Tasks that are done only if the output before them says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from jackstay import ConditionalTask, Crew, Runtime, TaskOutput
from jackstay.core.events import Event
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, prompts, task


def when(condition: Any, worker: Any, description: str = "Perhaps", **more: Any) -> ConditionalTask:
    return ConditionalTask(
        condition=condition, description=description, expected_output="A brief", agent=worker, **more
    )


def raws(made: Crew, **given: Any) -> list[str]:
    return [one.raw for one in made.kickoff(**given).tasks_output]


@pytest.mark.promise("task.conditional")
@pytest.mark.parametrize(("holds", "expected"), [(True, ["one", "two", "three"]), (False, ["one", "", "two"])])
def test_a_task_whose_condition_does_not_hold_is_skipped_with_an_empty_output(holds: bool, expected: list[str]) -> None:
    model = ScriptedModel(["one", "two", "three"])
    worker = agent(model)
    seen: list[str] = []

    def condition(output: TaskOutput) -> bool:
        seen.append(output.raw)
        return holds

    assert raws(crew(task(worker), when(condition, worker), task(worker))) == expected
    assert seen == ["one"]


def test_a_condition_may_be_asynchronous() -> None:
    async def condition(output: TaskOutput) -> bool:
        await asyncio.sleep(0)
        return output.raw == "go"

    worker = agent(ScriptedModel(["go", "went"]))

    assert raws(crew(task(worker), when(condition, worker))) == ["go", "went"]


def test_a_condition_sees_the_parsed_model_of_the_task_before() -> None:
    class Count(BaseModel):
        found: int

    def few(output: TaskOutput) -> bool:
        assert isinstance(output.pydantic, Count)
        return output.pydantic.found < 3

    worker = agent(ScriptedModel([{"found": 5}]))

    assert raws(crew(task(worker, output_pydantic=Count), when(few, worker)))[1] == ""


@pytest.mark.promise("run.conditional.sees_last")
def test_a_condition_waits_for_asynchronous_tasks_and_sees_the_last_of_them() -> None:
    seen: list[str] = []
    worker = agent(ScriptedModel(default=lambda call: call.last_user.partition("\n")[0].removeprefix("Current Task: ")))
    sides = [task(worker, f"side {n}", async_execution=True) for n in (1, 2)]

    raws(crew(*sides, when(lambda output: seen.append(output.raw), worker)))

    assert seen == ["side 2"]


def test_a_condition_after_a_skipped_task_sees_its_empty_output() -> None:
    seen: list[str] = []
    worker = agent(ScriptedModel(["one"]))

    raws(
        crew(
            task(worker),
            when(lambda output: False, worker),
            when(lambda output: seen.append(output.raw), worker, "Last"),
        )
    )

    assert seen == [""]


@pytest.mark.promise("run.final_output")
def test_an_empty_output_of_a_skipped_task_stands_in_the_context_and_is_not_the_crews() -> None:
    model = ScriptedModel(["one", "two"])
    worker = agent(model)

    made = crew(task(worker), when(lambda output: False, worker), task(worker), when(lambda output: False, worker))

    assert made.kickoff().raw == "two"
    assert prompts(model)[1].endswith("one\n\n----------\n\n")


def test_a_skipped_task_is_told_and_calls_nobody(runtime: Runtime) -> None:
    heard: list[Event] = []
    runtime.observers.append(heard.append)
    told: list[str] = []
    worker = agent(ScriptedModel(["one"]))

    crew(
        task(worker), when(lambda output: False, worker, callback=lambda output: told.append(output.raw), name="maybe")
    ).kickoff()

    assert [event.path for event in heard if event.name == "task_skipped"] == ["maybe#1"]
    assert [event.path for event in heard if event.name == "task_finished"] == ["do_it#1"]
    assert told == []


def test_decision_and_skipped_task_are_in_the_record(runtime: Runtime) -> None:
    worker = agent(ScriptedModel(["one"]))
    crew(task(worker), when(lambda output: False, worker)).kickoff()

    (run,) = runtime.journal.runs(RunFilter())
    rows = {row.path: row for row in runtime.journal.steps(run.id)}
    decision, skipped = rows["perhaps#1/@condition#1"], rows["perhaps#1"]
    assert (decision.kind, decision.status, decision.result) == ("step", "succeeded", "false")
    assert (skipped.kind, skipped.status, skipped.flags) == ("task", "succeeded", "skipped")


@pytest.mark.parametrize("holds", [True, False])
def test_a_resumed_run_keeps_to_what_the_condition_said(holds: bool) -> None:
    asked: list[str] = []
    says = [holds]

    def condition(output: TaskOutput) -> bool:
        asked.append(output.raw)
        return says[0]

    answers = ["one", ValueError("broke"), "two", "three"]
    worker = agent(ScriptedModel(answers))
    made = crew(task(worker), when(condition, worker), task(worker, "Last"))
    with pytest.raises(ValueError, match="broke"):
        made.kickoff(run_key="k")

    says[0] = not holds
    output = raws(made, run_key="k")

    assert output == (["one", "two", "three"] if holds else ["one", "", "two"])
    assert asked == ["one"]


def test_a_condition_that_raised_is_asked_again_by_a_resume() -> None:
    broken = [True]

    def condition(output: TaskOutput) -> bool:
        if broken[0]:
            raise LookupError("no reference")
        return False

    worker = agent(ScriptedModel(["one"]))
    made = crew(task(worker), when(condition, worker))
    with pytest.raises(LookupError, match="no reference"):
        made.kickoff(run_key="k")
    broken[0] = False

    assert raws(made, run_key="k") == ["one", ""]


def test_a_recorded_decision_does_not_answer_for_another_output() -> None:
    """The task before has changed, the run is resumed by its id: the condition looks at the new output."""
    worker = agent(ScriptedModel(["one", ValueError("broke"), "other"]))
    asked: list[str] = []

    def condition(output: TaskOutput) -> bool:
        asked.append(output.raw)
        return output.raw == "one"

    with pytest.raises(ValueError, match="broke") as caught:
        crew(task(worker, "First"), when(condition, worker, context=[])).kickoff()
    changed = crew(task(worker, "First of all", name="first"), when(condition, worker, context=[]))

    assert raws(changed, resume=caught.value.run_id) == ["other", ""]  # type: ignore[attr-defined]
    assert asked == ["one", "other"]


# --- definitions --------------------------------------------------------------------------------------------------


@pytest.mark.promise("crew.validation.conditional")
def test_a_crew_that_has_nothing_to_decide_by_is_refused() -> None:
    worker = agent(ScriptedModel())
    maybe, plain = when(lambda output: True, worker), task(worker)
    asynchronous = when(lambda output: True, worker, async_execution=True)
    for tasks, code, told in [
        ([maybe], "only_conditional_tasks", "needs a task that is no ConditionalTask"),
        ([maybe, plain], "invalid_first_task", "first task cannot be a ConditionalTask: 'Perhaps'"),
        ([plain, asynchronous, plain], "invalid_async_conditional_task", "'Perhaps' cannot be asynchronous"),
    ]:
        with pytest.raises(DefinitionError, match=told) as caught:
            Crew(agents=[worker], tasks=tasks)
        assert isinstance(caught.value.__cause__, ValidationError)
        assert caught.value.__cause__.errors()[0]["type"] == code


def test_a_conditional_task_needs_a_condition() -> None:
    with pytest.raises(DefinitionError, match="condition"):
        ConditionalTask(description="x", expected_output="y")  # type: ignore[call-arg]


def test_it_can_be_asked_by_hand() -> None:
    one = when(lambda output: output.raw == "go", agent(ScriptedModel()))

    assert one.should_execute(TaskOutput(description="x", raw="go")) is True
    skipped = one.get_skipped_task_output()
    assert (skipped.raw, skipped.agent, skipped.output_format.value) == ("", "Analyst", "raw")
