"""Spans on their way out: through the host's OpenTelemetry provider, or one of our own that nobody else sees.

Only this module needs the extra `otel` (opentelemetry-sdk); it is loaded when traces are wanted. A span is made when its row
is: begun and ended at once, with the recorded times and an id that is known beforehand. Until then `StepSpan` stands for it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from jackstay.core.trace_ids import TraceParent
from jackstay.observe import span_names as names
from jackstay.observe.span_attributes import Described, Failed
from jackstay.observe.spans import Placed
from jackstay.observe.trace_source import provider

Ended = Callable[[ReadableSpan], None]


class Spans:
    """Makes spans with ids of ours in a provider of anybody's. Raises `TypeError` if the provider is not of
    opentelemetry-sdk: then ids cannot be given."""

    def __init__(self, of: trace.TracerProvider, *, ended: Ended | None = None) -> None:
        """`ended`: takes spans that are over, if the provider's processors and sampler need not see each of them begin."""
        tracer = of.get_tracer(names.SCOPE, version(names.SCOPE), schema_url=names.SCHEMA_URL)
        if not isinstance(tracer, Tracer):
            raise TypeError(f"{type(of).__module__}.{type(of).__qualname__}")
        self._tracer, self._ended = tracer, ended
        self._scope = InstrumentationScope(names.SCOPE, version(names.SCOPE), names.SCHEMA_URL)
        if not isinstance(tracer.id_generator, _GivenIds):
            # Of this tracer alone, which is ours by its name; where no id is given, the provider's own go on.
            tracer.id_generator = _GivenIds(tracer.id_generator)
        self._ids: _GivenIds = tracer.id_generator

    @staticmethod
    def current() -> TraceParent | None:
        """The span around the calling code."""
        here = trace.get_current_span().get_span_context()
        if not here.is_valid:
            return None
        return TraceParent(f"{here.trace_id:032x}", f"{here.span_id:016x}", here.trace_flags.sampled)

    def would_sample(self, trace_id: str, name: str) -> bool:
        """Whether the provider's sampler takes a trace with that id."""
        decided = self._tracer.sampler.should_sample(None, int(trace_id, 16), name).decision
        return decided is Decision.RECORD_AND_SAMPLE

    def begin(
        self,
        described: Described,
        ids: tuple[str, str],
        *,
        parent: TraceParent | None,
        context: Context | None = None,
        started_at: datetime,
        links: Sequence[TraceParent] = (),
    ) -> Span:
        """`ids`: of trace and span; `context`: what else the span's processors may look at (baggage)."""
        around = set_span_in_context(span_of(parent) if parent is not None else trace.INVALID_SPAN, context)
        self._ids.want(*ids)
        try:
            return self._tracer.start_span(
                described.name,
                context=around,
                kind=_kind(described),
                attributes=described.attributes,
                links=[Link(context_of(each)) for each in links],
                start_time=_ns(started_at),
            )
        finally:
            self._ids.want_nothing()

    def tell(
        self,
        described: Described,
        placed: Placed,
        *,
        trace_id: str,
        context: Context | None = None,
        own: StepSpan | None = None,
    ) -> None:
        """A span that is over. `own`: what its step's code has put into it."""
        parent = TraceParent(trace_id, placed.parent_id)
        touched = own is not None and own.is_touched
        if self._ended is not None and described.failed is None and not touched:
            self._ended(self._over(described, placed, parent))
            return
        span = self.begin(
            described, (trace_id, placed.span_id), parent=parent, context=context, started_at=placed.started_at
        )
        if own is not None and touched:
            own.give_to(span)
        self.end(span, placed.finished_at, failed=described.failed)

    def _over(self, described: Described, placed: Placed, parent: TraceParent) -> ReadableSpan:
        """What begin and end would make of it, for a quarter of the time: most spans have nothing that might be cut or refused."""
        return ReadableSpan(
            described.name,
            context_of(TraceParent(parent.trace_id, placed.span_id)),
            context_of(parent),
            self._tracer.resource,
            described.attributes,
            kind=_kind(described),
            start_time=_ns(placed.started_at),
            end_time=_ns(placed.finished_at),
            instrumentation_scope=self._scope,
        )

    @staticmethod
    def end(
        span: Span, finished_at: datetime, *, failed: Failed | None = None, attributes: Mapping[str, Any] | None = None
    ) -> None:
        if attributes:
            span.set_attributes(attributes)
        if failed is not None:
            told = {names.EXCEPTION_TYPE: failed.type, names.EXCEPTION_MESSAGE: failed.message}
            if failed.stacktrace:
                told[names.EXCEPTION_STACKTRACE] = failed.stacktrace
            span.add_event("exception", told, timestamp=_ns(finished_at))
            span.set_status(Status(StatusCode.ERROR, failed.message or failed.type))
        span.end(end_time=_ns(finished_at))


class _Collecting(SpanProcessor):
    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self.spans.append(span)


def collecting() -> tuple[TracerProvider, Sequence[ReadableSpan]]:
    """A provider of every span, and where they are found."""
    processor, made = _Collecting(), provider(sampler=ALWAYS_ON)
    made.add_span_processor(processor)
    return made, processor.spans


class StepSpan(NonRecordingSpan):
    """The span of a step that has not ended, as the step's own code finds it: `opentelemetry.trace.get_current_span()`. What is
    put into it comes into the step's span."""

    def __init__(self, context: SpanContext, run_id: str, path: str) -> None:
        super().__init__(context)
        self.run_id, self.path = run_id, path
        self.attributes: dict[str, Any] = {}
        self.events: list[tuple[str, Any, int | None]] = []

    def is_recording(self) -> bool:
        return self.get_span_context().trace_flags.sampled

    def set_attribute(self, key: str, value: Any) -> None:
        self.attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self.attributes.update(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self.events.append((name, attributes, timestamp if timestamp is not None else time.time_ns()))

    def record_exception(
        self, exception: BaseException, attributes: Any = None, timestamp: int | None = None, escaped: bool = False
    ) -> None:
        told = {names.EXCEPTION_TYPE: type(exception).__qualname__, names.EXCEPTION_MESSAGE: str(exception)}
        self.add_event("exception", told | dict(attributes or {}), timestamp)

    @property
    def is_touched(self) -> bool:
        return bool(self.attributes or self.events)

    def give_to(self, span: Span) -> None:
        # Copies: a function that was abandoned may still be at it.
        span.set_attributes(dict(self.attributes))
        for name, attributes, at in tuple(self.events):
            span.add_event(name, attributes, at)


class _GivenIds(IdGenerator):
    """The ids that the thread wants next, else those of the provider's generator."""

    def __init__(self, others: IdGenerator) -> None:
        self._others, self._wanted = others, threading.local()

    def want(self, trace_id: str, span_id: str) -> None:
        self._wanted.ids = (int(trace_id, 16), int(span_id, 16))

    def want_nothing(self) -> None:
        self._wanted.ids = None

    def generate_trace_id(self) -> int:
        wanted: tuple[int, int] | None = getattr(self._wanted, "ids", None)
        return wanted[0] if wanted is not None else self._others.generate_trace_id()

    def generate_span_id(self) -> int:
        wanted: tuple[int, int] | None = getattr(self._wanted, "ids", None)
        return wanted[1] if wanted is not None else self._others.generate_span_id()

    def is_trace_id_random(self) -> bool:
        # A run's id has 62 random bits at its end: enough for samplers (56 are asked for).
        return True


def _kind(described: Described) -> SpanKind:
    return SpanKind.CLIENT if described.is_client else SpanKind.INTERNAL


def span_of(parent: TraceParent) -> NonRecordingSpan:
    return NonRecordingSpan(context_of(parent))


def context_of(parent: TraceParent) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if parent.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=False, trace_flags=flags)


def _ns(at: datetime) -> int:
    # Not timestamp() * 1e9: a float has too few digits for microseconds of today.
    return int(at.timestamp()) * 1_000_000_000 + at.microsecond * 1000
