"""Spans on their way out: through the host's OpenTelemetry provider, or one of our own that nobody else sees.

Only this module needs the extra `otel` (opentelemetry-sdk); it is loaded when traces are wanted. A span is made when its row
is: begun and ended at once, with the recorded times and an id that is known beforehand. Until then one of `open_spans` stands
for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, DEFAULT_ON, Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanKind,
    Status,
    StatusCode,
    set_span_in_context,
)

from jackstay.core.trace_ids import SpanIds, TraceParent
from jackstay.observe import span_names as names
from jackstay.observe.open_spans import RootSpan, StepSpan
from jackstay.observe.otlp import EncodedSpan, Origin, context_of, encoded, ns
from jackstay.observe.span_attributes import Described, Describing, Failed, plain
from jackstay.observe.spans import Placed
from jackstay.observe.trace_source import provider

Ended = Callable[[EncodedSpan], None]


class Spans:
    """Makes spans with ids of ours in a provider of anybody's. Raises `TypeError` if the provider is not of
    opentelemetry-sdk: then ids cannot be given."""

    def __init__(self, of: trace.TracerProvider, *, ended: Ended | None = None) -> None:
        """`ended`: takes spans that are over, if the provider's processors and sampler need not see each of them begin."""
        tracer = of.get_tracer(names.SCOPE, version(names.SCOPE), schema_url=names.SCHEMA_URL)
        if not isinstance(tracer, Tracer):
            raise TypeError(f"{type(of).__module__}.{type(of).__qualname__}")
        self._tracer, self._ended = tracer, ended
        self._origin = Origin(
            tracer.resource, InstrumentationScope(names.SCOPE, version(names.SCOPE), names.SCHEMA_URL)
        )
        if not isinstance(tracer.id_generator, _GivenIds):
            # Of this tracer alone, which is ours by its name; where no id is given, the provider's own go on.
            tracer.id_generator = _GivenIds(tracer.id_generator)
        self._ids: _GivenIds = tracer.id_generator

    @staticmethod
    def current() -> TraceParent | None:
        """The span around the calling code."""
        span = trace.get_current_span()
        if span is trace.INVALID_SPAN:  # of most
            return None
        here = span.get_span_context()
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
        around = _around(parent, context)
        self._ids.want(*ids)
        try:
            return self._tracer.start_span(
                described.name,
                context=around,
                kind=_kind(described),
                attributes=described.attributes,
                links=[Link(context_of(each)) for each in links],
                start_time=ns(started_at),
            )
        finally:
            self._ids.want_nothing()

    def begin_root(
        self,
        describe: Callable[[], Described],
        ids: SpanIds,
        *,
        parent: TraceParent | None,
        context: Context,
        started_at: datetime,
        links: Sequence[TraceParent] = (),
    ) -> Span:
        """The same of the root of a run that happens now; made as it ends, if nobody has to see it begin."""
        if self._ended is None or links or not self._is_taken(describe, ids.trace, parent, context):
            own = (ids.trace, ids.of(""))
            return self.begin(describe(), own, parent=parent, context=context, started_at=started_at, links=links)
        return RootSpan(ids, describe, self._begin_late, parent=parent, context=context, started_at=started_at)

    def _begin_late(self, root: RootSpan) -> Span:
        ids = (root.ids.trace, root.span_id)
        return self.begin(root.describe(), ids, parent=root.parent, context=root.context, started_at=root.started_at)

    def _is_taken(
        self, describe: Callable[[], Described], trace_id: str, parent: TraceParent | None, context: Context
    ) -> bool:
        """Whether the sampler takes a root, and adds nothing to it."""
        if self._tracer.sampler is DEFAULT_ON:
            return parent is None or parent.is_sampled
        described = describe()
        decided = self._tracer.sampler.should_sample(
            _around(parent, context), int(trace_id, 16), described.name, _kind(described), described.attributes, ()
        )
        return decided.decision is Decision.RECORD_AND_SAMPLE and not decided.trace_state

    def tell(
        self,
        describing: Describing,
        placed: Placed,
        *,
        trace_id: str,
        context: Context | None = None,
        own: StepSpan | None = None,
    ) -> None:
        """A span that is over. `own`: what its step's code has put into it."""
        described = _described(describing, placed)
        touched = own is not None and own.is_touched
        ids = (trace_id, placed.span_id, placed.parent_id)
        if not touched and self._is_handed_on(described, ids, placed.started_at, placed.finished_at):
            return
        span = self.begin(
            described,
            (trace_id, placed.span_id),
            parent=TraceParent(trace_id, placed.parent_id),
            context=context,
            started_at=placed.started_at,
        )
        if own is not None and touched:
            own.give_to(span)
        self.end(span, placed.finished_at, failed=described.failed)

    def end(
        self,
        span: Span,
        finished_at: datetime,
        *,
        failed: Failed | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(span, RootSpan):
            made = span.over()
            if made is None and failed is None:
                begun = span.describe()
                whole = Described(begun.common, {**begun.own, **(attributes or {})})
                ids = (span.ids.trace, span.span_id, None if span.parent is None else span.parent.span_id)
                if self._is_handed_on(whole, ids, span.started_at, finished_at):
                    return
            span = made or span.make()
        if attributes:
            span.set_attributes(attributes)
        if failed is not None:
            told = {names.EXCEPTION_TYPE: failed.type, names.EXCEPTION_MESSAGE: failed.message}
            if failed.stacktrace:
                told[names.EXCEPTION_STACKTRACE] = failed.stacktrace
            span.add_event("exception", told, timestamp=ns(finished_at))
            span.set_status(Status(StatusCode.ERROR, failed.message or failed.type))
        span.end(end_time=ns(finished_at))

    def _is_handed_on(
        self, described: Described, ids: tuple[str, str, str | None], started_at: datetime, finished_at: datetime
    ) -> bool:
        """Whether the span needs the SDK no more: who takes those that are over has it. `ids`: trace, span, parent."""
        if self._ended is None or described.failed is not None:
            return False
        data = encoded(described, *ids, started_at, finished_at)
        if data is None:
            return False
        self._ended(EncodedSpan(self._origin, data))
        return True


def _described(describing: Describing, placed: Placed) -> Described:
    try:
        return describing.of(placed.path, placed.row, placed.agent)
    except Exception as error:  # noqa: BLE001 - a span that says only where it was is better than none
        logging.getLogger("jackstay").warning("the span of %s says nothing but where it was: %r", placed.path, error)
        return plain(placed.path)


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


def _around(parent: TraceParent | None, context: Context | None) -> Context:
    return set_span_in_context(trace.INVALID_SPAN if parent is None else NonRecordingSpan(context_of(parent)), context)
