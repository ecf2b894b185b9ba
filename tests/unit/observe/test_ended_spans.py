"""Spans that go to our own provider when they are over are those that the SDK would have made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from jackstay.core.masking import Masking
from jackstay.core.records import RunRow, StepRow
from jackstay.core.trace_ids import SpanIds, TraceParent
from jackstay.observe.open_spans import RootSpan
from jackstay.observe.otel import Spans, collecting
from jackstay.observe.otlp import EncodedSpan, Sender, request_of
from jackstay.observe.span_attributes import Described, Describing, Failed, plain
from jackstay.observe.span_shapes import Common, Shapes
from jackstay.observe.spans import Placed
from jackstay.observe.trace_source import OwnProvider, sending
from tests.e2e.tracing.receiver import RETRIED, Receiver

TRACE, SPAN, PARENT = "01a219d8678f7e88842a02050e64d529", "94d5179788c42696", "d57a77696f6989c0"
IDS = SpanIds("01a219d8-678f-7e88-842a-02050e64d529", 1)
BEGIN = datetime(2026, 11, 26, 3, 0, 0, 123456, tzinfo=UTC)
END = BEGIN + timedelta(seconds=1.5)
PLACED = Placed("research#1/llm#1", SPAN, PARENT, BEGIN, END)
VALUES: dict[str, Any] = {
    "text": "gpt-4o", "empty": "", "long": "ü" * 300, "nul": "a\0b", "count": 93, "none": 0, "below": -1, "least": -(1 << 63),
    "most": (1 << 63) - 1, "cost": 0.5, "zero": 0.0, "yes": True, "no": False, "why": ["stop", "länge"], "nothing": [],
    "mixed": (1, 2.5, True, "x" * 200),
}  # fmt: skip
TOLD = Described(Common("chat gpt-4o", {"kind": "llm", "some": ["a", "b"]}), VALUES, is_client=True)
RUN = RunRow("1", "crew", "crew", BEGIN)
ROW = StepRow("1", PLACED.path, "llm", "llm", "succeeded", "", BEGIN, END, model="openai/gpt-4o")
ROOT = plain("invoke_workflow crew", {"jackstay.run.id": "1"})


class _Fixed(Describing):
    """Says the same of everything."""

    def __init__(self, described: Described) -> None:
        super().__init__(RUN, Shapes(Masking))
        self._described = described

    def of(self, *_: Any) -> Described:
        return self._described


def told(described: Described, *, directly: bool) -> Sequence[ReadableSpan | EncodedSpan]:
    """A step's span, and a root with and without a parent."""
    provider, spans = collecting()
    ended: list[EncodedSpan] = []
    made = Spans(provider, ended=ended.append if directly else None)
    made.tell(_Fixed(described), PLACED, trace_id=TRACE)
    for parent in (None, TraceParent(TRACE, PARENT)):
        root = made.begin_root(lambda: ROOT, IDS, parent=parent, context=Context(), started_at=BEGIN)
        made.end(root, END, attributes={"jackstay.run.status": "succeeded"})
    return [*ended, *spans]


def test_spans_are_sent_as_the_sdk_would_send_them():
    theirs = encode_spans(told(TOLD, directly=False))  # type: ignore[arg-type]
    ours = [span for span in told(TOLD, directly=True) if isinstance(span, EncodedSpan)]

    assert len(ours) == 3
    assert ExportTraceServiceRequest.FromString(request_of(ours)) == theirs


def test_what_has_come_before_is_encoded_anew_for_another_type():
    for value in (1, True, 1.0, "1", 0, False, 0.0, -0.0):
        [ours, *_] = told(plain("a", {"same": value}), directly=True)
        [theirs, *_] = told(plain("a", {"same": value}), directly=False)
        assert isinstance(ours, EncodedSpan)
        assert ExportTraceServiceRequest.FromString(request_of([ours])) == encode_spans([theirs])  # type: ignore[list-item]


@pytest.mark.parametrize("odd", [{"deep": {"a": 1}}, {"bytes": b"x"}, {"much": 1 << 64}, {"half": "\ud800", "kept": 1}])
def test_span_with_an_odd_value_is_left_to_the_sdk(odd: dict[str, Any]):
    found = told(plain("a", odd), directly=True)

    assert [type(span) for span in found] == [EncodedSpan, EncodedSpan, ReadableSpan]
    assert found[-1].context.span_id == int(SPAN, 16)


def test_root_with_an_odd_name_is_left_to_the_sdk():
    provider, spans = collecting()
    made = Spans(provider, ended=lambda _: pytest.fail("it cannot be encoded"))

    root = made.begin_root(lambda: plain("\ud800"), IDS, parent=None, context=Context(), started_at=BEGIN)
    made.end(root, END, attributes={"jackstay.run.status": "succeeded"})

    assert [(span.name, span.attributes) for span in spans] == [("\ud800", {"jackstay.run.status": "succeeded"})]


def test_root_that_somebody_touches_or_that_failed_is_made_by_the_sdk():
    provider, spans = collecting()
    ended: list[EncodedSpan] = []
    made = Spans(provider, ended=ended.append)

    def root() -> RootSpan:
        begun = made.begin_root(lambda: ROOT, IDS, parent=None, context=Context(), started_at=BEGIN)
        assert isinstance(begun, RootSpan)
        return begun

    touched, failed, untouched = root(), root(), root()
    assert touched.is_recording()
    touched.set_attribute("desk", 1)
    touched.update_name("desk's")
    touched.add_event("looked")
    assert touched.attributes["desk"] == 1  # what only a span of the SDK has
    made.end(touched, END, attributes={"status": "succeeded"})
    made.end(failed, END, failed=Failed("ValueError", "no"))
    made.end(untouched, END)
    untouched.set_attribute("late", 1)

    between = root()
    assert between.over() is None
    between.set_attribute("late", 1)  # before it is known to have failed
    assert between.make().is_recording()
    assert not any(each.is_recording() for each in (touched, failed, untouched))
    assert [span.name for span in spans] == ["desk's", "invoke_workflow crew"]
    assert spans[0].attributes == {"jackstay.run.id": "1", "desk": 1, "status": "succeeded"}
    assert spans[0].get_span_context() == touched.get_span_context() == untouched.get_span_context()
    assert (spans[0].start_time, spans[0].end_time) == (spans[1].start_time, spans[1].end_time)
    assert spans[1].status.description == "no"
    assert [span.name for span in _sent(ended)] == [ROOT.name]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_both_kinds_of_spans_arrive(monkeypatch, compression):
    both = [*told(TOLD, directly=True), *told(TOLD, directly=False)]
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
        sender = sending()
        assert sender.takes_bytes  # the version that is locked: another one may need another way

        assert sender.send(both) is SpanExportResult.SUCCESS

        sender.close()
    assert receiver.requests[0][1].get("content-encoding", "none") == compression
    assert sorted(span.name for span in receiver.spans) == ["chat gpt-4o"] * 2 + ["invoke_workflow crew"] * 4


def test_exporter_that_takes_no_bytes_gets_spans_of_the_sdk(monkeypatch):
    class Plain(SpanExporter):
        """As its documentation has it."""

        def __init__(self) -> None:
            self.spans: list[ReadableSpan] = []

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            self.spans += spans
            return SpanExportResult.SUCCESS

    to = Plain()
    monkeypatch.setattr("opentelemetry.exporter.otlp.proto.http.trace_exporter.OTLPSpanExporter", lambda: to)
    with _own({}) as own:
        assert own.ended is None
        assert Sender(to).send(told(TOLD, directly=True)) is SpanExportResult.FAILURE  # and says nothing of success
        Spans(own.provider, ended=own.ended).tell(_Fixed(TOLD), PLACED, trace_id=TRACE)
    assert [span.name for span in to.spans] == ["chat gpt-4o"]


def test_receiver_that_is_busy_is_asked_again_and_one_that_refuses_is_not(monkeypatch):
    with Receiver(first=RETRIED) as busy, Receiver(status=403) as refusing:
        for receiver, result, requests in (
            (busy, SpanExportResult.SUCCESS, 5),
            (refusing, SpanExportResult.FAILURE, 1),
        ):
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
            sender = sending()

            assert sender.send(told(TOLD, directly=True)) is result

            sender.close()
            assert len(receiver.requests) == requests
    assert [span.name for span in busy.spans] == ["chat gpt-4o", "invoke_workflow crew", "invoke_workflow crew"]


def _sent(ended: Sequence[EncodedSpan]) -> Sequence[Any]:
    [resource] = ExportTraceServiceRequest.FromString(request_of(ended)).resource_spans
    return resource.scope_spans[0].spans


@contextmanager
def _own(environ: Mapping[str, str]) -> Iterator[OwnProvider]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        own = OwnProvider(lambda _: None)
        try:
            yield own
        finally:
            own.close(1.0)


@pytest.mark.parametrize(
    ("environ", "directly"),
    [
        ({}, True),
        ({"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}, True),
        ({"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "100"}, False),
        ({"OTEL_ATTRIBUTE_COUNT_LIMIT": "10"}, False),
    ],
)
def test_spans_that_the_environment_limits_go_through_the_sdk(environ: Mapping[str, str], directly: bool):
    with _own(environ) as own:
        assert (own.ended is not None) is directly


def test_span_that_nobody_can_encode_is_a_failure_as_it_is_with_the_sdk_and_keeps_no_other(monkeypatch):
    with Receiver() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        sender = sending()

        result = sender.send([*told(TOLD, directly=True), *told(plain("\ud800"), directly=True)])

        sender.close()
    assert result is SpanExportResult.FAILURE
    assert sorted(span.name for span in receiver.spans) == ["chat gpt-4o"] + ["invoke_workflow crew"] * 4


def test_span_that_cannot_be_described_is_sent_with_its_place_beside_the_others():
    provider, _ = collecting()
    ended: list[EncodedSpan] = []
    made = Spans(provider, ended=ended.append)
    broken = replace(ROW, tried="no JSON")
    for row in (ROW, broken):
        made.tell(Describing(RUN, Shapes(Masking)), PLACED._replace(row=row), trace_id=TRACE)

    assert [span.name for span in _sent(ended)] == ["chat gpt-4o", PLACED.path]
