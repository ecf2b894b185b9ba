"""Flows whose state outlives their runs: which run a state's id goes on with, what is loaded, what is saved."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from jackstay.core.canonical import canonical_json, digest
from jackstay.core.flow_state import address, fold
from jackstay.core.ids import SHORT, uuid7
from jackstay.core.records import SAVED, Lease, RunEnd, RunRow, StateUse, StepRow, Write
from jackstay.core.replay import KICKOFF, STATE
from jackstay.core.specs import FlowSpec
from jackstay.core.values import NotStorable, UnknownClass
from jackstay.engine.replaying import Replay
from jackstay.engine.user_code import call_user
from jackstay.errors import InputsError, StatePersistenceFailed

if TYPE_CHECKING:
    from jackstay.engine.asked import Kickoff
    from jackstay.engine.runtime import Runtime
    from jackstay.engine.scope import Scope

WRITE_S = 30.0


# --- which run -----------------------------------------------------------------------------------------------------


async def with_unfinished(runtime: Runtime, kickoff: Kickoff, scope: Scope | None) -> Kickoff:
    """The kickoff, to go on with the newest run of its state's id if that has not ended well (engine rule 30: the id
    asks for it). `scope`: of the script that kicks off, if it is a run itself."""
    session = runtime.session
    asked = kickoff.run_key or runtime.settings.run_key or kickoff.resume or kickoff.replay
    # A program that is started again finds its own runs, in their order.
    if kickoff.state_id is None or asked or (session is not None and session.scope is None):
        return kickoff
    uses = await runtime.off_loop(runtime.journal.state_uses, kickoff.state_id)
    newest = uses[0] if uses else None
    if newest is None or newest.ended_well or (scope is not None and newest.run.id == scope.run.id):
        return kickoff
    name, inputs = await runtime.off_loop(_kicked_off, runtime, newest)
    if name != kickoff.name:
        return kickoff
    if not _is_same(inputs, kickoff.inputs):
        runtime.tell(
            "warning",
            newest.run.id,
            newest.path,
            {
                "text": f"state {kickoff.state_id!r}: run {newest.run.id[:SHORT]} has not finished, and had other inputs; "
                "a new run begins with the state that was saved last"
            },
        )
        return kickoff
    if newest.path == "":
        return replace(kickoff, resume=newest.run.id)
    # Part of a script's run: what it has is where a run of its own begins.
    return replace(kickoff, replay=Replay(newest.run.id, "", newest.path))


def _kicked_off(runtime: Runtime, use: StateUse) -> tuple[str, Mapping[str, Any]]:
    """The flow's name and its inputs."""
    if use.path == "":
        return use.run.name, json.loads(use.run.inputs or "{}")
    own = next(row for row in runtime.journal.steps(use.run.id) if row.path == f"{use.path}/{KICKOFF}")
    told = json.loads(own.request or "{}")
    return told["name"], told["inputs"]


def _is_same(recorded: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """The id alone asks for what was begun, whatever its inputs were."""
    plain: dict[str, Any] = json.loads(canonical_json(dict(given)))
    mine, earlier = ({k: v for k, v in each.items() if k != "id"} for each in (plain, recorded))
    return not mine or mine == earlier


# --- loading -------------------------------------------------------------------------------------------------------


async def restore(scope: Scope, flow: FlowSpec) -> None:
    """Loads the saved state with which the flow was asked to begin, if there is one."""
    if flow.replayed is not None:
        before = await scope.run.runtime.off_loop(_first_state, scope.run.runtime, *flow.replayed)
        if before is not None:
            flow.state.restore(before)
    if flow.restore is None or flow.saving is None:
        return
    runtime, source = scope.run.runtime, flow.saving.source
    if source is None:
        saved = await runtime.off_loop(load_state, runtime, flow.restore)
    else:
        saved = await call_user(scope, source.load_state, flow.restore)
    if saved is not None:
        flow.state.restore(saved)
    elif flow.restore != flow.state.id:
        text = f"no state was saved under {flow.restore!r}: flow {flow.name} begins with its own"
        scope.run.tell("warning", scope.path, text=text)


def _first_state(runtime: Runtime, run_id: str, path: str) -> dict[str, Any] | None:
    own = f"{path}/{STATE}" if path else STATE
    return _values(runtime, [row for row in runtime.journal.steps(run_id) if row.path == own], f"run {run_id[:SHORT]}")


def load_state(runtime: Runtime, state_id: str) -> dict[str, Any] | None:
    """The state that was saved last under this id, as values. Blocks. Raises `InputsError` if the program does not know
    its classes any more."""
    return _values(runtime, runtime.journal.saved_state(state_id), f"the id {state_id!r}")


def _values(runtime: Runtime, rows: Sequence[StepRow], of: str) -> dict[str, Any] | None:
    if not rows:
        return None
    try:
        return {name: runtime.codec.decode(data) for name, data in fold(rows).items()}
    except (UnknownClass, ValueError) as error:
        raise InputsError(
            f"the state saved under {of} does not fit the program any more: {error}; bring back what is missing, or begin "
            "without it"
        ) from error


# --- saving --------------------------------------------------------------------------------------------------------


class Saver:
    """Saves the state of one run of a flow, one method after the other."""

    def __init__(self, flow: FlowSpec) -> None:
        self._flow, self._turn = flow, asyncio.Lock()

    def saves_to_journal(self, method: str) -> bool:
        """The state behind this method is what is loaded by its id."""
        saving = self._flow.saving
        return saving is not None and saving.stores.get(method, self) is None

    async def save(self, scope: Scope, method: str) -> None:
        """After a method, before its row is written: saved again if the process dies in between (engine rule 24)."""
        saving, state = self._flow.saving, self._flow.state
        if saving is None or method not in saving.stores:
            return
        store = saving.stores[method]
        if store is not None:
            if not state.id:
                raise StatePersistenceFailed(f"State persistence failed: the state has no id after {method}")
            async with self._turn:  # an older state must not come behind a newer one
                try:
                    await call_user(scope, store.save_state, state.id, method, state.copied())
                except Exception as error:
                    if error is scope.run.stopped(scope):
                        raise
                    raise failed(error) from error
        if method in saving.told:
            logging.getLogger("jackstay").info(
                "state %s of flow %s is saved after %s", state.id, self._flow.name, method
            )


def failed(error: Exception) -> StatePersistenceFailed:
    if isinstance(error, NotStorable):
        return StatePersistenceFailed(f"State persistence failed: {error}; keep it out of the state, or its text in it")
    return StatePersistenceFailed(f"State persistence failed: {error}")


def put_state(runtime: Runtime, state_id: str, method: str, values: Mapping[str, Any]) -> None:
    """Saves a state under this id by hand, as a run that has ended. Blocks. Raises `StatePersistenceFailed`."""
    try:
        state = runtime.codec.dumps({**values, "id": values.get("id", state_id)})
    except NotStorable as error:
        raise failed(error) from error
    now = runtime.clock.now()
    run_id = uuid7(int(now.timestamp() * 1000), os.urandom(10))
    run = RunRow(id=run_id, kind="flow", name="save_state", created_at=now, started_at=now)
    begin = StepRow(
        run_id, STATE, "input", "state", "succeeded", digest("state"), now, now, request=address(state_id), result=state
    )
    done = '{"removed":[],"state":{},"value":null}'
    behind = StepRow(
        run_id, f"{method}#1", "method", method, "succeeded", digest([method, 1]), now, now, result=done, flags=SAVED
    )
    write = Write(
        Lease(run_id, 1), steps=(begin, behind), end=RunEnd("succeeded", now, output='{"state":{},"value":null}')
    )
    runtime.journal.create_run(run, write=write).result(WRITE_S)
