"""What is called before and after a crew's tasks: in which order, what it changes, and that a resume does not repeat it."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import Crew, CrewOutput, Runtime
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, InputsError, MissingVariableError
from jackstay.testing import FaultPoints, ScriptedModel
from jackstay.testing.plugin import MakeRuntime
from tests.commit_faults import stops_at_commit
from tests.unit.crew.building import agent, crew, prompts, task


def echo() -> ScriptedModel:
    return ScriptedModel(default=lambda call: call.last_user.partition("\n")[0].removeprefix("Current Task: "))


def one_task(model: Any, description: str = "Do it", **more: Any) -> Crew:
    return crew(task(agent(model), description), **more)


@pytest.mark.promise("run.callback_order", "tool.kickoff_callbacks")
def test_callbacks_are_called_in_crewais_order() -> None:
    order: list[str] = []
    worker = agent(ScriptedModel(["done"]))
    made = crew(
        task(worker, callback=lambda _: order.append("task")),
        task_callback=lambda _: order.append("crew task"),
        before_kickoff_callbacks=[lambda inputs: order.append("before 1"), lambda inputs: order.append("before 2")],
        after_kickoff_callbacks=[lambda output: order.append("after 1"), lambda output: order.append("after 2")],
    )

    made.kickoff()

    assert order == ["before 1", "before 2", "task", "crew task", "after 1", "after 2"]


@pytest.mark.promise("crew.before_kickoff_callbacks", "tool.kickoff_callbacks")
def test_what_callbacks_before_return_is_filled_in_one_after_the_other() -> None:
    model = echo()
    seen: list[Any] = []

    def named(inputs: dict[str, Any]) -> dict[str, Any]:
        seen.append(dict(inputs))
        return {**inputs, "city": "Bergen"}

    async def louder(inputs: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        inputs["city"] = inputs["city"].upper()
        return inputs

    made = one_task(model, "Visit {city} in {year}", before_kickoff_callbacks=[named, louder])

    assert made.kickoff({"year": 2030}).raw == "Visit BERGEN in 2030"
    assert seen == [{"year": 2030}]


def test_without_inputs_a_callback_before_is_given_an_empty_dict_and_may_fill_it_in_place() -> None:
    def filled(inputs: dict[str, Any]) -> None:
        assert inputs == {}
        inputs["city"] = "Oslo"

    assert one_task(echo(), "Visit {city}", before_kickoff_callbacks=[filled]).kickoff().raw == "Visit Oslo"


def test_the_callers_inputs_are_not_changed_by_a_callback() -> None:
    def cut(inputs: dict[str, Any]) -> None:
        inputs["cities"].clear()

    given = {"cities": ["Oslo"]}

    assert one_task(echo(), "Visit {cities}", before_kickoff_callbacks=[cut]).kickoff(given).raw == "Visit []"
    assert given == {"cities": ["Oslo"]}


@pytest.mark.parametrize(("returned", "error"), [("Oslo", TypeError), ({"city": object()}, InputsError)])
def test_what_cannot_be_inputs_ends_the_run_before_anything_is_asked(returned: Any, error: type[Exception]) -> None:
    model = echo()

    with pytest.raises(error):
        one_task(model, "Visit {city}", before_kickoff_callbacks=[lambda _: returned]).kickoff()

    assert model.calls == []


def test_a_variable_that_no_callback_has_added_is_missing() -> None:
    made = one_task(echo(), "Visit {city}", before_kickoff_callbacks=[lambda inputs: {"town": "Oslo"}])

    with pytest.raises(MissingVariableError) as caught:
        made.kickoff()

    assert caught.value.variable == "city"


@pytest.mark.promise("crew.after_kickoff_callbacks", "tool.kickoff_callbacks")
def test_callbacks_after_may_replace_the_output() -> None:
    def signed(output: CrewOutput) -> CrewOutput:
        output.raw += " (signed)"
        return output

    async def fresh(output: CrewOutput) -> CrewOutput:
        return CrewOutput(raw=output.raw.upper(), json_dict={"from": output.run_id})

    made = one_task(ScriptedModel(["done"]), after_kickoff_callbacks=[signed, fresh])

    output = made.kickoff()

    assert (output.raw, output.json_dict) == ("DONE (SIGNED)", {"from": output.run_id})
    assert output.tasks_output[0].raw == "done"
    assert output.token_usage.successful_requests == 1


def test_a_callback_after_sees_the_runs_usage() -> None:
    seen: list[Any] = []
    made = one_task(
        ScriptedModel(["done"]), after_kickoff_callbacks=[lambda out: seen.append((out.run_id, out.token_usage))]
    )

    output = made.kickoff()

    assert seen == [(output.run_id, output.token_usage)]


class Trip(BaseModel):
    city: str


class Other(BaseModel):
    city: str


def renamed(output: CrewOutput) -> CrewOutput:
    return output.model_copy(update={"pydantic": Trip(city="Bodø")})


def test_a_replaced_object_comes_back_from_the_record() -> None:
    model = ScriptedModel([{"city": "Oslo"}])
    made = crew(task(agent(model), output_pydantic=Trip), after_kickoff_callbacks=[renamed])

    first, again = made.kickoff(run_key="k"), made.kickoff(run_key="k")

    assert first.pydantic == again.pydantic == Trip(city="Bodø")
    assert len(model.calls) == 1


@pytest.mark.parametrize(
    "returned", ["text", CrewOutput(pydantic=Other(city="Oslo")), CrewOutput(json_dict={"a": {1}})]
)
def test_what_cannot_be_an_output_is_refused_and_the_mended_callback_is_called_on_resume(returned: Any) -> None:
    model = ScriptedModel(["done"])
    given: list[Any] = [returned, None]
    made = one_task(model, after_kickoff_callbacks=[lambda _: given.pop(0)])
    with pytest.raises(DefinitionError, match="callback 'lambda'"):
        made.kickoff(run_key="k")

    assert made.kickoff(run_key="k").raw == "done"
    assert len(model.calls) == 1


def test_each_item_of_a_batch_has_its_callbacks() -> None:
    made = one_task(
        echo(),
        "Item {n}{mark}",
        before_kickoff_callbacks=[lambda inputs: {**inputs, "mark": "!"}],
        after_kickoff_callbacks=[lambda output: CrewOutput(raw=output.raw.lower())],
    )

    assert [output.raw for output in made.kickoff_for_each([{"n": 1}, {"n": 2}])] == ["item 1!", "item 2!"]


def test_a_definition_without_callbacks_has_the_fingerprint_that_it_had() -> None:
    plain = one_task("sim/demo")
    called = one_task("sim/demo", before_kickoff_callbacks=[renamed])

    assert len(plain.outline()) == 3
    assert called.outline()[3] == {"before_kickoff": ["renamed"], "after_kickoff": []}
    assert plain.fingerprint != called.fingerprint


def counted_crew(calls: list[str], model: ScriptedModel) -> Crew:
    def before(inputs: dict[str, Any]) -> dict[str, Any]:
        calls.append("before")
        return {"number": calls.count("before")}

    def after(output: CrewOutput) -> CrewOutput:
        calls.append("after")
        return CrewOutput(raw=f"{output.raw}, after {calls.count('after')}")

    worker = agent(model)
    return crew(
        task(worker, "First {number}"),
        task(worker, "Second {number}"),
        before_kickoff_callbacks=[before],
        after_kickoff_callbacks=[after],
    )


def test_interrupted_at_any_commit_a_recorded_callback_is_not_called_again(
    jackstay_make_runtime: MakeRuntime, tmp_path: Any
) -> None:
    points = FaultPoints()
    jackstay_make_runtime(folder=tmp_path / "undisturbed", fault_point=points.hit)
    assert counted_crew([], echo()).kickoff().raw == "Second 1, after 1"
    commits = points.hits.count("journal.commit")
    assert commits >= 5

    for commit in range(1, commits - 1):
        points, calls, model = FaultPoints(), list[str](), echo()
        runtime = jackstay_make_runtime(folder=tmp_path / str(commit), fault_point=points.hit)
        made = counted_crew(calls, model)
        if not stops_at_commit(commit, points, partial(made.kickoff, run_key="k")):
            break
        known = callbacks_recorded(runtime)
        before = list(calls)

        output = made.kickoff(run_key="k")

        for name in ("before", "after"):
            assert calls.count(name) - before.count(name) == 1 - known.count(name), commit
        number = "1" if "before" in known else str(calls.count("before"))
        assert f"Second {number}" in prompts(model)[-1], commit
        assert output.raw.startswith(f"Second {number}, after"), commit


def callbacks_recorded(runtime: Runtime) -> list[str]:
    runs = runtime.journal.runs(RunFilter())
    return [step.name for run in runs for step in runtime.journal.steps(run.id) if step.kind == "step"]


def test_a_replay_keeps_what_the_callbacks_before_made_and_calls_those_after_again() -> None:
    calls: list[str] = []
    made = counted_crew(calls, echo())
    whole = made.kickoff()

    replayed = made.replay(f"{whole.run_id}/second_number#1")

    assert calls == ["before", "after", "after"]
    assert replayed.raw == "Second 1, after 2"


def test_a_replay_with_other_inputs_calls_those_before_again_and_does_what_they_changed_again(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    model = echo()
    worker = agent(model)
    made = crew(
        task(worker, "Pack", name="pack"),
        task(worker, "Visit {place}", context=[], name="visit"),
        task(worker, "Return", context=[], name="return"),
        before_kickoff_callbacks=[lambda inputs: {**inputs, "place": inputs["city"].upper()}],
    )
    whole = made.kickoff({"city": "Oslo"})

    replayed = made.replay(f"{whole.run_id}/return#1", {"city": "Bodø"})

    assert [one.raw for one in replayed.tasks_output] == ["Pack", "Visit BODØ", "Return"]
    assert len(model.calls) == 3 + 2
    assert "question changed" not in caplog.text


def test_a_model_call_of_a_callback_is_part_of_the_runs_bill() -> None:
    model = ScriptedModel(["Oslo", "done"])

    def chosen(inputs: dict[str, Any]) -> dict[str, Any]:
        return {"city": one_task(model, "Choose").kickoff().raw}

    output = one_task(model, "Visit {city}", before_kickoff_callbacks=[chosen]).kickoff()

    assert output.token_usage.successful_requests == 2
