"""`jackstay log-tasks-outputs`: the tasks and methods of runs, with their states and the ids to replay them by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from jackstay.cli.environment import read_dotenv
from jackstay.cli.listing import when
from jackstay.cli.stored import NoRunsYet, chosen, existing_journal, top_runs
from jackstay.cli.terminal import print_table, say, stdout
from jackstay.core.failures import Failure
from jackstay.core.ids import SHORT
from jackstay.core.records import RunFilter, RunRow, StepRow
from jackstay.core.replay import Unit, units_of
from jackstay.engine.addressing import short_path, unit_id
from jackstay.engine.replaying import record_of
from jackstay.journal import Journal
from jackstay.observe.runs import STYLES, State, state_of

MARKS = {
    "succeeded": "✅",
    "opaque": "✅",
    "failed": "❌",
    "cancelled": "🚫",
    "not ended": "❓",
    "not begun": "–",
}
RUNS = 5
"""So many are listed when none is named."""
_LOOKED_AT = 50
_WIDTH = 60


@dataclass(frozen=True, slots=True)
class ListedRun:
    row: RunRow
    state: State
    units: tuple[Unit, ...]
    name: str
    """The shortest beginning of its id that no other run has."""


def log_tasks_outputs(wanted: str | None, *, limit: int, as_json: bool) -> int:
    """Prints the tasks of a run, or of the latest runs."""
    read_dotenv()
    try:
        with existing_journal() as journal:
            listed = list(listed_runs(journal, wanted, limit))
            place = journal.url
    except NoRunsYet as nothing:
        if wanted is not None:
            raise
        listed, place = [], ""
        say(str(nothing))
    if as_json:
        print(json.dumps([_to_json(run) for run in listed], indent=2))
        return 0
    for number, run in enumerate(listed):
        if number:
            print()
        _print(run)
    if place and not any(run.units for run in listed):
        say(f"no tasks in {place}")
    return 0


def listed_runs(journal: Journal, wanted: str | None, limit: int) -> Iterator[ListedRun]:
    if wanted is not None:
        yield from _with_items(journal, chosen(journal, wanted))
        return
    found = 0
    for row in top_runs(journal, RunFilter(limit=_LOOKED_AT)):
        for listed in _with_items(journal, row):
            if listed.units:
                yield listed
                found += 1
            if found == limit:
                return


def _with_items(journal: Journal, row: RunRow) -> Iterator[ListedRun]:
    """A batch has no tasks of its own; its items have."""
    for each in (row, *journal.children(row.id)):
        state = state_of(each, journal.lease(each.id) if each.status == "running" else None)
        yield ListedRun(each, state, tuple(units_of(record_of(journal, each))), addressable(journal, each.id))


def addressable(journal: Journal, run_id: str) -> str:
    """The beginning of a run's id that is no other run's, as long at least as ids are shown."""
    length = SHORT
    while length < len(run_id) and len(journal.find_runs(run_id[:length])) > 1:
        length += 1
    return run_id[:length].rstrip("-")


# --- for people ----------------------------------------------------------------------------------------------------


def _print(run: ListedRun) -> None:
    row = run.row
    head = Text.assemble(f"run {run.name}  ", (run.state, STYLES[run.state]), f"  {row.kind} {row.name}")
    head.append(f" · {when(row.created_at)}")
    if row.forked_from:
        head.append(f" · replay of {row.forked_from[:SHORT]}")
    stdout().print(head, soft_wrap=True)
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(4):
        table.add_column(no_wrap=True)
    for unit in run.units:
        task = unit_id(run.name, short_path(unit, run.units))
        depth = sum(unit.path.startswith(f"{other.path}/") for other in run.units)
        table.add_row(mark_of(unit), "  " * depth + name_of(unit), task, Text(said_of(unit.row), style="dim"))
    if run.units:
        print_table(table)


def mark_of(unit: Unit) -> str:
    return MARKS[status_of(unit)]


def status_of(unit: Unit) -> str:
    """Of its row; of one that has none: what can be told without."""
    if unit.row is not None:
        return unit.row.status
    return "not ended" if unit.begun else "not begun"


def name_of(unit: Unit) -> str:
    return f"{unit.label} ({unit.agent})" if unit.agent else f"{unit.label}()"


def said_of(row: StepRow | None) -> str:
    if row is None:
        return ""
    reused = "reused: " if row.origin_run_id not in (None, row.run_id) else ""
    text = " ".join((reused + output_of(row)).split())
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def output_of(row: StepRow) -> str:
    """A task's text, what a method returned, or the failure."""
    if row.error:
        failure = Failure.from_json(row.error)
        return f"{failure.type.rpartition(':')[2]}: {failure.message}"
    body = json.loads(row.result or "{}")
    value = body.get("raw") if row.kind == "task" else body.get("value")
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


# --- for programs --------------------------------------------------------------------------------------------------


def _to_json(run: ListedRun) -> dict[str, Any]:
    row = run.row
    return {
        "run": row.id,
        "kind": row.kind,
        "name": row.name,
        "state": run.state,
        "created_at": row.created_at.isoformat(),
        "replay_of": row.forked_from,
        "tasks": [_unit_json(row.id, unit) for unit in run.units],
    }


def _unit_json(run_id: str, unit: Unit) -> dict[str, Any]:
    row = unit.row
    return {
        "id": unit_id(run_id, unit.path),
        "kind": unit.kind,
        "name": unit.label,
        "agent": unit.agent or None,
        "status": status_of(unit),
        "reused_from": row.origin_run_id if row is not None else None,
        "output": output_of(row) if row is not None and not row.error else None,
        "error": output_of(row) if row is not None and row.error else None,
    }


def names_of(units: Sequence[Unit]) -> str:
    """For a sentence."""
    return ", ".join(unit.label for unit in units) or "nothing"
