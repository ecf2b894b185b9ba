"""Spans that go to our own provider when they are over are those that the SDK would have made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from jackstay.observe.otel import Spans, collecting
from jackstay.observe.span_attributes import Described
from jackstay.observe.spans import Placed
from jackstay.observe.trace_source import OwnProvider

TRACE, SPAN, PARENT = "01a219d8678f7e88842a02050e64d529", "94d5179788c42696", "d57a77696f6989c0"
BEGIN = datetime(2026, 11, 26, 3, 0, 0, 123456, tzinfo=UTC)
PLACED = Placed("research#1/llm#1", SPAN, PARENT, BEGIN, BEGIN + timedelta(seconds=1.5))
TOLD = Described("chat gpt-4o", {"model": "gpt-4o", "tokens": 93, "cost": 0.5, "why": ["stop"]}, is_client=True)


def test_span_that_is_over_is_sent_as_the_sdk_would_send_it():
    begun, over = _sent(), _sent(directly=True)

    assert over == begun


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


def _sent(*, directly: bool = False) -> Any:
    provider, spans = collecting()
    ended: list[Any] = []
    Spans(provider, ended=ended.append if directly else None).tell(TOLD, PLACED, trace_id=TRACE)
    assert bool(ended) is directly
    return encode_spans(ended or spans)
