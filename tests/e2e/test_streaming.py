"""`Crew(stream=True)` against the stub: what comes piece by piece, what at the end, and that closing it stops the spending."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from jackstay import Agent, Crew, CrewStreamingOutput, Flow, Retry, Task, start
from jackstay.core.records import RunFilter
from jackstay.crew import StreamChunk, StreamChunkType
from jackstay.errors import ModelServerError
from jackstay.testing import Fault, Reply, ScriptedModel, Stub, StubRequest, tool_call
from jackstay.tools import tool

TIDES, WAVES = "The tide comes in twice a day. " * 20, "Waves are made by wind. " * 20
"""Long enough to come in many pieces."""


def answer(request: StubRequest) -> str:
    return TIDES if "Current Task: Tides" in request.last_user else WAVES


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A test's own rules come before these answers."""
    with Stub(answer=answer) as running:
        yield running


@pytest.fixture(autouse=True)
def _with_runtime(runtime: Any) -> None:
    """For every test of this file."""


def crew_of(*, llm: Any = "gpt-4o-mini", **more: Any) -> Crew:
    first = Agent(role="Analyst", goal="g", backstory="b", llm=llm, retry=Retry(backoff_s=0))
    second = Agent(role="Writer", goal="g", backstory="b", llm=llm, retry=Retry(max_attempts=1))
    tasks = [
        Task(name="tides", description="Tides", expected_output="t", agent=first),
        Task(name="waves", description="Waves", expected_output="t", agent=second),
    ]
    return Crew(agents=[first, second], tasks=tasks, **{"stream": True, **more})


def kicked(crew: Crew, **given: Any) -> CrewStreamingOutput:
    streaming: Any = crew.kickoff(**given)
    assert isinstance(streaming, CrewStreamingOutput)
    return streaming


async def collected(crew: Crew) -> CrewStreamingOutput:
    streaming: Any = await crew.akickoff()
    async for _ in streaming:
        pass
    return streaming  # type: ignore[no-any-return]


FORMS = pytest.mark.parametrize("asynchronous", [False, True], ids=["for", "async for"])


@pytest.mark.promise("crew.stream", "run.stream.chunks")
@FORMS
def test_the_pieces_are_the_answers_with_their_task_and_agent(asynchronous: bool) -> None:
    crew = crew_of()

    streaming = asyncio.run(collected(crew)) if asynchronous else kicked(crew)
    chunks = streaming.chunks if asynchronous else list(streaming)

    told = {(c.task_index, c.task_name, c.task_id, c.agent_role, c.agent_id) for c in chunks}
    assert told == {
        (index, task.name, str(task.id), task.agent.role, str(task.agent.id))  # type: ignore[union-attr]
        for index, task in enumerate(crew.tasks)
    }
    assert [text_of(chunks, index) for index in (0, 1)] == [TIDES, WAVES]
    assert not any(c.replayed for c in chunks)
    assert streaming.get_full_text() == TIDES + WAVES
    assert streaming.chunks == chunks
    assert streaming.is_completed
    assert streaming.result.raw == WAVES
    assert crew.usage_metrics == streaming.result.token_usage


def text_of(chunks: list[StreamChunk], task: int) -> str:
    return "".join(c.content for c in chunks if c.task_index == task)


def test_text_comes_while_it_is_being_said(stub: Stub) -> None:
    """The answer stalls behind its first pieces; these are there."""
    stub.rule(Reply(TIDES, fault=Fault.stall(3)), user="Current Task: Tides", times=1)

    with kicked(crew_of()) as streaming:
        first = next(streaming)

    assert TIDES.startswith(first.content)
    assert first.content


def test_usage_is_that_of_the_same_kickoff_without_a_stream(stub: Stub) -> None:
    streaming = kicked(crew_of())
    list(streaming)

    plain = crew_of(stream=False).kickoff()

    assert streaming.result.token_usage == plain.token_usage
    assert streaming.result.token_usage.total_tokens == sum(r.usage.total_tokens for r in stub.requests[:2] if r.usage)
    assert [request.stream for request in stub.requests] == [True, True, False, False]


@pytest.mark.promise("run.stream.result")
def test_before_its_end_a_stream_has_no_result_and_unless_it_is_iterated_nothing_is_asked(stub: Stub) -> None:
    streaming = kicked(crew_of())

    with pytest.raises(RuntimeError, match="not been iterated"):
        _ = streaming.result

    assert len(stub.requests) == 0
    streaming.close()
    assert list(streaming) == []
    assert len(stub.requests) == 0


def test_mistakes_are_raised_by_the_kickoff_itself() -> None:
    crew = crew_of()
    crew.tasks[0].description = "About {topic}"

    with pytest.raises(ValueError, match="topic"):
        crew.kickoff({"subject": "x"})


@FORMS
def test_what_the_run_raises_is_raised_by_the_iteration(stub: Stub, asynchronous: bool) -> None:
    stub.rule(Fault.http(500), user="Current Task: Waves")
    streaming = kicked(crew_of())

    with pytest.raises(ModelServerError):
        asyncio.run(collected(crew_of())) if asynchronous else list(streaming)

    if not asynchronous:
        assert text_of(streaming.chunks, 0) == TIDES
        with pytest.raises(ModelServerError):
            _ = streaming.result


@pytest.mark.promise("run.stream.chunks")
def test_tool_calls_come_as_pieces_too(stub: Stub) -> None:
    @tool
    def harbour(name: str) -> str:
        """Looks a harbour up."""
        return "deep"

    stub.rule(Reply(tool_calls=(tool_call("harbour", name="Bergen"),)), user="Current Task: Tides", times=1)
    crew = crew_of()
    crew.agents[0].tools = [harbour]

    chunks = [c.tool_call for c in kicked(crew) if c.chunk_type is StreamChunkType.TOOL_CALL]

    calls = [call for call in chunks if call is not None]
    assert calls[0].tool_name == "harbour"
    assert '"Bergen"' in "".join(call.arguments for call in calls)


def test_a_model_that_does_not_stream_comes_in_one_piece() -> None:
    chunks = list(kicked(crew_of(llm=ScriptedModel(["one", "two"]))))

    assert [(c.content, c.replayed) for c in chunks] == [("one", False), ("two", False)]


def test_an_answer_that_breaks_off_is_restarted_and_counts_once(stub: Stub) -> None:
    stub.rule(Reply(TIDES, fault=Fault.cut(2)), user="Current Task: Tides", times=1)

    streaming = kicked(crew_of())

    assert sum(c.restart for c in streaming) == 1
    assert streaming.get_full_text() == TIDES + WAVES


def test_what_is_recorded_comes_in_one_piece_marked_as_replayed(stub: Stub) -> None:
    stub.rule(Fault.http(500), user="Current Task: Waves", times=1)
    crew = crew_of()
    with pytest.raises(ModelServerError):
        list(kicked(crew, run_key="k"))

    resumed = list(kicked(crew, run_key="k"))
    finished = list(kicked(crew, run_key="k"))

    assert [(c.content, c.replayed) for c in resumed if c.task_index == 0] == [(TIDES, True)]
    assert not any(c.replayed for c in resumed if c.task_index == 1)
    assert [(c.content, c.replayed, c.task_name) for c in finished] == [(TIDES, True, "tides"), (WAVES, True, "waves")]
    assert len(stub.requests) == 3


def test_a_slow_consumer_gets_the_text_in_large_pieces_and_holds_nobody_up() -> None:
    ended = threading.Event()
    crew = crew_of(after_kickoff_callbacks=[lambda _: ended.set()])
    streaming = kicked(crew)

    first = next(streaming)
    assert ended.wait(30)
    rest = list(streaming)

    assert len(rest) <= 2
    assert first.content + "".join(c.content for c in rest) == TIDES + WAVES


def closed(streaming: CrewStreamingOutput, stub: Stub) -> None:
    next(streaming)
    stub.wait_for(lambda s: len(s.requests) == 2, timeout_s=30)
    streaming.close()


async def aclosed(crew: Crew, stub: Stub) -> None:
    streaming: Any = await crew.akickoff()
    async with streaming:
        await anext(streaming)
        while len(stub.requests) < 2:
            await asyncio.sleep(0.01)
    with pytest.raises(RuntimeError, match="closed"):
        _ = streaming.result


@pytest.mark.promise("crew.stream")
@FORMS
def test_closing_it_stops_the_run_and_its_spending_at_once(stub: Stub, runtime: Any, asynchronous: bool) -> None:
    stub.latency_s = lambda request: 600.0 if request.index == 1 else 0.0
    crew = crew_of()
    crew.tasks.append(crew.tasks[0].model_copy())
    began = time.monotonic()

    if asynchronous:
        asyncio.run(aclosed(crew, stub))
    else:
        streaming = kicked(crew)
        closed(streaming, stub)
        assert list(streaming) == []

    assert time.monotonic() - began < 20
    stub.wait_for(lambda s: s.requests[1].client_left, timeout_s=1)
    assert len(stub.requests) == 2
    (run,) = runtime.journal.runs(RunFilter())
    assert run.status == "cancelled"


def test_a_stream_that_was_closed_can_be_resumed(stub: Stub, runtime: Any) -> None:
    stub.latency_s = lambda request: 600.0 if request.index == 1 else 0.0
    crew = crew_of()
    closed(kicked(crew), stub)
    (run,) = runtime.journal.runs(RunFilter())

    streaming = kicked(crew, resume=run.id)

    assert [c.replayed for c in streaming if c.task_index == 0] == [True]
    assert streaming.result.raw == WAVES
    assert len(stub.requests) == 3


def test_inside_a_flow_a_stream_is_part_of_its_run(runtime: Any) -> None:
    class Telling(Flow[dict[str, Any]]):
        @start()
        def told(self) -> Any:
            streaming = kicked(crew_of())
            chunks = list(streaming)
            return [*(text_of(chunks, index) for index in (0, 1)), streaming.result.path]

    tides, waves, path = Telling().kickoff()

    assert (tides, waves) == (TIDES, WAVES)
    assert path.startswith("told#1/crew~")
    assert len(runtime.journal.runs(RunFilter())) == 1


def test_asynchronous_callbacks_of_a_stream_run_on_the_callers_loop() -> None:
    loops: list[Any] = []

    async def heard(_: Any) -> None:
        loops.append(asyncio.get_running_loop())

    async def main() -> Any:
        await collected(crew_of(task_callback=heard))
        return asyncio.get_running_loop()

    assert {asyncio.run(main())} == set(loops)


@FORMS
@pytest.mark.promise("run.stream.result", "crew.akickoff_for_each")
def test_items_of_a_batch_come_in_one_stream_each_piece_with_its_item(stub: Stub, asynchronous: bool) -> None:
    stub.rule(Fault.http(400), user="about rocks")
    agent = Agent(role="Analyst", goal="g", backstory="b", llm="gpt-4o-mini")
    task = Task(name="tides", description="Tides about {topic}", expected_output="t", agent=agent)
    crew = Crew(agents=[agent], tasks=[task], stream=True)
    items = [{"topic": "moons"}, {"topic": "rocks"}, {"topic": "boats"}]

    async def iterated() -> Any:
        streaming: Any = await crew.akickoff_for_each(items, concurrency=2)
        return streaming, [chunk async for chunk in streaming]

    if asynchronous:
        streaming, chunks = asyncio.run(iterated())
    else:
        streaming = crew.kickoff_for_each(items, concurrency=2)
        chunks = list(streaming)

    assert {item: text_of([c for c in chunks if c.item == item], 0) for item in (0, 2)} == {0: TIDES, 2: TIDES}
    assert [output.ok for output in streaming.results] == [True, False, True]
    assert streaming.get_full_text() == TIDES * 2
    assert crew.usage_metrics is not None
    assert crew.usage_metrics.total_tokens == stub.total_usage().total_tokens
    with pytest.raises(RuntimeError, match="3 items: they are in its results"):
        _ = streaming.result


def test_a_replay_streams_too(stub: Stub) -> None:
    crew = crew_of()
    list(kicked(crew))
    asked = len(stub.requests)

    streaming: Any = crew.replay("waves")
    chunks = list(streaming)

    assert text_of(chunks, 1) == streaming.result.raw == WAVES
    assert {chunk.replayed for chunk in chunks if chunk.task_index == 0} == {True}
    assert len(stub.requests) == asked + 1
