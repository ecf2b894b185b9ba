"""`jackstay resume`: the program that made a run is started again, and what the journal has is not done again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from jackstay.cli.environment import Watched, choose_model, read_dotenv
from jackstay.cli.interrupts import stopping_in_order
from jackstay.cli.json_lines import speak_json_if_asked
from jackstay.cli.outcome import ExitCode, UsageError
from jackstay.cli.program import Kickoffs, prepare, start
from jackstay.cli.running import budget_of, deadline_of, execute, stopped, told
from jackstay.cli.stored import chosen, existing_journal, existing_runtime, top_runs
from jackstay.cli.target import Target
from jackstay.cli.terminal import say
from jackstay.core.budget import parse_amount
from jackstay.core.canonical import canonical_json
from jackstay.core.content import content_of, how_to_go_on
from jackstay.core.forgetting import refuse_forgotten
from jackstay.core.ids import SHORT
from jackstay.core.intents import Decided
from jackstay.core.records import RunFilter, RunRow
from jackstay.core.waits import PERSONAL, how_to_answer
from jackstay.engine.answers import open_waits
from jackstay.engine.console import is_there
from jackstay.engine.deciding import answer, open_decision
from jackstay.engine.runtime import Runtime
from jackstay.engine.script import started_again
from jackstay.errors import AlreadyRunning, RunWaiting
from jackstay.journal import Journal
from jackstay.observe.figures import plural
from jackstay.observe.runs import state_of

_ALL = 10_000


def resume(
    wanted: str | None,
    *,
    budget: str | None = None,
    decide: str | None = None,
    strict: bool = False,
    watched: Watched = Watched(),
) -> int:
    """Goes on with a run, if that is what it needs; with `budget`, the one that stopped it is raised first; `decide` says
    what became of a tool's call that it waits for. `strict`: nothing is asked anew because something has changed."""
    read_dotenv()
    speak_json_if_asked()
    watched.begin()
    decided = None if decide is None else _decision(decide)
    raised = None if budget is None else canonical_json(parse_amount(budget))
    with existing_runtime() as runtime:
        row = runtime.masked.revealed(chosen(runtime.journal, wanted))
        refuse_forgotten(row)
        if row.status == "succeeded":
            say(f"run {row.id[:SHORT]} has finished: there is nothing to resume (jackstay show {row.id[:SHORT]})")
            return 0
        _refuse_live(runtime, row)
        target = program_of(row, f'go on with it there, by kickoff(resume="{row.id[:SHORT]}")')
        if raised is not None:
            runtime.journal.allow(row.id, raised, by="the command line").result(30)
        _decide(runtime, row, decided)
        _refuse_unanswered(runtime, row)
        _announce(runtime, row, target)
        read_dotenv(target.search[:1])
        choose_model(None, row.model_override)
        if row.kind == "script":
            limits: dict[str, Any] = {"budget": budget_of(row), "deadline_s": deadline_of(row), "strict": strict}
            return execute(runtime, target, inputs=json.loads(row.inputs or "{}"), resume=row, **limits)
        return _start_again(runtime, target, row, strict=strict)


def _refuse_live(runtime: Runtime, row: RunRow) -> None:
    """Before anything is said or started; whoever takes the run up is told the same at that moment."""
    lease = runtime.journal.lease(row.id)
    if row.status == "running" and lease is not None and lease.live:
        owner = json.loads(lease.owner or "{}")
        raise AlreadyRunning(
            f"run {row.id} is being driven by process {owner.get('pid', '?')} on {owner.get('host') or 'this machine'}"
            f"{f' ({lease.activity})' if lease.activity else ''}; wait for it, or stop it: jackstay cancel {row.id[:SHORT]}"
        )


def _decision(text: str) -> Decided:
    try:
        return Decided.parse(text)
    except ValueError as error:
        raise UsageError(f"--decide: {error}") from error


def _decide(runtime: Runtime, row: RunRow, decided: Decided | None) -> None:
    """Notes the decision. A run that waits for one is not started in vain: raises `RunWaiting`."""
    if decided is not None:
        answer(runtime.journal, row.id, decided, "the command line", runtime.masked.secrets)
        return
    wait = open_decision(runtime.journal, row.id)
    if wait is not None:
        raise RunWaiting(f"run {row.id[:SHORT]} is waiting: {wait.prompt}", run_id=row.id, wait=wait.prompt or "")


def _refuse_unanswered(runtime: Runtime, row: RunRow) -> None:
    """A run that waits for a person's words is not started in vain either, unless the person sits here. Raises
    `RunWaiting`."""
    if row.status != "waiting" or is_there(runtime.settings.console):
        return
    waits = [wait for wait in open_waits(runtime.journal, row.id) if wait.kind in PERSONAL]
    used = {step.path for step in runtime.journal.steps(row.id)}
    others = [wait for wait in runtime.journal.waits(row.id) if wait.answered_at is not None and wait.path not in used]
    if waits and not others:
        asked = how_to_answer(waits[0])
        raise RunWaiting(f"run {row.id[:SHORT]} is waiting: {asked}", run_id=row.id, wait=asked)


def program_of(row: RunRow, instead: str) -> Target:
    """The program that made a run. `instead`: what to do where there is none. Raises `UsageError`."""
    target = Target.from_entry(json.loads(row.entry or "{}"))
    if target is None:
        raise UsageError(
            f"run {row.id[:SHORT]} was not started by a program that could be started again (a console, a notebook?): "
            f"{instead}"
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
    # A batch's calls are those of its items.
    runs = [row.id, *(each.id for each in runtime.journal.children(row.id))]
    steps = [step for run_id in runs for step in runtime.journal.steps(run_id)]
    recorded = sum(step.status == "succeeded" and step.kind == "llm" for step in steps)
    calls = (
        f"{plural(recorded, 'recorded model call')} will not be made again"
        if recorded
        else "no model call is recorded yet"
    )
    say(
        f"resuming run {row.id[:SHORT]}: starts {target.shown} again in {target.folder}; {calls}, code outside steps runs again"
    )


def _start_again(runtime: Runtime, target: Target, row: RunRow, *, strict: bool) -> int:
    """A run that a program made under plain `python`: the program is started again, and its kickoffs find their runs."""
    prepare(target)
    given = json.loads(row.entry or "{}").get("inputs")
    with stopping_in_order(), told(runtime), started_again(runtime, row, inputs=given, strict=strict):
        try:
            start(target, Kickoffs(seen=True))
        except KeyboardInterrupt as stop:
            return stopped(stop, how_to_go_on(row.id, content_of(row.tags)))
    after = runtime.journal.run(row.id)
    if after is not None and after.status != "succeeded" and after.attempts == row.attempts:
        say(
            f"error: the program has ended without going on with run {row.id[:SHORT]}: it made no kickoff of the same {row.kind} "
            f"'{row.name}' with the same inputs; was it changed since?",
            "red",
        )
        return ExitCode.FAILED
    return ExitCode.OK if after is None or after.status == "succeeded" else ExitCode.FAILED


# --- all of them ---------------------------------------------------------------------------------------------------


def resume_all(
    wanted: str | None, *, budget: str | None, decide: str | None = None, strict: bool, watched: Watched = Watched()
) -> int:
    """Goes on with every run that was interrupted or has failed, one after the other, oldest first, each in a process of
    its own; so with those whose person has answered. The exit code is the worst of theirs."""
    if wanted is not None or budget is not None or decide is not None:
        raise UsageError("--all goes on with every unfinished run; leave RUN, --budget and --decide out")
    read_dotenv()
    watched.begin()
    with existing_journal() as journal:
        rows = unfinished(journal)
    codes = [_resumed_alone(row, strict=strict) for row in rows]
    if not rows:
        say("no run was interrupted or has failed: there is nothing to resume")
    return max(codes, default=0)


def unfinished(journal: Journal) -> list[RunRow]:
    """What `--all` goes on with, oldest first. Of the runs of one program under plain `python` only the first: started
    again, it goes on with the others. Not what was cancelled, waits for a person who has not answered, or has a replay that
    succeeded."""
    rows = top_runs(journal, RunFilter(status=("running", "waiting", "failed", "cancelled"), limit=_ALL))
    found: dict[str, RunRow] = {}
    for row in reversed(rows):
        state = state_of(row, journal.lease(row.id) if row.status == "running" else None)
        answered = state == "waiting" and not open_waits(journal, row.id)
        if not (answered or state in ("failed", "interrupted")) or _is_replaced(journal, row):
            continue
        found.setdefault(row.id if row.kind == "script" else row.session_id or row.id, row)
    return list(found.values())


def _is_replaced(journal: Journal, row: RunRow) -> bool:
    return any(each.status == "succeeded" for each in journal.runs(RunFilter(forked_from=row.id)))


def _resumed_alone(row: RunRow, *, strict: bool) -> int:
    command = [sys.executable, "-m", "jackstay", "resume", row.id, *(["--strict"] if strict else [])]
    return subprocess.run(command, check=False).returncode
