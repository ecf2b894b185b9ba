"""The spans of runs that are over: the same as when they happened, with the recorded times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from jackstay.core.records import RunRow, StepRow
from jackstay.core.trace_ids import SpanIds, TraceParent, parent_in, source_in
from jackstay.observe.span_attributes import Describing
from jackstay.observe.spans import epochs_of, placed_of

if TYPE_CHECKING:
    from jackstay.observe.otel import Spans


def tell_past(spans: Spans, describing: Describing, run: RunRow, rows: Sequence[StepRow]) -> None:
    """All spans of a run. `rows`: all revisions of its steps."""
    epochs = epochs_of(rows)
    if not epochs:
        epochs = {1: []}
    for epoch, made in epochs.items():
        ids = SpanIds(run.id, epoch, parent_in(run.tags))
        for placed in placed_of(ids, made):
            spans.tell(describing, placed, trace_id=ids.trace)
        is_last = epoch == max(epochs)
        # How an epoch before the last one has ended is not recorded.
        how = (run.status, run.reason, run.error) if is_last else (None, None, None)
        past_root(spans, describing, run, ids, made, how, finished_at=run.finished_at if is_last else None)


def past_root(
    spans: Spans,
    describing: Describing,
    run: RunRow,
    ids: SpanIds,
    rows: Sequence[StepRow],
    how: tuple[str | None, str | None, str | None],
    *,
    finished_at: datetime | None = None,
) -> None:
    """The root of an epoch that is over. `how`: status, reason and error; `finished_at`: None where only its last step is
    known."""
    parent, links = around_root(ids, run)
    began = min((row.started_at for row in rows), default=run.started_at or run.created_at)
    if ids.epoch == 1:
        began = run.started_at or began
    root = spans.begin(
        describing.root(ids.epoch), (ids.trace, ids.of("")), parent=parent, started_at=began, links=links
    )
    attributes, failed = describing.ending(*how)
    last = max((row.finished_at for row in rows), default=began)
    spans.end(root, finished_at or last, failed=failed, attributes=attributes)


def around_root(ids: SpanIds, run: RunRow) -> tuple[TraceParent | None, list[TraceParent]]:
    """Under which span an epoch's root stands, and which spans it is linked to: the epoch before it, or the run that it
    replays."""
    if ids.epoch > 1:
        return _root(ids, 1), [_root(ids, ids.epoch - 1)]
    if run.forked_from is not None:
        return ids.parent, [_root(SpanIds(run.forked_from, 1, source_in(run.tags)), 1)]
    return ids.parent, []


def _root(ids: SpanIds, epoch: int) -> TraceParent:
    return TraceParent(ids.trace, replace(ids, epoch=epoch).of(""), ids.parent is None or ids.parent.is_sampled)
