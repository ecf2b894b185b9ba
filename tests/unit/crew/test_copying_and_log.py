"""Copies of crews, their inputs, and the log of tasks that users ask for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackstay import ConditionalTask, Crew
from jackstay.testing import ScriptedModel
from tests.unit.crew.building import agent, crew, task


def wired() -> Crew:
    worker, deputy = agent(ScriptedModel(default="fine")), agent("sim/demo", "Deputy", goal="Help with {topic}")
    first = task(worker, "First {city}")
    second = task(worker, "Second", context=[first], on_error="fallback", fallback=deputy)
    third = ConditionalTask(description="Third", expected_output="x", agent=worker, condition=lambda _: True)
    return crew(first, second, third)


@pytest.mark.promise("crew.copy")
def test_a_copy_has_agents_and_tasks_of_its_own_that_know_one_another() -> None:
    made = wired()

    copied = made.copy()

    assert copied.fingerprint == made.fingerprint
    assert copied.id != made.id
    assert {one.id for one in copied.tasks}.isdisjoint(one.id for one in made.tasks)
    assert {id(one.agent) for one in copied.tasks} == {id(copied.agents[0])} != {id(made.agents[0])}
    assert copied.tasks[1].context[0] is copied.tasks[0]
    assert copied.tasks[1].fallback is not made.tasks[1].fallback
    assert isinstance(copied.tasks[2], ConditionalTask)


@pytest.mark.promise("crew.copy")
def test_what_is_changed_in_a_copy_and_what_it_did_does_not_show_in_the_original() -> None:
    made = wired()
    copied = made.copy()

    copied.agents[0].role, copied.tasks[0].description = "Other", "Other {town}"
    copied.tasks.pop()
    copied.kickoff({"town": "Oslo", "topic": "boats"})

    assert (made.agents[0].role, made.tasks[0].description, len(made.tasks)) == ("Analyst", "First {city}", 3)
    assert made.tasks[0].output is None
    assert made.usage_metrics is None
    assert copied.copy().tasks[0].output is None


@pytest.mark.promise("crew.fetch_inputs")
def test_a_crews_inputs_are_the_variables_of_its_tasks_and_agents() -> None:
    made = wired()
    made.agents.append(agent("sim/demo", "Expert in {field}"))

    assert made.fetch_inputs() == {"city", "topic", "field"}
    assert crew(task(agent("sim/demo"), 'Answer as {"a": 1} or { b }')).fetch_inputs() == set()


def logged_crew(path: Any, *answers: Any) -> Crew:
    worker = agent(ScriptedModel(answers))
    tasks = [task(worker, "First", name="one"), task(worker, "Second", on_error="skip")]
    return crew(*tasks, output_log_file=path)


@pytest.mark.promise("crew.output_log_file")
def test_a_json_log_is_one_array_over_all_kickoffs() -> None:
    made = logged_crew("logs/tasks.json", "1", "2", "3", OSError("gone"))

    made.kickoff()
    made.kickoff()

    entries = json.loads(Path("logs/tasks.json").read_text(encoding="utf-8"))
    assert [(one["task"], one["status"], one.get("output")) for one in entries] == [
        ("First", "started", None),
        ("First", "completed", "1"),
        ("Second", "started", None),
        ("Second", "completed", "2"),
        ("First", "started", None),
        ("First", "completed", "3"),
        ("Second", "started", None),
        ("Second", "missing", "OSError: gone"),
    ]
    assert (entries[0]["task_name"], entries[0]["agent"]) == ("one", "Analyst")


def test_items_side_by_side_take_turns_at_the_file() -> None:
    worker = agent(ScriptedModel(default="fine"))
    made = crew(task(worker, "Item {n}"), output_log_file="items.json")

    made.kickoff_for_each([{"n": n} for n in range(20)])

    assert len(json.loads(Path("items.json").read_text(encoding="utf-8"))) == 40


def test_other_logs_are_lines() -> None:
    logged_crew(True, "a\nb", "2").kickoff()
    logged_crew("tasks.jsonl", "1", "2").kickoff()

    lines = Path("logs.txt").read_text(encoding="utf-8").splitlines()
    assert lines[1].endswith(': task_name="one", task="First", agent="Analyst", status="completed", output="a\\nb"')
    assert len([json.loads(line) for line in Path("tasks.jsonl").read_text(encoding="utf-8").splitlines()]) == 4


def test_a_failed_task_is_logged_as_such() -> None:
    with pytest.raises(OSError, match="gone"):
        logged_crew("tasks.jsonl", OSError("gone")).kickoff()

    last = json.loads(Path("tasks.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert (last["status"], last["output"]) == ("failed", "OSError: gone")


@pytest.mark.parametrize("path", ["folder", "broken.json"])
def test_a_log_that_cannot_be_written_is_a_warning(path: str, caplog: pytest.LogCaptureFixture) -> None:
    Path("folder").mkdir()
    Path("broken.json").write_text('{"no": "array"}', encoding="utf-8")

    assert logged_crew(path, "1", "2").kickoff().raw == "2"
    assert "output_log_file" in caplog.text
