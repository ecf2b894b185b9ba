"""A receiver of OTLP over HTTP on the loopback, and spans as plain values: received ones and those of an in-memory exporter."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.sdk.trace import ReadableSpan

RETRIED = (429, 502, 503, 504)


@dataclass(frozen=True)
class Told:
    """A span that has arrived."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    started_ns: int
    finished_ns: int
    attributes: Mapping[str, Any]
    status: str
    """`UNSET`, `OK`, `ERROR`."""
    events: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """Ids of spans."""
    schema_url: str = ""
    resource: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str | None:
        """Of the step; None for a run's root, or a span of somebody else."""
        found = self.attributes.get("jackstay.step.path")
        return None if found is None else str(found)

    @property
    def kind(self) -> str | None:
        found = self.attributes.get("jackstay.step.kind")
        return None if found is None else str(found)

    @property
    def epoch(self) -> int | None:
        """Of a run's root: which process's share it is."""
        return self.attributes.get("jackstay.run.epoch")


def told(spans: Iterable[ReadableSpan]) -> list[Told]:
    return [_told(span) for span in spans]


def _told(span: ReadableSpan) -> Told:
    assert span.context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    return Told(
        span.name,
        f"{span.context.trace_id:032x}",
        f"{span.context.span_id:016x}",
        None if span.parent is None else f"{span.parent.span_id:016x}",
        span.start_time,
        span.end_time,
        {name: list(value) if isinstance(value, tuple) else value for name, value in (span.attributes or {}).items()},
        span.status.status_code.name,
        tuple(event.name for event in span.events),
        tuple(f"{link.context.span_id:016x}" for link in span.links),
        (span.instrumentation_scope.schema_url if span.instrumentation_scope is not None else "") or "",
        dict(span.resource.attributes),
    )


class Receiver:
    """Takes what is sent to it. `status`: what it answers; `first`: what before that, each with `Retry-After: 0`."""

    def __init__(self, status: int = 200, first: Sequence[int] = ()) -> None:
        self.status, self._first = status, list(first)
        self.spans: list[Told] = []
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        """Path and headers of each."""
        self.bodies: list[bytes] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Content-Encoding"] == "gzip":
                    body = gzip.decompress(body)
                receiver.bodies.append(body)
                receiver.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
                status = receiver._first.pop(0) if receiver._first else receiver.status
                if status == 200:
                    receiver.spans += _received(body)
                self.send_response(status)
                if status in RETRIED:
                    self.send_header("Retry-After", "0")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _received(body: bytes) -> list[Told]:
    request = ExportTraceServiceRequest.FromString(body)
    return [
        Told(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex() or None,
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            {each.key: _value(each.value) for each in span.attributes},
            ("UNSET", "OK", "ERROR")[span.status.code],
            tuple(event.name for event in span.events),
            tuple(link.span_id.hex() for link in span.links),
            scope.schema_url,
            {each.key: _value(each.value) for each in resource.resource.attributes},
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [_value(each) for each in value.array_value.values] if kind == "array_value" else getattr(value, kind or "")
