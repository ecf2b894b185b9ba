"""What stands in a span: its name and attributes, from the row that it is of. Names are those of `span_names`.

Nothing that people or models said is in it unless that was asked for, and then masked; an error's message is masked, too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jackstay.core.failures import Failure
from jackstay.core.ids import SHORT
from jackstay.core.masking import Masking
from jackstay.core.messages import Message
from jackstay.core.records import RunRow, StepRow
from jackstay.core.usage import from_pico
from jackstay.observe import span_names as names

Value = str | bool | int | float | Sequence[str]
Asked = Callable[[StepRow], Sequence[Message]]
"""The conversation that a model call was asked with."""

_WORDS = frozenset({"role", "type", "id", "name", "finish_reason"})
"""Keys of messages whose values are the convention's words, and names of tools."""
MOST_CHARACTERS = 20_000
"""Of one text in a span; the journal has it whole, and backends cut or refuse what is larger."""


@dataclass(frozen=True, slots=True)
class Failed:
    type: str
    message: str
    stacktrace: str = ""
    code: str = "error"


@dataclass(slots=True, eq=False)
class Common:
    """What spans of steps alike have: nearly all that stands in one."""

    name: str
    attributes: Mapping[str, Value]
    form: bytes | None = None
    """Of both, once a span was sent: many have the same ones."""


# (Not frozen, which would make it take three times as long to make.)
@dataclass(slots=True)
class Described:
    common: Common
    own: Mapping[str, Value] = field(default_factory=dict)
    is_client: bool = False
    failed: Failed | None = None

    @property
    def name(self) -> str:
        return self.common.name

    @property
    def attributes(self) -> Mapping[str, Value]:
        return {**self.common.attributes, **self.own}


def plain(name: str, attributes: Mapping[str, Value] | None = None) -> Described:
    """Of a span that is like no other."""
    return Described(Common(name, {}), attributes or {})


SHAPES_MOST = 500
"""How many are remembered: steps alike come again and again."""


class Shapes:
    """What steps alike have in common, of the runs of a process. `masking`: what is masked now."""

    def __init__(self, masking: Callable[[], Masking]) -> None:
        self.masking = masking
        # In one: what was made with another masking never comes among these.
        self._known: tuple[Masking | None, dict[tuple[Any, ...], Common]] = (None, {})

    def of_run(self, kind: str, name: str, epoch: int) -> Common:
        return self._of(_of_run, kind, name, epoch)

    def of_agent(self, agent: str) -> Common:
        """An agent's work in a task."""
        return self._of(_of_agent, agent)

    def of_scope(self, name: str) -> Common:
        """That has no row."""
        return self._of(_of_scope, name)

    def of_step(self, row: StepRow, finish_reason: str | None) -> Common:
        """`finish_reason`: of a model's answer."""
        flags, model = row.flags or "", (row.model, row.provider, row.answered_by, finish_reason)
        key = (row.kind, row.name, row.status, row.rev, row.attempts, flags, row.agent, row.task)
        return self._of(_of_step, *key, model if row.kind == "llm" else None)

    def _of(self, make: Callable[..., Common], *key: Any) -> Common:
        masking = self.masking()
        made_with, known = self._known
        if made_with is not masking:
            _, known = self._known = (masking, {})
        found = known.get((make, key))
        if found is None:
            if len(known) >= SHAPES_MOST:
                known.clear()
            found = known[make, key] = make(masking, *key)
        return found


class Describing:
    """Of one run. `asked`: given if what was said is told as well."""

    def __init__(self, run: RunRow, shapes: Shapes, *, asked: Asked | None = None) -> None:
        self._id, self._kind, self._name, self._session = run.id, run.kind, run.name, run.session_id
        self._shapes, self._asked = shapes, asked

    def root(self, epoch: int) -> Described:
        """Of the run, as far as it is known when the epoch begins."""
        own: dict[str, Value] = {names.RUN: self._id}
        if self._session is not None:
            own[names.SESSION] = self._session
        return Described(self._shapes.of_run(self._kind, self._name, epoch), own)

    def ending(
        self, status: str | None, reason: str | None, error: str | None
    ) -> tuple[Mapping[str, Value], Failed | None]:
        """Of the run, when the epoch has ended. `error`: a failure as JSON."""
        told = {names.RUN_STATUS: status, names.RUN_REASON: reason}
        attributes: dict[str, Value] = {name: value for name, value in told.items() if value is not None}
        failed = self._failure(error) if status == "failed" else None
        if failed is not None:
            attributes[names.ERROR_TYPE] = failed.type
        return attributes, failed

    def of(self, path: str, row: StepRow | None, agent: str | None) -> Described:
        """Of what is placed there."""
        own: dict[str, Value] = {names.RUN: self._id, names.PATH: path}
        if agent is not None:
            return Described(self._shapes.of_agent(agent), own)
        if row is None:
            return Described(self._shapes.of_scope(path.rpartition("/")[2]), own)
        answer = _json(row.result) if row.kind == "llm" else {}
        own |= self._own(row, answer)
        failed = self._failure(row.error) if row.status == "failed" else None
        if failed is not None:
            own[names.ERROR_TYPE] = failed.code if row.kind == "llm" and failed.code != "error" else failed.type
        common = self._shapes.of_step(row, answer.get("finish_reason"))
        return Described(common, own, is_client=row.kind == "llm", failed=failed)

    def _own(self, row: StepRow, answer: Mapping[str, Any]) -> Mapping[str, Value]:
        match row.kind:
            case "llm":
                return self._of_call(row, answer)
            case "tool":
                return self._tool_content(row)
            case "task":
                return self._result(row)
            case _:
                return {}

    # --- model calls ---------------------------------------------------------------------------------------------------

    def _of_call(self, row: StepRow, answer: Mapping[str, Any]) -> dict[str, Value]:
        own: dict[str, Value] = {}
        # Of most there is none, and nothing else of the request is told.
        most = _json(row.request).get("max_tokens") if "max_tokens" in (row.request or "") else None
        if most is not None:
            own[names.REQUEST_MAX_TOKENS] = most
        if row.cost_pico is not None:
            own[names.COST] = float(from_pico(row.cost_pico) or 0)
        if row.status == "succeeded" and "cached" not in (row.flags or "").split(","):
            own |= _usage(row)
        if row.tried:
            own[names.TRIED] = [f"{each['model']}: {each['code']}" for each in json.loads(row.tried)]
        return own | self._conversation(row, answer)

    def _conversation(self, row: StepRow, answer: Mapping[str, Any]) -> dict[str, Value]:
        if self._asked is None:
            return {}
        messages = [_message(each) for each in self._asked(row)]
        own: dict[str, Value] = {names.INPUT_MESSAGES: self._shown(messages, _WORDS)}
        if answer:
            calls = [
                {"type": "tool_call", "id": c[2], "name": c[0], "arguments": c[1]} for c in answer.get("tool_calls", ())
            ]
            parts = [*([{"type": "text", "content": answer["text"]}] if answer.get("text") else []), *calls]
            said = {"role": "assistant", "parts": parts, "finish_reason": answer.get("finish_reason", "stop")}
            own[names.OUTPUT_MESSAGES] = self._shown([said], _WORDS)
        return own

    # --- the others ----------------------------------------------------------------------------------------------------

    def _tool_content(self, row: StepRow) -> dict[str, Value]:
        if self._asked is None:
            return {}
        own: dict[str, Value] = {names.TOOL_ARGUMENTS: self._shown(_json(row.request).get("arguments", ""))}
        if row.result is not None:
            own[names.TOOL_RESULT] = self._shown(row.result)
        return own

    def _result(self, row: StepRow) -> dict[str, Value]:
        if self._asked is None or row.result is None:
            return {}
        return {names.RESULT: self._shown(_json(row.result).get("raw", row.result))}

    def _failure(self, error: str | None) -> Failed | None:
        if error is None:
            return Failed("_OTHER", "")
        failure = Failure.from_json(error)
        kind = failure.type.replace("builtins:", "").replace(":", ".")
        return Failed(kind, self._shown(failure.message), self._shown(failure.traceback), failure.code)

    def _cut(self, text: str) -> str:
        if len(text) <= MOST_CHARACTERS:
            return text
        return f"{text[:MOST_CHARACTERS]}… (run {self._id[:SHORT]} has {len(text) - MOST_CHARACTERS:,} more characters)"

    def _shown(self, value: Any, words: Container[str] = ()) -> str:
        """What was said. Masked before it becomes JSON text, whose escapes would hide what is to be masked."""
        masked = self._shapes.masking().whole(value, words)
        return self._cut(masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False))


# --- what steps alike have in common -----------------------------------------------------------------------------------


def _of_run(masking: Masking, kind: str, name: str, epoch: int) -> Common:
    shown, own = _of_kickoff(masking, kind, name)
    attributes: dict[str, Value] = {names.RUN_KIND: kind, names.RUN_EPOCH: epoch}
    return Common(shown if epoch == 1 else f"resume {shown}", attributes | own)


def _of_agent(masking: Masking, agent: str) -> Common:
    name, own = _of_kickoff(masking, "agent", agent)
    return Common(name, {names.KIND: "agent", **own})


def _of_scope(_: Masking, name: str) -> Common:
    return Common(name, {names.KIND: "scope"})


def _of_step(
    masking: Masking,
    kind: str,
    name: str,
    status: str,
    revision: int,
    attempts: int,
    flags: str,
    agent: str | None,
    task: str | None,
    model: tuple[str | None, str | None, str | None, str | None] | None,
) -> Common:
    attributes: dict[str, Value] = {names.KIND: kind, names.STATUS: status, names.REVISION: revision}
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


def _usage(row: StepRow) -> dict[str, Value]:
    more = {
        names.CACHED_TOKENS: row.cached_tokens,
        names.CACHE_WRITE_TOKENS: row.cache_write_tokens,
        names.REASONING_TOKENS: row.reasoning_tokens,
    }
    return {
        names.INPUT_TOKENS: row.input_tokens,
        names.OUTPUT_TOKENS: row.output_tokens,
        **{name: count for name, count in more.items() if count},
    }


def _message(message: Message) -> dict[str, Any]:
    """In the convention's form: a role and its parts."""
    if message.role == "tool":
        parts: list[dict[str, Any]] = [
            {"type": "tool_call_response", "id": message.tool_call_id, "response": message.content}
        ]
        return {"role": "tool", "parts": parts}
    parts = [{"type": "text", "content": message.content}] if message.content else []
    parts += [{"type": "tool_call", "id": c.id, "name": c.name, "arguments": c.arguments} for c in message.tool_calls]
    return {"role": message.role, "parts": parts}


def _json(text: str | None) -> Mapping[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}
