"""What a checkpoint holds, and how two differ: read from a run's rows. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jackstay.core.flow_state import fold, scope_of
from jackstay.core.preview import Figures, Key, figures_of, figures_of_call, key_of, total
from jackstay.core.records import StepRow
from jackstay.core.replay import Record, Unit, plan, units_of, until


@dataclass(frozen=True, slots=True)
class Contents:
    """`completed`: tasks and methods in the order of their completion. `states`: of each flow, by its name, the fields
    as JSON data. `used`: all model calls so far."""

    completed: tuple[Unit, ...]
    left: tuple[Unit, ...]
    """The known ones that would run from there."""
    states: Mapping[str, Mapping[str, Any]]
    figures: Mapping[str, Figures]
    used: Figures


def contents_of(record: Record, target: str = "") -> Contents:
    """What the run had when the target had ended; without one, all that it has."""
    known_then, planned = until(record, target), plan(record, target, after=True)
    return Contents(
        completed=tuple(completed(known_then)),
        left=planned.again,
        states=_states(known_then),
        figures=figures_of(known_then),
        used=total(figures_of_call(row) for row in known_then.steps if row.kind == "llm"),
    )


def completed(record: Record) -> list[Unit]:
    """In the order of their completion: each is a checkpoint."""
    ended = [(unit.row.seq, unit) for unit in units_of(record) if unit.row is not None and has_completed(unit)]
    return [unit for _, unit in sorted(ended, key=lambda pair: pair[0])]


def has_completed(unit: Unit) -> bool:
    return unit.row is not None and unit.row.status in ("succeeded", "opaque")


def _states(record: Record) -> dict[str, dict[str, Any]]:
    """As the methods left them, in the order of their completion."""
    found: dict[str, dict[str, Any]] = {}
    names: Counter[str] = Counter()
    for kickoff in record.kickoffs:
        if kickoff.kind != "flow":
            continue
        names[kickoff.name] += 1
        number = names[kickoff.name]
        state = fold(row for row in record.steps if scope_of(row) == kickoff.path)
        found[kickoff.name if number == 1 else f"{kickoff.name} {number}"] = state
    return found


# --- two of them ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Difference:
    """One matter in which two checkpoints are not the same. None: the one does not have it."""

    kind: str
    """`task`, `method`, or `state`."""
    name: str
    one: Any
    other: Any


def differences(one: Contents, other: Contents) -> list[Difference]:
    """Tasks and methods with other outputs, then state fields with other values."""
    return [*_outputs(one, other), *_fields(one, other)]


def _outputs(one: Contents, other: Contents) -> Iterator[Difference]:
    first, second = _by_key(one.completed), _by_key(other.completed)
    for key in dict.fromkeys([*first, *second]):
        (kind, label, agent), number = key
        outputs = [output_of(row) if (row := rows.get(key)) is not None else None for rows in (first, second)]
        if outputs[0] != outputs[1]:
            name = f"{label} ({agent})" if agent else label
            yield Difference(kind, name if number == 1 else f"{name} {number}", *outputs)


def _by_key(units: Sequence[Unit]) -> dict[tuple[Key, int], StepRow]:
    """The n-th of a name is compared with the n-th of that name."""
    seen: Counter[Key] = Counter()
    found: dict[tuple[Key, int], StepRow] = {}
    for unit in units:
        key = key_of(unit)
        seen[key] += 1
        if unit.row is not None:
            found[key, seen[key]] = unit.row
    return found


def _fields(one: Contents, other: Contents) -> Iterator[Difference]:
    for flow in dict.fromkeys([*one.states, *other.states]):
        first, second = one.states.get(flow, {}), other.states.get(flow, {})
        for name in dict.fromkeys([*first, *second]):
            if first.get(name) != second.get(name):
                yield Difference("state", f"{flow}.{name}", first.get(name), second.get(name))


def output_of(row: StepRow) -> str:
    """A task's text, or what a method returned."""
    body = json.loads(row.result or "{}")
    value = body.get("raw") if row.kind == "task" else body.get("value")
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
