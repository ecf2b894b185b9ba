"""How a run begins and ends: at the top a row with a lease, inside a run a scope; asked again, the recorded result."""

from __future__ import annotations

import asyncio
import json
import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from jackstay.core.canonical import canonical_json, ordered_json
from jackstay.core.content import TAG as CONTENT
from jackstay.core.content import least
from jackstay.core.events import EventName
from jackstay.core.failures import Failure, failure_of, rebuild
from jackstay.core.forgetting import refuse_forgotten
from jackstay.core.ids import SHORT, uuid7
from jackstay.core.paths import slug
from jackstay.core.records import Lease, RunEnd, RunRow, StepKind, StepRow, StepStatus
from jackstay.core.replay import RecordedKickoff
from jackstay.core.trace_ids import TAG, parent_in
from jackstay.core.usage import NO_BILL, Bill
from jackstay.engine.asked import Kickoff, earlier_run, with_environment
from jackstay.engine.budgets import BudgetScope, scoped
from jackstay.engine.deadlines import watched
from jackstay.engine.definitions import (
    as_recorded,
    compare,
    most_alike,
    outline_is_stored,
    record_kickoff,
    store_outline,
)
from jackstay.engine.ending import end_failed, tell_end, why_ended
from jackstay.engine.home import Home
from jackstay.engine.kickoff_hooks import about_kickoff, performed
from jackstay.engine.persisting import with_unfinished
from jackstay.engine.replaying import Replay, plan_of
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope, current_scope
from jackstay.engine.telling import heard
from jackstay.errors import (
    DefinitionChanged,
    NotFoundError,
    RunSignal,
    RunSuspended,
    RunWaiting,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished kickoff. `path` is its scope inside the run `run_id`, empty for the run itself."""

    result: Any
    run_id: str
    path: str
    bill: Bill
    duration_s: float
    lost: int = 0
    reused: Bill = NO_BILL
    """What was answered from another run's record, and paid there."""


async def start(runtime: Runtime, home: Home, kickoff: Kickoff) -> Outcome:
    """Runs a kickoff where it was called: inside a run as a scope of it, else as a run of its own."""
    scope = current_scope()
    if scope is None and runtime.session is not None and runtime.session.scope is not None:
        scope = runtime.session.scope
    if scope is None or (runtime.session is not None and scope is runtime.session.scope):
        kickoff = await with_unfinished(runtime, kickoff, scope)
    if scope is not None and kickoff.run_key is None and kickoff.resume is None and kickoff.replay is None:
        if scope.run.trace is None:
            runtime.tracing.begin(scope.run)  # a script may have set its provider since it began
        runtime.metering.begin(scope.run)  # likewise
        with belonging_to(scope):
            async with heard(scope.run, home):
                return await _nested(scope, home, kickoff)
    return await _top(runtime, home, kickoff)


def current_task() -> Callable[[], tuple[asyncio.Task[Any]]]:
    """The task that calls, as what a lease keeper interrupts."""
    task = asyncio.current_task()
    assert task is not None
    return lambda: (task,)


@contextmanager
def belonging_to(scope: Scope) -> Iterator[None]:
    """The current task is work that user code has started in this scope, and ends with it at the latest. Interrupted by
    a stop of the run, it says which."""
    task = asyncio.current_task()
    assert task is not None
    scope.children.add(task)
    try:
        yield
    except asyncio.CancelledError:
        stop = scope.run.stopped(scope)
        if isinstance(stop, RunSignal):
            raise stop from None
        raise
    finally:
        scope.children.discard(task)


# --- inside a run ------------------------------------------------------------------------------------------------------


async def _nested(parent: Scope, home: Home, kickoff: Kickoff) -> Outcome:
    run = parent.run
    run.check(parent)
    run.content = least(run.content, kickoff.content) or run.content
    args_hash = kickoff.identity
    scope = parent.child(parent.hashed(slug(run.secrets.in_name(kickoff.name)), args_hash), home=home)
    earlier = await _in_place_of(run, scope.path, kickoff)
    row = run.find(scope.path, args_hash) if earlier is None else None
    if row is not None:
        run.tell("reused", scope.path, kind=kickoff.kind, name=kickoff.name)
        if row.status == "failed":
            raise rebuild(Failure.from_json(row.error or "{}"), run.runtime.codec.classes)
        result = kickoff.decode(row.result or "null")
        return _outcome(run, scope.path, result, row.duration_us / 1e6)
    scope.bound(deadline_s=kickoff.deadline_s, retry=kickoff.retry, budgets=budgets_of(run, kickoff, scope.path))
    scope.about = about_kickoff(kickoff)
    await _prepare_models(run, kickoff)
    began = run.began()
    record_kickoff(run, scope.path, kickoff, earlier.path if earlier is not None else None)
    if kickoff.kind == "crew":
        run.tell("crew_started", scope.path, name=kickoff.name)

    def made(status: StepStatus, **fields: Any) -> StepRow:
        kind = cast("StepKind", kickoff.kind)
        return run.step_row(began, scope.path, kind, kickoff.name, status, args_hash, **fields)

    try:
        async with watched(scope):
            result = await performed(scope, kickoff)
            run.check(scope)
    except asyncio.CancelledError:
        raise
    except Exception as error:
        if error is not run.stop:
            failure = failure_of(error, traceback="".join(traceback.format_exception(error)))
            # Ended by a limit around it, it has not failed on its own account: a resumed run must not raise it again.
            await run.commit(made("cancelled" if parent.is_late else "failed", error=failure))
        raise
    await run.commit(made("succeeded", result=kickoff.encode(result)))
    if kickoff.kind == "crew":
        run.tell("crew_finished", scope.path, name=kickoff.name)
    return _outcome(run, scope.path, result, run.runtime.clock.monotonic() - began.monotonic_s)


async def _in_place_of(run: Run, path: str, kickoff: Kickoff) -> RecordedKickoff | None:
    """The recorded kickoff that this one continues with a changed definition; what has changed is said first."""
    session = run.runtime.session
    overrides = session.inputs if session is not None else {}
    candidates = run.recorded.candidates(path, as_recorded(kickoff, path), overrides)
    if not candidates:
        return None
    earlier = await most_alike(run.runtime, kickoff, candidates)
    if earlier is None:
        return None
    run.recorded.put_in_place(path, earlier)
    try:
        await compare(run.runtime, run.id, path, recorded=earlier.fingerprint, kickoff=kickoff)
    except DefinitionChanged as refusal:
        run.stop = run.stop or refusal
        raise
    return earlier


def _outcome(run: Run, path: str, result: Any, duration_s: float) -> Outcome:
    return Outcome(
        result,
        run.id,
        path,
        run.bills.own(path),
        duration_s,
        lost=0 if path else len(run.lost),
        reused=run.bills.reused(path),
    )


# --- a run of its own --------------------------------------------------------------------------------------------------


async def _top(runtime: Runtime, home: Home, kickoff: Kickoff) -> Outcome:
    asked_s = runtime.clock.monotonic()
    await runtime.be_ready()
    kickoff = with_environment(runtime, kickoff)
    kickoff, earlier = await earlier_run(runtime, kickoff)
    if earlier is not None:
        refuse_forgotten(earlier)
    if earlier is not None and earlier.status == "succeeded":
        return await _recorded(runtime, kickoff, earlier)
    if earlier is None:
        run = await begin(runtime, kickoff)
    else:
        run = await take_up(runtime, earlier.id, kickoff)
        try:
            await _prepare_models(run, kickoff)
        except (Exception, asyncio.CancelledError) as error:
            await _end(run, kickoff, error=error)
            raise
    async with heard(run, home):
        return await _drive(run, home, kickoff, asked_s)


async def begin(runtime: Runtime, kickoff: Kickoff) -> Run:
    """A new run; of a replay, with what it takes from the other run."""
    run = new_run(runtime, kickoff)
    store_outline(run, kickoff)
    if kickoff.replay is not None:
        source, planned = await plan_of(runtime, kickoff, kickoff.replay)
        run.row = replace(run.row, forked_from=source.id, tags=_tagged(run.row.tags, kickoff.replay, source))
        run.inherit(planned.copied)
    await _prepare_models(run, kickoff)
    if kickoff.run_key is not None or kickoff.replay is not None:
        # Visible before it works: of two that start with one key at once one is refused, and a copy is whole.
        await run.writer.begin(run.row)
    await _check_source(run)
    return run


async def _check_source(run: Run) -> None:
    """Of a run that was deleted while it was copied, messages that the copies need may be gone as well. From now on these
    rows keep them."""
    source, runtime = run.row.forked_from, run.runtime
    if source is None or await runtime.off_loop(runtime.journal.run, source) is not None:
        return
    error = NotFoundError(f"run {source[:SHORT]} was deleted while it was copied; nothing has been run")
    await end_failed(run, error)
    raise error


def _tagged(tags: str | None, of: Replay, source: RunRow) -> str:
    told = {"run": of.run_id, "target": of.target} | ({"after": True} if of.after else {})
    if (trace := parent_in(source.tags)) is not None:
        told[TAG] = str(trace)
    return canonical_json({**json.loads(tags or "{}"), "replay": told})


def new_run(runtime: Runtime, kickoff: Kickoff) -> Run:
    """A run that its first write will make visible."""
    content = kickoff.content or runtime.content
    told = {**kickoff.tags, **({} if content == "full" else {CONTENT: content})}
    now = runtime.clock.now()
    runtime.say_override()
    row = RunRow(
        id=uuid7(int(now.timestamp() * 1000), os.urandom(10)),
        kind=kickoff.kind,
        name=kickoff.name,
        created_at=now,
        started_at=now,
        inputs=ordered_json(dict(kickoff.inputs)),
        entry=canonical_json(dict(kickoff.entry)),
        fingerprint=kickoff.fingerprint,
        run_key=kickoff.run_key,
        parent_run=kickoff.parent_run,
        session_id=runtime.session.id if runtime.session else runtime.session_id,
        model_override=runtime.settings.model,
        tags=runtime.tracing.adopt(canonical_json(told) if told else None),
    )
    return Run(runtime, row, lease=Lease(row.id, 1), is_new=True)


async def take_up(runtime: Runtime, run_id: str, kickoff: Kickoff | None = None) -> Run:
    """Takes an unfinished run over: its lease, its rows, what it may have lost; it is bound to this definition from now
    on. Raises `AlreadyRunning`."""
    force = run_id in runtime.left_behind
    fingerprint = kickoff.fingerprint if kickoff is not None else None
    takeover = await runtime.journal.take_up(run_id, force=force, fingerprint=fingerprint)
    runtime.left_behind.discard(run_id)
    row = runtime.masked.revealed(takeover.run)
    if runtime.settings.model:
        row = replace(row, model_override=runtime.settings.model)
    run = Run(runtime, row, lease=takeover.lease, is_new=False)
    run.load(takeover, await runtime.off_loop(runtime.journal.steps, run_id, latest_only=False))
    if force:
        run.unended = ()  # it was this process, which has told its end
    if kickoff is not None:
        store_outline(run, kickoff)
    return run


async def _drive(run: Run, home: Home, kickoff: Kickoff, asked_s: float) -> Outcome:
    """`asked_s`: when the caller asked, on the monotonic clock; the run's time limit counts from there."""
    runtime, started = run.runtime, run.runtime.clock.monotonic()
    scope = Scope(run, "", home).bound(deadline_s=kickoff.deadline_s, since_s=asked_s)
    scope.bound(retry=kickoff.retry, budgets=budgets_of(run, kickoff, ""))
    scope.about = about_kickoff(kickoff)
    runtime.leases.keep(run, current_task())
    runtime.tracing.begin(run)
    runtime.metering.begin(run)
    begun: EventName = "run_started" if run.row.attempts == 1 else "run_resumed"
    named = {
        "kind": kickoff.kind,
        "name": kickoff.name,
        "inputs": dict(kickoff.inputs),
        "model": run.row.model_override,
    }
    run.tell(begun, "", **named, replay_of=run.row.forked_from if kickoff.replay is not None else None)
    try:
        async with watched(scope):
            result = await performed(scope, kickoff)
            run.check(scope)
    except (Exception, asyncio.CancelledError, RunSignal) as error:
        runtime.leases.let_go(run)
        why = why_ended(scope, error)
        await _end(run, kickoff, error=why)
        if isinstance(why, RunSuspended):
            given = kickoff.paused(run) if kickoff.paused is not None else None
            if given is not None:
                return _outcome(run, "", given, runtime.clock.monotonic() - started)
            raise RunWaiting(f"run {run.id[:SHORT]} is waiting: {why}", run_id=run.id, wait=str(why)) from None
        if why is error:
            raise
        raise why from (error if isinstance(error, Exception) else None)
    outline_is_stored(run, kickoff)
    # Before the end is written, which gives the lease back: a renewal at that moment would find it lost.
    runtime.leases.let_go(run)
    await _end(run, kickoff, result=result)
    duration_s = runtime.clock.monotonic() - started
    return _outcome(run, "", result, duration_s)


async def _end(run: Run, kickoff: Kickoff, *, result: Any = None, error: BaseException | None = None) -> None:
    if error is None:
        await run.end(RunEnd("succeeded", run.now(), output=kickoff.encode(result)))
    else:
        await end_failed(run, error)
    tell_end(run, error)


def budgets_of(run: Run, kickoff: Kickoff, path: str) -> tuple[BudgetScope, ...]:
    """What the kickoff may spend: its own budget, that of its definition in jackstay.toml and, of a whole run, the
    project's."""
    shared = run.runtime.shared_budgets
    top = path == ""
    budget = kickoff.budget or (run.runtime.budget if top else None)
    shown = f"run {run.id[:SHORT]}" if top else f"{kickoff.kind} '{kickoff.name}'"
    own = scoped(budget, run_id=run.id, path=path, shown=shown, raised=run.raised)
    return (*shared.of(*(["project"] if top else []), f"{kickoff.kind}:{kickoff.name}", path=path), *own)


async def _prepare_models(run: Run, kickoff: Kickoff) -> None:
    """What is wrong with a model or a limit is said before anything runs; and libraries are loaded before a task's clock
    starts."""
    run.runtime.masked.learn_models(kickoff.models)
    askers = [run.models.chain_asker(config, owner=owner) for config, owner in kickoff.models]
    for asker in askers:
        await asker.prepare()


async def _recorded(runtime: Runtime, kickoff: Kickoff, row: RunRow) -> Outcome:
    """The result of a finished run: nothing is asked again."""
    row = runtime.masked.revealed(row)
    run = Run(runtime, row, lease=Lease(row.id, 0), is_new=False)
    for step in await runtime.off_loop(runtime.journal.steps, row.id, latest_only=False):
        run.note(step)
    runtime.tell("reused", row.id, "", {"kind": kickoff.kind, "name": kickoff.name})
    seconds = (row.finished_at - row.started_at).total_seconds() if row.finished_at and row.started_at else 0.0
    return _outcome(run, "", kickoff.decode(row.output or "null"), seconds)
