"""What a replay takes from the record and what it does again: decided from a run's rows and outlines alone.

Dropped are the target, what depends on it, and the rows of the scopes around it, which are entered again. Everything
else is copied into the new run, where a row still answers only if its question is the same.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from jackstay.core.canonical import canonical_json
from jackstay.core.feedback import HumanFeedbackResult
from jackstay.core.flow_state import TELLS, StateRecord, scope_of
from jackstay.core.outlines import Completion, TaskOutline, dependents, follows, tasks_of
from jackstay.core.paths import parent_of
from jackstay.core.records import RunRow, StepRow
from jackstay.core.values import class_name

KICKOFF = "@kickoff#1"
"""The row, inside a nested kickoff's scope, that says what was kicked off."""
STATE = "@state#1"
BEFORE_KICKOFF, AFTER_KICKOFF = "@before_kickoff", "@after_kickoff"
"""The steps of a crew's kickoff callbacks."""
INPUT_HOOKS, OUTPUT_HOOKS = "@input", "@output"
"""The steps in which hooks have left inputs and outputs as they are."""


@dataclass(frozen=True, slots=True)
class RecordedKickoff:
    """A kickoff of which a run tells: the run itself (`path` empty), or one inside it."""

    path: str
    kind: str
    name: str
    fingerprint: str
    inputs: Mapping[str, Any]
    continues: str | None = None
    """The path of an earlier kickoff in whose place it stands, because the definition has changed."""
    seq: int = 0

    def to_json(self) -> str:
        """The request of its `KICKOFF` row."""
        body = {"kind": self.kind, "name": self.name, "fingerprint": self.fingerprint, "inputs": self.inputs}
        return canonical_json(body | ({"continues": self.continues} if self.continues else {}))


def kickoff_in(row: StepRow) -> RecordedKickoff | None:
    """The kickoff that a row tells of."""
    if row.kind != "input" or row.name != "kickoff":
        return None
    return RecordedKickoff(parent_of(row.path), **json.loads(row.request or "{}"), seq=row.seq)


def kickoffs_of(run: RunRow, steps: Iterable[StepRow]) -> list[RecordedKickoff]:
    """The run's own, then those inside it in the order in which they began."""
    inputs = json.loads(run.inputs) if run.inputs else {}
    own = RecordedKickoff("", run.kind, run.name, run.fingerprint or "", inputs)
    return [own, *(found for step in steps if (found := kickoff_in(step)) is not None)]


@dataclass(frozen=True, slots=True)
class Record:
    """A run as it is recorded. `steps`: the newest revision of each, in order of completion. `outlines`: by
    fingerprint, as far as they are known."""

    run: RunRow
    steps: Sequence[StepRow]
    outlines: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kickoffs(self) -> list[RecordedKickoff]:
        return kickoffs_of(self.run, self.steps)

    def outline(self, kickoff: RecordedKickoff) -> Any:
        """None: it was recorded by a version that did not store it."""
        return self.outlines.get(kickoff.fingerprint)

    def tasks(self, kickoff: RecordedKickoff) -> list[TaskOutline]:
        outline = self.outline(kickoff) if kickoff.kind == "crew" else None
        return tasks_of(outline) if outline is not None else []


@dataclass(frozen=True, slots=True)
class Unit:
    """A task or a flow's method: what replays are told in. `row` is None if it has not ended; `begun`: something in it
    is recorded."""

    path: str
    kind: str
    label: str
    agent: str = ""
    row: StepRow | None = None
    begun: bool = False


def units_of(record: Record) -> list[Unit]:
    """The tasks of all crews (those that never began, too) and the methods of all flows, in order; what was kicked off
    inside one of them directly after it."""
    rows = {row.path: row for row in record.steps}
    begun = {parent_of(path) for path in rows}
    kickoffs = record.kickoffs
    replaced = {kickoff.continues for kickoff in kickoffs}
    found = {each.path: list(_units_in(record, each, rows, begun)) for each in kickoffs if each.path not in replaced}
    known = {unit.path for units in found.values() for unit in units}
    inside: dict[str, list[str]] = {}
    for path in found:
        inside.setdefault(_around(path, known), []).append(path)

    def below(around: str) -> Iterator[Unit]:
        for path in inside.get(around, ()):
            for unit in found[path]:
                yield unit
                yield from below(unit.path)

    return list(below(""))


def _around(path: str, units: Collection[str]) -> str:
    """The unit in which a kickoff happened; empty if in none."""
    while path and path not in units:
        path = parent_of(path)
    return path


def _units_in(
    record: Record, kickoff: RecordedKickoff, rows: Mapping[str, StepRow], begun: Collection[str]
) -> Iterator[Unit]:
    if kickoff.kind == "crew":
        for task in record.tasks(kickoff):
            path = _below(kickoff.path, task.part)
            yield Unit(path, "task", task.label, task.agent, rows.get(path), path in rows or path in begun)
    else:
        methods = [row for row in record.steps if row.kind == "method" and parent_of(row.path) == kickoff.path]
        for row in sorted(methods, key=lambda row: row.started_at):
            yield Unit(row.path, "method", row.name, "", row, begun=True)


def target_of(run: RunRow) -> str:
    """The step of its source that a replay began at (or behind); empty if it is none, or if it goes on with a finished
    run after a change of the definition."""
    target: str = json.loads(run.tags or "{}").get("replay", {}).get("target", "")
    return target


def is_behind(run: RunRow) -> bool:
    """Whether it began behind that step, at a checkpoint."""
    return bool(json.loads(run.tags or "{}").get("replay", {}).get("after", False))


# --- the plan ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plan:
    """`copied`: the rows that the new run begins with. `again`, `reused`: its units, by path in the source run."""

    copied: tuple[StepRow, ...]
    again: tuple[Unit, ...]
    reused: tuple[Unit, ...]


def plan(
    record: Record,
    target: str,
    *,
    scope: str = "",
    inputs: Mapping[str, Any] | None = None,
    changed: Iterable[str] = (),
    after: bool = False,
) -> Plan:
    """What a replay from `target` (a step's path) copies. `scope`: the part of the run that becomes the new run.
    `inputs`: those that are given anew. `changed`: further steps whose question has changed. `after`: all that was on
    record when the target had ended is kept, the target too; without a target all that there is."""
    known_then = until(record, target) if after else record
    dropped = _Dropped(known_then)
    for path in (*changed,) if after else (target, *changed):
        dropped.from_step(path)
    if inputs:
        dropped.for_inputs(scope, inputs)
    for kickoff in known_then.kickoffs:
        if kickoff.continues:  # what it had is where it was taken to
            dropped.whole(kickoff.continues)
    last = _last_seq(known_then.steps)
    while True:
        copied = [
            row
            for row in known_then.steps
            if _inside(row.path, scope) and not dropped.covers(row.path) and _answers(row, last)
        ]
        unfit = _unfit(known_then.steps, copied)
        if unfit is None:
            break
        dropped.from_step(unfit)
    units = [unit for unit in units_of(record) if _inside(unit.path, scope)]
    known = {row.path for row in copied}
    again = tuple(unit for unit in units if unit.path not in known)
    reused = tuple(unit for unit in units if unit.path in known)
    return Plan(
        tuple(_moved(row, record.run, scope) for row in copied if row.path != f"{scope}/{KICKOFF}"), again, reused
    )


def _unfit(steps: Iterable[StepRow], copied: Iterable[StepRow]) -> str | None:
    """The first method that tells a change of a state which, without the rows that are dropped, nobody has made."""
    if not any(row.kind in TELLS and '"edits":' in (row.result or "") for row in copied):
        return None
    states = {parent_of(row.path): row for row in steps if row.kind == "input" and row.name == "state"}
    known = {path: StateRecord(json.loads(row.result or "{}")) for path, row in states.items()}
    for row in copied:
        if row.kind in TELLS and row.status == "succeeded":
            try:
                known.setdefault(scope_of(row) or "", StateRecord({})).take(json.loads(row.result or "{}"))
            except ValueError:
                return row.path if row.kind == "method" else parent_of(row.path)
    return None


def until(record: Record, target: str) -> Record:
    """As it was when the target had just ended; without a target as it is."""
    if not target:
        return record
    end = next(row.seq for row in record.steps if row.path == target)
    return replace(record, steps=[row for row in record.steps if row.seq <= end])


def _moved(row: StepRow, run: RunRow, scope: str) -> StepRow:
    path = row.path[len(scope) + 1 :] if scope else row.path
    return replace(row, path=path, rev=1, epoch=1, origin_run_id=row.origin_run_id or run.id)


def _answers(row: StepRow, last: Mapping[str, int]) -> bool:
    """A success; or a failure after which the program went on, so that it has to go on after it again."""
    return row.status == "succeeded" or (row.status == "failed" and last[parent_of(row.path)] > row.seq)


def _last_seq(steps: Iterable[StepRow]) -> dict[str, int]:
    """The last completion inside each scope."""
    last: dict[str, int] = {}
    for row in steps:
        path = row.path
        while path:
            path = parent_of(path)
            last[path] = max(last.get(path, 0), row.seq)
    return last


class _Dropped:
    """Paths that are not copied: alone, or with all below them."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._kickoffs = {kickoff.path: kickoff for kickoff in record.kickoffs}
        self._alone: set[str] = set()
        self._whole: set[str] = set()

    def covers(self, path: str) -> bool:
        if path in self._alone:
            return True
        while path:
            if path in self._whole:
                return True
            path = parent_of(path)
        return False

    def whole(self, path: str) -> None:
        self._whole.add(path)

    def from_step(self, target: str) -> None:
        """The step, what depends on it in each scope around it, and those scopes' own rows."""
        self._whole.add(target)
        step = target
        while step:
            scope = parent_of(step)
            self._whole |= self._dependents(scope, step) - {step}
            for name in (AFTER_KICKOFF, OUTPUT_HOOKS):
                self._whole |= {row.path for row in self._callbacks(scope, name)}
            self._alone.add(scope)
            step = scope

    def for_inputs(self, scope: str, given: Mapping[str, Any]) -> None:
        """What mentions an input that is another one now. Inputs are those of the program's outermost kickoffs."""
        run = self._record.run
        for kickoff in self._record.kickoffs:
            outermost = parent_of(kickoff.path) == "" and kickoff.path != "" and run.kind == "script"
            if kickoff.path != scope and not outermost:
                continue
            names = {name for name, value in given.items() if kickoff.inputs.get(name) != value}
            if names:
                changing = [self._callbacks(kickoff.path, name) for name in (BEFORE_KICKOFF, INPUT_HOOKS)]
                for row in (row for rows in changing for row in rows):
                    # What they have made of the inputs may be another one, too.
                    self._whole.add(row.path)
                    made = json.loads(row.result or "{}")
                    made = made.get("left") or {} if row.name == "input" else made
                    names |= {name for name, value in made.items() if kickoff.inputs.get(name) != value}
            for task in self._record.tasks(kickoff):
                if names & task.variables:
                    self.from_step(_below(kickoff.path, task.part))
            if names and kickoff.kind == "flow":
                self._alone.add(_below(kickoff.path, STATE))

    def _callbacks(self, scope: str, name: str) -> list[StepRow]:
        """The rows of a crew's callbacks, each called once for each kickoff."""
        begin = _below(scope, f"{name}#")
        return [row for row in self._record.steps if row.path.startswith(begin) and "/" not in row.path[len(begin) :]]

    def _dependents(self, scope: str, step: str) -> set[str]:
        kickoff = self._kickoffs.get(scope)
        if kickoff is None:
            return set()
        outline = self._record.outline(kickoff)
        if kickoff.kind == "crew":
            return _dependent_tasks(self._record.tasks(kickoff), scope, step)
        if kickoff.kind == "flow" and outline is not None:
            return _dependent_methods(outline, self._record.steps, scope, step)
        return set()


def _dependent_tasks(tasks: Sequence[TaskOutline], scope: str, step: str) -> set[str]:
    seeds = [task.index for task in tasks if _below(scope, task.part) == step]
    return {_below(scope, tasks[index].part) for index in dependents(tasks, seeds)}


def _dependent_methods(outline: Any, steps: Sequence[StepRow], scope: str, step: str) -> set[str]:
    rows = [row for row in steps if row.kind == "method" and parent_of(row.path) == scope]
    ended = {_call(row.path): row for row in rows if row.status == "succeeded"}
    done = [Completion(*call, _value(row)) for call, row in ended.items()]
    found = follows(outline, done, [_call(step)])
    return {row.path for row in rows if row.status != "succeeded" or _call(row.path) in found}


def _call(path: str) -> tuple[str, int]:
    name, _, number = path.rpartition("/")[2].rpartition("#")
    return name, int(number)


def _value(row: StepRow) -> Any:
    """What the method returned, as far as a label can be made of it."""
    value = json.loads(row.result or "{}").get("value")
    if isinstance(value, dict) and value.get("$") == "enum":
        return value["v"]
    if isinstance(value, dict) and value.get("class") == class_name(HumanFeedbackResult):
        return value["v"]["outcome"]
    return value


def _below(scope: str, part: str) -> str:
    return f"{scope}/{part}" if scope else part


def _inside(path: str, scope: str) -> bool:
    return not scope or path.startswith(f"{scope}/")
