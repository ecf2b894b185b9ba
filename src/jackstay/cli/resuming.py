"""`jackstay resume`: the program that made a run is started again, and what the journal has is not done again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jackstay.cli.environment import choose_model, read_dotenv
from jackstay.cli.interrupts import stopping_in_order
from jackstay.cli.outcome import ExitCode, UsageError
from jackstay.cli.program import Kickoffs, prepare, start
from jackstay.cli.running import budget_of, deadline_of, execute, stopped, told
from jackstay.cli.stored import chosen, existing_runtime
from jackstay.cli.target import Target
from jackstay.cli.terminal import say
from jackstay.core.budget import parse_amount
from jackstay.core.canonical import canonical_json
from jackstay.core.ids import SHORT
from jackstay.core.records import RunRow
from jackstay.engine.runtime import Runtime
from jackstay.engine.script import resumed_session
from jackstay.errors import AlreadyRunning
from jackstay.observe.figures import plural


def resume(wanted: str | None, *, budget: str | None = None) -> int:
    """Goes on with a run, if that is what it needs; with `budget`, the one that stopped it is raised first."""
    read_dotenv()
    raised = None if budget is None else canonical_json(parse_amount(budget))
    with existing_runtime() as runtime:
        row = chosen(runtime.journal, wanted)
        if row.status == "succeeded":
            say(f"run {row.id[:SHORT]} has finished: there is nothing to resume (jackstay show {row.id[:SHORT]})")
            return 0
        _refuse_live(runtime, row)
        target = _program_of(row)
        if raised is not None:
            runtime.journal.allow(row.id, raised, by="the command line").result(30)
        _announce(runtime, row, target)
        read_dotenv(target.search[:1])
        choose_model(None, row.model_override)
        if row.kind == "script":
            limits: dict[str, Any] = {"budget": budget_of(row), "deadline_s": deadline_of(row)}
            return execute(runtime, target, inputs=json.loads(row.inputs or "{}"), resume=row, **limits)
        return _start_again(runtime, target, row)


def _refuse_live(runtime: Runtime, row: RunRow) -> None:
    """Before anything is said or started; whoever takes the run up is told the same at that moment."""
    lease = runtime.journal.lease(row.id)
    if row.status == "running" and lease is not None and lease.live:
        owner = json.loads(lease.owner or "{}")
        raise AlreadyRunning(
            f"run {row.id} is being driven by process {owner.get('pid', '?')} on {owner.get('host') or 'this machine'}"
            f"{f' ({lease.activity})' if lease.activity else ''}; wait for it, or stop it: jackstay cancel {row.id[:SHORT]}"
        )


def _program_of(row: RunRow) -> Target:
    target = Target.from_entry(json.loads(row.entry or "{}"))
    if target is None:
        raise UsageError(
            f"run {row.id[:SHORT]} was not started by a program that could be started again (a console, a notebook?): "
            f'go on with it there, by kickoff(resume="{row.id[:SHORT]}")'
        )
    if target.script is not None and not Path(target.script).is_file():
        raise UsageError(
            f"run {row.id[:SHORT]} was started by {target.script}, which is not there any more; put it back"
        )
    if target.folder and not Path(target.folder).is_dir():
        raise UsageError(
            f"run {row.id[:SHORT]} was started in {target.folder}, which is not there any more; put it back"
        )
    return target


def _announce(runtime: Runtime, row: RunRow, target: Target) -> None:
    recorded = sum(step.status == "succeeded" and step.kind == "llm" for step in runtime.journal.steps(row.id))
    calls = (
        f"{plural(recorded, 'recorded model call')} will not be made again"
        if recorded
        else "no model call is recorded yet"
    )
    say(
        f"resuming run {row.id[:SHORT]}: starts {target.shown} again in {target.folder}; {calls}, code outside steps runs again"
    )


def _start_again(runtime: Runtime, target: Target, row: RunRow) -> int:
    """A run that a program made under plain `python`: the program is started again, and its kickoffs find their runs."""
    prepare(target)
    with stopping_in_order(), told(runtime), resumed_session(runtime, row):
        try:
            start(target, Kickoffs(seen=True))
        except KeyboardInterrupt as stop:
            return stopped(stop, row.id)
    after = runtime.journal.run(row.id)
    if after is not None and after.status != "succeeded" and after.attempts == row.attempts:
        say(
            f"error: the program has ended without going on with run {row.id[:SHORT]}: it made no kickoff of the same {row.kind} "
            f"'{row.name}' with the same inputs; was it changed since?",
            "red",
        )
        return ExitCode.FAILED
    return ExitCode.OK if after is None or after.status == "succeeded" else ExitCode.FAILED
