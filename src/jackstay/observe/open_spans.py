"""What stands for spans that have not ended, as users' code finds them: `opentelemetry.trace.get_current_span()`. Needs the
extra `otel`."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext

from jackstay.core.trace_ids import SpanIds, TraceParent
from jackstay.observe import span_names as names
from jackstay.observe.otlp import context_of
from jackstay.observe.span_attributes import Described


class _OpenSpan(NonRecordingSpan):
    """Its context is made when somebody asks for it, and its id then at the earliest: of most, nobody does."""

    is_random = False
    """Its trace's id is."""

    def __init__(self, ids: SpanIds, path: str, *, is_sampled: bool = True) -> None:
        self.ids, self.path, self.is_sampled = ids, path, is_sampled

    @property
    def span_id(self) -> str:
        return self.ids.of(self.path)

    def get_span_context(self) -> SpanContext:
        return context_of(TraceParent(self.ids.trace, self.span_id, self.is_sampled), random=self.is_random)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.get_span_context()!r})"


class StepSpan(_OpenSpan):
    """The span of a step. What is put into it comes into the step's span."""

    def __init__(self, ids: SpanIds, path: str, again: str | None = None, *, is_sampled: bool) -> None:
        """`again`: the id of one that is done again."""
        super().__init__(ids, path, is_sampled=is_sampled)
        self._again = again
        self.attributes: dict[str, Any] = {}
        self.events: list[tuple[str, Any, int | None]] = []

    @property
    def span_id(self) -> str:
        return self._again or super().span_id

    def is_recording(self) -> bool:
        return self.is_sampled

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


class RootSpan(_OpenSpan):
    """The span of a run that is sampled. OpenTelemetry makes it as soon as somebody asks more of it than its context: of
    most, nobody does."""

    def __init__(
        self,
        ids: SpanIds,
        describe: Callable[[], Described],
        begin: Callable[[RootSpan], Span],
        *,
        parent: TraceParent | None,
        context: Context,
        started_at: datetime,
    ) -> None:
        """`begin`: has OpenTelemetry make it."""
        super().__init__(ids, "")
        self.is_random = parent is None
        self.describe, self.parent, self.context, self.started_at = describe, parent, context, started_at
        self._begin, self._is_over = begin, False
        self._made: Span | None = None
        self._lock = threading.Lock()

    def over(self) -> Span | None:
        """What was made of it; None if nobody needed it."""
        with self._lock:
            self._is_over = True
            return self._made

    def make(self) -> Span:
        """What OpenTelemetry makes of it, at the latest now."""
        with self._lock:
            self._made = self._made or self._begin(self)
            return self._made

    def _whole(self) -> Span:
        with self._lock:
            if self._made is None and self._is_over:
                return NonRecordingSpan(self.get_span_context())
            self._made = self._made or self._begin(self)
            return self._made

    def __getattr__(self, name: str) -> Any:
        # What only spans of the SDK have.
        return getattr(self._whole(), name)

    def is_recording(self) -> bool:
        return not self._is_over if self._made is None else self._made.is_recording()

    def end(self, end_time: int | None = None) -> None:
        self._whole().end(end_time)

    def set_attribute(self, key: str, value: Any) -> None:
        self._whole().set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._whole().set_attributes(attributes)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        self._whole().add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        self._whole().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self._whole().update_name(name)

    def set_status(self, status: Any, description: str | None = None) -> None:
        self._whole().set_status(status, description)

    def record_exception(
        self, exception: BaseException, attributes: Any = None, timestamp: int | None = None, escaped: bool = False
    ) -> None:
        self._whole().record_exception(exception, attributes, timestamp, escaped)
