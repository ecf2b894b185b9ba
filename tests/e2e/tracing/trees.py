"""A run's spans against its journal: the same tree, the same times."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from jackstay.cli.tree import flat, tree_of
from jackstay.core.paths import parent_of
from jackstay.core.records import RunRow, StepRow
from jackstay.observe.otlp import ns as _ns
from tests.e2e.tracing.receiver import Told


def differences(run: RunRow, rows: Sequence[StepRow], spans: Iterable[Told]) -> list[str]:
    """What is not alike, in words. `rows`: all revisions."""
    mine = [span for span in spans if span.attributes.get("jackstay.run.id") == run.id]
    by_id = {span.span_id: span for span in mine}
    own = [row for row in rows if row.origin_run_id is None]
    found = [] if len(by_id) == len(mine) else ["an id was given twice"]
    found += _steps(own, mine) + _scopes(own, mine) + _roots(mine)
    for span in mine:
        found += _place(span, by_id)
    if len({span.trace_id for span in mine}) != 1:
        found.append("not one trace")
    return found


def _steps(rows: Sequence[StepRow], spans: Sequence[Told]) -> list[str]:
    """One span per recorded step, with its kind, revision, outcome and times."""
    expected: Counter[tuple[object, ...]] = Counter(
        (row.path, row.kind, row.rev, row.status, _ns(row.started_at), _ns(row.finished_at))
        for row in rows
        if row.kind != "input"
    )
    told: Counter[tuple[object, ...]] = Counter(
        (
            span.path,
            span.kind,
            span.attributes["jackstay.step.revision"],
            span.attributes["jackstay.step.status"],
            span.started_ns,
            span.finished_ns,
        )
        for span in spans
        if span.path is not None and _is_step(span)
    )
    missing, extra = expected - told, told - expected
    return [f"no span: {one}" for one in missing] + [f"no row: {one}" for one in extra]


def _scopes(rows: Sequence[StepRow], spans: Sequence[Told]) -> list[str]:
    """The journal's tree has nodes for scopes that have not ended; so have the spans."""
    nodes = {node.path for node in flat(tree_of(rows, ())) if node.path}
    paths = {span.path for span in spans if span.path and (span.kind != "agent" or _is_step(span))}
    return [] if nodes == paths else [f"nodes {sorted(nodes ^ paths)}"]


def _roots(spans: Sequence[Told]) -> list[str]:
    epochs = sorted(span.epoch for span in spans if span.epoch is not None)
    return [] if epochs == list(range(1, len(epochs) + 1)) and epochs else [f"roots {epochs}"]


def _place(span: Told, by_id: dict[str, Told]) -> list[str]:
    """Its parent is what the journal says, with an agent between them at most."""
    if span.path is None:
        first = next(each for each in by_id.values() if each.epoch == 1)
        ok = span.epoch == 1 or (span.parent_id == first.span_id and len(span.links) >= 1)
        return [] if ok else [f"root {span.epoch} stands alone"]
    around = by_id.get(span.parent_id or "")
    if around is not None and around.kind == "agent" and not _is_step(around):
        around = by_id.get(around.parent_id or "")
    wanted = parent_of(span.path) if span.kind != "agent" or _is_step(span) else span.path
    if around is None:
        return [f"{span.path} has no parent"]
    if (around.path or "") != wanted:
        return [f"{span.path} is in {around.path}"]
    return []


def _is_step(span: Told) -> bool:
    return "jackstay.step.revision" in span.attributes
