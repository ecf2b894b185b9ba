"""The ids of tasks and methods: `RUN/PATH`, as `jackstay log-tasks-outputs` prints them, and what else is understood."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jackstay.core.ids import SHORT
from jackstay.core.paths import parent_of
from jackstay.core.records import RunFilter, RunRow
from jackstay.core.replay import Record, Unit, units_of
from jackstay.engine.replaying import Replay, record_of
from jackstay.errors import UnknownTask

if TYPE_CHECKING:
    from jackstay.journal import Journal

LATEST = 20
"""A name without a run is looked for in so many runs."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """A task or method of a run."""

    record: Record
    unit: Unit

    @property
    def run(self) -> RunRow:
        return self.record.run


def unit_id(run_id: str, path: str) -> str:
    """The id under which a task or method of a run can be replayed."""
    return f"{run_id}/{path}"


def short_path(unit: Unit, units: Iterable[Unit]) -> str:
    """The end of the unit's path, where no other of the run's has the same."""
    last = unit.path.rpartition("/")[2]
    same = [each for each in units if each.path == last or each.path.endswith(f"/{last}")]
    return last if len(same) == 1 else unit.path


def find_unit(journal: Journal, wanted: str, *, kind: str | None = None) -> Addressed:
    """The task or method that is meant: `RUN/PATH`, `RUN/NAME`, or a name or path in the latest run that has it.

    `RUN` is the beginning of an id, or a run key. Raises `UnknownTask`, which says what there is.
    """
    for run, path in _runs_named(journal, wanted):
        record = record_of(journal, run)
        return Addressed(record, _unit(record, path, kind))
    for run in journal.runs(RunFilter(limit=LATEST)):
        record = record_of(journal, run)
        found = _fitting(record, wanted, kind)
        if len(found) == 1:
            return Addressed(record, found[0])
        if found:
            raise _ambiguous(record, wanted, found)
    raise UnknownTask(
        f"there is no task {wanted!r} in the latest {LATEST} runs of {journal.url}; 'jackstay log-tasks-outputs' lists "
        "tasks with their ids (RUN/PATH)"
    )


def replay_of(found: Addressed, kind: str, name: str) -> tuple[Mapping[str, Any], Replay]:
    """The inputs of the crew or flow that the task or method belonged to, and what replays it as a run of its own."""
    scope = parent_of(found.unit.path)
    mine = next(each for each in found.record.kickoffs if each.path == scope)
    if (mine.kind, mine.name) != (kind, name):
        raise UnknownTask(
            f"{unit_id(found.run.id[:SHORT], found.unit.path)} belongs to {mine.kind} '{mine.name}', not to {kind} '{name}'"
        )
    return mine.inputs, Replay(found.run.id, found.unit.path, scope)


def _runs_named(journal: Journal, wanted: str) -> Iterator[tuple[RunRow, str]]:
    """A run key may have slashes in it, too."""
    head, slash, rest = wanted.partition("/")
    while slash:
        rows = journal.find_runs(head)
        exact = [row for row in rows if head in (row.id, row.run_key)]
        rows = exact if len(exact) == 1 else rows
        if len(rows) > 1:
            listed = ", ".join(row.id for row in rows[:5])
            raise UnknownTask(f"{head!r} is the beginning of {len(rows)} runs ({listed}); give more of the id")
        if rows:
            yield rows[0], rest
        more, slash, rest = rest.partition("/")
        head = f"{head}/{more}"


def _unit(record: Record, path: str, kind: str | None) -> Unit:
    found = _fitting(record, path, kind)
    if len(found) == 1:
        return found[0]
    if found:
        raise _ambiguous(record, path, found)
    known = ", ".join(unit.path for unit in units_of(record) if kind in (None, unit.kind)) or "none"
    raise UnknownTask(f"run {record.run.id[:SHORT]} has no {kind or 'task'} {path!r}; it has: {known}")


def _fitting(record: Record, wanted: str, kind: str | None) -> list[Unit]:
    units = [unit for unit in units_of(record) if kind in (None, unit.kind)]
    exact = [unit for unit in units if unit.path == wanted]
    return exact or [unit for unit in units if wanted == unit.label or unit.path.endswith(f"/{wanted}")]


def _ambiguous(record: Record, wanted: str, found: list[Unit]) -> UnknownTask:
    listed = ", ".join(unit_id(record.run.id[:SHORT], unit.path) for unit in found)
    return UnknownTask(f"{wanted!r} may be each of {listed}; give the whole id")
