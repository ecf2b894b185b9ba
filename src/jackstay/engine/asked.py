"""What a kickoff asks for, and which run it was asked to go on with: by id, by run key, or as the same program again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jackstay.core.budget import Budget
from jackstay.core.canonical import canonical_json
from jackstay.core.content import Content
from jackstay.core.deadline import checked_deadline
from jackstay.core.failures import Failure, rebuild
from jackstay.core.forgetting import refuse_forgotten
from jackstay.core.ids import SHORT
from jackstay.core.records import RunKind, RunRow
from jackstay.core.retry import Retry
from jackstay.core.specs import ModelConfig
from jackstay.engine.definitions import compare, most_alike
from jackstay.engine.replaying import Replay
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.scope import Scope
from jackstay.engine.session import Session, identity
from jackstay.errors import ConfigurationError, DefinitionError, NotFoundError, RunKeyConflict

ALIKE = 0.5
"""How much of a definition has to be as it was for a program's kickoff to be taken for an earlier one."""


@dataclass(frozen=True)
class Kickoff:
    """One asked-for execution. `body` does it in a scope; `encode` and `decode` are its result as JSON text."""

    kind: RunKind
    name: str
    inputs: Mapping[str, Any]
    fingerprint: str
    """The hash of `outline`."""
    body: Callable[[Scope], Awaitable[Any]]
    encode: Callable[[Any], str]
    decode: Callable[[str], Any]
    outline: Any = None
    """The definition as `core.outlines` knows it; None: nobody compares it."""
    models: tuple[tuple[ModelConfig, str], ...] = ()
    """Every model that may be asked and who asks it: checked before any money is spent."""
    budget: Budget | None = None
    retry: Retry | None = None
    run_key: str | None = None
    resume: str | None = None
    replay: Replay | None = None
    """Begin a new run with what this one has recorded."""
    deadline_s: float | None = None
    """The nearest of the definition's and the caller's. Of no fingerprint: a resumed run may have another one."""
    paused: Callable[[Run], Any] | None = None
    """What the caller is given when the run waits; None, or if it gives None: `RunWaiting` is raised."""
    parent_run: str | None = None
    entry: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, Any] = field(default_factory=dict)
    verbose: bool = False
    """What happens in it is printed (`engine/verbose.py`)."""
    content: Content | None = None
    """How much of what is said stays when the run has ended; None: what the run around it, or the project, says."""
    state_id: str | None = None
    """Of a persisted flow: a state's id, which asks for its newest run if that has not finished."""

    def __post_init__(self) -> None:
        checked_deadline(self.deadline_s)
        given: Any = self.budget
        if given is not None and not isinstance(given, Budget):
            raise ConfigurationError(f"budget={given!r:.60}: give a Budget, as budget=Budget(usd='0.50')")

    @property
    def identity(self) -> str:
        return identity(self.kind, self.name, self.fingerprint, dict(self.inputs))


def with_environment(runtime: Runtime, kickoff: Kickoff) -> Kickoff:
    key = runtime.settings.run_key
    if key is None or kickoff.run_key is not None or kickoff.resume is not None:
        return kickoff
    # The variable names one run; a program's further kickoffs get the key with their number.
    runtime.kickoffs += 1
    return replace(kickoff, run_key=key if runtime.kickoffs == 1 else f"{key}#{runtime.kickoffs}")


async def earlier_run(runtime: Runtime, kickoff: Kickoff) -> tuple[Kickoff, RunRow | None]:
    """The run that this kickoff was asked to go on with, if it was asked. Says what of the definition has changed."""
    if kickoff.replay is not None:
        return kickoff, None
    session, row = runtime.session, None
    if kickoff.resume is not None:
        row = await find_run(runtime, kickoff.resume)
        _check_resumable(kickoff, row)
    elif kickoff.run_key is not None:
        row = await runtime.off_loop(runtime.journal.run_by_key, runtime.masked.secrets.stored_name(kickoff.run_key))
        row = None if row is None else runtime.masked.revealed(row)
        if row is not None:
            refuse_forgotten(row)
        if row is not None and (session is None or session.replay is None):
            _check_key(kickoff, row)
    elif session is not None:
        row = await _of_session(runtime, session, kickoff)
    if row is not None and session is not None and session.replay is not None and kickoff.resume is None:
        kickoff, row = _in_replay(session, kickoff, row, runtime.codec.classes)
    if row is None or row.fingerprint == kickoff.fingerprint:
        return kickoff, row
    if row.status == "succeeded":
        # Its result is not the answer to another question: a new run begins with what it has.
        return replace(kickoff, replay=Replay(row.id, "")), None
    await compare(runtime, row.id, "", recorded=row.fingerprint or "", kickoff=kickoff)
    return kickoff, row


async def _of_session(runtime: Runtime, session: Session, kickoff: Kickoff) -> RunRow | None:
    """What this kickoff was in the earlier process; with a changed definition, what it most resembles."""
    row = session.take_earlier(kickoff.identity)
    if row is not None or kickoff.outline is None:
        return row
    candidates = session.with_other_definition(kickoff.kind, kickoff.name, _as_stored(kickoff.inputs))
    row = await most_alike(runtime, kickoff, candidates, at_least=ALIKE)
    if row is not None:
        session.take(row)
    return row


def _in_replay(
    session: Session, kickoff: Kickoff, row: RunRow, classes: Mapping[str, type]
) -> tuple[Kickoff, RunRow | None]:
    """Of a program that is started again for a replay: the run that is replayed begins anew, finished ones answer, and
    those that had failed before it fail again, since the program had gone on after them."""
    assert session.replay is not None
    if row.id == session.replay.run_id:
        session.reached = True
        # The inputs that were given anew: a resume of the replay gives them again.
        entry = {**kickoff.entry, "inputs": session.inputs} if session.inputs else kickoff.entry
        return replace(kickoff, replay=session.replay, run_key=None, entry=entry), None
    if row.status == "failed" and row.error and row.id < session.replay.run_id:
        raise rebuild(Failure.from_json(row.error), classes)
    return kickoff, row if row.status == "succeeded" else None


async def find_run(runtime: Runtime, prefix: str) -> RunRow:
    """The one run whose id starts so (or whose run key it is). Raises `NotFoundError`."""
    wanted = runtime.masked.secrets.stored_name(prefix)
    rows = await runtime.off_loop(runtime.journal.find_runs, wanted)
    if not rows:
        raise NotFoundError(f"there is no run {prefix!r} in {runtime.journal.url}; 'jackstay runs' lists them")
    if len(rows) > 1:
        listed = ", ".join(row.id for row in rows[:5])
        raise NotFoundError(f"{prefix!r} is the beginning of {len(rows)} runs ({listed}); give more of the id")
    return runtime.masked.revealed(rows[0])


def _check_resumable(kickoff: Kickoff, row: RunRow) -> None:
    if (row.kind, row.name) != (kickoff.kind, kickoff.name):
        raise DefinitionError(
            f"run {row.id[:SHORT]} is of {row.kind} '{row.name}' and cannot be resumed by {kickoff.kind} '{kickoff.name}'"
        )


def _check_key(kickoff: Kickoff, row: RunRow) -> None:
    given, known = dict(kickoff.inputs), json.loads(row.inputs) if row.inputs else {}
    if (row.kind, row.name) != (kickoff.kind, kickoff.name) or row.fingerprint != kickoff.fingerprint:
        raise RunKeyConflict(
            f"the run key {kickoff.run_key!r} belongs to run {row.id[:SHORT]} of {row.kind} '{row.name}', whose definition "
            "differs from this one; use another run_key, or resume that run by its id to see what changed"
        )
    if _as_stored(given) != known:
        raise RunKeyConflict(
            f"the run key {kickoff.run_key!r} belongs to run {row.id[:SHORT]} with the inputs {known}, not {given}; a run "
            "key names one run: put what varies into the key"
        )


def _as_stored(inputs: Mapping[str, Any]) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(canonical_json(dict(inputs)))
    return plain
