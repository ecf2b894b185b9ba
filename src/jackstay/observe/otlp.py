"""Spans that are over as OTLP's bytes: what OpenTelemetry's encoder makes of them, for a tenth of its time.

Only for the plain ones, which nearly all are: no event, no link, no error, attributes of the usual types. Everything else goes
through OpenTelemetry's SDK. Sending, with all that the standard variables say of it, is the exporter's. Needs the extra `otel`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from jackstay.core.trace_ids import TraceParent
from jackstay.observe.span_attributes import Described
from jackstay.observe.span_shapes import Value

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

_CLIENT, _INTERNAL = SpanKind.CLIENT.value + 1, SpanKind.INTERNAL.value + 1
"""OTLP counts from 1."""
_AFTER = b"\x7a\x00\x85\x01\x00\x01\x00\x00"
"""A status that says nothing, and the flag that the parent is known to be of this process."""
_SAMPLED = SpanContext(1, 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
_TIMES = struct.Struct("<BBBQBQ")
_EPOCH = datetime.fromtimestamp(0, UTC)
_LONG = 100
"""Characters; what has so many is hardly said twice."""


@dataclass(frozen=True, eq=False)
class Origin:
    """What all spans of a tracer have in common."""

    resource: Resource
    scope: InstrumentationScope

    @cached_property
    def around(self) -> tuple[bytes, bytes]:
        """Resource and scope as OpenTelemetry encodes them, without spans."""
        made = encode_spans([ReadableSpan("", _SAMPLED, resource=self.resource, instrumentation_scope=self.scope)])
        [resource] = made.resource_spans
        [scope] = resource.scope_spans
        scope.ClearField("spans")
        in_scope = scope.SerializeToString()
        resource.ClearField("scope_spans")
        return resource.SerializeToString(), in_scope


class EncodedSpan(NamedTuple):
    """A span that is over, as the processor's queue has it: of many objects each, the garbage collector would look at all,
    time and again."""

    origin: Origin
    data: bytes

    @property
    def context(self) -> SpanContext:
        """All that a batch processor looks at: it leaves out what is not sampled."""
        return _SAMPLED


class Sender:
    """Hands spans of both kinds to OpenTelemetry's exporter."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._send: Callable[[bytes], object] | None = getattr(getattr(exporter, "_client", None), "export", None)

    @property
    def takes_bytes(self) -> bool:
        """Whether it takes any of ours. (It is no promise of the exporter's.)"""
        return self._send is not None

    def send(self, spans: Sequence[ReadableSpan | EncodedSpan]) -> SpanExportResult:
        ended = [span for span in spans if isinstance(span, EncodedSpan)]
        others = [span for span in spans if not isinstance(span, EncodedSpan)]
        is_taken = not ended or self._is_sent(request_of(ended))
        result = self._exporter.export(others) if others else SpanExportResult.SUCCESS
        return result if is_taken else SpanExportResult.FAILURE

    def _is_sent(self, request: bytes) -> bool:
        return self._send is not None and bool(getattr(self._send(request), "success", False))

    def close(self) -> None:
        self._exporter.shutdown()


def request_of(spans: Iterable[EncodedSpan]) -> bytes:
    """An `ExportTraceServiceRequest`."""
    by_origin: dict[Origin, list[bytes]] = {}
    for span in spans:
        by_origin.setdefault(span.origin, []).append(span.data)
    return b"".join(_resource_spans(origin, b"".join(made)) for origin, made in by_origin.items())


def _resource_spans(origin: Origin, spans: bytes) -> bytes:
    resource, scope = origin.around
    return _field(0x0A, resource + _field(0x12, scope + spans))


def encoded(
    described: Described,
    trace_id: str,
    span_id: str,
    parent_id: str | None,
    started_at: datetime,
    finished_at: datetime,
) -> bytes | None:
    """None: there is a value in it that only OpenTelemetry may know what to do with."""
    ids = f"0a10{trace_id}1208{span_id}"
    span_kind, common = _CLIENT if described.is_client else _INTERNAL, described.common
    try:
        if common.form is None:
            common.form = _field(0x2A, common.name.encode()) + _attributes(common.attributes)
        parts = [
            bytes.fromhex(ids if parent_id is None else f"{ids}2208{parent_id}"),
            _TIMES.pack(0x30, span_kind, 0x39, ns(started_at), 0x41, ns(finished_at)),
            common.form,
            _attributes(described.own),
            _AFTER,
        ]
    except (TypeError, ValueError, OverflowError):
        return None
    return _field(0x12, b"".join(parts))


def _attributes(attributes: Mapping[str, Value]) -> bytes:
    return b"".join(
        _known_attribute(key, value)
        if type(value) is int or (type(value) is str and len(value) < _LONG)
        else _attribute(key, value)
        for key, value in attributes.items()
    )


def _attribute(key: str, value: Value) -> bytes:
    return _field(0x4A, _key(key) + _field(0x12, _value(value)))


_known_attribute = lru_cache(maxsize=512)(_attribute)
"""Of values that are not equal to one of another type; most have come before."""


@lru_cache(maxsize=256)  # names are few
def _key(key: str) -> bytes:
    return _field(0x0A, key.encode())


def _value(value: Value) -> bytes:
    match value:
        case str():
            return _field(0x0A, value.encode())
        case bool():
            return b"\x10\x01" if value else b"\x10\x00"
        case int():
            return b"\x18" + _varint(value)
        case float():
            return b"\x21" + struct.pack("<d", value)
        case list() | tuple():
            return _field(0x2A, b"".join(_field(0x0A, _value(each)) for each in value))
        case _:
            raise TypeError(type(value))


def _field(tag: int, body: bytes) -> bytes:
    size = len(body)
    return bytes((tag, size)) + body if size < 0x80 else bytes((tag,)) + _varint(size) + body


def _varint(number: int) -> bytes:
    if not -(1 << 63) <= number < 1 << 63:
        raise OverflowError(number)
    number &= (1 << 64) - 1
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def context_of(parent: TraceParent, *, random: bool = False) -> SpanContext:
    """`random`: the trace's id is of ours, and as random as samplers further on may want it."""
    flags = _flags(is_sampled=parent.is_sampled, random=random)
    return SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=False, trace_flags=flags)


@lru_cache
def _flags(*, is_sampled: bool, random: bool) -> TraceFlags:
    flags = TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT
    # Not in all versions.
    return TraceFlags(flags | getattr(TraceFlags, "RANDOM_TRACE_ID", 0) if random else flags)


def ns(at: datetime) -> int:
    # Not timestamp() * 1e9: a float has too few digits for microseconds of today.
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1000
