"""`jackstay export otlp`: sends the spans of a run that is in the journal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jackstay.cli.environment import read_dotenv
from jackstay.cli.masked import masked_by
from jackstay.cli.outcome import ExitCode
from jackstay.cli.stored import chosen, existing_journal
from jackstay.cli.terminal import say
from jackstay.core.ids import SHORT
from jackstay.core.messages import Message
from jackstay.core.records import RunRow, StepRow
from jackstay.engine.masked import Masked
from jackstay.errors import MissingExtraError, NotFoundError
from jackstay.journal import Journal
from jackstay.observe import trace_source
from jackstay.observe.figures import plural
from jackstay.observe.past_spans import tell_past
from jackstay.observe.span_attributes import Describing
from jackstay.observe.span_shapes import Shapes

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

AT_ONCE = 200
"""Spans in one request: receivers refuse bodies of more than a few MB."""


def export_otlp(wanted: str | None) -> int:
    """Sends the run, and the items of a batch with it. The exit code is 1 if the receiver did not take all of it."""
    read_dotenv()
    masked = masked_by(os.environ)
    masked.load()
    with existing_journal() as journal:
        run = chosen(journal, wanted)
        spans = [span for each in (run, *journal.children(run.id)) for span in _spans_of(journal, each, masked)]
    return _send(run, spans)


def _spans_of(journal: Journal, run: RunRow, masked: Masked) -> Sequence[ReadableSpan]:
    try:
        from jackstay.observe.otel import Spans, collecting  # needs the extra
    except ImportError:
        text = f"spans cannot be made without OpenTelemetry's SDK: {trace_source.EXTRA}"
        raise MissingExtraError(text) from None

    def asked(row: StepRow) -> Sequence[Message]:
        try:
            return journal.messages(row.request_ref) if row.request_ref else ()
        except NotFoundError:  # erased by `jackstay forget`
            return ()

    content = asked if trace_source.wants_content(os.environ) else None
    provider, collected = collecting()
    describing = Describing(run, Shapes(lambda: masked.now), asked=content)
    tell_past(Spans(provider), describing, run, journal.steps(run.id, latest_only=False))
    return collected


def _send(run: RunRow, spans: Sequence[ReadableSpan]) -> int:
    from opentelemetry.sdk.trace.export import SpanExportResult  # the extra, as above

    hushed, sender = trace_source.Hushed(), trace_source.sending()
    try:
        for at in range(0, len(spans), AT_ONCE):
            with hushed:
                result = sender.send(spans[at : at + AT_ONCE])
            if result is not SpanExportResult.SUCCESS:
                say(
                    f"the receiver took {at} of {plural(len(spans), 'span')}{hushed.why}; OTEL_EXPORTER_OTLP_ENDPOINT says where it is, "
                    "OTEL_EXPORTER_OTLP_HEADERS who you are"
                )
                return ExitCode.FAILED
    finally:
        sender.close()
    say(f"sent {plural(len(spans), 'span')} of run {run.id[:SHORT]}")
    return ExitCode.OK
