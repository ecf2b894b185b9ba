"""Agents that give work to one another, and crews whose manager does."""

from __future__ import annotations

import asyncio
import json
import warnings
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from jackstay import LLM, Agent, Budget, ConditionalTask, Crew, Flow, Process, Runtime, Task, TaskOutput, start
from jackstay.core.records import RunFilter, StepRow
from jackstay.errors import BudgetExceeded, DefinitionError, MissingVariableError
from jackstay.testing import ScriptedCall, ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent, task

DELEGATE, ASK = "delegate_work_to_coworker", "ask_question_to_coworker"


def delegate(coworker: str, work: str = "Write it", context: str = "All there is") -> Any:
    return tool_call(DELEGATE, task=work, context=context, coworker=coworker)


def ask(coworker: str, question: str = "What is it?", context: str = "All there is") -> Any:
    return tool_call(ASK, question=question, context=context, coworker=coworker)


def job(description: str = "Do it", **more: Any) -> Task:
    """A task without an agent."""
    return Task(**{"description": description, "expected_output": "A brief", **more})


def managed(manager: Any, agents: list[Agent], *tasks: Task, **more: Any) -> Crew:
    return Crew(agents=agents, tasks=list(tasks) or [job()], process=Process.hierarchical, manager_llm=manager, **more)


def rows(runtime: Runtime) -> dict[str, StepRow]:
    (run,) = runtime.journal.runs(RunFilter())
    return {row.path: row for row in runtime.journal.steps(run.id)}


def schemas(call: ScriptedCall) -> dict[str, Any]:
    return {one["function"]["name"]: one["function"]["parameters"] for one in call.tools}


def observed(call: ScriptedCall) -> str:
    """The last result of a tool that a call was sent."""
    return str([message for message in call.messages if message["role"] == "tool"][-1]["content"])


# --- the conversation ------------------------------------------------------------------------------------------------


@pytest.mark.promise("crew.process", "crew.manager_llm", "run.hierarchical")
def test_the_manager_does_every_task_and_the_coworkers_the_work() -> None:
    boss = ScriptedModel([delegate("Writer"), "managed", ask("Critic"), "managed too"])
    writer, critic = ScriptedModel(["written"]), ScriptedModel(["it is good"])
    crew = managed(boss, [agent(writer, "Writer"), agent(critic, "Critic")], job("First"), job("Second"))

    output = crew.kickoff()

    assert [one.raw for one in output.tasks_output] == ["managed", "managed too"]
    assert [one.agent for one in output.tasks_output] == ["Crew Manager"] * 2
    assert [observed(boss.calls[1]), observed(boss.calls[3])] == ["written", "it is good"]
    assert "You are Writer" in writer.calls[0].system
    assert "Write it" in writer.calls[0].last_user
    assert "All there is" in writer.calls[0].last_user
    assert "What is it?" in critic.calls[0].last_user


@pytest.mark.promise("run.delegation.tools")
def test_a_coworker_can_only_be_one_of_the_crew() -> None:
    boss = ScriptedModel(["done"])

    managed(boss, [agent(boss, "Writer of tides"), agent(boss, "Critic")]).kickoff()

    found = schemas(boss.calls[0])
    assert set(found) == {DELEGATE, ASK}
    for name, work in ((DELEGATE, "task"), (ASK, "question")):
        assert found[name]["properties"]["coworker"]["enum"] == ["Writer of tides", "Critic"]
        assert found[name]["required"] == [work, "context", "coworker"]


@pytest.mark.promise("run.hierarchical", "crew.agents")
def test_a_task_with_an_agent_of_its_own_names_it_and_everybody_can_be_given_work() -> None:
    boss = ScriptedModel(["done"])
    writer = agent(boss, "Writer")

    managed(boss, [writer, agent(boss, "Critic")], job(agent=writer)).kickoff()

    assert schemas(boss.calls[0])[DELEGATE]["properties"]["coworker"]["enum"] == ["Writer", "Critic"]
    assert "meant for: Writer" in boss.calls[0].last_user


def test_agents_of_one_role_are_told_apart() -> None:
    boss = ScriptedModel([delegate("Writer (2)"), "done"])
    first, second = ScriptedModel([]), ScriptedModel(["by the second"])

    managed(boss, [agent(first, "Writer"), agent(second, "Writer")]).kickoff()

    assert observed(boss.calls[1]) == "by the second"


@pytest.mark.promise("run.delegation.names")
@pytest.mark.parametrize("said", ["writer", "  WRITER ", '"Writer"', "'writer'"])
def test_a_role_is_understood_in_any_case_with_spaces_and_quotes(said: str) -> None:
    boss = ScriptedModel([delegate(said), "done"])

    managed(boss, [agent(ScriptedModel(["written"]), "Writer")]).kickoff()

    assert observed(boss.calls[1]) == "written"


@pytest.mark.promise("run.delegation.names")
@pytest.mark.parametrize("said", ["Painter", ["Writer"], 7])
def test_an_unknown_coworker_is_an_observation_that_lists_the_options(said: Any) -> None:
    boss = ScriptedModel([delegate(said), "done"])

    output = managed(boss, [agent(boss, "Writer"), agent(boss, "Critic")]).kickoff()

    assert "they are: 'Writer', 'Critic'" in observed(boss.calls[1])
    assert output.raw == "done"


def test_work_can_be_delegated_by_a_model_that_is_told_its_tools_in_text() -> None:
    class Text(ScriptedModel):
        def supports_function_calling(self) -> bool:
            return False

    call = json.dumps({"task": "Write", "context": "c", "coworker": "writer"})
    boss = Text([f"Thought: t\nAction: {DELEGATE}\nAction Input: {call}", "Thought: t\nFinal Answer: done"])

    output = managed(boss, [agent(ScriptedModel(["written"]), "Writer")]).kickoff()

    assert boss.calls[1].last_user == "Observation: written"
    assert output.raw == "done"


def test_what_fails_in_a_coworker_is_an_observation() -> None:
    boss = ScriptedModel([delegate("Writer"), "without it"])

    output = managed(boss, [agent(ScriptedModel([ValueError("broke")]), "Writer")]).kickoff()

    assert "the tool failed with ValueError: broke" in observed(boss.calls[1])
    assert output.raw == "without it"


# --- the coworker's own ----------------------------------------------------------------------------------------------


def test_a_coworker_has_its_own_tools_date_and_turns() -> None:
    used: list[str] = []
    stepped: list[str] = []

    @tool
    def look_up(word: str) -> str:
        """Finds facts."""
        used.append(word)
        return "facts"

    look = tool_call("look_up", word="tide")
    writer = ScriptedModel([look, look, "at last"])
    fields: dict[str, Any] = {"tools": [look_up], "max_iter": 2, "inject_date": True, "date_format": "date %Y"}
    boss = ScriptedModel([delegate("Writer"), "done"])
    hand = agent(writer, "Writer", **fields, step_callback=lambda step: stepped.append("own"))

    managed(boss, [hand], step_callback=lambda step: stepped.append("crew's")).kickoff()

    assert used == ["tide", "tide"]
    assert observed(boss.calls[1]) == "at last"
    assert "Current Date: date 20" in writer.calls[0].last_user
    assert set(schemas(writer.calls[0])) == {"look_up"}
    assert stepped == ["own", "own", "own", "crew's", "crew's"]


def test_a_coworker_that_runs_out_of_time_is_told_to_the_manager() -> None:
    started, stopped = [], []

    @tool
    async def wait() -> str:
        """Waits for ever."""
        started.append(1)
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(1)
        return "never"

    boss = ScriptedModel([delegate("Writer"), "done"])
    slow = agent(ScriptedModel([tool_call("wait")]), "Writer", tools=[wait], max_execution_time=0.1)

    output = managed(boss, [slow]).kickoff()

    assert output.raw == "done"
    assert "DeadlineExceeded" in observed(boss.calls[1])
    assert (started, stopped) == ([1], [1])


# --- who may ---------------------------------------------------------------------------------------------------------


@pytest.mark.promise("agent.allow_delegation")
def test_an_agent_that_may_delegate_has_the_tools_over_the_others() -> None:
    one = ScriptedModel([delegate("Critic"), "done"])
    critic = agent(ScriptedModel(["fine"]), "Critic")
    lead = agent(one, "Lead", allow_delegation=True)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        output = Crew(agents=[lead, critic], tasks=[task(lead)]).kickoff()

    assert schemas(one.calls[0])[ASK]["properties"]["coworker"]["enum"] == ["Critic"]
    assert (output.raw, output.tasks_output[0].agent) == ("done", "Lead")


@pytest.mark.promise("agent.allow_delegation")
def test_an_agent_that_may_not_delegate_or_is_alone_has_no_such_tools() -> None:
    model = ScriptedModel(default="done")
    lead, hand = agent(model, "Lead", allow_delegation=True), agent(model, "Hand")

    Crew(agents=[lead, hand], tasks=[task(hand)]).kickoff()
    Crew(agents=[lead], tasks=[task(lead)]).kickoff()

    assert [len(call.tools) for call in model.calls] == [0, 0]


def test_delegated_work_is_delegated_once_more_at_most_and_never_back() -> None:
    boss = ScriptedModel([delegate("A"), "done"])
    first, second = ScriptedModel([delegate("B"), "a"]), ScriptedModel(["b"])
    agents = [agent(m, r, allow_delegation=True) for m, r in ((first, "A"), (second, "B"), (second, "C"))]

    managed(boss, agents).kickoff()

    assert schemas(first.calls[0])[DELEGATE]["properties"]["coworker"]["enum"] == ["B", "C"]
    assert second.calls[0].tools == ()


def test_a_tasks_tools_are_the_managers_beside_those_for_delegating() -> None:
    @tool
    def look_up(word: str) -> str:
        """Finds facts."""
        return word

    boss = ScriptedModel(["done"])

    managed(boss, [agent(boss, "Writer")], job(tools=[look_up])).kickoff()

    assert set(schemas(boss.calls[0])) == {"look_up", DELEGATE, ASK}


# --- definitions -----------------------------------------------------------------------------------------------------


def code(error: pytest.ExceptionInfo[DefinitionError]) -> str:
    cause = error.value.__cause__
    assert isinstance(cause, ValidationError)
    return cause.errors()[0]["type"]


@pytest.mark.promise("crew.validation.manager")
def test_a_hierarchical_crew_needs_a_manager() -> None:
    with pytest.raises(DefinitionError, match=r"manager_llm=… .* or manager_agent=") as caught:
        managed(None, [agent("sim/demo")])

    assert code(caught) == "missing_manager_llm_or_manager_agent"


@pytest.mark.promise("crew.validation.manager", "crew.manager_agent")
def test_the_manager_is_none_of_the_agents() -> None:
    boss = agent("sim/demo", "Boss")

    with pytest.raises(DefinitionError, match="take it out of agents") as caught:
        managed(None, [boss, agent("sim/demo")], manager_agent=boss)

    assert code(caught) == "manager_agent_in_agents"


@pytest.mark.promise("crew.manager_agent")
def test_a_manager_with_tools_is_refused_when_it_is_defined_and_when_they_came_later() -> None:
    @tool
    def look_up(word: str) -> str:
        """Finds facts."""
        return word

    with pytest.raises(DefinitionError, match="the manager 'Boss' has tools"):
        managed(None, [agent("sim/demo")], manager_agent=agent("sim/demo", "Boss", tools=[look_up]))

    boss = agent("sim/demo", "Boss")
    crew = managed(None, [agent("sim/demo")], manager_agent=boss)
    boss.tools = [look_up]
    with pytest.raises(DefinitionError, match="the manager 'Boss' has tools"):
        crew.kickoff()


def test_a_hierarchical_crew_needs_somebody_to_manage_and_a_model_that_is_one() -> None:
    with pytest.raises(DefinitionError, match=r"needs agents=\[…\] that its manager"):
        managed("sim/demo", [])
    with pytest.raises(DefinitionError, match="Crew Manager"):
        managed(7, [agent("sim/demo")])


@pytest.mark.promise("crew.validation.missing_agent", "task.agent")
def test_a_sequential_crew_still_needs_an_agent_for_each_task() -> None:
    with pytest.raises(DefinitionError, match="has no agent") as caught:
        Crew(agents=[agent("sim/demo")], tasks=[job()])

    assert code(caught) == "missing_agent_in_task"


@pytest.mark.promise("crew.manager_agent")
def test_a_manager_agent_manages_with_its_own_words_model_and_turns() -> None:
    boss = ScriptedModel(["", "in the end"])
    lead = agent(boss, "Head of {topic}", max_iter=1)

    output = managed(None, [agent(boss, "Writer")], manager_agent=lead).kickoff({"topic": "tides"})

    assert "You are Head of tides" in boss.calls[0].system
    assert set(schemas(boss.calls[0])) == {DELEGATE, ASK}
    assert (output.raw, output.tasks_output[0].agent, len(boss.calls)) == ("in the end", "Head of tides", 2)


def test_variables_of_coworkers_and_manager_are_filled_in_and_missed() -> None:
    boss = ScriptedModel(default="done")
    crew = managed(boss, [agent(boss, "Writer of {topic}")])

    crew.kickoff({"topic": "tides"})
    with pytest.raises(MissingVariableError):
        crew.kickoff({"other": "x"})

    assert "Writer of tides" in schemas(boss.calls[0])[DELEGATE]["properties"]["coworker"]["enum"]


def test_a_crew_in_which_nobody_delegates_has_the_outline_that_it_had() -> None:
    one = agent("sim/demo")

    outline = Crew(agents=[one], tasks=[task(one)]).outline()

    assert len(outline) == 3
    assert "delegates" not in outline[2][0]["agent"]


# --- the rest of a crew ----------------------------------------------------------------------------------------------


class Brief(BaseModel):
    words: int


def test_structured_output_guardrails_and_conditions_work_under_a_manager() -> None:
    boss = ScriptedModel(['{"words": 9}', delegate("Writer"), '{"words": 3}', "more"])
    writer = ScriptedModel(["written"])

    def short(output: TaskOutput) -> tuple[bool, Any]:
        assert isinstance(output.pydantic, Brief)
        return (True, output) if output.pydantic.words < 5 else (False, "too long")

    first = job("First", output_pydantic=Brief, guardrail=short)
    unwanted = ConditionalTask(condition=lambda _: False, description="Second", expected_output="e")
    output = managed(boss, [agent(writer, "Writer")], first, unwanted, job("Third")).kickoff()

    assert output.tasks_output[0].pydantic == Brief(words=3)
    assert [one.raw for one in output.tasks_output[1:]] == ["", "more"]
    assert len(writer.calls) == 1


def by_place(call: ScriptedCall) -> Any:
    """A manager that delegates once a task, and says what came back."""
    results = [message for message in call.messages if message["role"] == "tool"]
    return f"got {results[-1]['content']}" if results else delegate("Writer", call.last_user.partition("\n")[0][14:])


def echo(call: ScriptedCall) -> str:
    return call.last_user.partition("\n")[0].removeprefix("Current Task: ")


def test_asynchronous_tasks_and_batches_have_a_manager_each() -> None:
    crew = managed(
        ScriptedModel(default=by_place),
        [agent(ScriptedModel(default=echo), "Writer")],
        job("Left {topic}", async_execution=True),
        job("Right {topic}", async_execution=True),
        job("Last {topic}"),
    )

    outputs = crew.kickoff_for_each([{"topic": "a"}, {"topic": "b"}])

    expected = [[f"got {place} {topic}" for place in ("Left", "Right", "Last")] for topic in "ab"]
    assert [[one.raw.split("\n")[0].strip() for one in output.tasks_output] for output in outputs] == expected


def test_delegated_steps_stand_below_the_tools_and_belong_to_the_coworker(runtime: Runtime) -> None:
    boss = ScriptedModel([[delegate("Writer"), delegate("Critic")], "done"])
    crew = managed(boss, [agent(ScriptedModel(["w"]), "Writer"), agent(ScriptedModel(["c"]), "Critic")])

    output = crew.kickoff()

    found = rows(runtime)
    agents = {path: row.agent for path, row in found.items() if row.kind in ("llm", "tool")}
    assert agents == {
        "do_it#1/llm#1": "Crew Manager",
        f"do_it#1/tool:{DELEGATE}#1": "Crew Manager",
        f"do_it#1/tool:{DELEGATE}#1/llm#1": "Writer",
        f"do_it#1/tool:{DELEGATE}#2": "Crew Manager",
        f"do_it#1/tool:{DELEGATE}#2/llm#1": "Critic",
        "do_it#1/llm#2": "Crew Manager",
    }
    tokens = sum(row.input_tokens + row.output_tokens for row in found.values())
    assert output.token_usage.total_tokens == output.tasks_output[0].token_usage.total_tokens == tokens
    assert output.token_usage.successful_requests == 4


BROKE = [ValueError("boss broke")] * 3
"""The crew's own manager is asked again twice, as CrewAI's agents are."""


def test_a_resumed_run_asks_neither_manager_nor_coworker_again() -> None:
    boss = ScriptedModel([delegate("Writer"), *BROKE, "done"])
    writer = ScriptedModel(["written"])
    crew = managed(boss, [agent(writer, "Writer")])
    with pytest.raises(ValueError, match="boss broke"):
        crew.kickoff(run_key="k")

    output = crew.kickoff(run_key="k")

    assert (output.raw, len(boss.calls), len(writer.calls)) == ("done", 5, 1)


def test_another_coworkers_answer_is_none_of_this_ones(runtime: Runtime) -> None:
    boss = ScriptedModel([delegate("Writer"), *BROKE])
    writer = ScriptedModel(["old", "new"])
    with pytest.raises(ValueError, match="boss broke"):
        managed(boss, [agent(writer, "Writer", backstory="Old.")]).kickoff()
    (run,) = runtime.journal.runs(RunFilter())

    boss.add("done")
    managed(boss, [agent(writer, "Writer", backstory="New.")]).kickoff(resume=run.id)

    assert observed(boss.calls[-1]) == "new"


def test_a_finished_task_is_managed_anew_if_a_coworker_is_another_one_now(runtime: Runtime) -> None:
    boss = ScriptedModel([delegate("Writer"), "first", *BROKE])
    writer = ScriptedModel(["old", "new"])
    tasks = [job("First"), job("Second")]
    with pytest.raises(ValueError, match="boss broke"):
        managed(boss, [agent(writer, "Writer", backstory="Old.")], *tasks).kickoff()
    (run,) = runtime.journal.runs(RunFilter())

    boss.add("first anew", "second")
    output = managed(boss, [agent(writer, "Writer", backstory="New.")], *tasks).kickoff(resume=run.id)

    assert [one.raw for one in output.tasks_output] == ["first anew", "second"]


def test_a_budget_that_is_reached_by_a_coworker_stops_the_run() -> None:
    boss = ScriptedModel([[delegate("Writer"), delegate("Writer")], "never"])
    crew = managed(boss, [agent(ScriptedModel(default="written"), "Writer")])

    with pytest.raises(BudgetExceeded):
        crew.kickoff(budget=Budget(calls=2), run_key="k")
    output = crew.kickoff(budget=Budget(calls=5), run_key="k")

    assert output.raw == "never"
    assert len(boss.calls) == 2


def test_a_nested_crews_budget_that_a_coworker_reaches_is_no_observation(runtime: Runtime) -> None:
    over: list[str] = []
    runtime.observers.append(lambda event: over.append(event.path) if event.name == "tool_failed" else None)

    @tool
    async def wait() -> str:
        """Ends after the work that fails beside it."""
        while not over:
            await asyncio.sleep(0)
        return "waited"

    boss = ScriptedModel([[delegate("Writer"), tool_call("wait")], "done"])
    crew = managed(boss, [agent(ScriptedModel(default="written"), "Writer")], job(tools=[wait]))
    most = [1]

    class Around(Flow):
        @start()
        def begin(self) -> str:
            return crew.kickoff(budget=Budget(calls=most[0])).raw

    with pytest.raises(BudgetExceeded):
        Around().kickoff(run_key="k")
    most[0] = 9
    over.append("at last")
    Around().kickoff(run_key="k")

    assert [m["content"] for m in boss.calls[1].messages if m["role"] == "tool"] == ["written", "waited"]


@pytest.mark.promise("crew.manager_llm")
def test_a_manager_llm_is_any_model() -> None:
    crew = managed(LLM("sim/demo"), [agent("sim/demo", "Writer")])

    assert crew.kickoff().raw


def test_a_sequential_crew_does_not_ask_its_manager() -> None:
    model = ScriptedModel(["done"])
    one = agent(model)

    with pytest.warns(UserWarning, match="manager_llm= has no effect in a sequential crew"):
        crew = Crew(agents=[one], tasks=[task(one)], manager_llm=ScriptedModel([]))

    assert crew.kickoff().raw == "done"
