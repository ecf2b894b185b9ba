"""Agents whose own code does their tasks: subclasses of `BaseAgent` and of `Agent`."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from pydantic import BaseModel, Field, PrivateAttr

from jackstay import LLM, Agent, BaseAgent, Crew, Process, Runtime, Task, TaskOutput
from jackstay.core.records import RunFilter
from jackstay.errors import DeadlineExceeded, DefinitionError, GuardrailFailed, OutputError
from jackstay.testing import FaultPoints, ScriptedModel, Stub, tool_call
from jackstay.testing.plugin import MakeRuntime
from jackstay.tools import tool
from tests.commit_faults import stops_at_commit
from tests.unit.crew.building import agent, crew, task

MINE = {"role": "Clerk", "goal": "File it", "backstory": "Exact."}


class Recording(BaseAgent):
    """Says what it was given, and counts how often."""

    answers: list[Any] = Field(default_factory=list)
    _given: list[tuple[Any, ...]] = PrivateAttr(default_factory=list)

    def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> Any:
        self._given.append((task, context, tools))
        return self.answers[min(len(self._given), len(self.answers)) - 1]


def clerk(*answers: Any, **more: Any) -> Recording:
    return Recording(**{**MINE, "answers": list(answers), **more})


@tool
def stamp(text: str) -> str:
    """Stamps it."""
    return f"[{text}]"


@pytest.mark.promise("agent.execute_task")
def test_a_crew_may_have_agents_of_another_kind(runtime: Runtime) -> None:
    model = ScriptedModel(["about tides", "the end"])
    analyst, own = agent(model), clerk("filed", tools=[stamp])
    filing = task(own, "File {topic}", name="filing")

    output = crew(task(analyst), filing, task(analyst, "End it")).kickoff(inputs={"topic": "tides"})

    assert [each.raw for each in output.tasks_output] == ["about tides", "filed", "the end"]
    ((given, context, tools),) = own._given
    assert (given.description, given.agent, context, tools) == ("File tides", own, "about tides", [stamp])
    assert "filed" in model.calls[-1].last_user
    assert (filing.description, output.tasks_output[1].agent) == ("File {topic}", "Clerk")
    assert output.token_usage.successful_requests == 2
    (run,) = runtime.journal.runs(RunFilter())
    assert "filing#1/execute#1" in [step.path for step in runtime.journal.steps(run.id)]


class Awaited(BaseAgent):
    async def aexecute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
        await asyncio.sleep(0)
        return f"awaited {task.description}"


class Both(Awaited):
    def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
        return f"called {task.description}"


@pytest.mark.promise("agent.execute_task")
@pytest.mark.parametrize(
    ("kind", "sync", "awaited"),
    [
        (Awaited, "awaited it", "awaited it"),
        (Both, "called it", "awaited it"),
        (lambda **more: clerk("said", **more), "said", "said"),
    ],
)
def test_code_of_ones_own_may_be_sync_or_async(kind: Any, sync: str, awaited: str) -> None:
    made = crew(task(kind(**MINE), "it"))

    assert made.kickoff().raw == sync
    assert asyncio.run(made.akickoff()).raw == awaited


class Asking(BaseAgent):
    """Asks two models by itself, one of them through another agent."""

    def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
        helper = Agent(role="Helper", goal="Help", backstory="Kind.", llm=self.llm)
        said = helper.kickoff(f"help with {task.description}")
        return f"{self.llm.call('first')} and {said}"


@pytest.mark.promise("agent.execute_task")
def test_what_it_asks_of_models_is_recorded_and_counted() -> None:
    with Stub() as stub:
        stub.script(["helped", "one"])
        own = Asking(**MINE, llm=LLM("gpt-4o-mini", base_url=stub.openai_url, api_key="any"))

        output = crew(task(own)).kickoff()

        assert output.raw == "one and helped"
        assert output.token_usage.successful_requests == len(stub.requests) == 2
        assert output.tasks_output[0].token_usage == output.token_usage


class Report(BaseModel):
    title: str
    pages: int


@pytest.mark.promise("agent.execute_task")
def test_its_answer_has_to_fit_the_tasks_output() -> None:
    own = clerk("no report", '{"title": "Tides", "pages": 3}')

    output = crew(task(own, output_pydantic=Report)).kickoff()

    assert output.pydantic == Report(title="Tides", pages=3)
    assert "Your answer was not accepted" in own._given[1][1]
    assert "no report" in own._given[1][1]
    assert crew(task(clerk(Report(title="T", pages=1)), output_json=Report)).kickoff().json_dict == {
        "title": "T",
        "pages": 1,
    }

    with pytest.raises(OutputError, match="after 4 tries"):
        crew(task(clerk("never"), output_pydantic=Report)).kickoff()


@pytest.mark.promise("agent.execute_task")
def test_guardrails_send_its_answer_back_with_its_context() -> None:
    def final(output: TaskOutput) -> tuple[bool, Any]:
        return (True, output.raw) if output.raw == "better" else (False, "say it better")

    own = clerk("bad", "better")
    output = crew(task(agent(ScriptedModel(["known"]))), task(own, guardrail=final)).kickoff()

    assert output.raw == "better"
    assert own._given[1][1].startswith("known\n\n")
    assert "say it better" in own._given[1][1]

    with pytest.raises(GuardrailFailed):
        crew(task(clerk("bad"), guardrail=final, guardrail_max_retries=1)).kickoff()


def test_a_guardrail_in_words_judges_it_by_the_agents_model() -> None:
    model = ScriptedModel([{"valid": True, "feedback": None}])

    assert crew(task(clerk("fine", llm=model), guardrail="is fine")).kickoff().raw == "fine"


@pytest.mark.promise("agent.execute_task")
def test_a_manager_gives_work_to_it() -> None:
    own = clerk("filed")
    asked = tool_call("delegate_work_to_coworker", task="file this", context="tides", coworker="Clerk")
    manager = ScriptedModel([asked, "the clerk has filed it"])
    job = Task(description="Do it", expected_output="x")

    output = Crew(agents=[own], tasks=[job], process=Process.hierarchical, manager_llm=manager).kickoff()

    assert output.raw == "the clerk has filed it"
    ((given, context, _),) = own._given
    assert (given.description, context) == ("file this", "tides")
    assert [m["content"] for m in manager.calls[-1].messages if m["role"] == "tool"] == ["filed"]


class Careful(Agent):
    """Has its model do the task, and looks at what it says."""

    def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
        return super().execute_task(task, context, tools).upper()


@pytest.mark.promise("agent.execute_task")
def test_a_subclass_of_agent_may_have_its_model_do_it() -> None:
    model = ScriptedModel([tool_call("stamp", text="x"), "done"])
    own = Careful(**MINE, llm=model, tools=[stamp])

    output = crew(task(agent(ScriptedModel(["known"]))), task(own, output_pydantic=None)).kickoff()

    assert output.raw == "DONE"
    assert "known" in model.calls[0].last_user
    assert output.token_usage.successful_requests == 3


def test_an_agent_executes_a_task_outside_of_a_crew() -> None:
    model = ScriptedModel(['{"title": "T", "pages": 1}', "awaited"])
    worker = agent(model)

    said = worker.execute_task(task(worker, "Say it", output_pydantic=Report), context="known")
    assert said == '{"title": "T", "pages": 1}'
    assert "known" in model.calls[0].last_user
    assert asyncio.run(worker.aexecute_task(task(worker))) == "awaited"


def test_interrupted_at_any_commit_it_is_not_called_again_for_what_is_recorded(
    jackstay_make_runtime: MakeRuntime, tmp_path: Any
) -> None:
    def passes(output: TaskOutput) -> tuple[bool, Any]:
        return (True, output.raw) if output.raw == "third" else (False, f"not {output.raw}")

    def made() -> tuple[Crew, Recording, ScriptedModel]:
        own, model = clerk("first", "second", "third"), ScriptedModel(default="end")
        return crew(task(own, guardrail=passes), task(agent(model))), own, model

    points = FaultPoints()
    jackstay_make_runtime(folder=tmp_path / "undisturbed", fault_point=points.hit)
    assert made()[0].kickoff().raw == "end"

    for commit in range(1, points.hits.count("journal.commit") - 1):
        points = FaultPoints()
        runtime = jackstay_make_runtime(folder=tmp_path / str(commit), fault_point=points.hit)
        again, own, model = made()
        if not stops_at_commit(commit, points, partial(again.kickoff, run_key="k")):
            break
        runs = runtime.journal.runs(RunFilter())
        paths = [step.path for run in runs for step in runtime.journal.steps(run.id)]
        recorded = sum("/execute#" in path for path in paths)
        own._given[:] = own._given[:recorded]

        assert again.kickoff(run_key="k").raw == "end"
        assert len(own._given) == 3, commit
        assert len(model.calls) <= 2


def test_a_retried_task_asks_it_anew_and_a_resume_does_not_ask_the_failed_one_again(runtime: Runtime) -> None:
    class Failing(Recording):
        def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> Any:
            said = super().execute_task(task, context, tools)
            if isinstance(said, Exception):
                raise said
            return said

    own = Failing(**MINE, answers=[LookupError("gone"), "found"])
    later = ScriptedModel([LookupError("down"), "end"])
    made = crew(task(own, on_error="retry", retries=1), task(agent(later)))

    with pytest.raises(LookupError, match="down"):
        made.kickoff(run_key="k")
    assert made.kickoff(run_key="k").raw == "end"
    assert len(own._given) == 2


def test_a_hundred_at_once_have_their_own_texts() -> None:
    class Naming(BaseAgent):
        def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
            return f"{self.role} {task.description}"

    made = crew(task(Naming(role="Clerk of {topic}", goal="G", backstory="B"), "file {topic}"))
    outputs = made.kickoff_for_each([{"topic": str(number)} for number in range(100)], concurrency=20)

    assert [each.raw for each in outputs] == [f"Clerk of {number} file {number}" for number in range(100)]


def test_its_time_is_limited() -> None:
    class Waiting(BaseAgent):
        async def aexecute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
            await asyncio.Event().wait()
            return "never"

    with pytest.raises(DeadlineExceeded):
        crew(task(Waiting(**MINE, max_execution_time=0.2))).kickoff()


def test_no_answer_is_an_error_that_says_what_to_return() -> None:
    with pytest.raises(DefinitionError, match="Recording has returned None for task 'Do it'; it has to return"):
        crew(task(clerk(None))).kickoff()


def test_a_replay_calls_it_again_and_takes_the_rest_from_the_record() -> None:
    own, model = clerk("first", "second"), ScriptedModel(["known"])
    made = crew(task(agent(model), name="look"), task(own, "File it", name="file"))
    made.kickoff()

    assert made.replay("file").raw == "second"
    assert (len(own._given), len(model.calls)) == (2, 1)


def test_a_copy_is_of_the_same_kind() -> None:
    own = clerk("said")
    copied = crew(task(own)).copy()

    assert type(copied.agents[0]) is Recording
    assert copied.agents[0].id != own.id
    assert copied.kickoff().raw == "said"


def test_what_cannot_be_is_refused_when_it_is_defined() -> None:
    class Idle(BaseAgent):
        pass

    with pytest.raises(DefinitionError, match="Idle does no tasks: write execute_task or aexecute_task"):
        Idle(**MINE)
    with pytest.warns(UserWarning, match="Recording: allow_delegation= has no effect"):
        clerk("x", allow_delegation=True)
    job = Task(description="Do it", expected_output="x")
    with pytest.raises(DefinitionError, match="executes its tasks itself; a manager works through its coworkers"):
        Crew(agents=[clerk("x")], tasks=[job], process=Process.hierarchical, manager_agent=clerk("y", role="Boss"))
