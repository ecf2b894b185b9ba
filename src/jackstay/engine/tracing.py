"""Spans of the runs that happen now: what is recorded of a run is told to OpenTelemetry, and users' code finds itself in it.

A step's span ends when its row is made, and is told on a thread of its own: several at once take less than they take between
a run's steps, and processors and exporters are the host's code, of which one that stands still holds no run up. Only
a run's root is begun here at once, because what is inside has to know whether it is sampled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackstay.core.trace_ids import tagged
from jackstay.observe import trace_source
from jackstay.observe.span_shapes import Shapes
from jackstay.observe.writing import Job, Writing, one_by_one

if TYPE_CHECKING:
    from opentelemetry.trace import TracerProvider

    from jackstay.engine.run import Run
    from jackstay.engine.runtime import Runtime
    from jackstay.observe.otel import Spans

CAUGHT_UP_S = 1.0
"""How long a kickoff waits, when it has ended, until its spans are with the provider."""
LINGER_S = 0.05
"""How long a span that has ended waits for others that are made with it."""


class Tracing:
    """Of one runtime. Loads nothing until a run begins for which spans are wanted."""

    def __init__(self, runtime: Runtime, provider: TracerProvider | None = None) -> None:
        """`provider`: the one that is used whatever else is set."""
        self._runtime, self._given = runtime, provider
        self._shapes = Shapes(lambda: runtime.masked.now)
        self._by_name = bool(runtime.environ.get(trace_source.BY_NAME))
        self._writing = self._new_writing()
        self._own: trace_source.OwnProvider | None = None
        self._provider: Any = None
        self._spans: Spans | None = None
        self._content = False
        self._unusable = False
        """No provider of our own can be made; it is not tried again."""
        self._said: set[str] = set()
        self._behind: asyncio.Future[None] | None = None

    # --- runs ------------------------------------------------------------------------------------------------------------

    def adopt(self, tags: str | None) -> str | None:
        """The tags of a new run: with the span that its caller is in, if spans are made of the run."""
        spans = self._now()
        if spans is None:
            return tags
        parent = spans.current()
        return tags if parent is None else tagged(tags, parent)

    def begin(self, run: Run) -> None:
        """From here on the run's steps become spans, if anybody wants them."""
        try:
            spans = self._now()
            if spans is not None:
                from jackstay.engine.run_trace import RunTrace  # OpenTelemetry is loaded: somebody wants spans

                put, failed, shapes = self._writing.put, self._failed, self._shapes
                run.trace = RunTrace(spans, run, put, failed, shapes=shapes, content=self._content)
        except Exception as error:  # noqa: BLE001 - a sampler of the host's may raise anything, and cannot fail a run
            self._failed(error)

    async def caught_up(self) -> None:
        """Returns when every span that has ended is with the provider; not where one that stands still was waited for."""
        if self._provider is None or self._is_own or (self._behind is not None and not self._behind.done()):
            return
        self._behind = self._writing.mark()
        await asyncio.wait([self._behind], timeout=CAUGHT_UP_S)

    # --- the provider ----------------------------------------------------------------------------------------------------

    def _now(self) -> Spans | None:
        if not self._runtime.settings.traces:
            return None
        provider = self._given or trace_source.host_provider(by_name=self._by_name)
        if provider is None and self._own is not None:
            provider = self._own.provider  # the variables were read when it was made
        elif trace_source.is_disabled(self._runtime.environ):
            return None
        elif provider is None:
            provider = self._own_provider(self._runtime.environ)
        if provider is not self._provider:
            self._provider, self._spans = provider, None if provider is None else self._made(provider)
            self._content = trace_source.wants_content(self._runtime.environ)
        return self._spans

    def _own_provider(self, environ: Mapping[str, str]) -> Any:
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

            own = self._own
            return Spans(provider, ended=own.ended if own is not None and own.provider is provider else None)
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

    @property
    def _is_own(self) -> bool:
        """Its queue is ours: nobody can tell when a span has come into it."""
        return self._own is not None and self._provider is self._own.provider

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

    def _new_writing(self) -> Writing[Job]:
        return Writing("jackstay-traces", one_by_one(self._failed), self._failed, linger_s=LINGER_S)
