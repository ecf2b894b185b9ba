"""Spans and the program around: whose trace a run belongs to, what users' code finds as the current span, what stays out."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from jackstay import LLM, Crew, Flow, Retry, Runtime, carry, start
from jackstay.core.ids import trace_id
from jackstay.core.records import RunFilter
from jackstay.core.usage import Usage
from jackstay.engine.run import Run
from jackstay.engine.run_trace import RunTrace
from jackstay.errors import ModelAuthenticationFailed
from jackstay.testing import Fault, Reply, Stub, tool_call
from jackstay.tools import tool
from tests.e2e.tracing.kinds import agent, crew, says, task
from tests.e2e.tracing.receiver import Told, told
from tests.e2e.tracing.trees import differences

ODD = 'hunter2"of\\odd/signs'
"""A secret that JSON writes in another way."""


def only(spans: list[Told], **wanted: Any) -> Told:
    [found] = [span for span in spans if all(getattr(span, name) == value for name, value in wanted.items())]
    return found


def calling(function: Any) -> Crew:
    return crew(task(agent(says(tool_call(function.name, topic="tides"), "done"), tools=[function])))


# --- whose trace -----------------------------------------------------------------------------------------------------


def test_without_a_trace_around_the_run_is_one_of_its_own(traced, kept):
    output = crew(task()).kickoff()

    root = only(told(kept.get_finished_spans()), epoch=1)
    assert (root.trace_id, root.parent_id) == (trace_id(output.run_id), None)
    assert root.schema_url == "https://opentelemetry.io/schemas/1.44.0"


@pytest.mark.parametrize("how", ["kickoff", "akickoff"])
def test_run_stands_under_the_span_of_its_caller(traced, provider, kept, how):
    with provider.get_tracer("host").start_as_current_span("request"):
        crew(task()).kickoff() if how == "kickoff" else asyncio.run(crew(task()).akickoff())

    spans = told(kept.get_finished_spans())
    request, root = only(spans, name="request"), only(spans, epoch=1)
    assert (root.trace_id, root.parent_id) == (request.trace_id, request.span_id)
    assert {span.trace_id for span in spans} == {request.trace_id}


def test_resumed_run_goes_on_in_the_trace_that_it_was_started_in(make_runtime, provider, kept, tmp_path):
    make_runtime(tracer_provider=provider)
    model = says("one", RuntimeError("broken"), "two")
    made = crew(task(agent(model)), task(agent(model), "write"))
    with provider.get_tracer("host").start_as_current_span("request"), pytest.raises(RuntimeError) as failed:
        made.kickoff()
    other = make_runtime(tracer_provider=provider)

    with provider.get_tracer("host").start_as_current_span("later"):
        made.kickoff(resume=failed.value.run_id)  # type: ignore[attr-defined]

    spans = told(kept.get_finished_spans())
    first, second = only(spans, epoch=1), only(spans, epoch=2)
    request, later = only(spans, name="request"), only(spans, name="later")
    assert (first.parent_id, second.parent_id) == (request.span_id, first.span_id)
    assert second.trace_id == request.trace_id != later.trace_id
    assert set(second.links) == {first.span_id, later.span_id}
    [run] = other.journal.runs(RunFilter())
    assert differences(run, other.journal.steps(run.id, latest_only=False), spans) == []


def test_items_of_a_batch_are_runs_in_its_trace(traced, kept):
    crew(task()).kickoff_for_each([{"n": 1}, {"n": 2}])

    spans = told(kept.get_finished_spans())
    batch = only(spans, name="batch crew")
    items = [span for span in spans if span.name == "invoke_workflow crew"]
    assert [span.parent_id for span in items] == [batch.span_id] * 2
    assert len({span.trace_id for span in spans}) == 1


def test_replay_is_linked_to_the_run_that_it_replays(traced, kept):
    made = crew(task(), task(name="write"))
    run_id = made.kickoff().run_id
    first = only(told(kept.get_finished_spans()), epoch=1)
    kept.clear()

    made.replay(f"{run_id}/write#1")

    again = told(kept.get_finished_spans())
    assert only(again, epoch=1).links == (first.span_id,)
    assert {span.attributes.get("jackstay.task.name") for span in again if span.kind == "task"} == {"write"}


# --- what stands in them ---------------------------------------------------------------------------------------------


def test_span_of_a_model_call_says_what_the_convention_wants(traced, kept, stub: Stub):
    stub.script([Reply("tides", usage=Usage(20, 8, 0, 6, 4))])

    output = crew(task(agent(LLM(model="openai/gpt-4o-mini", max_tokens=50)))).kickoff()

    call = only(told(kept.get_finished_spans()), kind="llm")
    assert (call.name, call.status) == ("chat gpt-4o-mini", "UNSET")
    wanted = {name: value for name, value in call.attributes.items() if name.startswith("gen_ai.")}
    assert wanted == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.agent.name": "Analyst",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.response.model": "gpt-4o-mini",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 20,
        "gen_ai.usage.output_tokens": 6,
        "gen_ai.usage.cache_read.input_tokens": 8,
        "gen_ai.usage.reasoning.output_tokens": 4,
    }
    assert call.attributes["jackstay.cost_usd"] == float(output.cost_usd or 0)
    [span] = [span for span in kept.get_finished_spans() if span.name.startswith("chat")]
    assert span.kind is trace.SpanKind.CLIENT


def test_tokens_stand_on_model_calls_alone_so_that_their_sum_is_the_runs(traced, kept):
    output = crew(task(), task(name="write")).kickoff()

    counted = [span for span in told(kept.get_finished_spans()) if "gen_ai.usage.input_tokens" in span.attributes]
    assert {span.kind for span in counted} == {"llm"}
    assert sum(span.attributes["gen_ai.usage.input_tokens"] for span in counted) == output.token_usage.prompt_tokens


def test_failed_call_says_what_was_tried_and_why_it_failed(traced, kept, stub: Stub):
    stub.fault_at(0, Fault.http(500))
    stub.fault_at(1, Fault.http(401))

    with pytest.raises(ModelAuthenticationFailed):
        crew(task(agent("openai/gpt-4o-mini"))).kickoff()

    spans = told(kept.get_finished_spans())
    call = only(spans, kind="llm")
    assert (call.status, call.events) == ("ERROR", ("exception",))
    assert call.attributes["error.type"] == "authentication"
    assert call.attributes["jackstay.model.tried"][0] == "openai/gpt-4o-mini: server_error"
    assert {span.status for span in spans if span.kind != "agent"} == {"ERROR"}
    assert only(spans, epoch=1).attributes["jackstay.run.reason"] == "error"


# --- the current span ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True], ids=["pool thread", "home loop"])
def test_what_a_tool_traces_is_below_the_tools_span(traced, provider, kept, asynchronous):
    def fetch() -> str:
        with provider.get_tracer("http").start_as_current_span("GET /tides"):
            trace.get_current_span().set_attribute("own", 1)
        trace.get_current_span().set_attribute("hits", 3)
        trace.get_current_span().add_event("looked")
        return "seen"

    @tool("look")
    def look(topic: str) -> str:
        """Looks."""
        return fetch()

    @tool("look")
    async def look_async(topic: str) -> str:
        """Looks."""
        await asyncio.sleep(0)
        return fetch()

    calling(look_async if asynchronous else look).kickoff()

    spans = told(kept.get_finished_spans())
    tools, request = only(spans, name="execute_tool look"), only(spans, name="GET /tides")
    assert (request.parent_id, request.trace_id) == (tools.span_id, tools.trace_id)
    assert (tools.attributes["hits"], tools.events) == (3, ("looked",))
    assert "own" not in tools.attributes


def test_what_a_model_of_the_users_own_traces_is_below_its_call(traced, provider, kept):
    class Own(type(says())):  # type: ignore[misc]
        def call(self, *args: Any, **more: Any) -> Any:
            with provider.get_tracer("http").start_as_current_span("POST /answer"):
                return "done"

    crew(task(agent(Own([])))).kickoff()

    spans = told(kept.get_finished_spans())
    assert only(spans, name="POST /answer").parent_id == only(spans, kind="llm").span_id


def test_threads_that_carry_the_context_trace_below_their_method(traced, provider, kept):
    class Own(Flow):  # type: ignore[type-arg]
        @start()
        def work(self) -> None:
            def inside() -> None:
                provider.get_tracer("own").start_span("inside").end()

            thread = threading.Thread(target=carry(inside))
            thread.start()
            thread.join()

    Own().kickoff()

    spans = told(kept.get_finished_spans())
    assert only(spans, name="inside").parent_id == only(spans, kind="method").span_id


def test_span_of_users_code_stands_under_the_try_of_the_step_in_which_it_was_made(traced, provider, kept):
    tried: list[int] = []

    class Work(Flow):  # type: ignore[type-arg]
        @start(retry=Retry(max_attempts=3, backoff_s=0))
        def work(self) -> str:
            return str(crew(task(agent(model_of_mine))).kickoff().raw)

    def answer(*_: Any) -> str:
        tried.append(1)
        with provider.get_tracer("host").start_as_current_span("mine"):
            if len(tried) < 3:
                raise OSError("not yet")
        return "done"

    model_of_mine = says(*[answer] * 3)
    Work().kickoff()

    spans = told(kept.get_finished_spans())
    calls = [span.span_id for span in spans if span.name == "chat scripted"]
    assert [span.parent_id for span in spans if span.name == "mine"] == calls
    assert len(set(calls)) == 3


def test_each_try_of_a_call_says_what_it_was_asked(make_runtime, receiver, monkeypatch):
    asked = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    runtime = make_runtime(environ=asked)
    model = says(OSError("not yet"), OSError("not yet"), "done")

    class Work(Flow):  # type: ignore[type-arg]
        @start(retry=Retry(max_attempts=3, backoff_s=0))
        def work(self) -> str:
            return str(crew(task(agent(model))).kickoff().raw)

    Work().kickoff()
    runtime.close()

    calls = [span for span in receiver.spans if span.name == "chat scripted"]
    questions = [span.attributes["gen_ai.input.messages"] for span in calls]
    assert len({span.path for span in calls}) == 1
    assert ["Do research" in each for each in questions] == [True] * 3


@pytest.mark.parametrize("content", ["true", "false"])
def test_run_that_was_traced_does_not_wait_for_the_garbage_collector(make_runtime, receiver, monkeypatch, content):
    asked = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": content, "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    runtime, researching = make_runtime(environ=asked), crew(task(agent(says("Found.", "Found."))))
    researching.kickoff({"topic": "AI"})
    gc.collect()
    before = _runs()  # that other tests have left; held, so that none of them goes meanwhile
    gc.disable()
    try:
        researching.kickoff({"topic": "AI"})
        runtime.tracing.close()
        left = _runs()
    finally:
        gc.enable()

    assert [each for each in left if not any(each is other for other in before)] == []
    assert len(receiver.spans) == 8


def _runs() -> list[object]:
    return [each for each in gc.get_objects() if type(each) in (Run, RunTrace)]


def test_after_a_kickoff_the_callers_span_is_the_current_one_again(traced, provider):
    async def program() -> bool:
        with provider.get_tracer("host").start_as_current_span("request") as request:
            await crew(task()).akickoff()
            return trace.get_current_span() is request

    assert asyncio.run(program())


def test_baggage_of_the_caller_reaches_processors_and_tools(traced, provider, kept):
    seen: list[object] = []

    class Noting(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            span.set_attribute("tenant", str(baggage.get_baggage("tenant", parent_context)))

    @tool
    def look(topic: str) -> str:
        """Looks."""
        seen.append(baggage.get_baggage("tenant"))
        return "seen"

    provider.add_span_processor(Noting())
    token = context.attach(baggage.set_baggage("tenant", "acme"))

    calling(look).kickoff()

    context.detach(token)
    assert seen == ["acme"]
    assert {span.attributes["tenant"] for span in told(kept.get_finished_spans())} == {"acme"}


def test_log_lines_name_the_spans(make_runtime, provider, kept, stub, tmp_path):
    make_runtime(
        tracer_provider=provider, environ={**stub.environ(), "HOME": str(tmp_path), "JACKSTAY_LOG_FILE": "run.json"}
    )

    with provider.get_tracer("host").start_as_current_span("request"):
        calling(noisy).kickoff()

    spans = {span.span_id: span for span in told(kept.get_finished_spans())}
    lines = [json.loads(line) for line in (tmp_path / "run.json").read_text().splitlines()]
    assert {line["trace_id"] for line in lines} == {span.trace_id for span in spans.values()}
    assert {spans[line["span_id"]].path for line in lines} == {line.get("path") for line in lines}
    assert [spans[line["span_id"]].name for line in lines if line["logger"] == "tests.noisy"] == ["execute_tool noisy"]


@tool
def noisy(topic: str) -> str:
    """Logs."""
    import logging

    logging.getLogger("tests.noisy").warning("looking")
    return "seen"


# --- what stays out --------------------------------------------------------------------------------------------------


def test_run_in_a_trace_that_is_not_sampled_makes_no_spans_and_says_so_to_its_code(make_runtime, kept):
    provider = TracerProvider(ParentBased(ALWAYS_OFF), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    seen: list[trace.Span] = []

    @tool
    def look(topic: str) -> str:
        """Looks."""
        seen.append(trace.get_current_span())
        return "seen"

    make_runtime(tracer_provider=provider)
    calling(look).kickoff()

    assert kept.get_finished_spans() == ()
    assert (seen[0].is_recording(), seen[0].get_span_context().trace_flags.sampled) == (False, False)


@pytest.mark.parametrize("off", [{"JACKSTAY_TRACES": "off"}, {"OTEL_SDK_DISABLED": "true"}])
def test_traces_can_be_switched_off(make_runtime, provider, kept, stub, tmp_path, off):
    make_runtime(tracer_provider=provider, environ={**stub.environ(), "HOME": str(tmp_path), **off})

    crew(task()).kickoff()

    assert kept.get_finished_spans() == ()


def said(spans: list[Told]) -> str:
    return json.dumps([[span.name, dict(span.attributes)] for span in spans])


@tool
def look_up(topic: str) -> str:
    """Looks up."""
    return f"{topic} is of bob@example.com"


def test_what_was_said_is_not_in_spans(traced, kept, stub: Stub):
    stub.script([tool_call("look_up", topic="the moon"), "tides follow the moon"])

    crew(task(agent("gpt-4o-mini", tools=[look_up]))).kickoff()

    everything = said(told(kept.get_finished_spans()))
    for words in ("moon", "bob@example.com", "Do research"):
        assert words not in everything


def test_what_was_said_is_in_spans_where_that_is_asked_for_and_masked(make_runtime, provider, kept, stub, tmp_path):
    asked = {"OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true", "MAIL_PASSWORD": ODD}
    make_runtime(tracer_provider=provider, environ={**stub.environ(), "HOME": str(tmp_path), **asked})
    stub.script([tool_call("look_up", topic=ODD), "tides follow the moon"])

    crew(task(agent("gpt-4o-mini", tools=[look_up]))).kickoff()

    spans = told(kept.get_finished_spans())
    first, second = sorted((span for span in spans if span.kind == "llm"), key=lambda span: span.started_ns)
    asked_first = json.loads(first.attributes["gen_ai.input.messages"])
    assert [message["role"] for message in asked_first] == ["system", "user"]
    assert "Do research" in asked_first[1]["parts"][0]["content"]
    assert json.loads(second.attributes["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "tides follow the moon"}], "finish_reason": "stop"}
    ]
    looked = only(spans, kind="tool").attributes
    assert "[secret MAIL_PASSWORD]" in looked["gen_ai.tool.call.arguments"]
    assert "<EMAIL_ADDRESS>" in looked["gen_ai.tool.call.result"]
    assert "hunter2" not in said(spans)
    assert "bob@example.com" not in said(spans)


def test_secret_in_an_error_is_masked(make_runtime, provider, kept, stub, tmp_path):
    make_runtime(
        tracer_provider=provider, environ={**stub.environ(), "HOME": str(tmp_path), "MAIL_PASSWORD": "hunter2-hunter2"}
    )

    with pytest.raises(RuntimeError):
        crew(task(agent(says(RuntimeError("login hunter2-hunter2 refused"))))).kickoff()

    [call] = [span for span in kept.get_finished_spans() if span.name.startswith("chat")]
    assert call.status.description == "login [secret MAIL_PASSWORD] refused"
    assert "hunter2" not in " ".join(span.to_json() for span in kept.get_finished_spans())


def test_pydantic_ai_makes_no_spans_of_its_own(make_runtime, kept, stub, provider):
    from pydantic_ai import Agent as PydanticAgent
    from pydantic_ai.models.instrumented import InstrumentationSettings

    PydanticAgent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    make_runtime(tracer_provider=provider)
    try:
        LLM(model="gpt-4o-mini").call("hello")
    finally:
        PydanticAgent.instrument_all(False)

    assert [span.attributes["jackstay.run.id"] is not None for span in told(kept.get_finished_spans())] == [True, True]


# --- observers that fail ---------------------------------------------------------------------------------------------


class _Raising(SpanProcessor):
    def on_end(self, span: Any) -> None:
        raise OSError("disk full")


class _StandingStill(SpanProcessor):
    def __init__(self) -> None:
        self.go_on = threading.Event()

    def on_end(self, span: Any) -> None:
        self.go_on.wait()


def test_processor_that_raises_is_a_warning_and_nothing_else(make_runtime, caplog):
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_Raising())
    make_runtime(tracer_provider=provider)

    assert crew(task(), task(name="write")).kickoff().raw == "said"

    warned = [record.getMessage() for record in caplog.records if record.name == "jackstay"]
    assert warned == ["a span could not be made: OSError: disk full; runs go on without it"]


def test_processor_that_stands_still_holds_no_run_up(make_runtime, clock):
    provider, still = TracerProvider(shutdown_on_exit=False), _StandingStill()
    provider.add_span_processor(still)
    runtime: Runtime = make_runtime(tracer_provider=provider)
    began_s = runtime.clock.monotonic()

    outputs = [crew(task()).kickoff().raw for _ in range(5)]

    took_s = runtime.clock.monotonic() - began_s
    still.go_on.set()
    assert outputs == ["said"] * 5
    assert took_s < 2.5  # one kickoff waits for a second, the others see that it is of no use
