"""One task outside of a crew: its prompt, its copies, and doing it alone."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from jackstay import BaseAgent, ConditionalTask, Flow, Runtime, Task, TaskOutput, start
from jackstay.core.records import RunFilter
from jackstay.errors import DefinitionError, JackstayError
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool
from tests.unit.crew.building import agent, crew, prompts, task


class Fact(BaseModel):
    year: int


@tool
def look_up(number: int) -> str:
    """Looks it up."""
    return f"found {number}"


# --- doing it ----------------------------------------------------------------------------------------------------------


@pytest.mark.promise("task.execute_sync")
def test_a_task_alone_is_a_run_of_one_task(runtime: Runtime) -> None:
    heard: list[TaskOutput] = []
    alone = task(agent(ScriptedModel(["1969"])), name="landing", callback=heard.append, output_file="out/year.txt")

    output = alone.execute_sync()

    assert isinstance(output, TaskOutput)
    assert (output.raw, output.name, output.agent) == ("1969", "landing", "Analyst")
    assert alone.output is output
    assert [each.raw for each in heard] == ["1969"]
    assert Path("out/year.txt").read_text(encoding="utf-8") == "1969"
    (run,) = runtime.journal.runs(RunFilter())
    assert (run.name, run.status) == ("landing", "succeeded")
    assert [step.path for step in runtime.journal.steps(run.id)] == ["landing#1/llm#1", "landing#1"]
    assert output.token_usage.successful_requests == 1


@pytest.mark.promise("task.execute_sync")
def test_agent_context_and_tools_may_be_given() -> None:
    model = ScriptedModel([tool_call("look_up", number=7), "1969"])
    alone = Task(description="Find it", expected_output="A year")

    output = alone.execute_sync(agent(model, "Pilot"), "the moon", [look_up])

    assert (output.raw, output.agent) == ("1969", "Pilot")
    assert prompts(model)[0].endswith("This is the context you're working with:\nthe moon")
    assert "found 7" in str(model.calls[1].messages)
    assert (alone.agent, alone.tools) == (None, [])


@pytest.mark.promise("task.execute_sync")
def test_without_a_context_it_has_that_of_its_context_tasks() -> None:
    model = ScriptedModel(["the moon", "1969", "1970"])
    first = task(agent(model), "First")
    second = task(agent(model), "Second", context=[first])
    first.execute_sync()

    second.execute_sync()
    second.execute_sync(context="Mars")

    assert prompts(model)[1].endswith("\nthe moon")
    assert prompts(model)[2].endswith("\nMars")


@pytest.mark.promise("task.execute_sync")
def test_its_guardrails_and_its_form_hold() -> None:
    def late(output: TaskOutput) -> tuple[bool, Any]:
        return (True, output) if output.pydantic.year > 1960 else (False, "too early")  # type: ignore[union-attr]

    model = ScriptedModel(['{"year": "soon"}', '{"year": 1950}', '{"year": 1969}'])

    output = task(agent(model), output_pydantic=Fact, guardrail=late).execute_sync()

    assert output.pydantic == Fact(year=1969)
    assert "too early" in prompts(model)[2]


@pytest.mark.promise("task.execute_sync")
def test_without_an_agent_it_says_what_to_do() -> None:
    with pytest.raises(DefinitionError, match=r"has no agent; give it agent=…"):
        Task(description="Find it", expected_output="A year").execute_sync()


@pytest.mark.promise("task.execute_sync")
def test_a_condition_does_not_count_alone() -> None:
    alone = ConditionalTask(
        description="Maybe", expected_output="x", agent=agent(ScriptedModel(["done"])), condition=lambda _: False
    )

    assert alone.execute_sync().raw == "done"


class Clerk(BaseAgent):
    def execute_task(self, task: Any, context: str | None = None, tools: Any = None) -> str:
        return f"filed {task.description} with {context}"


@pytest.mark.promise("task.execute_sync", "agent.execute_task")
def test_an_agents_own_code_does_it() -> None:
    own = Clerk(role="Clerk", goal="File it", backstory="Exact.")

    assert task(own, "it").execute_sync(context="care").raw == "filed it with care"


@pytest.mark.promise("task.execute_sync")
def test_inside_a_run_it_is_a_step_that_is_not_done_again(runtime: Runtime) -> None:
    model = ScriptedModel(["one", "two"])
    worker = agent(model)

    class Steps(Flow):
        fails = True

        @start()
        def both(self) -> str:
            said = [task(worker, "Same").execute_sync(context=context).raw for context in ("a", "b")]
            if Steps.fails:
                raise RuntimeError("down")
            return " ".join(said)

    with pytest.raises(RuntimeError, match="down"):
        Steps().kickoff()
    (run,) = runtime.journal.runs(RunFilter())
    Steps.fails = False

    assert Steps().kickoff(resume=run.id) == "one two"
    assert len(model.calls) == 2


@pytest.mark.promise("task.execute_sync")
def test_aexecute_sync_is_awaited_on_the_callers_loop() -> None:
    loops: list[Any] = []

    async def heard(_: TaskOutput) -> None:
        loops.append(asyncio.get_running_loop())

    alone = task(agent(ScriptedModel(["1969"])), callback=heard)

    async def program() -> tuple[str, bool]:
        output = await alone.aexecute_sync(context="the moon")
        return output.raw, loops == [asyncio.get_running_loop()]

    assert asyncio.run(program()) == ("1969", True)
    assert alone.output is not None


@pytest.mark.promise("task.execute_sync")
def test_execute_async_returns_at_once_with_a_future() -> None:
    begun, may_end = threading.Event(), threading.Event()

    @tool
    def waits() -> str:
        """Waits."""
        begun.set()
        assert may_end.wait(20)
        return "waited"

    alone = task(agent(ScriptedModel([tool_call("waits"), "done"]), tools=[waits]))

    future = alone.execute_async()

    assert isinstance(future, Future)
    assert begun.wait(20)
    assert not future.done()
    may_end.set()
    assert future.result(20).raw == "done"
    assert alone.output is not None


@pytest.mark.parametrize(("given", "said"), [({"context": 5}, "give a text"), ({"agent": 5}, "done by an Agent")])
def test_what_it_cannot_use_is_refused(given: Any, said: str) -> None:
    with pytest.raises(JackstayError, match=said):
        task(agent(ScriptedModel(["done"]))).execute_sync(**given)


@pytest.mark.promise("task.execute_sync")
def test_a_future_has_what_the_task_raises() -> None:
    future = task(agent(ScriptedModel([OSError("gone")]))).execute_async()

    assert isinstance(future.exception(20), OSError)


@pytest.mark.promise("task.execute_sync")
def test_waiting_for_a_future_holds_no_thread_of_the_pool() -> None:
    worker = agent(ScriptedModel([tool_call("look_up", number=1), "done"]), tools=[look_up])

    class Waiting(Flow):
        @start()
        def method(self) -> str:
            return task(worker).execute_async().result(20).raw

    with Runtime(pool_size=1):
        assert Waiting().kickoff() == "done"


# --- its text ----------------------------------------------------------------------------------------------------------


@pytest.mark.promise("task.prompt")
def test_the_prompt_is_what_the_agent_is_asked() -> None:
    model = ScriptedModel(['{"year": 1}', '{"year": 2}'])
    alone = task(agent(model), "Find {it}", output_pydantic=Fact, markdown=True)
    texts = [alone.prompt(), alone.prompt("the moon")]

    alone.execute_sync()
    alone.execute_sync(context="the moon")

    assert texts == prompts(model)
    assert "Find {it}" in texts[0]
    assert Task(description="Find it", expected_output="A year").prompt().startswith("Current Task: Find it")


@pytest.mark.promise("task.interpolate")
def test_inputs_are_filled_in_from_the_original_texts_each_time() -> None:
    alone = task(agent(ScriptedModel(["a"])), "Find {it}", expected_output="In {it}", output_file="{it}.txt")
    key = alone.key

    alone.interpolate_inputs_and_add_conversation_history({"it": "the moon"})
    alone.interpolate_inputs_and_add_conversation_history({"it": "Mars"})

    assert (alone.description, alone.expected_output, alone.output_file) == ("Find Mars", "In Mars", "Mars.txt")
    assert alone.key == key
    assert "Find Mars" in alone.prompt()


# --- its copies --------------------------------------------------------------------------------------------------------


@pytest.mark.promise("task.copy")
def test_a_copy_has_the_agent_of_its_role_and_the_tasks_of_the_mapping() -> None:
    worker, other = agent("sim/demo"), agent("sim/demo")
    first, outside = task(worker, "First"), task(worker, "Outside")
    second = task(worker, "Second", context=[first, outside], tools=[look_up])
    first_copy = first.copy([other], {})

    copied = second.copy([other], {first.key: first_copy})

    assert copied.id != second.id
    assert (copied.agent, first_copy.agent) == (other, other)
    assert [id(one) for one in copied.context] == [id(first_copy), id(outside)]
    assert copied.tools == [look_up]
    copied.tools.append(look_up)
    copied.description = "Other"
    assert (len(second.tools), second.description) == (1, "Second")


@pytest.mark.promise("task.copy")
def test_a_copy_has_done_nothing_and_keeps_its_agent_where_no_other_has_the_role() -> None:
    worker = agent(ScriptedModel(["a"]))
    done = task(worker)
    done.execute_sync()

    copied = done.copy([agent("sim/demo", "Somebody else")], {})

    assert (copied.output, copied.start_time, copied.execution_duration) == (None, None, None)
    assert copied.agent is worker
    assert done.copy().agent is worker


# --- what it leaves on the objects -------------------------------------------------------------------------------------


@pytest.mark.promise("task.execution_duration")
def test_times_are_those_of_the_last_run() -> None:
    first, second = task(agent(ScriptedModel(default="a")), "First"), task(agent(ScriptedModel(default="b")), "Second")
    made = crew(first, second)
    before = [first.start_time, first.end_time, first.execution_duration]

    made.kickoff()

    assert before == [None, None, None]
    assert first.start_time is not None
    assert first.end_time is not None
    assert second.start_time is not None
    assert first.start_time.tzinfo is not None
    assert first.start_time <= first.end_time <= second.start_time
    assert first.output is not None
    assert first.execution_duration == pytest.approx(first.output.duration_s, abs=1e-5)


@pytest.mark.promise("task.execution_duration")
def test_times_of_a_recorded_run_are_those_of_its_record() -> None:
    model = ScriptedModel(default="a")
    one, again = task(agent(model)), task(agent(model))
    crew(one).kickoff(run_key="k")

    crew(again).kickoff(run_key="k")

    assert len(model.calls) == 1
    assert again.start_time == one.start_time
    assert again.execution_duration == one.execution_duration


@pytest.mark.promise("crew.token_usage")
def test_a_crews_token_usage_is_that_of_its_last_run() -> None:
    made = crew(task(agent(ScriptedModel(default="a"))))
    before = made.token_usage

    outputs = [made.kickoff(), made.kickoff()]

    assert before is None
    assert made.token_usage == outputs[1].token_usage
    assert outputs[1].token_usage.successful_requests == 1


@pytest.mark.promise("crew.calculate_usage_metrics")
def test_usage_that_is_calculated_is_the_last_runs_and_counts_shared_models_once() -> None:
    shared = ScriptedModel(default="a")
    made = crew(task(agent(shared)), task(agent(shared, "Second"), "Then"))
    assert made.calculate_usage_metrics().total_tokens == 0
    made.kickoff()

    output = made.kickoff()

    assert made.calculate_usage_metrics() == output.token_usage
    assert made.calculate_usage_metrics().successful_requests == 2
