"""How a run begins and ends: at the top a row with a lease, inside a run a scope; asked again, the recorded result."""

from __future__ import annotations

import asyncio
import json
import os
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, cast

from jackstay.core.budget import Budget
from jackstay.core.canonical import canonical_json
from jackstay.core.deadline import checked_deadline
from jackstay.core.events import EventName
from jackstay.core.failures import Failure, failure_of, rebuild
from jackstay.core.ids import SHORT, uuid7
from jackstay.core.paths import slug
from jackstay.core.records import Lease, RunEnd, RunKind, RunRow, StepKind, StepRow, StepStatus
from jackstay.core.retry import Retry
from jackstay.core.specs import ModelConfig
from jackstay.core.usage import Bill
from jackstay.engine.budgets import BudgetScope, scoped
from jackstay.engine.deadlines import watched
from jackstay.engine.ending import end_failed, tell_end, why_ended
from jackstay.engine.home import Home
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope, current_scope
from jackstay.engine.session import identity
from jackstay.errors import (
    DefinitionError,
    NotFoundError,
    RunKeyConflict,
    RunSignal,
    RunSuspended,
    RunWaiting,
)


@dataclass(frozen=True)
class Kickoff:
    """One asked-for execution. `body` does it in a scope; `encode` and `decode` are its result as JSON text."""

    kind: RunKind
    name: str
    inputs: Mapping[str, Any]
    fingerprint: str
    body: Callable[[Scope], Awaitable[Any]]
    encode: Callable[[Any], str]
    decode: Callable[[str], Any]
    models: tuple[tuple[ModelConfig, str], ...] = ()
    """Every model that may be asked and who asks it: checked before any money is spent."""
    budget: Budget | None = None
    retry: Retry | None = None
    run_key: str | None = None
    resume: str | None = None
    deadline_s: float | None = None
    """The nearest of the definition's and the caller's. Of no fingerprint: a resumed run may have another one."""
    parent_run: str | None = None
    entry: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checked_deadline(self.deadline_s)

    @property
    def identity(self) -> str:
        return identity(self.kind, self.name, self.fingerprint, dict(self.inputs))


@dataclass(frozen=True, slots=True)
class Outcome:
    """A finished kickoff. `path` is its scope inside the run `run_id`, empty for the run itself."""

    result: Any
    run_id: str
    path: str
    bill: Bill
    duration_s: float
    lost: int = 0


async def start(runtime: Runtime, home: Home, kickoff: Kickoff) -> Outcome:
    """Runs a kickoff where it was called: inside a run as a scope of it, else as a run of its own."""
    scope = current_scope()
    if scope is None and runtime.session is not None and runtime.session.scope is not None:
        scope = runtime.session.scope
    if scope is not None and kickoff.run_key is None and kickoff.resume is None:
        with belonging_to(scope):
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
    args_hash = kickoff.identity
    scope = parent.child(parent.hashed(slug(kickoff.name), args_hash), home=home)
    row = run.find(scope.path, args_hash)
    if row is not None:
        run.tell("reused", scope.path, kind=kickoff.kind, name=kickoff.name)
        if row.status == "failed":
            raise rebuild(Failure.from_json(row.error or "{}"), run.runtime.codec.classes)
        result = kickoff.decode(row.result or "null")
        return Outcome(result, run.id, scope.path, run.bill(scope.path), row.duration_us / 1e6)
    scope.bound(deadline_s=kickoff.deadline_s, retry=kickoff.retry, budgets=budgets_of(run, kickoff, scope.path))
    await _prepare_models(run, kickoff)
    began = run.began()
    if kickoff.kind == "crew":
        run.tell("crew_started", scope.path, name=kickoff.name)

    def made(status: StepStatus, **fields: Any) -> StepRow:
        kind = cast("StepKind", kickoff.kind)
        return run.step_row(began, scope.path, kind, kickoff.name, status, args_hash, **fields)

    try:
        async with watched(scope):
            result = await kickoff.body(scope)
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
    return Outcome(result, run.id, scope.path, run.bill(scope.path), run.runtime.clock.monotonic() - began.monotonic_s)


# --- a run of its own --------------------------------------------------------------------------------------------------


async def _top(runtime: Runtime, home: Home, kickoff: Kickoff) -> Outcome:
    asked_s = runtime.clock.monotonic()
    runtime.check_settings()
    kickoff = _with_environment(runtime, kickoff)
    earlier = await _earlier(runtime, kickoff)
    if earlier is not None and earlier.status == "succeeded":
        return await _recorded(runtime, kickoff, earlier)
    if earlier is None:
        run = new_run(runtime, kickoff)
        await _prepare_models(run, kickoff)
        await _claim_key(run, kickoff)
    else:
        run = await take_up(runtime, earlier.id)
        try:
            await _prepare_models(run, kickoff)
        except (Exception, asyncio.CancelledError) as error:
            await _end(run, kickoff, error=error)
            raise
    return await _drive(run, home, kickoff, asked_s)


def _with_environment(runtime: Runtime, kickoff: Kickoff) -> Kickoff:
    key = runtime.settings.run_key
    if key is None or kickoff.run_key is not None or kickoff.resume is not None:
        return kickoff
    # The variable names one run; a program's further kickoffs get the key with their number.
    runtime.kickoffs += 1
    return replace(kickoff, run_key=key if runtime.kickoffs == 1 else f"{key}#{runtime.kickoffs}")


async def _earlier(runtime: Runtime, kickoff: Kickoff) -> RunRow | None:
    """The run that this kickoff was asked to go on with, if it was asked."""
    if kickoff.resume is not None:
        asked = await find_run(runtime, kickoff.resume)
        _check_resumable(runtime, kickoff, asked)
        return asked
    if kickoff.run_key is not None:
        row = await runtime.off_loop(runtime.journal.run_by_key, kickoff.run_key)
        if row is not None:
            _check_key(kickoff, row)
        return row
    if runtime.session is not None:
        run_id = runtime.session.take_earlier(kickoff.identity)
        return await runtime.off_loop(runtime.journal.run, run_id) if run_id else None
    return None


async def find_run(runtime: Runtime, prefix: str) -> RunRow:
    """The one run whose id starts so (or whose run key it is). Raises `NotFoundError`."""
    rows = await runtime.off_loop(runtime.journal.find_runs, prefix)
    if not rows:
        raise NotFoundError(f"there is no run {prefix!r} in {runtime.journal.url}; 'jackstay runs' lists them")
    if len(rows) > 1:
        listed = ", ".join(row.id for row in rows[:5])
        raise NotFoundError(f"{prefix!r} is the beginning of {len(rows)} runs ({listed}); give more of the id")
    return rows[0]


def _check_resumable(runtime: Runtime, kickoff: Kickoff, row: RunRow) -> None:
    if (row.kind, row.name) != (kickoff.kind, kickoff.name):
        raise DefinitionError(
            f"run {row.id[:SHORT]} is of {row.kind} '{row.name}' and cannot be resumed by {kickoff.kind} '{kickoff.name}'"
        )
    if row.fingerprint != kickoff.fingerprint:
        text = f"the definition of {row.kind} '{row.name}' has changed since the run; steps whose question differs are asked anew"
        runtime.tell("warning", row.id, "", {"text": text})


def _check_key(kickoff: Kickoff, row: RunRow) -> None:
    given, known = dict(kickoff.inputs), json.loads(row.inputs) if row.inputs else {}
    if (row.kind, row.name) != (kickoff.kind, kickoff.name) or row.fingerprint != kickoff.fingerprint:
        raise RunKeyConflict(
            f"the run key {kickoff.run_key!r} belongs to run {row.id[:SHORT]} of {row.kind} '{row.name}', whose definition "
            "differs from this one; use another run_key, or resume that run by its id to see what changed"
        )
    if json.loads(canonical_json(given)) != known:
        raise RunKeyConflict(
            f"the run key {kickoff.run_key!r} belongs to run {row.id[:SHORT]} with the inputs {known}, not {given}; a run "
            "key names one run: put what varies into the key"
        )


def new_run(runtime: Runtime, kickoff: Kickoff) -> Run:
    """A run that its first write will make visible."""
    now = runtime.clock.now()
    runtime.say_override()
    row = RunRow(
        id=uuid7(int(now.timestamp() * 1000), os.urandom(10)),
        kind=kickoff.kind,
        name=kickoff.name,
        created_at=now,
        started_at=now,
        inputs=canonical_json(dict(kickoff.inputs)),
        entry=canonical_json(dict(kickoff.entry)),
        fingerprint=kickoff.fingerprint,
        run_key=kickoff.run_key,
        parent_run=kickoff.parent_run,
        session_id=runtime.session.id if runtime.session else runtime.session_id,
        model_override=runtime.settings.model,
        tags=canonical_json(dict(kickoff.tags)) if kickoff.tags else None,
    )
    return Run(runtime, row, lease=Lease(row.id, 1), is_new=True)


async def _claim_key(run: Run, kickoff: Kickoff) -> None:
    """A run with a key is made visible before it works, so that of two that start at once one is refused."""
    if kickoff.run_key is not None:
        await run.writer.begin()


async def take_up(runtime: Runtime, run_id: str) -> Run:
    """Takes an unfinished run over: its lease, its rows, what it may have lost. Raises `AlreadyRunning`."""
    takeover = await runtime.journal.take_up(run_id, force=run_id in runtime.left_behind)
    runtime.left_behind.discard(run_id)
    run = Run(runtime, takeover.run, lease=takeover.lease, is_new=False)
    run.load(takeover, await runtime.off_loop(runtime.journal.steps, run_id, latest_only=False))
    if runtime.settings.model and runtime.settings.model != run.row.model_override:
        run.row = replace(run.row, model_override=runtime.settings.model)
    return run


async def _drive(run: Run, home: Home, kickoff: Kickoff, asked_s: float) -> Outcome:
    """`asked_s`: when the caller asked, on the monotonic clock; the run's time limit counts from there."""
    runtime, started = run.runtime, run.runtime.clock.monotonic()
    scope = Scope(run, "", home).bound(deadline_s=kickoff.deadline_s, since_s=asked_s)
    scope.bound(retry=kickoff.retry, budgets=budgets_of(run, kickoff, ""))
    runtime.leases.keep(run, current_task())
    begun: EventName = "run_started" if run.row.attempts == 1 else "run_resumed"
    run.tell(begun, "", kind=kickoff.kind, name=kickoff.name, inputs=dict(kickoff.inputs), model=run.row.model_override)
    try:
        async with watched(scope):
            result = await kickoff.body(scope)
            run.check(scope)
    except (Exception, asyncio.CancelledError, RunSignal) as error:
        runtime.leases.let_go(run)
        why = why_ended(scope, error)
        await _end(run, kickoff, error=why)
        if isinstance(why, RunSuspended):
            raise RunWaiting(f"run {run.id[:SHORT]} is waiting: {why}", run_id=run.id, wait=str(why)) from None
        if why is error:
            raise
        raise why from (error if isinstance(error, Exception) else None)
    # Before the end is written, which gives the lease back: a renewal at that moment would find it lost.
    runtime.leases.let_go(run)
    await _end(run, kickoff, result=result)
    duration_s = runtime.clock.monotonic() - started
    return Outcome(result, run.id, "", run.bill(), duration_s, lost=len(run.lost))


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
    askers = [run.chain_asker(config, owner=owner) for config, owner in kickoff.models]
    for asker in askers:
        await asker.prepare()


async def _recorded(runtime: Runtime, kickoff: Kickoff, row: RunRow) -> Outcome:
    """The result of a finished run: nothing is asked again."""
    run = Run(runtime, row, lease=Lease(row.id, 0), is_new=False)
    for step in await runtime.off_loop(runtime.journal.steps, row.id, latest_only=False):
        run.note(step)
    runtime.tell("reused", row.id, "", {"kind": kickoff.kind, "name": kickoff.name})
    seconds = (row.finished_at - row.started_at).total_seconds() if row.finished_at and row.started_at else 0.0
    return Outcome(kickoff.decode(row.output or "null"), row.id, "", run.bill(), seconds)
