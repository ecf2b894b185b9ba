"""Plans that are made before the work."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from jackstay import BaseAgent, Crew, PlanningConfig, Process, Runtime, Task
from jackstay.core.records import RunFilter
from jackstay.errors import MissingKeyError
from jackstay.testing import FaultPoints, ScriptedModel, tool_call
from jackstay.testing.plugin import MakeRuntime
from jackstay.tools import tool
from tests.commit_faults import stops_at_commit
from tests.unit.crew.building import agent, crew, one_task, task

PLANS = {"plans": [{"task_number": 1, "plan": "look twice"}, {"task_number": 2, "plan": "be brief"}]}


@tool
def look() -> str:
    """Looks."""
    return "seen"


def paths(runtime: Runtime) -> list[str]:
    (run,) = runtime.journal.runs(RunFilter())
    return [step.path for step in runtime.journal.steps(run.id)]


@pytest.mark.promise("agent.planning")
def test_an_agent_makes_a_plan_and_works_by_it(runtime: Runtime) -> None:
    model = ScriptedModel(["1. look\n2. say it\nREADY", tool_call("look"), "done"])

    output = one_task(model, "Look around", agent_fields={"planning": True, "tools": [look]}).kickoff()

    assert output.raw == "done"
    planning, first, _ = model.calls
    assert ("Look around" in planning.last_user, "look" in planning.last_user, planning.tools) == (True, True, ())
    assert "at most 20 numbered steps" in planning.last_user
    assert first.last_user.endswith("1. look\n2. say it")
    assert paths(runtime)[0] == "look_around#1/@plan#1/llm#1"
    assert output.tasks_output[0].token_usage.successful_requests == 3


@pytest.mark.promise("agent.planning_config", "agent.reasoning")
@pytest.mark.parametrize(
    ("fields", "asked"),
    [
        ({"planning": True}, 1),
        ({"reasoning": True}, 2),
        ({"reasoning": True, "max_reasoning_attempts": 3}, 3),
        ({"planning_config": PlanningConfig(reasoning_effort="high")}, 3),
        ({"planning_config": {"max_attempts": 2}}, 2),
    ],
)
def test_a_plan_that_is_not_ready_is_made_better(fields: Any, asked: int) -> None:
    def answer(call: Any) -> str:
        return "done" if "This is the plan" in call.last_user else f"plan {call.index}\nNOT READY: too vague"

    model = ScriptedModel(default=answer)

    one_task(model, agent_fields=fields).kickoff()

    assert len(model.calls) == asked + 1
    assert f"plan {asked - 1}" in model.calls[-1].last_user


@pytest.mark.promise("agent.planning_config")
def test_how_plans_are_made_can_be_said() -> None:
    planner, model = ScriptedModel(["first\nNOT READY", "second\nREADY"]), ScriptedModel(["done"])
    config = PlanningConfig(llm=planner, max_attempts=2, plan_prompt="PLAN IT", refine_prompt="BETTER")

    one_task(model, agent_fields={"planning_config": config}).kickoff()

    assert planner.calls[0].last_user.startswith("PLAN IT")
    assert planner.calls[1].last_user == "BETTER"
    assert model.calls[0].last_user.endswith("second")


def test_an_agent_by_itself_and_a_coworker_plan_as_well() -> None:
    model = ScriptedModel(["a plan", "done"])
    assert str(agent(model, planning=True).kickoff("Say it")) == "done"

    worker = ScriptedModel(["my plan", "worked"])
    asked = tool_call("delegate_work_to_coworker", task="work", context="", coworker="Worker")
    manager = ScriptedModel([asked, "all done"])
    own = agent(worker, "Worker", planning=True)
    job = Task(description="Do it", expected_output="x")
    Crew(agents=[own], tasks=[job], process=Process.hierarchical, manager_llm=manager).kickoff()
    assert "my plan" in worker.calls[1].last_user


@pytest.mark.parametrize("idle", [{"observe_steps": True}, {"max_replans": 1}, {"step_timeout": 3.0}])
def test_what_plans_do_not_do_is_said(idle: Any) -> None:
    with pytest.warns(UserWarning, match=f"PlanningConfig: {next(iter(idle))}= has no effect"):
        PlanningConfig(**idle)


@pytest.mark.promise("crew.planning", "crew.planning_llm", "around.planning")
def test_a_crew_plans_all_its_tasks_before_they_begin(runtime: Runtime) -> None:
    planner, model = ScriptedModel([PLANS]), ScriptedModel(["first", "second"])
    worker = agent(model, tools=[look])
    work = task(worker, "Find {what}")

    output = crew(work, task(worker, "Tell"), planning=True, planning_llm=planner).kickoff(inputs={"what": "tides"})

    (asked,) = planner.calls
    assert "Task 1: Find tides" in asked.last_user
    assert "Tools: look" in asked.last_user
    assert ["look twice" in call.last_user for call in model.calls] == [True, False]
    assert "be brief" in model.calls[1].last_user
    assert (output.tasks_output[0].description, output.raw) == ("Find tides", "second")
    assert output.token_usage.successful_requests == 3
    assert paths(runtime)[0] == "@plan#1/llm#1"


def test_code_of_ones_own_is_given_the_plan() -> None:
    class Own(BaseAgent):
        def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
            return str(task.description)

    own = Own(role="R", goal="G", backstory="B")
    made = crew(task(own), planning=True, planning_llm=ScriptedModel([PLANS]))

    assert made.kickoff().raw.endswith("look twice")


def test_a_planner_needs_a_key_before_anything_is_asked(jackstay_make_runtime: MakeRuntime) -> None:
    jackstay_make_runtime(environ={"OPENAI_API_KEY": ""})
    model = ScriptedModel()

    with pytest.raises(MissingKeyError, match="planning_llm"):
        crew(task(agent(model)), planning=True).kickoff()
    assert model.calls == []


def test_a_replay_keeps_the_plan() -> None:
    planner, model = ScriptedModel([PLANS]), ScriptedModel(["first", "second", "again"])
    worker = agent(model)
    made = crew(task(worker, "A", name="a"), task(worker, "B", name="b"), planning=True, planning_llm=planner)
    made.kickoff()

    assert made.replay("b").raw == "again"
    assert "be brief" in model.calls[-1].last_user
    assert len(planner.calls) == 1


def test_interrupted_at_any_commit_it_keeps_the_plans_that_it_has(
    jackstay_make_runtime: MakeRuntime, tmp_path: Any
) -> None:
    def made() -> tuple[Crew, ScriptedModel, ScriptedModel]:
        planner = ScriptedModel(default=PLANS)
        model = ScriptedModel(default=lambda call: "done" if "done by" in call.last_user else "done by this")
        worker = agent(model, planning=True)
        return crew(task(worker, "A"), task(worker, "B"), planning=True, planning_llm=planner), planner, model

    points = FaultPoints()
    jackstay_make_runtime(folder=tmp_path / "undisturbed", fault_point=points.hit)
    whole, planner, model = made()
    expected, calls = whole.kickoff().raw, len(planner.calls) + len(model.calls)

    for commit in range(1, points.hits.count("journal.commit") - 1):
        points = FaultPoints()
        runtime = jackstay_make_runtime(folder=tmp_path / str(commit), fault_point=points.hit)
        again, planner, model = made()
        if not stops_at_commit(commit, points, partial(again.kickoff, run_key="k")):
            break
        before = len(planner.calls) + len(model.calls)
        runs = runtime.journal.runs(RunFilter())
        steps = [step for run in runs for step in runtime.journal.steps(run.id)]
        known = sum(step.kind == "llm" and step.status == "succeeded" for step in steps)

        assert again.kickoff(run_key="k").raw == expected
        assert len(planner.calls) + len(model.calls) - before == calls - known, commit
