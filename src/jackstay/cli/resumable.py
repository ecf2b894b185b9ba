"""`jackstay doctor --runs`: could the code, as it is now, go on with the runs that have not finished?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text

from jackstay.cli.defined import Defined, Unloadable, definitions_of
from jackstay.cli.environment import read_dotenv
from jackstay.cli.listing import NOT_SUCCEEDED
from jackstay.cli.outcome import ExitCode
from jackstay.cli.stored import NoRunsYet, existing_journal, top_runs
from jackstay.cli.target import Target
from jackstay.cli.terminal import print_table, say
from jackstay.core.ids import SHORT
from jackstay.core.outlines import Change, changes, likeness
from jackstay.core.records import RunFilter, RunRow
from jackstay.core.replay import Record, RecordedKickoff
from jackstay.engine.replaying import record_of
from jackstay.journal import Journal
from jackstay.observe.figures import plural
from jackstay.observe.runs import STYLES, State, shortest, state_of

_MOST = 1000
_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("–", "dim")}


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one kickoff, or of a whole program. `ok` None: it cannot be told."""

    text: str
    ok: bool | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one run."""

    row: RunRow
    state: State
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool | None:
        found = [finding.ok for finding in self.findings]
        return False if False in found else None if None in found else True

    def to_json(self) -> dict[str, Any]:
        row = self.row
        findings = [{"ok": finding.ok, "text": finding.text} for finding in self.findings]
        return {
            "id": row.id,
            "kind": row.kind,
            "name": row.name,
            "state": self.state,
            "ok": self.ok,
            "findings": findings,
        }


def examine_runs(*, as_json: bool) -> int:
    """Exit code 1 if there is a run that could not be gone on with."""
    read_dotenv()
    try:
        with existing_journal() as journal:
            verdicts = list(_verdicts(journal))
            place = journal.url
    except NoRunsYet as nothing:
        verdicts, place = [], ""
        say(str(nothing))
    if as_json:
        print(json.dumps([verdict.to_json() for verdict in verdicts], indent=2))
    elif verdicts:
        print_table(_table(verdicts))
    elif place:
        say(f"every run in {place} has finished, or is being driven")
    lost = sum(verdict.ok is False for verdict in verdicts)
    if lost:
        sys.stdout.flush()  # the list stands above its sum, also where both go into one file
        say(f"{plural(lost, 'run')} cannot be resumed by the code as it is now", "red")
    return ExitCode.FAILED if lost else ExitCode.OK


def _verdicts(journal: Journal) -> Iterator[Verdict]:
    known: dict[Target, list[Defined] | Unloadable] = {}
    for row in top_runs(journal, RunFilter(status=NOT_SUCCEEDED, limit=_MOST)):
        state = state_of(row, journal.lease(row.id) if row.status == "running" else None)
        if state in ("running", "queued"):
            continue
        target = Target.from_entry(json.loads(row.entry or "{}"))
        if target is None:
            how = f'go on with it there, by kickoff(resume="{row.id[:SHORT]}")'
            yield Verdict(row, state, (Finding(f"made in a console or a notebook: {how}", ok=None),))
            continue
        if target not in known:
            known[target] = definitions_of(target)
        yield Verdict(row, state, tuple(_findings(record_of(journal, row), target, known[target])))


def _findings(record: Record, target: Target, program: list[Defined] | Unloadable) -> Iterator[Finding]:
    if isinstance(program, Unloadable):
        yield Finding(program.reason, ok=False)
        return
    kickoffs = record.kickoffs
    replaced = {kickoff.continues for kickoff in kickoffs}
    told = [each for each in kickoffs if each.kind in ("crew", "flow") and each.path not in replaced]
    by_definition = {(each.kind, each.name, each.fingerprint): each for each in told}
    for kickoff in by_definition.values():
        yield from _compared(record, kickoff, program)
    if not told:
        yield Finding(f"{target.name} can be loaded; the run has recorded no kickoff", ok=True)


def most_alike(old: Any, candidates: Sequence[Defined]) -> Defined:
    """Of definitions of one name the one that has most in common with what was recorded."""
    return max(candidates, key=lambda each: likeness(old, each.outline))


def _compared(record: Record, kickoff: RecordedKickoff, program: Sequence[Defined]) -> Iterator[Finding]:
    what = f"{kickoff.kind} '{kickoff.name}'"
    same_name = [each for each in program if (each.kind, each.name) == (kickoff.kind, kickoff.name)]
    if any(each.fingerprint == kickoff.fingerprint for each in same_name):
        yield Finding(f"{what} is as it was", ok=True)
        return
    if not same_name:
        yield Finding(
            f"{what}: no module defines it; if a function makes it, that cannot be told before it runs", ok=None
        )
        return
    old = record.outline(kickoff)
    if old is None:
        yield Finding(f"{what} has changed; the run was recorded by a version that did not note how it was", ok=None)
        return
    now = most_alike(old, same_name)
    if likeness(old, now.outline) == 0:
        yield Finding(f"{what} has nothing in common any more with the one that was run", ok=False)
        return
    for change in changes(old, now.outline):
        yield Finding(f"{what} has changed: {_consequence(change)}", ok=not change.gone)


def _consequence(change: Change) -> str:
    return change.text if change.gone or change.part is None else f"{change.text} (it is asked anew)"


def _table(verdicts: Sequence[Verdict]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for fold in (False, False, False, True):
        table.add_column(no_wrap=not fold, overflow="fold")
    ids = [verdict.row.id for verdict in verdicts]
    for verdict in verdicts:
        row, (mark, style) = verdict.row, _MARKS[verdict.ok]
        told = Text(f"{row.kind} {row.name}")
        for finding in verdict.findings:
            told.append(f"\n{_MARKS[finding.ok][0]} {finding.text}", style=_MARKS[finding.ok][1])
        state = Text(verdict.state, style=STYLES[verdict.state])
        table.add_row(Text(mark, style=style), shortest(row.id, ids), state, told)
    return table
