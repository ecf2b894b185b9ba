"""Thirty-odd kinds of runs, each small: what their spans are compared with is what they have recorded."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

from jackstay import (
    LLM,
    Agent,
    Budget,
    ConditionalTask,
    Crew,
    Flow,
    Process,
    Retry,
    Runtime,
    Task,
    and_,
    answer,
    carry,
    human_feedback,
    listen,
    or_,
    router,
    start,
)
from jackstay.engine.script import script_run
from jackstay.errors import JackstayError, RunWaiting
from jackstay.testing import Fault, ScriptedModel, Stub, tool_call
from jackstay.tools import tool

KINDS: dict[str, Callable[[Stub], object]] = {}


def kind(function: Callable[[Stub], object]) -> Callable[[Stub], object]:
    KINDS[function.__name__.strip("_")] = function
    return function


def says(*answers: Any) -> ScriptedModel:
    return ScriptedModel(answers, default="said")


def agent(llm: Any = None, role: str = "Analyst", **more: Any) -> Agent:
    given = {"role": role, "goal": "g", "backstory": "b", "llm": llm or says(), "max_retry_limit": 0}
    return Agent(**{"retry": Retry(max_attempts=2, backoff_s=0), **given, **more})


def task(worker: Agent | None = None, name: str = "research", **more: Any) -> Task:
    return Task(name=name, description=f"Do {name}", expected_output="e", agent=worker or agent(), **more)


def crew(*tasks: Task, **more: Any) -> Crew:
    return Crew(agents=[one.agent for one in tasks if one.agent is not None], tasks=list(tasks), **more)


def failing(action: Callable[[], object]) -> None:
    with contextlib.suppress(JackstayError, RuntimeError, ValueError):
        action()


@tool
def look(topic: str) -> str:
    """Looks."""
    return f"{topic} seen"


@tool
def think(topic: str) -> str:
    """Asks a model itself."""
    return str(LLM(model="sim/demo").call(topic))


@tool
def broken(topic: str) -> str:
    """Fails."""
    raise OSError(f"no {topic}")


class Report(BaseModel):
    title: str


# --- crews -----------------------------------------------------------------------------------------------------------


@kind
def one_task(_: Stub) -> None:
    crew(task()).kickoff()


@kind
def two_tasks(_: Stub) -> None:
    crew(task(), task(agent(role="Writer"), "write")).kickoff()


@kind
def tasks_side_by_side(_: Stub) -> None:
    sides = [task(name=f"side{n}", async_execution=True) for n in range(3)]
    crew(*sides, task(name="join", context=sides)).kickoff()


@kind
def tool_calls(_: Stub) -> None:
    crew(
        task(agent(says([tool_call("look", topic="a"), tool_call("look", topic="b")], "done"), tools=[look]))
    ).kickoff()


@kind
def failed_tool(_: Stub) -> None:
    crew(task(agent(says(tool_call("broken", topic="a"), "done"), tools=[broken]))).kickoff()


@kind
def model_call_in_a_tool(_: Stub) -> None:
    crew(task(agent(says(tool_call("think", topic="a"), "done"), tools=[think]))).kickoff()


@kind
def delegated(_: Stub) -> None:
    work = tool_call("delegate_work_to_coworker", task="t", context="c", coworker="Writer")
    crew(task(agent(says(work, "done"), allow_delegation=True)), task(agent(role="Writer"), "write")).kickoff()


@kind
def hierarchical(_: Stub) -> None:
    work = tool_call("delegate_work_to_coworker", task="t", context="c", coworker="Writer")
    made = task(agent(role="Writer"), "write")
    crew(made, process=Process.hierarchical, manager_llm=says(work, "done")).kickoff()


@kind
def planned(_: Stub) -> None:
    crew(task(), planning=True, planning_llm="sim/demo").kickoff()


@kind
def guarded(_: Stub) -> None:
    crew(task(guardrail=lambda output: (True, output.raw))).kickoff()


@kind
def rejected_once(_: Stub) -> None:
    verdicts = iter([(False, "longer"), (True, "good")])
    crew(task(guardrail=lambda _: next(verdicts))).kickoff()


@kind
def guarded_in_words(_: Stub) -> None:
    crew(task(agent("sim/demo"), guardrail="is it polite")).kickoff()


@kind
def structured(_: Stub) -> None:
    crew(task(agent(says({"title": "Tides"})), output_pydantic=Report)).kickoff()


@kind
def skipped_by_condition(_: Stub) -> None:
    worker = agent()
    maybe = ConditionalTask(
        name="more", description="d", expected_output="e", agent=worker, condition=lambda output: False
    )
    crew(task(worker), maybe).kickoff()


@kind
def failed_and_skipped(_: Stub) -> None:
    crew(task(agent(says(RuntimeError("broken"))), on_error="skip"), task(name="write")).kickoff()


@kind
def failed_and_tried_again(_: Stub) -> None:
    again = Retry(max_attempts=2, backoff_s=0)
    crew(task(agent(says(RuntimeError("broken"), "done")), on_error="retry", retries=again)).kickoff()


@kind
def done_by_another_agent(_: Stub) -> None:
    deputy = agent(role="Deputy")
    crew(task(agent(says(RuntimeError("broken"))), on_error="fallback", fallback=deputy)).kickoff()


@kind
def failed(_: Stub) -> None:
    failing(crew(task(), task(agent(says(RuntimeError("broken"))), "write")).kickoff)


@kind
def out_of_budget(_: Stub) -> None:
    failing(lambda: crew(task(), task(name="write")).kickoff(budget=Budget(calls=1)))


@kind
def items_of_a_batch(_: Stub) -> None:
    crew(task()).kickoff_for_each([{"n": 1}, {"n": 2}])


@kind
def agent_alone(_: Stub) -> None:
    agent(says(tool_call("look", topic="a"), "done"), tools=[look]).kickoff("hello")


@kind
def model_alone(_: Stub) -> None:
    LLM(model="sim/demo").call("hello")


@kind
def awaited(_: Stub) -> None:
    asyncio.run(crew(task()).akickoff())


# --- over the wire ---------------------------------------------------------------------------------------------------


@kind
def retried_on_the_wire(stub: Stub) -> None:
    stub.fault_at(0, Fault.http(500))
    crew(task(agent("gpt-4o-mini"))).kickoff()


@kind
def answered_by_another_model(stub: Stub) -> None:
    stub.fault_at(0, Fault.http(500))
    chain = LLM(model="gpt-4o", fallbacks=["gpt-4o-mini"], retry=Retry(max_attempts=1))
    crew(task(agent(chain))).kickoff()


@kind
def streamed(stub: Stub) -> None:
    streaming: Any = crew(task(agent("gpt-4o-mini")), stream=True).kickoff()
    for _ in streaming:
        pass


@kind
def cancelled(stub: Stub) -> None:
    async def cancel() -> None:
        kicked = asyncio.create_task(crew(task(), task(agent("gpt-4o-mini"), "write")).akickoff())
        await asyncio.get_running_loop().run_in_executor(None, lambda: stub.wait_for(lambda s: s.in_flight == 1))
        kicked.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await kicked

    with stub.held():
        asyncio.run(cancel())


@kind
def late(stub: Stub) -> None:
    with stub.held():
        failing(lambda: crew(task(), task(agent("gpt-4o-mini"), "write")).kickoff(deadline_s=0.5))


# --- flows -----------------------------------------------------------------------------------------------------------


@kind
def flow(_: Stub) -> None:
    class Two(Flow):  # type: ignore[type-arg]
        @start()
        def one(self) -> int:
            return 1

        @listen(one)
        def two(self) -> int:
            return 2

    Two().kickoff()


@kind
def branches_that_join(_: Stub) -> None:
    class Join(Flow):  # type: ignore[type-arg]
        @start()
        def left(self) -> int:
            return 1

        @start()
        async def right(self) -> int:
            return 2

        @listen(and_(left, right))
        def both(self) -> None:
            crew(task()).kickoff()

    Join().kickoff()


@kind
def loop(_: Stub) -> None:
    class Loop(Flow):  # type: ignore[type-arg]
        @start("again")
        def work(self) -> None:
            self.state["n"] = self.state.get("n", 0) + 1

        @router(work)
        def decide(self) -> str:
            return "again" if self.state["n"] < 3 else "end"

        @listen(or_("end"))
        def last(self) -> None:
            pass

    Loop().kickoff()


@kind
def crews_at_once_in_a_method(_: Stub) -> None:
    class Many(Flow):  # type: ignore[type-arg]
        @start()
        async def all(self) -> None:
            await asyncio.gather(*(crew(task(name=f"t{n}")).akickoff() for n in range(3)))

    Many().kickoff()


@kind
def own_steps_and_threads(_: Stub) -> None:
    class Own(Flow):  # type: ignore[type-arg]
        @start()
        def work(self) -> None:
            self.step("mine", lambda: 3)
            thread = threading.Thread(target=carry(lambda: crew(task()).kickoff()))
            thread.start()
            thread.join()

    Own().kickoff()


@kind
def flow_in_a_flow(_: Stub) -> None:
    class Inner(Flow):  # type: ignore[type-arg]
        @start()
        def inside(self) -> str:
            return str(agent().kickoff("hello"))

    class Outer(Flow):  # type: ignore[type-arg]
        @start()
        def outside(self) -> None:
            Inner().kickoff()

    Outer().kickoff()


@kind
def method_tried_again(_: Stub) -> None:
    tried: list[int] = []

    class Again(Flow):  # type: ignore[type-arg]
        @start(retry=Retry(max_attempts=2, backoff_s=0))
        def work(self) -> None:
            crew(task()).kickoff()
            tried.append(1)
            if len(tried) == 1:
                raise OSError("not yet")

    Again().kickoff()


@kind
def failed_crew_tried_again(_: Stub) -> None:
    model = says(RuntimeError("not yet"), "done")

    class Again(Flow):  # type: ignore[type-arg]
        @start(retry=Retry(max_attempts=2, backoff_s=0))
        def work(self) -> None:
            crew(task(agent(model))).kickoff()

    Again().kickoff()


@kind
def failed_method(_: Stub) -> None:
    class Fails(Flow):  # type: ignore[type-arg]
        @start()
        def work(self) -> None:
            crew(task()).kickoff()
            raise ValueError("no")

    failing(Fails().kickoff)


# --- more than one epoch ----------------------------------------------------------------------------------------------


@kind
def waited_for_a_person(_: Stub) -> None:
    class Review(Flow):  # type: ignore[type-arg]
        @start()
        @human_feedback("Good?")
        def draft(self) -> str:
            return str(crew(task()).kickoff())

        @listen(draft)
        def end(self) -> str:
            return "end"

    Review().kickoff(run_key="tuesday")
    answer("tuesday", "yes")
    Review().kickoff(run_key="tuesday")


@kind
def crew_that_waited(_: Stub) -> None:
    made = crew(task(), task(name="write", human_input=True))
    try:
        made.kickoff()
    except RunWaiting as waiting:
        answer(waiting.run_id or "", "")
        made.kickoff(resume=waiting.run_id)


@kind
def failed_and_resumed(_: Stub) -> None:
    model = says("one", RuntimeError("broken"), "two")
    made = crew(task(agent(model)), task(agent(model), "write"))
    try:
        made.kickoff()
    except RuntimeError as error:
        made.kickoff(resume=error.run_id)  # type: ignore[attr-defined]


@kind
def replayed(_: Stub) -> None:
    made = crew(task(), task(name="write"), task(name="polish"))
    run_id = made.kickoff().run_id
    made.replay(f"{run_id}/polish#1")


@kind
def script(_: Stub) -> None:
    with script_run(_runtime(), "daily.py", entry={}):
        crew(task()).kickoff()
        crew(task(), name="second").kickoff()


def _runtime() -> Runtime:
    from jackstay.engine.runtime import current_runtime

    return current_runtime()
