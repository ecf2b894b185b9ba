"""What spans of steps alike have in common: nearly all that stands in one. Made, and given its form, once.

Runs of a crew differ in ids, times and tokens; what their steps are called, and which model answered how, comes again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jackstay.core.masking import Masking
from jackstay.core.records import StepRow
from jackstay.observe import span_names as names

Value = str | bool | int | float | Sequence[str]

MOST_CHARACTERS = 20_000
"""Of one text in a span; the journal has it whole, and backends cut or refuse what is larger."""
_KNOWN_MOST = 500
"""How many are remembered."""


@dataclass(slots=True, eq=False)
class Common:
    """What spans of steps alike have: nearly all that stands in one."""

    name: str
    attributes: Mapping[str, Value]
    form: bytes | None = None
    """Of both, once a span was sent: many have the same ones."""


class Shapes:
    """What steps alike have in common, of all runs of a runtime. `masking`: what is masked now."""

    def __init__(self, masking: Callable[[], Masking]) -> None:
        self.masking = masking
        # In one: what was made with another masking never comes among these.
        self._known: tuple[Masking | None, dict[tuple[Any, ...], Common]] = (None, {})

    def of_run(self, kind: str, name: str, epoch: int) -> Common:
        return self._of(_of_run, kind, name, epoch)

    def of_agent(self, agent: str) -> Common:
        """An agent's work in a task."""
        return self._of(_of_agent, agent)

    def of_step(self, row: StepRow, finish_reason: str | None) -> Common:
        """`finish_reason`: of a model's answer."""
        flags, model = row.flags or "", (row.model, row.provider, row.answered_by, finish_reason)
        key = (row.kind, row.name, row.status, row.attempts, flags, row.agent, row.task)
        return self._of(_of_step, *key, model if row.kind == "llm" else None)

    def _of(self, make: Callable[..., Common], *key: Any) -> Common:
        masking = self.masking()
        made_with, known = self._known
        if made_with is not masking:
            _, known = self._known = (masking, {})
        found = known.get((make, key))
        if found is None:
            if len(known) >= _KNOWN_MOST:
                known.clear()
            found = known[make, key] = make(masking, *key)
        return found


def _of_run(masking: Masking, kind: str, name: str, epoch: int) -> Common:
    shown, own = _of_kickoff(masking, kind, name)
    attributes: dict[str, Value] = {names.RUN_KIND: kind, names.RUN_EPOCH: epoch}
    return Common(shown if epoch == 1 else f"resume {shown}", attributes | own)


def _of_agent(masking: Masking, agent: str) -> Common:
    name, own = _of_kickoff(masking, "agent", agent)
    return Common(name, {names.KIND: "agent", **own})


def _of_step(
    masking: Masking,
    kind: str,
    name: str,
    status: str,
    attempts: int,
    flags: str,
    agent: str | None,
    task: str | None,
    model: tuple[str | None, str | None, str | None, str | None] | None,
) -> Common:
    attributes: dict[str, Value] = {names.KIND: kind, names.STATUS: status}
    if attempts > 1:
        attributes[names.ATTEMPTS] = attempts
    if flags:
        attributes[names.FLAGS] = flags.split(",")
    if agent is not None:
        attributes[names.AGENT] = _called(masking, agent)
    if task is not None:
        attributes[names.TASK] = _called(masking, task)
    shown, own = _of_call(*model, flags) if model is not None else _of_kind(masking, kind, name)
    return Common(shown, attributes | own)


def _of_kind(masking: Masking, kind: str, name: str) -> tuple[str, dict[str, Value]]:
    """The span's name, and what only steps of that kind have."""
    shown = _called(masking, name)
    match kind:
        case "tool":
            own: dict[str, Value] = {
                names.OPERATION: names.EXECUTE_TOOL,
                names.TOOL: shown,
                names.TOOL_TYPE: "function",
            }
            return f"{names.EXECUTE_TOOL} {shown}", own
        case "crew" | "flow" | "agent":
            return _of_kickoff(masking, kind, name)
        case "task":
            return f"task {shown}", {names.TASK: shown}
        case "method":
            return f"method {shown}", {names.METHOD: shown}
        case "guardrail":
            return f"guardrail {shown}", {names.GUARDRAIL: shown}
        case _:
            return f"{kind} {shown}", {}


def _of_kickoff(masking: Masking, kind: str, name: str) -> tuple[str, dict[str, Value]]:
    shown = _called(masking, name)
    match kind:
        case "crew" | "flow":
            return f"{names.INVOKE_WORKFLOW} {shown}", {names.OPERATION: names.INVOKE_WORKFLOW, names.WORKFLOW: shown}
        case "agent":
            return f"{names.INVOKE_AGENT} {shown}", {names.OPERATION: names.INVOKE_AGENT, names.AGENT: shown}
        case _:
            return f"{kind} {shown}", {}


def _of_call(
    asked: str | None, provider: str | None, answered_by: str | None, finish_reason: str | None, flags: str
) -> tuple[str, dict[str, Value]]:
    prefix, _, _ = (asked or "").partition("/")
    provider = provider or (prefix if prefix != (asked or "") else "")
    model = (asked or "").removeprefix(f"{prefix}/")
    own: dict[str, Value] = {names.OPERATION: names.CHAT}
    if provider:
        own[names.PROVIDER] = names.PROVIDERS.get(provider, provider)
    if model:
        own[names.REQUEST_MODEL] = model
    if "streamed" in flags:
        own[names.REQUEST_STREAM] = True
    if answered_by is not None:
        own[names.RESPONSE_MODEL] = answered_by
    if finish_reason:
        own[names.FINISH_REASONS] = [finish_reason]
    return f"{names.CHAT} {model}".strip(), own


def _called(masking: Masking, name: str) -> str:
    masked = masking.text(name)
    return masked if len(masked) <= MOST_CHARACTERS else f"{masked[:MOST_CHARACTERS]}…"
