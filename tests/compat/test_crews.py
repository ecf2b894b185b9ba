"""Promises about crews and tasks that no other test is named after."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import ValidationError

from jackstay import ConditionalTask, Crew, CrewOutput, Process, Runtime, Task, UsageMetrics
from jackstay.errors import GuardrailFailed
from jackstay.journal import UsageFilter
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, one_task, prompts, task

SOME_ID = "11111111-1111-4111-8111-111111111111"


class Fact(BaseModel):
    topic: str
    year: int


def codes(error: BaseException) -> list[str]:
    """CrewAI's words for what is wrong, in pydantic's error."""
    cause = error.__cause__
    assert isinstance(cause, ValidationError)
    return [each["type"] for each in cause.errors()]


# --- what is refused where it is written -----------------------------------------------------------------------------


@pytest.mark.promise("agent.id", "task.id", "crew.id")
@pytest.mark.parametrize("kind", ["agent", "task", "crew"])
def test_an_id_cannot_be_given(kind: str) -> None:
    worker = agent(ScriptedModel())
    make: dict[str, Any] = {
        "agent": lambda **given: agent(ScriptedModel(), **given),
        "task": lambda **given: task(worker, **given),
        "crew": lambda **given: crew(task(worker), **given),
    }

    assert make[kind]().id != make[kind]().id
    with pytest.raises(ValueError, match="leave id=") as caught:
        make[kind](id=SOME_ID)
    assert codes(caught.value) == ["may_not_set_field"]


@pytest.mark.promise("crew.validation.missing_keys")
def test_a_crew_without_tasks_is_refused() -> None:
    with pytest.raises(ValueError, match="needs tasks") as caught:
        Crew(agents=[agent(ScriptedModel())], tasks=[])
    assert codes(caught.value) == ["missing_keys"]


@pytest.mark.promise("crew.validation.async_end")
def test_two_asynchronous_tasks_at_the_end_are_refused() -> None:
    worker = agent(ScriptedModel(default="x"))
    side, other = (task(worker, name, async_execution=True) for name in ("side", "other"))

    with pytest.raises(ValueError, match="at most one asynchronous task at the end") as caught:
        crew(task(worker), side, other)
    assert codes(caught.value) == ["async_task_count"]
    assert crew(task(worker), side).kickoff().ok


@pytest.mark.promise("crew.validation.async_context")
def test_a_context_that_runs_beside_the_task_is_refused() -> None:
    worker = agent(ScriptedModel(default="x"))
    side = task(worker, "side", async_execution=True)
    other = task(worker, "other", async_execution=True, context=[side])

    with pytest.raises(ValueError, match="the two run side by side"):
        crew(side, other, task(worker))
    assert crew(side, task(worker), other, task(worker)).kickoff().ok


@pytest.mark.promise("crew.validation.future_context")
def test_a_context_that_comes_later_is_refused() -> None:
    worker = agent(ScriptedModel())
    late = task(worker, "late")

    with pytest.raises(ValueError, match="which comes later in the crew"):
        crew(task(worker, context=[late]), late)


@pytest.mark.promise("task.output_pydantic", "task.output_json")
def test_a_task_has_one_form_of_output() -> None:
    with pytest.raises(ValueError, match="output_pydantic or output_json, not both"):
        task(agent(ScriptedModel()), output_pydantic=Fact, output_json=Fact)


@pytest.mark.promise("task.output_file")
@pytest.mark.parametrize("path", ["../out.txt", "a/../../out.txt", "~/out.txt", "$HOME/out.txt", "out.txt; ls", "a|b"])
def test_a_file_outside_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="output_file"):
        task(agent(ScriptedModel()), output_file=path)


# --- what happens ------------------------------------------------------------------------------------------------------


@pytest.mark.promise("crew.tasks", "crew.agents", "task.agent", "crew.kickoff")
def test_tasks_are_done_in_their_order_each_by_its_agent() -> None:
    model = ScriptedModel(["one", "two", "three"])
    first, second = agent(model, "First"), agent(model, "Second")

    output = crew(task(second, "a"), task(first, "b"), task(second, "c")).kickoff()

    assert [(each.agent, each.raw) for each in output.tasks_output] == [
        ("Second", "one"),
        ("First", "two"),
        ("Second", "three"),
    ]
    assert [call.system.partition(".")[0] for call in model.calls] == [
        "You are Second",
        "You are First",
        "You are Second",
    ]


@pytest.mark.promise("crew.name")
def test_a_crews_name_is_that_of_its_usage(runtime: Runtime) -> None:
    one_task(ScriptedModel(["a"])).kickoff()
    made = one_task(ScriptedModel(["b"]))
    Crew(name="Night watch", agents=made.agents, tasks=made.tasks).kickoff()

    assert {row.key for row in runtime.journal.usage(UsageFilter("crew"))} == {"crew", "Night watch"}


@pytest.mark.promise("task.name")
def test_a_tasks_name_is_its_outputs_else_the_description_is() -> None:
    model = ScriptedModel(["one", "two"])

    output = crew(task(agent(model), "Look around", name="scouting"), task(agent(model), "Go on")).kickoff()

    assert [each.name for each in output.tasks_output] == ["scouting", "Go on"]


@pytest.mark.promise("task.key")
def test_a_tasks_key_is_the_same_whatever_is_filled_in() -> None:
    made = task(agent(ScriptedModel(["a"])), "Look at {place}")
    before = made.key

    output = crew(made).kickoff({"place": "Rome"})

    assert made.key == before == "look_at_place"
    assert output.tasks_output[0].description == "Look at Rome"


@pytest.mark.promise("crew.fingerprint")
def test_crews_of_one_definition_have_one_fingerprint() -> None:
    def made(description: str) -> Crew:
        return one_task(ScriptedModel(), description)

    assert made("Look around").fingerprint == made("Look around").fingerprint
    assert made("Look around").fingerprint != made("Look away").fingerprint


@pytest.mark.promise("task.guardrail_max_retries")
def test_a_guardrail_lets_the_agent_try_three_times_more() -> None:
    model = ScriptedModel(default="bad")

    with pytest.raises(GuardrailFailed, match="after 3 retries"):
        one_task(model, guardrail=lambda output: (False, "no")).kickoff()
    assert len(model.calls) == 4


@pytest.mark.promise("task.context")
@pytest.mark.parametrize("nothing", [[], None])
def test_no_context_is_none(nothing: Any) -> None:
    model = ScriptedModel(["one", "two"])

    crew(task(agent(model)), task(agent(model), context=nothing)).kickoff()

    assert "one" not in prompts(model)[1]


@pytest.mark.promise("task.markdown")
def test_markdown_is_asked_for_only_where_it_is_wanted() -> None:
    model = ScriptedModel(["a", "b"])

    crew(task(agent(model)), task(agent(model), markdown=True)).kickoff()

    assert ["Markdown" in prompt for prompt in prompts(model)] == [False, True]


@pytest.mark.promise("task.conditional")
def test_a_conditional_task_is_done_where_its_condition_holds() -> None:
    worker = agent(ScriptedModel(["few", "more"]))
    more = ConditionalTask(
        description="More", expected_output="x", agent=worker, condition=lambda output: output.raw == "few"
    )

    output = crew(task(worker), more).kickoff()

    assert (output.raw, [each.raw for each in output.tasks_output]) == ("more", ["few", "more"])
    skipped = more.get_skipped_task_output()
    assert (skipped.raw, str(skipped.output_format)) == ("", "raw")
    assert more.should_execute(output.tasks_output[0])


@pytest.mark.promise("crew.process")
def test_there_are_two_processes() -> None:
    assert [str(each) for each in Process] == ["sequential", "hierarchical"]
    made = one_task(ScriptedModel(["by the agent itself"]))

    assert made.process is Process.sequential
    assert made.kickoff().tasks_output[0].agent == "Analyst"


@pytest.mark.promise("crew.kickoff_async", "crew.akickoff")
def test_awaited_kickoffs_give_what_kickoff_gives() -> None:
    async def both(made: Crew) -> list[CrewOutput]:
        return [await made.kickoff_async({"x": "a"}), await made.akickoff({"x": "b"})]

    model = ScriptedModel(default=lambda call: call.last_user.splitlines()[0])

    outputs = asyncio.run(both(one_task(model, "About {x}")))

    assert [output.raw for output in outputs] == ["Current Task: About a", "Current Task: About b"]


# --- what comes back ---------------------------------------------------------------------------------------------------


@pytest.mark.promise("crew.crew_output")
def test_an_output_is_read_in_crewais_ways() -> None:
    answer = {"topic": "bees", "year": 1950}
    model = ScriptedModel(["plain", answer, answer])
    plain = one_task(model).kickoff()
    typed = one_task(model, output_pydantic=Fact).kickoff()
    listed = one_task(model, output_json=Fact).kickoff()

    assert (str(plain), plain.to_dict()) == ("plain", {})
    assert (str(typed), typed["year"], typed.to_dict()) == (str(Fact(**answer)), 1950, answer)
    assert (listed["topic"], listed.to_dict(), json.loads(listed.json)) == ("bees", answer, answer)
    assert not plain.has_tool_failures
    for output in (plain, typed):
        with pytest.raises(ValueError, match="output_json"):
            _ = output.json
    with pytest.raises(KeyError):
        listed["place"]


@pytest.mark.promise("task.task_output")
def test_a_tasks_output_has_its_form() -> None:
    answer = {"topic": "bees", "year": 1950}
    worker = agent(ScriptedModel(["plain", answer, answer]))
    forms: list[dict[str, Any]] = [{}, {"output_pydantic": Fact}, {"output_json": Fact}]

    output = crew(*(task(worker, **form) for form in forms)).kickoff()

    assert [str(each.output_format) for each in output.tasks_output] == ["raw", "pydantic", "json"]
    assert [each.pydantic for each in output.tasks_output] == [None, Fact(topic="bees", year=1950), None]
    assert [each.json_dict for each in output.tasks_output] == [None, None, answer]
    assert [each.to_dict() for each in output.tasks_output] == [{}, answer, answer]


@pytest.mark.promise("crew.usage_metrics_object")
def test_usage_has_crewais_fields_and_adds_up() -> None:
    first, second = (one_task(ScriptedModel(["a"])).kickoff().token_usage for _ in range(2))
    total = UsageMetrics()

    total.add_usage_metrics(first)
    total.add_usage_metrics(second)

    assert set(UsageMetrics.model_fields) == {
        "total_tokens",
        "prompt_tokens",
        "cached_prompt_tokens",
        "completion_tokens",
        "reasoning_tokens",
        "cache_creation_tokens",
        "successful_requests",
    }
    assert first.total_tokens == first.prompt_tokens + first.completion_tokens > 0
    assert (total.total_tokens, total.successful_requests) == (2 * first.total_tokens, 2)


@pytest.mark.promise("crew.usage_metrics", "run.usage.own")
def test_a_second_kickoffs_usage_is_its_own() -> None:
    model = ScriptedModel(default="same words")
    shared = [agent(model, "First"), agent(model, "Second")]
    made = crew(*(task(each) for each in shared))

    first, second = made.kickoff(), made.kickoff()

    assert first.token_usage == second.token_usage == made.usage_metrics
    assert second.usage_metrics["successful_requests"] == 2


@pytest.mark.promise("run.async.failure")
def test_a_failed_asynchronous_task_ends_the_run_before_the_next_one() -> None:
    model = ScriptedModel(default=lambda call: ValueError("broke") if "side" in call.last_user else "fine")

    with pytest.raises(ValueError, match="broke"):
        crew(
            task(agent(model), "side", async_execution=True),
            task(agent(model), "other", async_execution=True),
            task(agent(model), "last"),
        ).kickoff()
    assert not any("last" in prompt for prompt in prompts(model))


@pytest.mark.promise("run.output.lenient")
@pytest.mark.parametrize("around", ["{}", "```json\n{}\n```", "Here it is: {} I hope it helps."])
def test_json_is_found_in_what_stands_around_it(around: str) -> None:
    model = ScriptedModel([around.replace("{}", '{"topic": "bees", "year": 1950}')])

    assert one_task(model, output_pydantic=Fact).kickoff().pydantic == Fact(topic="bees", year=1950)
    assert len(model.calls) == 1


@pytest.mark.promise("run.interpolation")
def test_json_and_spaced_braces_are_no_placeholders() -> None:
    model = ScriptedModel(["done"])
    made = Task(
        description='{topic} as {"json": {topic}} and { topic } and {{topic}}',
        expected_output="x",
        agent=agent(model),
    )

    crew(made).kickoff({"topic": "T"})

    assert 'T as {"json": T} and { topic } and {T}' in prompts(model)[0]
