"""Every kind of run leaves one tree of spans, and that is the journal's; sent later, it is the same again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jackstay.core.masking import Masking, Secrets
from jackstay.core.records import RunFilter
from jackstay.observe.otel import Spans, collecting
from jackstay.observe.past_spans import tell_past
from jackstay.observe.span_attributes import Describing
from jackstay.observe.span_shapes import Shapes
from tests.e2e.ledger import Ledger
from tests.e2e.tracing.kinds import KINDS
from tests.e2e.tracing.receiver import Told, told
from tests.e2e.tracing.trees import differences

MORE_THAN_ONE_EPOCH = {"waited_for_a_person", "crew_that_waited", "failed_and_resumed"}


def test_there_are_thirty_kinds():
    assert len(KINDS) >= 30


@pytest.mark.parametrize("name", KINDS)
def test_spans_of_a_run_are_the_tree_of_its_journal(name, traced, kept, stub):
    KINDS[name](stub)

    spans = told(kept.get_finished_spans())
    runs = Ledger.of(traced).runs
    assert runs
    for run in runs:
        assert differences(run, traced.journal.steps(run.id, latest_only=False), spans) == []
    assert max(span.epoch for span in spans if span.epoch) == (2 if name in MORE_THAN_ONE_EPOCH else 1)


@pytest.mark.parametrize("name", KINDS)
def test_spans_that_are_sent_later_are_those_that_were_made_then(name, traced, kept, stub):
    KINDS[name](stub)

    live = told(kept.get_finished_spans())
    for run in traced.journal.runs(RunFilter()):
        past = _sent_later(traced, run)
        mine = [span for span in live if span.attributes["jackstay.run.id"] == run.id]
        assert _comparable(past) == _comparable(mine)


def _sent_later(runtime, run) -> list[Told]:
    provider, collected = collecting()
    masking = Masking(Secrets())
    tell_past(
        Spans(provider), Describing(run, Shapes(lambda: masking)), run, runtime.journal.steps(run.id, latest_only=False)
    )
    return told(collected)


def _comparable(spans: list[Told]) -> dict[str, Told]:
    """Without what is not recorded where several processes have driven a run: when each began and how it ended."""
    several = max(span.epoch or 1 for span in spans) > 1
    unknown: dict[str, Any] = {"started_ns": 0, "finished_ns": 0, "attributes": {}, "status": "", "events": ()}
    return {
        span.span_id: replace(span, resource={}, **(unknown if several and span.epoch is not None else {}))
        for span in spans
    }
