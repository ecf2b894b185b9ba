"""What tasks of a crew tell one another, in which order they run, and what is called when."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from jackstay import BaseLLM, Crew, Task, TaskOutput
from jackstay.errors import ConfigurationError, InputsError
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, one_task, prompts, task

MARKER = "\n\nThis is the context you're working with:\n"
JOIN = "\n\n----------\n\n"


def contexts(model: ScriptedModel) -> list[str]:
    return [prompt.partition(MARKER)[2] for prompt in prompts(model)]


@pytest.mark.promise(
    "agent.role",
    "agent.goal",
    "agent.backstory",
    "task.description",
    "task.expected_output",
    "run.interpolation",
    "run.interpolation.again",
)
def test_inputs_fill_every_text_of_the_definition() -> None:
    model = ScriptedModel(["done"])
    worker = agent(model, role="{topic} analyst", goal="Know {topic}", backstory="Likes {topic}.")
    made = crew(task(worker, "About {topic}", expected_output="A {size} brief", output_file="out/{topic}.txt"))

    output = made.kickoff(inputs={"topic": "bees", "size": 3})

    (call,) = model.calls
    assert call.system == "You are bees analyst. Likes bees.\nYour personal goal is: Know bees"
    assert "Current Task: About bees" in call.last_user
    assert "A 3 brief" in call.last_user
    assert Path("out/bees.txt").read_text() == "done"
    assert output.tasks_output[0].agent == "bees analyst"
    assert output.tasks_output[0].description == "About bees"
    assert (made.tasks[0].description, worker.role) == ("About {topic}", "{topic} analyst")


@pytest.mark.promise("run.interpolation.none")
def test_without_inputs_placeholders_stay_and_a_warning_says_so(caplog: pytest.LogCaptureFixture) -> None:
    model = ScriptedModel(["done"])

    one_task(model, "About {topic}").kickoff()

    assert "About {topic}" in prompts(model)[0]
    assert [r.message for r in caplog.records if "{topic}" in r.message and "inputs" in r.message]


@pytest.mark.promise("task.context", "run.context.join", "crew.tasks", "crew.kickoff")
def test_a_task_gets_the_outputs_of_all_earlier_ones() -> None:
    model = ScriptedModel(["one", "two", "three"])
    worker = agent(model)

    output = crew(task(worker), task(worker), task(worker)).kickoff()

    assert contexts(model) == ["", "one", f"one{JOIN}two"]
    assert [one.raw for one in output.tasks_output] == ["one", "two", "three"]
    assert output.raw == str(output) == "three"


@pytest.mark.promise("task.context")
def test_named_context_is_what_a_task_gets() -> None:
    model = ScriptedModel(["one", "two", "three", "four", "five"])
    worker = agent(model)
    first, second = task(worker), task(worker)

    crew(
        first, second, task(worker, context=[second, first]), task(worker, context=[]), task(worker, context=None)
    ).kickoff()

    assert contexts(model) == ["", "one", f"two{JOIN}one", "", ""]


def test_a_task_outside_the_crew_gives_the_output_that_it_has() -> None:
    model = ScriptedModel(["before", "inside"])
    worker = agent(model)
    outside = task(worker)
    crew(outside).kickoff()

    crew(task(worker, context=[outside])).kickoff()

    assert contexts(model) == ["", "before"]


@pytest.mark.promise("task.async_execution", "run.async.join", "run.context.async")
def test_asynchronous_tasks_run_side_by_side_and_are_joined() -> None:
    both = threading.Barrier(2, timeout=20)

    asked: list[str] = []

    class Slow(BaseLLM):
        def call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            asked.append(messages[-1]["content"])
            described = asked[-1].partition("\n")[0].removeprefix("Current Task: ")
            if described.startswith("side"):
                both.wait()
            return described

    model = Slow()
    worker = agent(model)

    output = crew(
        task(worker, "first"),
        task(worker, "side one", async_execution=True),
        task(worker, "side two", async_execution=True),
        task(worker, "last"),
    ).kickoff()

    assert [one.raw for one in output.tasks_output] == ["first", "side one", "side two", "last"]
    sides = [prompt for prompt in asked if prompt.startswith("Current Task: side")]
    assert len(sides) == 2
    assert not any(MARKER in prompt for prompt in sides)
    assert asked[-1].endswith(MARKER + JOIN.join(["first", "side one", "side two"]))


@pytest.mark.promise("run.async.failure")
def test_a_failing_asynchronous_task_is_raised() -> None:
    model = ScriptedModel(default=lambda call: ValueError("side broke") if "side" in call.last_user else "fine")

    with pytest.raises(ValueError, match="side broke"):
        crew(task(agent(model), "side", async_execution=True), task(agent(model), "last")).kickoff()


@pytest.mark.promise("task.callback", "crew.task_callback", "run.callback_order")
def test_callbacks_are_called_with_the_output_task_first_then_crew() -> None:
    told: list[tuple[str, str]] = []

    async def for_task(output: TaskOutput) -> None:
        await asyncio.sleep(0)
        told.append(("task", output.raw))

    def for_crew(output: TaskOutput) -> None:
        told.append(("crew", output.raw))

    worker = agent(ScriptedModel(["one", "two"]))
    crew(task(worker, callback=for_task), task(worker), task_callback=for_crew).kickoff()

    assert told == [("task", "one"), ("crew", "one"), ("crew", "two")]


@pytest.mark.promise("crew.task_callback")
def test_a_callback_given_twice_is_called_once() -> None:
    told: list[str] = []

    def callback(output: TaskOutput) -> None:
        told.append(output.raw)

    crew(task(agent(ScriptedModel(["one"])), callback=callback), task_callback=callback).kickoff()

    assert told == ["one"]


def test_an_exception_of_a_callback_reaches_the_caller() -> None:
    def callback(output: TaskOutput) -> None:
        raise LookupError("callback broke")

    with pytest.raises(LookupError, match="callback broke"):
        crew(task(agent(ScriptedModel(["one"])), callback=callback)).kickoff()


@pytest.mark.promise("task.output_file", "task.create_directory")
def test_files_are_written_below_the_working_directory() -> None:
    made = one_task(ScriptedModel(["text ü"]), output_file="/deep/er/out.txt")
    made.kickoff()

    assert Path("deep/er/out.txt").read_text(encoding="utf-8") == "text ü"


@pytest.mark.promise("task.create_directory")
def test_a_missing_directory_is_not_made_when_not_wanted() -> None:
    made = one_task(ScriptedModel(["text"]), output_file="deep/out.txt", create_directory=False)

    with pytest.raises(ValueError, match=r"output_file of task .* cannot be written.*deep/out\.txt") as caught:
        made.kickoff()
    assert "jackstay resume" in "".join(caught.value.__notes__)


@pytest.mark.promise("task.output_file")
@pytest.mark.parametrize("topic", ["../out", "a/../../out", "..", "a\\..\\..\\out", "a\x00b"])
def test_inputs_lead_no_file_out_of_the_folder(topic: str) -> None:
    model = ScriptedModel()

    with pytest.raises(InputsError, match=r"output_file of task 'About \{topic\}' is .*leaves the working directory"):
        one_task(model, "About {topic}", output_file="out/{topic}/x").kickoff({"topic": topic})
    assert model.calls == []


@pytest.mark.promise("task.output_file")
@pytest.mark.parametrize(
    ("path", "topic", "file"),
    [("{topic}", "/etc/x.txt", "etc/x.txt"), ("out/{topic}.md", "Why? Well... ünd", "out/Why? Well... ünd.md")],
)
def test_inputs_name_files_within_the_folder(path: str, topic: str, file: str) -> None:
    one_task(ScriptedModel(["text"]), "About {topic}", output_file=path).kickoff({"topic": topic})

    assert Path(file).read_text(encoding="utf-8") == "text"


@pytest.mark.promise("task.output_file")
def test_a_folder_that_cannot_be_made_names_the_task() -> None:
    Path("taken").write_text("a file", encoding="utf-8")

    with pytest.raises(ConfigurationError, match="output_file of task 'do_it' cannot be written"):
        one_task(ScriptedModel(["text"]), output_file="taken/out.txt").kickoff()


@pytest.mark.promise("task.output_file")
def test_half_a_pair_of_surrogates_does_not_keep_an_answer_from_its_file() -> None:
    one_task(ScriptedModel(["say \ud83d it"]), output_file="out.txt").kickoff()

    assert Path("out.txt").read_text(encoding="utf-8") == "say ? it"


@pytest.mark.promise("task.output", "crew.usage_metrics")
def test_outputs_and_usage_are_left_on_the_objects() -> None:
    made = one_task(ScriptedModel(["said"]))

    output = made.kickoff()

    assert made.tasks[0].output is not None
    assert made.tasks[0].output.raw == "said"
    assert made.usage_metrics == output.token_usage
    assert output.token_usage.successful_requests == 1
    assert output.cost_usd is None
    assert output.duration_s > 0


def test_the_summary_is_json() -> None:
    output = one_task(ScriptedModel(["said"]), name="brief").kickoff()

    summary = json.loads(json.dumps(output.summary()))

    assert summary["run_id"] == output.run_id
    assert summary["tasks"][0]["name"] == "brief"
    assert (summary["ok"], summary["error"], summary["output_length"]) == (True, None, 4)
    assert summary["total_tokens"] == output.token_usage.total_tokens > 0


@pytest.mark.promise("task.task_output", "task.name")
def test_a_task_output_says_what_it_is() -> None:
    output = one_task(ScriptedModel(["said"]), "one two three four five six seven eight nine ten eleven").kickoff()

    (only,) = output.tasks_output
    assert only.summary == "one two three four five six seven eight nine ten..."
    assert only.name == only.description
    assert only.expected_output == "A brief"
    assert only.to_dict() == output.to_dict() == {}
    with pytest.raises(ValueError, match="output_json"):
        _ = only.json
    with pytest.raises(KeyError):
        output["field"]


@pytest.mark.promise("agent.inject_date", "agent.date_format")
def test_the_date_enters_the_prompt_when_wanted() -> None:
    model = ScriptedModel(["said"])

    one_task(model, agent_fields={"inject_date": True, "date_format": "day %d of %B"}).kickoff()

    assert "Current Date: day " in prompts(model)[0]


def test_a_crew_object_is_not_changed_by_a_run() -> None:
    made = one_task(ScriptedModel(["a", "b"]), "About {x}")

    made.kickoff(inputs={"x": 1})
    before = made.fingerprint
    made.kickoff(inputs={"x": 2})

    assert made.fingerprint == before


# --- construction -------------------------------------------------------------------------------------------------


def test_what_a_crew_cannot_be_is_refused_when_it_is_made() -> None:
    worker = agent(ScriptedModel())
    late = task(worker, "late")
    side = task(worker, "side", async_execution=True)
    for tasks, told in [
        ([], "needs tasks"),
        ([Task(description="Lonely", expected_output="x")], "task 'Lonely' has no agent"),
        ([task(worker, "early", context=[late]), late], "'early' has 'late' in its context, which comes later"),
        (
            [side, task(worker, "other", async_execution=True, context=[side]), late],
            "'other' has 'side' in its context",
        ),
        ([late, side, task(worker, "side 2", async_execution=True)], "at most one asynchronous task at the end"),
    ]:
        with pytest.raises(ValueError, match=told):
            Crew(agents=[worker], tasks=tasks)


@pytest.mark.promise("agent.id")
def test_an_own_id_is_refused() -> None:
    with pytest.raises(ValueError, match="the id is given by Jackstay"):
        agent(ScriptedModel(), id="11111111-1111-4111-8111-111111111111")
