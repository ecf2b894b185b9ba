"""Paused flows: what their kickoff returns, and how they are found and gone on with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jackstay.core.feedback import PendingFeedbackContext
from jackstay.core.flow_state import fold, scope_of
from jackstay.core.ids import SHORT
from jackstay.core.records import RunRow, Wait
from jackstay.core.values import UnknownClass
from jackstay.core.waits import PERSONAL, Answer, payload_of
from jackstay.engine.run import Run
from jackstay.engine.runtime import Runtime
from jackstay.engine.waits import give
from jackstay.errors import AlreadyAnswered, AlreadyResumed, HumanFeedbackPending, InputsError, NoPendingFeedback

if TYPE_CHECKING:
    from jackstay.core.specs import StatePort
    from jackstay.flow.flow import Flow


@dataclass(frozen=True, slots=True)
class Paused:
    """A run of a flow that waits for a person's words. Of several questions the oldest comes first."""

    run_id: str
    wait: Wait
    context: PendingFeedbackContext


def pause_of(runtime: Runtime, flow: Flow[Any], run: Run) -> HumanFeedbackPending | None:
    """What a kickoff returns whose run waits now. None: for something else than a person's words."""
    waits = run.waits.for_now
    if not waits or any(wait.kind not in PERSONAL for wait in waits):
        return None
    first = waits[0]
    raised = flow._talk.pauses.get(first.path)
    context = raised.context if raised is not None else _context(runtime, first)
    flow._paused = Paused(run.id, first, context)
    return raised if isinstance(raised, HumanFeedbackPending) else HumanFeedbackPending(context)


def find_paused(runtime: Runtime, flow_id: str, name: str) -> tuple[Paused, RunRow]:
    """The run of the flow of that name that waits under this id: of its state, of the run, or its run key. Raises
    `NoPendingFeedback`."""
    journal = runtime.journal
    waits = [wait for wait in journal.open_waits() if wait.kind in PERSONAL]
    named = {row.id for row in journal.find_runs(flow_id)}
    for wait in waits:
        if wait.run_id not in named and payload_of(wait)["about"].get("flow_id") != flow_id:
            continue
        row = journal.run(wait.run_id)
        if row is not None and (row.kind, row.name) == ("flow", runtime.masked.secrets.stored_name(name)):
            return Paused(row.id, wait, _context(runtime, wait)), row
        if row is not None:
            raise NoPendingFeedback(
                f"{flow_id} waits inside run {row.id[:SHORT]} of {row.kind} '{row.name}', which is gone on with as a whole: "
                f"jackstay answer {row.id[:SHORT]} TEXT --resume"
            )
    raise NoPendingFeedback(
        f"No pending feedback: no run of flow '{name}' waits for a person under {flow_id!r} in {journal.url}; 'jackstay waits' "
        "lists what is waited for"
    )


def _context(runtime: Runtime, wait: Wait) -> PendingFeedbackContext:
    payload = payload_of(wait)
    about = payload["about"]
    return PendingFeedbackContext(
        flow_id=about.get("flow_id") or wait.run_id,
        flow_class=about.get("flow_class", ""),
        method_name=about.get("method") or about.get("task", ""),
        method_output=_output(runtime, payload),
        message=wait.prompt or "",
        emit=payload["options"] or None,
        default_outcome=payload["default"],
        metadata=about.get("metadata", {}),
        llm=about.get("llm"),
        requested_at=wait.created_at,
        run_id=wait.run_id,
    )


def _output(runtime: Runtime, payload: dict[str, Any]) -> Any:
    stored = payload["about"].get("output")
    try:
        return payload["shown"] if stored is None else runtime.codec.loads(stored)
    except (UnknownClass, ValueError):  # the program has changed since
        return payload["shown"]


def restored(runtime: Runtime, paused: Paused, state: StatePort) -> None:
    """Puts the state as the run has it now."""
    rows = sorted(runtime.journal.steps(paused.run_id), key=lambda row: row.seq)
    state.apply(fold(row for row in rows if scope_of(row) == ""), ())


def answered(runtime: Runtime, paused: Paused, feedback: Any) -> None:
    """Notes what the person says. Raises `AlreadyResumed` if somebody was faster."""
    if not isinstance(feedback, str):
        raise InputsError(f"resume({feedback!r}): feedback is a text")
    try:
        give(runtime.journal, paused.wait, Answer(feedback).to_json(), by="Flow.resume", secrets=runtime.masked.secrets)
    except AlreadyAnswered as error:
        raise AlreadyResumed(str(error)) from error


def inputs_of(runtime: Runtime, run_id: str) -> dict[str, Any]:
    """The inputs that the run was kicked off with."""
    row = runtime.journal.run(run_id)
    found: dict[str, Any] = runtime.codec.decode(json.loads((row.inputs if row else None) or "{}"))
    return found
