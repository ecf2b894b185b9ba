"""Flows that are iterated: their frames, their result, and that closing one stops it."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest

from jackstay import LLM, Agent, Crew, Flow, Runtime, Task, listen, router, start
from jackstay.core.records import RunFilter
from jackstay.events import BaseEvent, event_bus
from jackstay.flow import AsyncStreamSession, StreamSession
from jackstay.testing import ScriptedModel, tool_call
from jackstay.tools import tool


class Progress(BaseEvent):
    type: str = "progress"
    percent: int


@tool
def measure(depth: int) -> str:
    """Measures the tide."""
    return f"{depth} m"


class Report(Flow):
    model: Any = None

    @start()
    def begin(self) -> str:
        event_bus.emit(self, Progress(percent=50))
        return "tides"

    @router(begin)
    def judge(self) -> str:
        agent = Agent(role="Analyst", goal="g", backstory="b", llm=self.model, tools=[measure])
        task = Task(description="Measure", expected_output="a figure", agent=agent)
        return "good" if Crew(agents=[agent], tasks=[task]).kickoff().raw else "bad"

    @listen("good")
    async def end(self) -> str:
        await asyncio.sleep(0)
        return "done"


def report(**more: Any) -> Report:
    made = Report(**more)
    made.model = ScriptedModel([tool_call("measure", depth=3), "3 m"])
    return made


def collected(flow: Flow[Any], *, asynchronous: bool) -> Any:
    if not asynchronous:
        session: Any = flow.kickoff()
        assert isinstance(session, StreamSession)
        list(session)
        return session

    async def iterate() -> Any:
        session = await flow.akickoff()
        assert isinstance(session, AsyncStreamSession)
        async for _ in session:
            pass
        return session

    return asyncio.run(iterate())


FORMS = pytest.mark.parametrize("asynchronous", [False, True], ids=["for", "async for"])


@pytest.mark.promise("flow.stream", "flow.stream_events")
@FORMS
def test_everything_that_happens_comes_out_in_order_with_its_channel(asynchronous: bool) -> None:
    session = collected(report(stream=True), asynchronous=asynchronous)

    told = [(frame.channel, frame.type) for frame in session.frames]
    assert told[0] == ("flow", "flow_started")
    assert told[-1] == ("flow", "flow_finished")
    assert [t for c, t in told if c == "tools"] == ["tool_usage_started", "tool_usage_finished"]
    assert ("custom", "progress") in told
    assert ("lifecycle", "crew_kickoff_started") in told
    assert "3 m" in "".join(frame.content for frame in session.frames)
    assert [frame.seq for frame in session.frames] == list(range(1, len(told) + 1))
    assert [frame.previous_id for frame in session.frames][1:] == [frame.id for frame in session.frames][:-1]
    begun = next(frame for frame in session.frames if frame.type == "method_execution_started")
    assert begun.namespace == ["flow", "Report", "begin"]
    assert begun.parent_id == session.frames[0].id
    assert session.result == "done"
    assert session.is_completed
    assert session.is_exhausted


@pytest.mark.promise("flow.stream_events")
def test_one_kickoff_is_streamed_without_a_setting_and_the_object_has_its_state_and_bill_afterwards() -> None:
    flow = report()

    with flow.stream_events(inputs={"topic": "tides"}) as session:
        methods = [frame.data["method_name"] for frame in session.flow if frame.type == "method_execution_finished"]

    assert methods == ["begin", "judge", "end"]
    assert session.result == "done"
    assert flow.state["topic"] == "tides"
    assert flow.usage_metrics.successful_requests == 2
    assert flow.run_id is not None


def test_channels_that_are_interleaved_keep_their_order() -> None:
    session = report().stream_events()

    seqs = [(frame.seq, frame.channel) for frame in session.interleave(["tools", "custom"])]

    assert seqs == sorted(seqs)
    assert {channel for _, channel in seqs} == {"tools", "custom"}


@pytest.mark.promise("flow.astream")
def test_astream_has_channels_too() -> None:
    async def texts() -> list[str]:
        async with report().astream() as session:
            return [frame.content async for frame in session.llm if frame.content]

    assert "".join(asyncio.run(texts())) == "3 m"


def test_before_its_end_a_stream_has_no_result_and_uniterated_nothing_is_run(runtime: Runtime) -> None:
    session = report().stream_events()

    with pytest.raises(RuntimeError, match="not been iterated"):
        _ = session.result
    session.close()
    assert session.is_cancelled
    assert list(session) == []
    assert runtime.journal.runs(RunFilter()) == []


def test_what_the_run_raises_is_raised_by_the_iteration() -> None:
    class Broken(Flow):
        @start()
        def begin(self) -> None:
            raise ValueError("no tide")

    session = Broken().stream_events()

    with pytest.raises(ValueError, match="no tide"):
        list(session)
    assert session.frames[-1].type == "flow_failed"
    with pytest.raises(ValueError, match="no tide"):
        _ = session.result


@pytest.mark.promise("flow.stream.close")
def test_closing_it_stops_the_flow_and_the_object_can_be_kicked_off_again(runtime: Runtime) -> None:
    begun, asked = threading.Event(), []

    class Long(Flow):
        @start()
        async def wait(self) -> None:
            begun.set()
            await asyncio.Event().wait()

        @listen(wait)
        def inquire(self) -> None:
            asked.append(LLM("sim/demo").call("Tides?"))

    flow = Long()
    with flow.stream_events() as session:
        for frame in session:
            if frame.type == "method_execution_started":
                begun.wait(10)
                break

    assert session.is_cancelled
    (row,) = runtime.journal.runs(RunFilter())
    assert row.status == "cancelled"
    assert asked == []
    assert flow._busy.acquire(blocking=False)


def test_a_stream_that_is_thrown_away_does_not_keep_the_flow() -> None:
    flow = report()

    session = flow.stream_events()
    del session
    gc.collect()

    assert flow.kickoff() == "done"
    assert flow.run_id is not None


def test_frames_are_of_this_kickoff_alone() -> None:
    first, second = report().stream_events(), report().stream_events()
    found: list[Any] = []
    threads = [threading.Thread(target=lambda s=s: found.append({f.run_id for f in s})) for s in (first, second)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    one, other = found
    assert len(one) == len(other) == 1
    assert one != other


def test_a_stream_of_a_finished_run_has_its_result_alone() -> None:
    flow = report()
    flow.kickoff(run_key="once")

    session = flow.stream_events(run_key="once")

    assert list(session) == []
    assert session.result == "done"
