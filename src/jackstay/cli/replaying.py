"""`jackstay replay`: the program that made a run is started again, as a new run that does one task and what depends on it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jackstay.cli.defined import Unloadable, definitions_of
from jackstay.cli.environment import Watched, choose_model, read_dotenv
from jackstay.cli.inputs import read_inputs
from jackstay.cli.interrupts import stopping_in_order
from jackstay.cli.json_lines import speak_json_if_asked
from jackstay.cli.outcome import ExitCode, UsageError
from jackstay.cli.program import Kickoffs, prepare, start
from jackstay.cli.resumable import most_alike
from jackstay.cli.resuming import program_of
from jackstay.cli.running import budget_of, deadline_of, execute, stopped, told
from jackstay.cli.stored import existing_runtime
from jackstay.cli.target import Target
from jackstay.cli.tasks import names_of
from jackstay.cli.terminal import say
from jackstay.core.budget import Budget, parse_amount
from jackstay.core.events import Event
from jackstay.core.ids import SHORT
from jackstay.core.outlines import changes
from jackstay.core.paths import parent_of
from jackstay.core.preview import (
    Figures,
    acting_again,
    done_again,
    expected,
    figures_of,
    history_of,
    key_of,
    reused,
    total,
)
from jackstay.core.records import RunFilter, RunRow
from jackstay.core.replay import Plan, Record, plan, target_of
from jackstay.core.usage import from_pico
from jackstay.engine.addressing import Addressed, find_unit, unit_id
from jackstay.engine.replaying import Replay, read_record, record_of
from jackstay.engine.runtime import Runtime
from jackstay.engine.script import started_again
from jackstay.journal import Journal
from jackstay.observe.figures import cost, plural, tokens

_HISTORY = 10
"""Earlier runs of the same program that expectations are taken from."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of `jackstay replay`."""

    task: str
    pairs: tuple[str, ...] = ()
    inputs_file: Path | None = None
    model: str | None = None
    budget: str | None = None
    deadline_s: float | None = None
    dry_run: bool = False
    strict: bool = False
    watched: Watched = field(default_factory=Watched)


@dataclass(frozen=True, slots=True)
class Options:
    """What a program that is started again is given."""

    inputs: Mapping[str, Any]
    budget: Budget | None = None
    deadline_s: float | None = None
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a replay will do, decided before anything runs."""

    plan: Plan
    again: Figures
    reused: Figures
    acting: list[str]
    """Tools with side effects that acted then, and may act again."""

    @classmethod
    def of(
        cls, journal: Journal, record: Record, target: str, inputs: Mapping[str, Any], *, changed: Iterable[str] = ()
    ) -> Preview:
        planned = plan(record, target, inputs=inputs, changed=changed)
        others = journal.runs(RunFilter(name=record.run.name, kind=(record.run.kind,), limit=_HISTORY))
        history = history_of([record_of(journal, row) for row in others if row.id != record.run.id])
        acting = acting_again(planned, record, journal.intents(record.run.id))
        return cls(planned, expected(planned, record, history), reused(planned, record), acting)


def replay(asked: Asked) -> int:
    """Says what will run again and what is reused; does it, unless it is only to be said; compares."""
    read_dotenv()
    speak_json_if_asked()
    asked.watched.begin()
    inputs = read_inputs(asked.pairs, asked.inputs_file)
    budget = Budget(**parse_amount(asked.budget)) if asked.budget is not None else None
    with existing_runtime() as runtime:
        found = find_unit(runtime.journal, asked.task)
        record = read_record(runtime.journal, found.run)
        if asked.dry_run:
            changed = _say_changes(record)
            _say_preview(Preview.of(runtime.journal, record, found.unit.path, inputs, changed=changed))
            return 0
        preview = Preview.of(runtime.journal, record, found.unit.path, inputs)
        target = program_of(runtime.masked.revealed(found.run), "replay it there, by crew.replay(…) or flow.replay(…)")
        _announce(found, target)
        _say_preview(preview)
        read_dotenv(target.search[:1])
        choose_model(asked.model, found.run.model_override)
        begun = Begun()
        runtime.observers.append(begun)
        code = perform(runtime, found, target, Options(inputs, budget, asked.deadline_s, asked.strict))
        made = begun.replay_of(runtime.journal, found.run)
        if made is not None:
            _compare(runtime.journal, made, found, preview)
        return code


def perform(runtime: Runtime, found: Addressed, target: Target, options: Options, *, after: bool = False) -> int:
    """Starts the program again. `after`: the task is not done again, and what was on record when it had ended is kept."""
    run, of = runtime.masked.revealed(found.run), Replay(found.run.id, found.unit.path, after=after)
    if run.kind != "script":
        return _start_again(runtime, target, run, of, options)
    return execute(
        runtime,
        target,
        inputs={**json.loads(run.inputs or "{}"), **options.inputs},
        replay=of,
        budget=options.budget or budget_of(run),
        deadline_s=options.deadline_s or deadline_of(run),
        strict=options.strict,
    )


def _start_again(runtime: Runtime, target: Target, run: RunRow, of: Replay, options: Options) -> int:
    """A run that a program made under plain `python`: its kickoff becomes the replay, its others are answered."""
    prepare(target)
    given = {**(json.loads(run.entry or "{}").get("inputs") or {}), **options.inputs}
    with (
        stopping_in_order(),
        told(runtime),
        started_again(runtime, run, replay=of, inputs=given, strict=options.strict) as session,
    ):
        try:
            start(target, Kickoffs(seen=True))
        except KeyboardInterrupt as stop:
            return stopped(stop, run.id)
    if not session.reached:
        say(
            f"error: the program has ended without coming to {unit_id(run.id[:SHORT], of.target)}: it made no kickoff of "
            f"the same {run.kind} '{run.name}' with the same inputs; was it changed since?",
            "red",
        )
        return ExitCode.FAILED
    return ExitCode.OK


class Begun:
    """An observer that notices which runs this process begins: others may replay the same run meanwhile."""

    def __init__(self) -> None:
        self._run_ids: list[str] = []

    def __call__(self, event: Event) -> None:
        if event.name == "run_started":
            self._run_ids.append(event.run_id)

    def replay_of(self, journal: Journal, source: RunRow) -> RunRow | None:
        rows = [row for run_id in self._run_ids if (row := journal.run(run_id)) is not None]
        return next((row for row in rows if row.forked_from == source.id and target_of(row)), None)


# --- what is said --------------------------------------------------------------------------------------------------


def _announce(found: Addressed, target: Target) -> None:
    run = found.run
    say(
        f"replaying run {run.id[:SHORT]} from {found.unit.label}: starts {target.shown} again in {target.folder}; "
        "code outside steps runs again"
    )


def _say_changes(record: Record) -> list[str]:
    """Loads the program as it is now and says what of its definitions is not as it was recorded. The paths of the tasks
    whose question is another one."""
    program = Target.from_entry(json.loads(record.run.entry or "{}"))
    now = definitions_of(program) if program is not None else []
    if isinstance(now, Unloadable):
        say(f"what has changed in the program cannot be told: {now.reason}", "yellow")
        return []
    paths = []
    for kickoff in record.kickoffs:
        old, same = record.outline(kickoff), [d for d in now if (d.kind, d.name) == (kickoff.kind, kickoff.name)]
        if old is None or not same or any(each.fingerprint == kickoff.fingerprint for each in same):
            continue
        for change in changes(old, most_alike(old, same).outline):
            say(f"changed:    {kickoff.kind} '{kickoff.name}': {change.text}", "yellow")
            if change.part:
                paths.append(f"{kickoff.path}/{change.part}" if kickoff.path else change.part)
    return paths


def _say_preview(preview: Preview) -> None:
    planned = preview.plan
    say(f"reused:     {names_of(planned.reused)}{_in_brackets(preview.reused)}")
    say(f"runs again: {names_of(planned.again)}{_in_brackets(preview.again)}")
    if preview.acting:
        say(f"acts again: {', '.join(preview.acting)} (side effects: a new run is another one to the world)", "yellow")


def _in_brackets(figures: Figures) -> str:
    return f" ({amounts(figures)})" if figures.exact else f" (at least {plural(figures.calls, 'call')})"


def amounts(figures: Figures) -> str:
    return f"{plural(figures.calls, 'call')}, {tokens(figures.tokens)} tokens, {cost(from_pico(figures.cost_pico))}"


def _compare(journal: Journal, run: RunRow, found: Addressed, preview: Preview) -> None:
    """The preview beside what has happened. Raises `UsageError` if the task was not come to."""
    record = record_of(journal, run)
    again = done_again(record)
    if not _reached(record, found):
        raise UsageError(
            f"the program has ended without coming to {unit_id(found.run.id[:SHORT], found.unit.path)}; what it did instead "
            f"is run {run.id[:SHORT]} (jackstay show {run.id[:SHORT]})"
        )
    own = figures_of(record, own_only=True)
    took = total(own[unit.path] for unit in again)
    planned = Counter(key_of(unit) for unit in preview.plan.again)
    happened = Counter(key_of(unit) for unit in again)
    as_said = planned == happened and (not preview.again.exact or took.calls == preview.again.calls)
    word = "as foreseen" if as_said else "otherwise than foreseen"
    say(f"{word}: {names_of(again)} ran again, {amounts(took)} (jackstay show {run.id[:SHORT]})")


def _reached(record: Record, found: Addressed) -> bool:
    """Whether something was done where the task stands, even if it is called otherwise now."""
    scope = parent_of(found.unit.path)
    scopes = {scope} | {kickoff.path for kickoff in record.kickoffs if kickoff.continues == scope}
    return any(parent_of(unit.path) in scopes for unit in done_again(record))
