"""Whose OpenTelemetry provider gets the spans: the host's, if it has set one; else one of our own, if the standard variables name
a receiver; else nobody's, and then nothing is loaded.

The host's provider is never replaced, and ours is never set: what a program has configured is its own.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from jackstay.observe.span_names import SERVICE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.sampling import Sampler

    from jackstay.observe.otlp import EncodedSpan, Sender

MOST_ATTRIBUTES = 64
"""No span of ours has more, but for what users' code puts into it."""

EXTRA = "pip install 'jackstay[otel]'"
DISABLED, EXPORTER = "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"
BY_NAME = "OTEL_PYTHON_TRACER_PROVIDER"
"""The name of the provider that is the program's as soon as somebody asks for it."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = "http/protobuf"
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def is_disabled(environ: Mapping[str, str]) -> bool:
    return environ.get(DISABLED, "").strip().lower() == "true"


def wants_content(environ: Mapping[str, str]) -> bool:
    """Whether what was said is to stand in spans. The words are those of OpenTelemetry's own instrumentations."""
    return environ.get(CONTENT, "").strip().lower() in ("true", "1", "span_only", "span_and_event")


def host_provider(*, by_name: bool) -> Any:
    """The provider that the program has set; None if it has not. Loads nothing: who has set one, has loaded it. `by_name`:
    the environment names one."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    # Asked at every kickoff, where to be told that there is none took 16 µs. (No promise of theirs.)
    if getattr(trace, "_TRACER_PROVIDER", trace) is None and not by_name:
        return None
    provider = trace.get_tracer_provider()
    # Not a union: it would be made anew for every look.
    nobodys = (trace.ProxyTracerProvider, trace.NoOpTracerProvider)
    return None if isinstance(provider, nobodys) else provider


def wants_own(environ: Mapping[str, str]) -> bool:
    """Whether the standard variables say where spans are to be sent."""
    exporters = [word.strip() for word in environ.get(EXPORTER, "").lower().split(",") if word.strip()]
    if exporters:
        return "otlp" in exporters
    return any(environ.get(name, "").strip() for name in ENDPOINTS)


def unspoken(environ: Mapping[str, str]) -> str | None:
    """The protocol that is asked for, if it is not ours."""
    asked = next((environ[name].strip().lower() for name in PROTOCOLS if environ.get(name, "").strip()), SPOKEN)
    return None if asked == SPOKEN else asked


class OwnProvider:
    """Sends spans by the standard variables, in batches, from a thread of its own. Raises `ImportError` without the extra."""

    def __init__(self, failed: Callable[[str], None]) -> None:
        # The extra `otel`: loaded only where spans are sent.
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        self._failed, self._hushed = failed, Hushed()
        self.provider, sender = provider(), sending()
        processor = BatchSpanProcessor(outlet(sender, self._hushed, self._down))
        self.provider.add_span_processor(processor)
        # The processor keeps what it is given, and the outlet is ours: it takes spans of ours as well.
        takes = cast("Callable[[EncodedSpan], None]", processor.on_end)
        self.ended = takes if sender.takes_bytes and _as_told(self.provider) else None
        """Takes spans that are over: nobody has to see them begin."""

    def _down(self) -> None:
        self._failed(f"the receiver of traces does not take spans{self._hushed.why}; runs go on without it")

    def close(self, timeout_s: float) -> None:
        """Sends what waits, for so long at most: a receiver that hangs does not keep the program."""
        closing = threading.Thread(target=self.provider.shutdown, name="jackstay-traces-end", daemon=True)
        closing.start()
        closing.join(timeout_s)
        if closing.is_alive():
            why = self._hushed.why
            self._failed(f"the receiver of traces did not take the last spans in time{why}; they are dropped")


def provider(*, sampler: Sampler | None = None) -> TracerProvider:
    """A provider with the resource that the standard variables name, and the sampler, unless one is given."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # the extra `otel`, as above
    from opentelemetry.sdk.trace import TracerProvider

    named = Resource.create({SERVICE: "jackstay"}).merge(OTELResourceDetector().detect())
    return TracerProvider(sampler, named, shutdown_on_exit=False)


def _as_told(provider: TracerProvider) -> bool:
    """Whether a span is sent as it was told: the environment names neither a limit for texts nor a sampler of somebody's, which
    may look at every span."""
    from opentelemetry.sdk.trace import SpanLimits, sampling  # the extra `otel`, as above

    limits = SpanLimits()
    most = limits.max_span_attributes
    whole = limits.max_span_attribute_length is None and (most is None or most >= MOST_ATTRIBUTES)
    return whole and type(provider.sampler).__module__ == sampling.__name__


def sending() -> Sender:
    """OTLP over HTTP, by the standard variables."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # the extra `otel`, as above

    from jackstay.observe.otlp import Sender  # the extra, as above

    return Sender(OTLPSpanExporter())


def outlet(sender: Sender, hushed: Hushed, down: Callable[[], None]) -> SpanExporter:
    """An exporter that calls `down` once if its receiver takes nothing, until it takes something."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # the extra `otel`, as above

    class Outlet(SpanExporter):
        def __init__(self) -> None:
            self._is_down = False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            with hushed:
                result = sender.send(spans)
            was_down, self._is_down = self._is_down, result is not SpanExportResult.SUCCESS
            if self._is_down and not was_down:
                down()
            return result

        def shutdown(self) -> None:
            sender.close()

    return Outlet()


class Hushed(logging.Filter):
    """Around an export: what OpenTelemetry would log of it, for every attempt, is kept for the one warning of ours. What
    other threads log is let pass: exporters of the host's are not ours."""

    LOGGERS = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.exporter.otlp.common.http")

    def __init__(self) -> None:
        super().__init__()
        self._thread: int | None = None
        self._said = ""

    @property
    def why(self) -> str:
        """In brackets, as far as something was said."""
        return f" ({self._said})" if self._said else ""

    def __enter__(self) -> None:
        self._thread, self._said = threading.get_ident(), ""
        for name in self.LOGGERS:
            logging.getLogger(name).addFilter(self)

    def __exit__(self, *_: object) -> None:
        for name in self.LOGGERS:
            logging.getLogger(name).removeFilter(self)

    def filter(self, record: logging.LogRecord) -> bool:
        if threading.get_ident() != self._thread:
            return True
        # The first says what is wrong; the last only that it was given up.
        self._said = self._said or record.getMessage()
        return False


def say(text: str) -> None:
    logging.getLogger("jackstay").warning("%s", text)
