"""A new run that begins with what another one has recorded: replays and forks (what is copied: `core.replay`)."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from jackstay.core.canonical import ordered_json
from jackstay.core.forgetting import refuse_forgotten
from jackstay.core.ids import SHORT
from jackstay.core.records import RunRow
from jackstay.core.replay import Plan, Record, kickoffs_of, plan
from jackstay.engine.definitions import compare, stored_outline
from jackstay.errors import AlreadyRunning, NotFoundError

if TYPE_CHECKING:
    from jackstay.engine.asked import Kickoff
    from jackstay.engine.runtime import Runtime
    from jackstay.journal import Journal


@dataclass(frozen=True, slots=True)
class Replay:
    """From which step of which run. `scope`: the kickoff inside that run which becomes a run of its own. `after`: the step
    is not done again, and what was on record when it had ended is kept (`core.replay.plan`)."""

    run_id: str
    target: str
    scope: str = ""
    after: bool = False


def read_record(journal: Journal, run: RunRow) -> Record:
    """All that a replay is decided from. Raises `AlreadyRunning` while somebody drives the run, `ContentForgotten` if
    nothing is left of it."""
    refuse_forgotten(run)
    lease = journal.lease(run.id)
    if run.status == "running" and lease is not None and lease.live:
        raise AlreadyRunning(
            f"run {run.id[:SHORT]} is being driven; wait until it has ended, or stop it: jackstay cancel {run.id[:SHORT]}"
        )
    return record_of(journal, run)


def record_of(journal: Journal, run: RunRow) -> Record:
    """The run as it is recorded at this moment."""
    steps = journal.steps(run.id)
    outlines = {}
    for fingerprint in {kickoff.fingerprint for kickoff in kickoffs_of(run, steps) if kickoff.fingerprint}:
        try:
            outlines[fingerprint] = json.loads(journal.blob(fingerprint))
        except NotFoundError:
            continue  # a script has none, nor what an earlier version recorded
    return Record(run, steps, outlines)


async def plan_of(runtime: Runtime, kickoff: Kickoff, of: Replay) -> tuple[RunRow, Plan]:
    """The run that is replayed, and what of it is copied. Says what has changed since. Raises `NotFoundError`."""
    source = await runtime.off_loop(runtime.journal.run, of.run_id)
    if source is None:
        raise NotFoundError(f"there is no run {of.run_id} in {runtime.journal.url}")
    stored, known = await runtime.off_loop(read_record, runtime.journal, source), runtime.masked
    record = replace(stored, run=known.revealed(stored.run), steps=tuple(map(known.revealed, stored.steps)))
    mine = next((each for each in record.kickoffs if each.path == of.scope), None)
    if mine is None:
        raise NotFoundError(f"run {of.run_id[:SHORT]} has recorded no kickoff at {of.scope!r}")
    if kickoff.outline is not None:
        record = replace(record, outlines={kickoff.fingerprint: stored_outline(runtime, kickoff), **record.outlines})
    changed = await compare(runtime, source.id, of.scope, recorded=mine.fingerprint, kickoff=kickoff)
    parts = [f"{of.scope}/{change.part}" if of.scope else change.part for change in changed if change.part]
    inputs = _plain(kickoff.inputs)
    anew = {name: value for name, value in inputs.items() if mine.inputs.get(name) != value}
    return source, plan(record, of.target, scope=of.scope, inputs=anew, changed=parts, after=of.after)


def _plain(inputs: Any) -> dict[str, Any]:
    """As they come out of the journal."""
    plain: dict[str, Any] = json.loads(ordered_json(dict(inputs)))
    return plain
