"""What a replay is expected to take, and what it took: sums over model calls, by task and method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jackstay.core.intents import NOT_CALLED, RECEIPT, SIDE_EFFECT
from jackstay.core.paths import parent_of, tool_at
from jackstay.core.records import Intent, StepRow
from jackstay.core.replay import Plan, Record, Unit, units_of


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests that were answered, tokens, pico-dollars (None: a price is unknown)."""

    calls: int = 0
    tokens: int = 0
    cost_pico: int | None = 0
    exact: bool = True
    """False: nothing was recorded that some of it could be expected from; it is at least this."""

    def __add__(self, other: Figures) -> Figures:
        unknown = self.cost_pico is None or other.cost_pico is None
        cost = None if unknown else (self.cost_pico or 0) + (other.cost_pico or 0)
        return Figures(self.calls + other.calls, self.tokens + other.tokens, cost, self.exact and other.exact)


NEVER_SEEN = Figures(calls=1, exact=False)
Key = tuple[str, str, str]


def key_of(unit: Unit) -> Key:
    """By which a task or method is found in other runs of the same program."""
    return unit.kind, unit.label, unit.agent


def total(figures: Iterable[Figures]) -> Figures:
    return sum(figures, Figures())


def figures_of(record: Record, *, own_only: bool = False) -> dict[str, Figures]:
    """What each task's and method's own model calls used (not those of tasks inside a method), by path. `own_only`:
    without what was copied from another run."""
    units = {unit.path for unit in units_of(record)}
    sums = dict.fromkeys(units, Figures())
    for row in record.steps:
        if row.kind != "llm" or (own_only and row.origin_run_id not in (None, row.run_id)):
            continue
        path = row.path
        while path and path not in units:
            path = parent_of(path)
        if path:
            sums[path] += figures_of_call(row)
    return sums


def figures_of_call(row: StepRow) -> Figures:
    """Of one model call."""
    tokens = row.input_tokens + row.output_tokens
    answered = int(row.status == "succeeded" and row.attempts > 0)
    return Figures(answered, tokens, row.cost_pico if tokens else 0)


def history_of(records: Sequence[Record]) -> dict[Key, Figures]:
    """What tasks and methods used where they succeeded; the first of the records that has one counts."""
    known: dict[Key, Figures] = {}
    for record in records:
        figures = figures_of(record)
        for unit in units_of(record):
            if unit.row is not None and unit.row.status == "succeeded":
                known.setdefault(key_of(unit), figures[unit.path])
    return known


def expected(plan: Plan, record: Record, history: Mapping[Key, Figures]) -> Figures:
    """What the plan's units that run again will take: what they took here, or where they succeeded in other runs."""
    figures = figures_of(record)
    return total(
        figures[unit.path]
        if unit.row is not None and unit.row.status == "succeeded"
        else history.get(key_of(unit), NEVER_SEEN)
        for unit in plan.again
    )


def acting_again(plan: Plan, record: Record, intents: Iterable[Intent]) -> list[str]:
    """The tools with side effects that were called in what is done again, or were about to be, by name."""
    kept = {row.path for row in plan.copied}
    again = tuple(f"{unit.path}/" for unit in plan.again)
    rows = [row for row in record.steps if row.kind == "tool" and has_acted(row)]
    known = {row.path for row in record.steps}
    called = {row.path: row.name for row in rows} | {
        intent.path: tool_at(intent.path) for intent in intents if intent.path not in known
    }
    return sorted({name for path, name in called.items() if path.startswith(again) and path not in kept})


def has_acted(row: StepRow) -> bool:
    """Whether a tool with a side effect has been called."""
    flags = (row.flags or "").split(",")
    return SIDE_EFFECT in flags and NOT_CALLED not in flags and RECEIPT not in flags


def reused(plan: Plan, record: Record) -> Figures:
    """What is not paid for again."""
    figures = figures_of(record)
    return total(figures[unit.path] for unit in plan.reused)


def done_again(record: Record) -> list[Unit]:
    """The units of a replay that it did itself."""
    return [unit for unit in units_of(record) if unit.row is not None and unit.row.origin_run_id is None]
