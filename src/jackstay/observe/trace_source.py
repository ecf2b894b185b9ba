"""Whose OpenTelemetry provider gets the spans: the host's, if it has set one; else one of our own, if the standard variables name
a receiver; else nobody's, and then nothing is loaded.

The host's provider is never replaced, and ours is never set: what a program has configured is its own.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackstay.observe.span_names import SERVICE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.sampling import Sampler

EXTRA = "pip install 'jackstay[otel]'"
DISABLED, EXPORTER = "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
SPOKEN = "http/protobuf"
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


def is_disabled(environ: Mapping[str, str]) -> bool:
    return environ.get(DISABLED, "").strip().lower() == "true"


def wants_content(environ: Mapping[str, str]) -> bool:
    """Whether what was said is to stand in spans. The words are those of OpenTelemetry's own instrumentations."""
    return environ.get(CONTENT, "").strip().lower() in ("true", "1", "span_only", "span_and_event")


def host_provider() -> Any:
    """The provider that the program has set; None if it has not. Loads nothing: who has set one, has loaded it."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, trace.ProxyTracerProvider | trace.NoOpTracerProvider) else provider


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

        self._failed = failed
        self.provider = provider()
        self.provider.add_span_processor(BatchSpanProcessor(_outlet(failed)))

    def close(self, timeout_s: float) -> None:
        """Sends what waits, for so long at most: a receiver that hangs does not keep the program."""
        closing = threading.Thread(target=self.provider.shutdown, name="jackstay-traces-end", daemon=True)
        closing.start()
        closing.join(timeout_s)
        if closing.is_alive():
            self._failed(
                f"the receiver of traces did not take the last spans within {timeout_s:.0f} s; they are dropped"
            )


def provider(*, sampler: Sampler | None = None) -> TracerProvider:
    """A provider with the resource that the standard variables name, and the sampler, unless one is given."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # the extra `otel`, as above
    from opentelemetry.sdk.trace import TracerProvider

    named = Resource.create({SERVICE: "jackstay"}).merge(OTELResourceDetector().detect())
    return TracerProvider(sampler, named, shutdown_on_exit=False)


def exporter() -> SpanExporter:
    """OTLP over HTTP, by the standard variables."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # the extra `otel`, as above

    return OTLPSpanExporter()


def _outlet(failed: Callable[[str], None]) -> SpanExporter:
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # the extra `otel`, as above

    class Outlet(SpanExporter):
        """Says once that nothing can be sent, until something could again."""

        def __init__(self) -> None:
            self._to, self._is_down = exporter(), False

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = self._to.export(spans)
            down = result is not SpanExportResult.SUCCESS
            if down and not self._is_down:
                failed("the receiver of traces does not take spans; runs go on without it")
            self._is_down = down
            return result

        def shutdown(self) -> None:
            self._to.shutdown()

    return Outlet()


def say(text: str) -> None:
    logging.getLogger("jackstay").warning("%s", text)
