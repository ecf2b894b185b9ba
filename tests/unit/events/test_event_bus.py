"""The event bus: which events handlers hear, in which order, where they run, and that they change nothing."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from jackstay import LLM, Flow, Runtime, listen, start
from jackstay.core.records import RunFilter
from jackstay.engine.telling import listeners
from jackstay.errors import DefinitionError
from jackstay.events import (
    AgentExecutionCompletedEvent,
    AgentExecutionStartedEvent,
    BaseEvent,
    BaseEventListener,
    CrewKickoffCompletedEvent,
    CrewKickoffFailedEvent,
    CrewKickoffStartedEvent,
    Depends,
    EventBus,
    FlowCreatedEvent,
    FlowFailedEvent,
    FlowFinishedEvent,
    FlowPlotEvent,
    FlowStartedEvent,
    LLMCallCompletedEvent,
    LLMCallFailedEvent,
    LLMCallStartedEvent,
    LLMGuardrailCompletedEvent,
    LLMStreamChunkEvent,
    MethodExecutionFailedEvent,
    MethodExecutionFinishedEvent,
    MethodExecutionStartedEvent,
    TaskCompletedEvent,
    TaskFailedEvent,
    TaskStartedEvent,
    ToolFailureDetectedEvent,
    ToolUsageErrorEvent,
    ToolUsageFinishedEvent,
    ToolUsageStartedEvent,
    event_bus,
)
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import ToolFailure, tool
from tests.unit.crew.building import agent, crew, one_task, task


class Noted(BaseEvent):
    type: str = "noted"
    text: str = ""


def heard(*types: type[BaseEvent]) -> list[Any]:
    """What comes, as it comes."""
    events: list[Any] = []
    for cls in types or (BaseEvent,):
        event_bus.register_handler(cls, lambda source, event: events.append(event))
    return events


def names(events: list[Any]) -> list[str]:
    return [event.type for event in events]


@tool
def search(query: str) -> str:
    """Searches."""
    if query == "nothing":
        raise LookupError("nothing found")
    return f"found {query}"


# --- what is told ------------------------------------------------------------------------------------------------------


@pytest.mark.promise("around.event_bus", "around.event_order", "around.event_names.crews", "around.event_names.calls")
def test_a_crew_with_a_tool_is_told_from_kickoff_to_completion_in_order() -> None:
    events = heard()

    one_task(ScriptedModel([tool_call("search", query="tides"), "done"]), agent_fields={"tools": [search]}).kickoff()

    assert names(events) == [
        "crew_kickoff_started",
        "task_started",
        "agent_execution_started",
        "llm_call_started",
        "llm_call_completed",
        "tool_usage_started",
        "tool_usage_finished",
        "llm_call_started",
        "llm_call_completed",
        "agent_execution_completed",
        "task_completed",
        "crew_kickoff_completed",
    ]
    assert [event.emission_sequence for event in events] == list(range(1, 13))


@pytest.mark.promise("around.event_names.crews")
def test_events_of_a_crew_have_crewais_fields() -> None:
    listed = heard()
    model = ScriptedModel([tool_call("search", query="tides"), "done"])

    result = one_task(model, "About {topic}", agent_fields={"tools": [search]}).kickoff({"topic": "tides"})

    events = {event.type: event for event in listed}
    begun: CrewKickoffStartedEvent = events["crew_kickoff_started"]
    assert (begun.crew_name, begun.inputs) == ("crew", {"topic": "tides"})
    done: CrewKickoffCompletedEvent = events["crew_kickoff_completed"]
    assert (done.output.raw, done.total_tokens) == ("done", result.token_usage.total_tokens)
    task_begun: TaskStartedEvent = events["task_started"]
    assert task_begun.task.description == "About tides"
    worker: AgentExecutionStartedEvent = events["agent_execution_started"]
    assert (worker.agent.role, worker.agent_role, worker.tools and worker.tools[0].name) == (
        "Analyst",
        "Analyst",
        "search",
    )
    assert "About tides" in worker.task_prompt
    answered: AgentExecutionCompletedEvent = events["agent_execution_completed"]
    assert answered.output == "done"
    task_done: TaskCompletedEvent = events["task_completed"]
    assert task_done.output.raw == "done"
    asked: LLMCallStartedEvent = events["llm_call_started"]
    assert isinstance(asked.messages, list)
    assert (asked.model, asked.messages[-1]["role"]) == ("scripted", "tool")
    said: LLMCallCompletedEvent = events["llm_call_completed"]
    assert said.usage is not None
    assert (said.response, said.call_id, said.usage["total_tokens"] > 0) == ("done", asked.call_id, True)
    used: ToolUsageFinishedEvent = events["tool_usage_finished"]
    assert (used.tool_name, used.tool_args, used.output) == ("search", {"query": "tides"}, "found tides")
    assert used.finished_at >= used.started_at


@pytest.mark.promise("around.event_names.crews")
def test_failures_are_told_as_such() -> None:
    events = heard()

    with pytest.raises(RuntimeError, match="down"):
        one_task(ScriptedModel([RuntimeError("down")])).kickoff()

    failed = {event.type: event for event in events}
    model: LLMCallFailedEvent = failed["llm_call_failed"]
    done: TaskFailedEvent = failed["task_failed"]
    whole: CrewKickoffFailedEvent = failed["crew_kickoff_failed"]
    assert (model.error, done.error, done.error_type, whole.error) == ("down", "down", "RuntimeError", "down")
    assert "task_completed" not in failed


@pytest.mark.promise("around.event_names.calls")
def test_failed_tools_and_what_tools_state_are_told() -> None:
    @tool
    def states(query: str) -> Any:
        """Says that it failed."""
        return ToolFailure("no tide", code="none")

    events = heard(ToolUsageStartedEvent, ToolUsageErrorEvent, ToolFailureDetectedEvent)
    answers = [tool_call("search", query="nothing"), tool_call("states", query="x"), "done"]

    one_task(ScriptedModel(answers), agent_fields={"tools": [search, states]}).kickoff()

    assert names(events) == [
        "tool_usage_started",
        "tool_usage_error",
        "tool_usage_started",
        "tool_usage_error",
        "tool_failure_detected",
    ]
    assert (events[1].error, events[4].failure.code, events[4].policy) == ("nothing found", "none", "warn")


@pytest.mark.promise("around.event_names.calls")
def test_guardrails_are_told_with_their_tries() -> None:
    events = heard(LLMGuardrailCompletedEvent)
    model = ScriptedModel(["bad", "good"])

    one_task(model, guardrail=lambda output: (output.raw == "good", "say good")).kickoff()

    assert [(event.success, event.error, event.retry_count) for event in events] == [
        (False, "say good", 0),
        (True, None, 1),
    ]


class Two(Flow[dict[str, Any]]):
    @start()
    def begin(self) -> str:
        self.state["seen"] = 1
        return "a"

    @listen(begin)
    def end(self, before: str) -> str:
        if self.state.get("broken"):
            raise ValueError("broken")
        return before + "b"


@pytest.mark.promise("around.event_names.flows")
def test_a_flow_and_its_methods_are_told() -> None:
    flow = Two()
    events = heard()

    flow.kickoff()

    assert names(events) == [
        "flow_started",
        "method_execution_started",
        "method_execution_finished",
        "method_execution_started",
        "method_execution_finished",
        "flow_finished",
    ]
    begun: FlowStartedEvent = events[0]
    first: MethodExecutionStartedEvent = events[1]
    second: MethodExecutionFinishedEvent = events[4]
    last: FlowFinishedEvent = events[5]
    assert (begun.flow_name, first.method_name, first.flow_name) == ("Two", "begin", "Two")
    assert (second.method_name, second.result, second.state["seen"], last.result) == ("end", "ab", 1, "ab")


@pytest.mark.promise("around.event_names.flows")
def test_a_failing_method_and_its_flow_are_told() -> None:
    events = heard(MethodExecutionFailedEvent, FlowFailedEvent)

    with pytest.raises(ValueError, match="broken"):
        Two().kickoff({"broken": True})

    assert names(events) == ["method_execution_failed", "flow_failed"]


def test_events_say_what_they_happened_in_and_what_they_end() -> None:
    events = heard()

    one_task(ScriptedModel(["done"])).kickoff()

    by_type = {event.type: event for event in events}
    assert by_type["llm_call_started"].parent_event_id == by_type["agent_execution_started"].event_id
    assert by_type["task_started"].parent_event_id == by_type["crew_kickoff_started"].event_id
    assert by_type["task_completed"].started_event_id == by_type["task_started"].event_id
    assert by_type["task_started"].previous_event_id == by_type["crew_kickoff_started"].event_id


def test_what_is_read_from_the_record_is_not_told_again() -> None:
    worker = agent(ScriptedModel(["first", RuntimeError("down"), "second"]))
    made = crew(task(worker, "One"), task(worker, "Two"))
    with pytest.raises(RuntimeError, match="down"):
        made.kickoff(run_key="k")
    events = heard(TaskStartedEvent)

    made.kickoff(run_key="k")

    assert [event.task.description for event in events] == ["Two"]


@pytest.mark.promise("around.event_names.calls")
def test_a_streamed_answer_is_told_piece_by_piece_and_a_plain_one_is_not() -> None:
    chunks, done = heard(LLMStreamChunkEvent), heard(LLMCallCompletedEvent)

    one_task(LLM("sim/demo", stream=True)).kickoff()
    streamed = len(chunks)
    one_task(LLM("sim/demo")).kickoff()

    assert "".join(event.chunk for event in chunks) == done[0].response
    assert chunks[0].call_id == done[0].call_id
    assert streamed == len(chunks) > 1


# --- handlers ----------------------------------------------------------------------------------------------------------


@pytest.mark.promise("around.event_order")
def test_a_handler_that_raises_is_told_and_changes_nothing(runtime: Runtime) -> None:
    told: list[Any] = []

    def broken(source: Any, event: BaseEvent) -> None:
        raise LookupError("no such thing")

    event_bus.register_handler(TaskStartedEvent, broken)
    events = heard(TaskStartedEvent)

    runtime.observers.append(told.append)

    assert one_task(ScriptedModel(["done"])).kickoff().raw == "done"

    assert len(events) == 1
    warnings = [event.data["text"] for event in told if event.name == "warning"]
    assert warnings == ["the handler broken of task_started failed: LookupError: no such thing"]


async def _aheard(made: Any) -> list[Any]:
    loops: list[Any] = []

    @event_bus.on(TaskCompletedEvent)
    async def note(source: Any, event: TaskCompletedEvent) -> None:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())

    await made.akickoff()
    return [loop is asyncio.get_running_loop() for loop in loops]


def test_async_handlers_run_on_the_callers_loop_and_are_through_when_the_kickoff_returns() -> None:
    assert asyncio.run(_aheard(one_task(ScriptedModel(["done"])))) == [True]


def test_async_handlers_of_a_synchronous_kickoff_run_on_the_calling_thread() -> None:
    threads: list[threading.Thread] = []

    @event_bus.on(TaskCompletedEvent)
    async def note(source: Any, event: TaskCompletedEvent) -> None:
        threads.append(threading.current_thread())

    one_task(ScriptedModel(["done"])).kickoff()

    assert threads == [threading.current_thread()]


def test_kickoffs_side_by_side_inside_a_run_have_their_handlers_called(runtime: Runtime) -> None:
    completed: list[str] = []

    @event_bus.on(CrewKickoffCompletedEvent)
    async def note(source: Any, event: CrewKickoffCompletedEvent) -> None:
        completed.append(event.output.raw)

    async def both() -> None:
        made = [one_task(ScriptedModel([text])) for text in ("a", "b")]
        await asyncio.gather(*(each.akickoff() for each in made))

    class Script(Flow[dict[str, Any]]):
        @start()
        def work(self) -> None:
            asyncio.run(both())
            one_task(ScriptedModel(["c"])).kickoff()

    Script().kickoff()

    assert sorted(completed) == ["a", "b", "c"]


def test_what_a_handler_kicks_off_is_a_run_of_its_own(runtime: Runtime) -> None:
    inner = crew(task(agent(ScriptedModel(["inner"]))), name="inner")

    @event_bus.on(CrewKickoffStartedEvent)
    def nested(source: Any, event: CrewKickoffStartedEvent) -> None:
        if event.crew_name != "inner":
            inner.kickoff()

    crew(task(agent(ScriptedModel(["outer"]))), name="outer").kickoff()

    assert sorted(run.name for run in runtime.journal.runs(RunFilter())) == ["inner", "outer"]


def test_crews_in_a_flow_are_told_with_their_names_and_paths() -> None:
    class Outer(Flow[dict[str, Any]]):
        @start()
        def work(self) -> str:
            return str(crew(task(agent(ScriptedModel(["done"]))), name="inside").kickoff().raw)

    events = heard(CrewKickoffStartedEvent, CrewKickoffCompletedEvent)

    Outer().kickoff()

    assert [(event.crew_name, bool(event.path)) for event in events] == [("inside", True), ("inside", True)]


@pytest.mark.promise("around.event_bus")
def test_handlers_go_by_off_and_scoped_handlers_leaves_those_before_as_they_were() -> None:
    before = heard(TaskStartedEvent)
    inside: list[Any] = []

    def note(source: Any, event: Any) -> None:
        inside.append(event)

    with event_bus.scoped_handlers():
        event_bus.register_handler(TaskStartedEvent, note)
        one_task(ScriptedModel(["done"])).kickoff()
        event_bus.off(TaskStartedEvent, note)
        one_task(ScriptedModel(["done"])).kickoff()
    one_task(ScriptedModel(["done"])).kickoff()

    assert (len(inside), len(before)) == (1, 1)


def test_without_handlers_the_engine_knows_no_listener() -> None:
    def note(source: Any, event: Any) -> None: ...

    assert listeners == []
    event_bus.register_handler(TaskStartedEvent, note)
    assert listeners == [event_bus]
    event_bus.off(TaskStartedEvent, note)
    assert listeners == []


@pytest.mark.promise("around.event_bus")
def test_a_listener_registers_its_handlers_when_it_is_made() -> None:
    seen: list[str] = []

    class Listener(BaseEventListener):
        def setup_listeners(self, event_bus: EventBus) -> None:
            @event_bus.on(TaskCompletedEvent)
            def note(source: Any, event: TaskCompletedEvent) -> None:
                seen.append(event.output.raw)

    Listener()
    one_task(ScriptedModel(["done"])).kickoff()

    assert seen == ["done"]


# --- events of one's own -----------------------------------------------------------------------------------------------


def test_an_event_of_ones_own_reaches_its_handlers_outside_of_runs() -> None:
    events = heard(Noted)

    done = event_bus.emit("me", Noted(text="hello"))

    assert done is not None
    assert event_bus.flush(timeout=10)
    assert [event.text for event in events] == ["hello"]
    assert event_bus.emit("me", BaseEvent(type="other")) is None


def test_async_handlers_hear_events_that_are_emitted_without_a_loop() -> None:
    seen: list[str] = []

    @event_bus.on(Noted)
    async def note(source: Any, event: Noted) -> None:
        await asyncio.sleep(0)
        seen.append(f"{source}: {event.text}")

    event_bus.emit("me", Noted(text="hello"))

    assert event_bus.flush(timeout=10)
    assert seen == ["me: hello"]


@pytest.mark.promise("around.event_bus")
def test_aemit_waits_until_the_handlers_have_heard() -> None:
    events = heard(Noted)

    asyncio.run(event_bus.aemit("me", Noted(text="hello")))

    assert [event.text for event in events] == ["hello"]


def test_an_event_that_a_tool_emits_comes_in_its_place_among_the_runs() -> None:
    events = heard(ToolUsageStartedEvent, Noted, ToolUsageFinishedEvent)

    @tool
    def noting(query: str) -> str:
        """Notes."""
        event_bus.emit("tool", Noted(text=query))
        return "noted"

    one_task(ScriptedModel([tool_call("noting", query="x"), "done"]), agent_fields={"tools": [noting]}).kickoff()

    assert names(events) == ["tool_usage_started", "noted", "tool_usage_finished"]
    assert events[1].run_id == events[0].run_id


# --- handlers that come after others -----------------------------------------------------------------------------------


def told_in_order(*registered: tuple[str, tuple[str, ...]]) -> list[str]:
    """In which order handlers hear an event that were registered in this one, each with those that it comes after."""
    order: list[str] = []

    def handler(name: str) -> Any:
        def hear(source: Any, event: Noted) -> None:
            order.append(name)
            if name == "fails":
                raise ValueError("no")

        return hear

    known = {name: handler(name) for name, _ in registered}
    with event_bus.scoped_handlers():
        for name, after in registered:
            event_bus.on(Noted, [Depends(known[each]) for each in after])(known[name])
        event_bus.emit("test", Noted())
        assert event_bus.flush()
    return order


@pytest.mark.promise("around.depends")
def test_a_handler_comes_after_those_that_it_depends_on() -> None:
    assert told_in_order(("c", ("b",)), ("x", ()), ("b", ("a",)), ("a", ())) == ["a", "b", "c", "x"]
    assert told_in_order(("d", ("b", "c")), ("c", ("a",)), ("b", ("a",)), ("a", ())) == ["a", "c", "b", "d"]
    assert told_in_order(("b", ("fails",)), ("fails", ())) == ["fails", "b"]


@pytest.mark.promise("around.depends")
def test_an_asynchronous_handler_is_waited_for() -> None:
    order: list[str] = []

    @event_bus.on(CrewKickoffStartedEvent)
    async def prepare(source: Any, event: Any) -> None:
        await asyncio.sleep(0)
        order.append("prepared")

    @event_bus.on(CrewKickoffStartedEvent, Depends(prepare))
    def work(source: Any, event: Any) -> None:
        order.append("worked")

    one_task(ScriptedModel(["fine"])).kickoff()

    assert order == ["prepared", "worked"]


@pytest.mark.promise("around.depends")
def test_a_handler_that_is_not_there_is_not_waited_for() -> None:
    order: list[str] = []

    def gone(source: Any, event: Any) -> None:
        order.append("gone")

    @event_bus.on(Noted, Depends(gone))
    def there(source: Any, event: Any) -> None:
        order.append("there")

    event_bus.emit("test", Noted())

    assert event_bus.flush()
    assert order == ["there"]


@pytest.mark.promise("around.depends")
def test_handlers_that_wait_for_one_another_are_refused() -> None:
    def first(source: Any, event: Any) -> None: ...

    def second(source: Any, event: Any) -> None: ...

    event_bus.register_handler(Noted, first, Depends(second))

    with pytest.raises(DefinitionError, match="first comes after second, which comes after first"):
        event_bus.register_handler(Noted, second, Depends(first))
    with pytest.raises(DefinitionError, match="take one of these"):
        event_bus.register_handler(BaseEvent, second, Depends(first))
    assert event_bus.handlers_of(Noted) == (first,)


def test_a_flow_object_and_a_picture_of_it_are_told(tmp_path: Path, jackstay_runtime: Runtime) -> None:
    class Little(Flow):
        @start()
        def begin(self) -> int:
            return 1

    events = heard(FlowCreatedEvent, FlowPlotEvent)
    flow = Little(name="Small")
    assert event_bus.flush()
    flow.plot(tmp_path / "small", show=False)
    assert event_bus.flush()

    assert [(event.type, event.flow_name) for event in events] == [("flow_created", "Small"), ("flow_plot", "Small")]
