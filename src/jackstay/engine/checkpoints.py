"""Checkpoints: points in a run's journal, and how a kickoff begins at one. Nothing is stored for them.

`RUN` is all that the run has, `RUN/PATH` what was on record when that task or method had completed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from jackstay.core.contents import has_completed
from jackstay.core.ids import SHORT
from jackstay.core.records import RunRow
from jackstay.core.replay import Record, Unit
from jackstay.engine.addressing import Addressed, find_unit, replay_of, unit_id
from jackstay.engine.replaying import Replay, record_of
from jackstay.errors import InputsError, UnknownTask

if TYPE_CHECKING:
    from jackstay.journal import Journal


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`unit`: the task or method that it stands behind; None: the end of what the run has."""

    record: Record
    unit: Unit | None = None

    @property
    def run(self) -> RunRow:
        return self.record.run

    @property
    def id(self) -> str:
        return self.run.id if self.unit is None else unit_id(self.run.id, self.unit.path)


@dataclass(frozen=True, slots=True)
class Origin:
    """The checkpoint that a kickoff was asked to begin at. `anew`: by a new run in any case (`fork`)."""

    checkpoint: str
    anew: bool = False
    branch: str | None = None


@dataclass(frozen=True, slots=True)
class Beginning:
    """How a kickoff gets there: it goes on with a run, or a new run begins with what another one has."""

    inputs: Mapping[str, Any]
    """Those of the recorded kickoff."""
    resume: str | None = None
    replay: Replay | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)


def find_checkpoint(journal: Journal, wanted: str) -> Checkpoint:
    """The checkpoint with that id. Raises `UnknownTask`, which says what there is."""
    rows = journal.find_runs(wanted)
    exact = [row for row in rows if wanted in (row.id, row.run_key)]
    rows = exact or rows
    if len(rows) > 1:
        listed = ", ".join(row.id for row in rows[:5])
        raise UnknownTask(f"{wanted!r} is the beginning of {len(rows)} runs ({listed}); give more of the id")
    if rows:
        return Checkpoint(record_of(journal, rows[0]))
    if "/" not in wanted:
        raise UnknownTask(f"there is no run {wanted!r} in {journal.url}; 'jackstay checkpoint list' lists checkpoints")
    found = find_unit(journal, wanted)
    if not has_completed(found.unit):
        raise UnknownTask(
            f"{unit_id(found.run.id[:SHORT], found.unit.path)} has not completed, so there is no checkpoint behind it; "
            f"'jackstay checkpoint list {found.run.id[:SHORT]}' lists those that there are"
        )
    return Checkpoint(found.record, found.unit)


def beginning(
    journal: Journal, origin: Origin, kind: str, name: str, *, run_key: str | None, resume: str | None
) -> Beginning:
    """How the crew or flow of that name begins there. Raises `UnknownTask`."""
    if run_key is not None or resume is not None:
        raise InputsError("from_checkpoint= says which run it is about: leave run_key= and resume= out")
    found = find_checkpoint(journal, origin.checkpoint)
    tags = {} if origin.branch is None else {"branch": origin.branch}
    if found.unit is not None:
        inputs, replay = replay_of(Addressed(found.record, found.unit), kind, name)
        return Beginning(inputs, replay=replace(replay, after=True), tags=tags)
    if not origin.anew:
        return Beginning(json.loads(found.run.inputs or "{}"), resume=found.run.id)
    mine = [kickoff for kickoff in found.record.kickoffs if (kickoff.kind, kickoff.name) == (kind, name)]
    if len(mine) != 1:
        what = f"{len(mine)} kickoffs" if mine else "no kickoff"
        raise UnknownTask(
            f"run {found.run.id[:SHORT]} has {what} of {kind} '{name}'; name a task or method of it: RUN/PATH, as "
            "'jackstay checkpoint list' lists them"
        )
    # Not without a target: that is how a run goes on with a finished one whose definition has changed (`target_of`).
    last = found.record.steps[-1].path if found.record.steps else ""
    return Beginning(mine[0].inputs, replay=Replay(found.run.id, last, mine[0].path, after=True), tags=tags)
