"""What the last run has left on agents and tasks, for code that reads it there."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from jackstay import Crew, LiteAgentOutput, TaskOutput
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent, crew, task


@tool
def depth(place: str) -> str:
    """The depth of the water."""
    if place == "nowhere":
        raise ValueError("no chart")
    return f"{place}: 12 m"


def sounding() -> Crew:
    """A pilot who uses a tool twice, once in vain, whose first answer is rejected; and a writer who asks it back."""
    pilot = agent(
        ScriptedModel(
            [tool_call("depth", place="nowhere"), tool_call("depth", place="Brest"), "deep", "12 m", "yes, 12 m"]
        ),
        "Pilot of {ship}",
        tools=[depth],
    )
    writer = agent(
        ScriptedModel(
            [tool_call("ask_question_to_coworker", coworker="Pilot of Pen", question="Sure?", context="x"), "Written."]
        ),
        "Writer",
        allow_delegation=True,
    )

    def has_metres(output: TaskOutput) -> tuple[bool, Any]:
        return (True, output) if "m" in output.raw.split() else (False, "how many metres?")

    return crew(task(pilot, "Sound it", guardrail=has_metres), task(writer, "Write it up", name="report"))


@pytest.mark.promise("task.counters")
def test_a_tasks_counters_are_those_of_its_last_run() -> None:
    made = sounding()
    first, second = made.tasks
    before = (first.used_tools, first.tools_errors, first.delegations, first.retry_count)

    made.kickoff({"ship": "Pen"})

    assert before == (0, 0, 0, 0)
    assert (first.used_tools, first.tools_errors, first.delegations, first.retry_count) == (2, 1, 0, 1)
    assert (second.used_tools, second.tools_errors, second.delegations, second.retry_count) == (1, 0, 1, 0)


@pytest.mark.promise("task.prompt_context")
def test_a_task_knows_the_context_that_it_was_given_and_who_worked_on_it() -> None:
    made = sounding()
    first, second = made.tasks
    before = (second.prompt_context, second.processed_by_agents)

    made.kickoff({"ship": "Pen"})

    assert before == (None, set())
    assert (first.prompt_context, second.prompt_context) == ("", "12 m")
    assert first.processed_by_agents == {"Pilot of Pen"}
    assert second.processed_by_agents == {"Writer", "Pilot of Pen"}


@pytest.mark.promise("agent.tools_results")
def test_an_agent_has_the_results_of_its_tools_in_the_last_run() -> None:
    made = sounding()
    pilot, writer = made.agents
    before = pilot.tools_results

    made.kickoff({"ship": "Pen"})

    assert before == []
    assert pilot.tools_results == [
        {"tool_name": "depth", "tool_args": {"place": "nowhere"}, "result": "ValueError: no chart"},
        {"tool_name": "depth", "tool_args": {"place": "Brest"}, "result": "Brest: 12 m"},
    ]
    assert [(each["tool_name"], each["result"]) for each in writer.tools_results] == [
        ("ask_question_to_coworker", "yes, 12 m")
    ]


@pytest.mark.promise("agent.tools_results")
def test_the_last_run_may_be_one_of_the_agent_alone_or_of_a_task_alone() -> None:
    answers = [tool_call("depth", place="Brest"), "a", tool_call("depth", place="Ouessant"), "b"]
    pilot = agent(ScriptedModel(answers), "Pilot", tools=[depth])

    assert isinstance(pilot.kickoff("How deep?"), LiteAgentOutput)
    alone = [each["result"] for each in pilot.tools_results]
    task(pilot).execute_sync()

    assert alone == ["Brest: 12 m"]
    assert [each["result"] for each in pilot.tools_results] == ["Ouessant: 12 m"]


@pytest.mark.promise("agent.crew")
def test_an_agent_knows_the_crew_that_it_worked_in_last() -> None:
    worker = agent(ScriptedModel(default="fine"))
    first, second = crew(task(worker)), crew(task(worker))
    before = worker.crew

    first.kickoff()
    at_first = worker.crew
    second.kickoff()

    assert before is None
    assert at_first is first
    assert worker.crew is second
    assert worker.copy().crew is None
    with pytest.raises(AttributeError, match="crew"):
        worker.crew = first  # type: ignore[misc]


def test_definitions_that_have_worked_can_be_deeply_copied_and_compared() -> None:
    worker, other = agent("sim/demo"), agent("sim/demo", "Other")
    made = crew(task(worker), task(other))
    made.kickoff()

    copied = deepcopy(made)

    assert copied.agents[0] == worker
    assert copied.agents[0] != other
    assert copied.tasks[0].processed_by_agents == {"Analyst"}


@pytest.mark.promise("task.counters")
def test_a_copy_has_counted_nothing() -> None:
    made = sounding()
    made.kickoff({"ship": "Pen"})

    copied = made.copy()

    assert (copied.tasks[0].used_tools, copied.tasks[0].prompt_context, copied.agents[0].tools_results) == (0, None, [])
