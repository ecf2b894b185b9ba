"""Spans of the runs that happen now: what is recorded of a run is told to OpenTelemetry, and users' code finds itself in it.

A step's span ends when its row is made, on a thread of its own: processors and exporters are the host's code, and one that
stands still holds no run up. Only a run's root is begun here at once, because what is inside has to know whether it is sampled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jackstay.core.messages import Conversation, Message
from jackstay.core.records import RunEnd, StepRow
from jackstay.core.trace_ids import TraceParent, tagged
from jackstay.observe import trace_source
from jackstay.observe.past_spans import around_root, past_root
from jackstay.observe.span_attributes import Describing
from jackstay.observe.spans import EpochSpans, Placed
from jackstay.observe.writing import Writing

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, TracerProvider

    from jackstay.engine.run import Run
    from jackstay.engine.runtime import Runtime
    from jackstay.observe.otel import Spans, StepSpan

CAUGHT_UP_S = 1.0
"""How long a kickoff waits, when it has ended, until its spans are with the provider."""


class Tracing:
    """Of one runtime. Loads nothing until a run begins for which spans are wanted."""

    def __init__(self, runtime: Runtime, provider: TracerProvider | None = None) -> None:
        """`provider`: the one that is used whatever else is set."""
        self._runtime, self._given = runtime, provider
        self._writing = self._new_writing()
        self._own: trace_source.OwnProvider | None = None
        self._provider: Any = None
        self._spans: Spans | None = None
        self._unusable = False
        """No provider of our own can be made; it is not tried again."""
        self._said: set[str] = set()
        self._behind: asyncio.Future[None] | None = None

    # --- runs ------------------------------------------------------------------------------------------------------------

    def adopt(self, tags: str | None) -> str | None:
        """The tags of a new run: with the span that its caller is in, if spans are made of the run."""
        if self._now() is None:
            return tags
        parent = _current()
        return tags if parent is None else tagged(tags, parent)

    def begin(self, run: Run) -> None:
        """From here on the run's steps become spans, if anybody wants them."""
        try:
            spans = self._now()
            if spans is not None:
                run.trace = RunTrace(spans, run, self._put, content=trace_source.wants_content(self._runtime.environ))
        except Exception as error:  # noqa: BLE001 - a sampler of the host's may raise anything, and cannot fail a run
            self._failed(error)

    async def caught_up(self) -> None:
        """Returns when every span that has ended is with the provider; not where one that stands still was waited for."""
        if self._provider is None or (self._behind is not None and not self._behind.done()):
            return
        self._behind = asyncio.wrap_future(self._writing.mark())
        await asyncio.wait([self._behind], timeout=CAUGHT_UP_S)

    # --- the provider ----------------------------------------------------------------------------------------------------

    def _now(self) -> Spans | None:
        environ = self._runtime.environ
        if not self._runtime.settings.traces or trace_source.is_disabled(environ):
            return None
        provider = self._given or trace_source.host_provider()
        if provider is None:
            provider = self._own_provider(environ)
        if provider is not self._provider:
            self._provider, self._spans = provider, None if provider is None else self._made(provider)
        return self._spans

    def _own_provider(self, environ: Mapping[str, str]) -> Any:
        if self._own is not None:
            return self._own.provider
        if not trace_source.wants_own(environ):
            return None
        protocol = trace_source.unspoken(environ)
        if protocol is not None:
            self._say(f"traces are sent as {trace_source.SPOKEN}, not as {protocol}: set OTEL_EXPORTER_OTLP_PROTOCOL")
            return None
        if self._unusable:
            return None
        try:
            self._own = trace_source.OwnProvider(trace_source.say)
        except ImportError:
            self._unusable = True
            self._say(f"traces are asked for and cannot be sent: {trace_source.EXTRA}, or set JACKSTAY_TRACES=off")
            return None
        except Exception as error:  # noqa: BLE001 - the standard variables may say anything, and cannot fail a run
            self._unusable = True
            self._say(f"traces cannot be sent as the environment says: {error}")
            return None
        return self._own.provider

    def _made(self, provider: Any) -> Spans | None:
        try:
            # With it comes OpenTelemetry's SDK, which most processes do not need.
            from jackstay.observe.otel import Spans

            return Spans(provider)
        except ImportError:
            self._say(f"this program's OpenTelemetry provider gets no spans of runs: {trace_source.EXTRA}")
        except TypeError as error:
            self._say(
                f"this program's OpenTelemetry provider ({error}) gets no spans of runs: it is not one of opentelemetry-sdk; "
                "jackstay export otlp RUN sends them afterwards"
            )
        return None

    def _say(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            trace_source.say(text)

    def _failed(self, error: Exception) -> None:
        self._say(f"a span could not be made: {type(error).__name__}: {error}; runs go on without it")

    # --- life ------------------------------------------------------------------------------------------------------------

    def _put(self, job: Callable[[], None]) -> None:
        self._writing.put(job)

    def close(self, timeout_s: float = 2.0) -> None:
        """Hands on what waits, and sends it if the provider is ours."""
        began_s = self._runtime.clock.monotonic()
        self._writing.close(timeout_s)
        own, self._own = self._own, None
        if own is not None:
            own.close(max(0.1, timeout_s - (self._runtime.clock.monotonic() - began_s)))

    def forget_in_child(self) -> None:
        """After a fork: the thread is the parent's. (OpenTelemetry's own looks after itself.)"""
        self._writing = self._new_writing()
        self._behind = None

    def _new_writing(self) -> Writing:
        return Writing("jackstay-traces", self._failed)


class RunTrace:
    """The spans of one epoch of a run; lives on the engine loop."""

    def __init__(self, spans: Spans, run: Run, put: Callable[[Callable[[], None]], None], *, content: bool) -> None:
        self._spans, self._put, self._run = spans, put, run
        self._asked: dict[str, Conversation] | None = {} if content else None
        masked = run.runtime.masked
        self._describing = Describing(run.row, lambda: masked.now, asked=self._asked_with if content else None)
        self._epoch = EpochSpans(run.span_ids)
        self._steps: dict[str, StepSpan] = {}
        """What stands for steps whose own code has begun."""
        self._root, self._context = self._begin()
        flags = self._root.get_span_context().trace_flags
        self._parent = TraceParent(run.span_ids.trace, self._epoch.root_id, flags.sampled)
        if run.unended and flags.sampled:
            rows, run.unended = run.unended, ()
            put(lambda: self._end_of_dead(rows))

    def _begin(self) -> tuple[Span, Context]:
        from opentelemetry import context  # with the SDK, which is there where spans are made

        ids = self._run.span_ids
        described, here = self._describing.root(ids.epoch), context.get_current()
        parent, links = around_root(ids, self._run.row)
        if ids.epoch > 1 and parent is not None:
            if ids.parent is None:
                # As the first epoch's was decided: by the trace's id.
                parent = replace(parent, is_sampled=self._spans.would_sample(ids.trace, described.name))
            if (around := _current()) is not None:
                links.append(around)
        root = self._spans.begin(
            described,
            (ids.trace, self._epoch.root_id),
            parent=parent,
            context=here,
            # As it will be sent later; of an epoch that goes on with a run nothing says when it began.
            started_at=(self._run.row.started_at if ids.epoch == 1 else None) or self._run.now(),
            links=links,
        )
        return root, here

    # --- steps -------------------------------------------------------------------------------------------------------

    def ended(self, row: StepRow) -> None:
        """A step's row was made."""
        if not self._parent.is_sampled:
            return
        placed, own = self._epoch.place(row), self._steps.pop(row.path, None)
        if placed:
            self._put(lambda: self._send(placed, own))

    def over(self, end: RunEnd) -> None:
        """The epoch has ended: the run is over, or waits."""
        placed, finished_at = self._epoch.left_open(), end.finished_at or self._run.now()
        attributes, failed = self._describing.ending(end.status, end.reason, end.error)

        def tell() -> None:
            self._send(placed)
            self._spans.end(self._root, finished_at, failed=failed, attributes=attributes)

        self._put(tell)

    def _send(self, placed: Sequence[Placed], own: StepSpan | None = None) -> None:
        for each in placed:
            told = self._describing.of(each)
            mine = own if each.row is not None else None
            self._spans.tell(told, each, trace_id=self._parent.trace_id, context=self._context, own=mine)

    def _end_of_dead(self, rows: Sequence[StepRow]) -> None:
        """Of a process that did not live to tell it: the scopes that it was in, and its root."""
        ids = replace(self._run.span_ids, epoch=self._run.span_ids.epoch - 1)
        told = EpochSpans(ids)
        for row in rows:
            told.place(row)
        self._send(told.left_open())
        past_root(self._spans, self._describing, self._run.row, ids, rows, ("interrupted", None, None))

    # --- where users' code finds itself --------------------------------------------------------------------------------

    def enter(self, path: str) -> None:
        """Makes the step's span the current one in this context (contexts are copied per call)."""
        from opentelemetry import context, trace  # as above

        current = trace.get_current_span()
        inside = getattr(current, "run_id", None) == self._run.id and current.path.startswith(f"{path}/")  # type: ignore[attr-defined]
        # A model of the user's own is asked inside of its call's span, which has no scope.
        if not (inside and path):
            context.attach(trace.set_span_in_context(self._span_at(path)))

    @contextmanager
    def asking(self, path: str, conversation: Conversation) -> Iterator[None]:
        """Around a model's request: what is below it (a client that the host traces) is below the call's span."""
        from opentelemetry import context, trace  # as above

        if self._asked is not None:
            self._asked[path] = conversation
        token = context.attach(trace.set_span_in_context(self._span_at(path)))
        try:
            yield
        finally:
            context.detach(token)

    def _span_at(self, path: str) -> Span:
        if not path:
            return self._root
        found = self._steps.get(path)
        if found is None:
            from jackstay.observe.otel import StepSpan, context_of  # as above

            here = context_of(replace(self._parent, span_id=self._epoch.id_of(path)))
            found = self._steps[path] = StepSpan(here, self._run.id, path)
        return found

    def _asked_with(self, row: StepRow) -> Sequence[Message]:
        asked = (self._asked or {}).pop(row.path, None)
        return asked.messages if asked is not None else ()


def _current() -> TraceParent | None:
    """The span around the calling code."""
    from opentelemetry import trace  # in the core, by pydantic-ai; loaded where spans are made

    here = trace.get_current_span().get_span_context()
    if not here.is_valid:
        return None
    return TraceParent(f"{here.trace_id:032x}", f"{here.span_id:016x}", here.trace_flags.sampled)
