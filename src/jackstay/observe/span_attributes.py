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


# (Not frozen, which would make it take three times as long to make.)
@dataclass(slots=True)
class Described:
    name: str
    attributes: Mapping[str, Value] = field(default_factory=dict)
    is_client: bool = False
    failed: Failed | None = None


class Describing:
    """Of one run. `masking`: what is masked now; `asked`: given if what was said is told as well."""

    def __init__(self, run: RunRow, masking: Callable[[], Masking], *, asked: Asked | None = None) -> None:
        self._id, self._kind, self._name, self._session = run.id, run.kind, run.name, run.session_id
        self._masking, self._asked = masking, asked

    def root(self, epoch: int) -> Described:
        """Of the run, as far as it is known when the epoch begins."""
        attributes: dict[str, Value] = {names.RUN: self._id, names.RUN_KIND: self._kind, names.RUN_EPOCH: epoch}
        if self._session is not None:
            attributes[names.SESSION] = self._session
        name, kind = self._kickoff(self._kind, self._name)
        return Described(name if epoch == 1 else f"resume {name}", attributes | kind)

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
        attributes: dict[str, Value] = {names.RUN: self._id, names.PATH: path}
        if agent is not None:
            shown = self._text(agent)
            attributes |= {names.KIND: "agent", names.OPERATION: names.INVOKE_AGENT, names.AGENT: shown}
            return Described(f"{names.INVOKE_AGENT} {shown}", attributes)
        if row is None:
            attributes[names.KIND] = "scope"
            return Described(path.rpartition("/")[2], attributes)
        return self._step(row, attributes)

    def _step(self, row: StepRow, attributes: dict[str, Value]) -> Described:
        attributes[names.KIND], attributes[names.STATUS], attributes[names.REVISION] = row.kind, row.status, row.rev
        if row.attempts > 1:
            attributes[names.ATTEMPTS] = row.attempts
        if row.flags:
            attributes[names.FLAGS] = row.flags.split(",")
        if row.agent is not None:
            attributes[names.AGENT] = self._text(row.agent)
        if row.task is not None:
            attributes[names.TASK] = self._text(row.task)
        name, own = self._own(row)
        attributes |= own
        failed = self._failure(row.error) if row.status == "failed" else None
        if failed is not None:
            attributes[names.ERROR_TYPE] = failed.code if row.kind == "llm" and failed.code != "error" else failed.type
        return Described(name, attributes, is_client=row.kind == "llm", failed=failed)

    def _own(self, row: StepRow) -> tuple[str, dict[str, Value]]:
        """The span's name, and what only steps of that kind have."""
        shown = self._text(row.name)
        match row.kind:
            case "llm":
                return self._model_call(row)
            case "tool":
                own: dict[str, Value] = {
                    names.OPERATION: names.EXECUTE_TOOL,
                    names.TOOL: shown,
                    names.TOOL_TYPE: "function",
                }
                return f"{names.EXECUTE_TOOL} {shown}", own | self._tool_content(row)
            case "crew" | "flow" | "agent":
                return self._kickoff(row.kind, row.name)
            case "task":
                return f"task {shown}", {names.TASK: shown} | self._result(row)
            case "method":
                return f"method {shown}", {names.METHOD: shown}
            case "guardrail":
                return f"guardrail {shown}", {names.GUARDRAIL: shown}
            case _:
                return f"{row.kind} {shown}", {}

    def _kickoff(self, kind: str, name: str) -> tuple[str, dict[str, Value]]:
        shown = self._text(name)
        match kind:
            case "crew" | "flow":
                own: dict[str, Value] = {names.OPERATION: names.INVOKE_WORKFLOW, names.WORKFLOW: shown}
                return f"{names.INVOKE_WORKFLOW} {shown}", own
            case "agent":
                return f"{names.INVOKE_AGENT} {shown}", {names.OPERATION: names.INVOKE_AGENT, names.AGENT: shown}
            case _:
                return f"{kind} {shown}", {}

    # --- model calls ---------------------------------------------------------------------------------------------------

    def _model_call(self, row: StepRow) -> tuple[str, dict[str, Value]]:
        asked, flags = row.model or "", row.flags or ""
        prefix, _, _ = asked.partition("/")
        provider = row.provider or (prefix if prefix != asked else "")
        model = asked.removeprefix(f"{prefix}/")
        answer = _json(row.result)
        own: dict[str, Value] = {names.OPERATION: names.CHAT}
        if provider:
            own[names.PROVIDER] = names.PROVIDERS.get(provider, provider)
        if model:
            own[names.REQUEST_MODEL] = model
        # Of most there is none, and nothing else of the request is told.
        most = _json(row.request).get("max_tokens") if "max_tokens" in (row.request or "") else None
        if most is not None:
            own[names.REQUEST_MAX_TOKENS] = most
        if "streamed" in flags:
            own[names.REQUEST_STREAM] = True
        if row.answered_by is not None:
            own[names.RESPONSE_MODEL] = row.answered_by
        if reason := answer.get("finish_reason"):
            own[names.FINISH_REASONS] = [reason]
        if row.cost_pico is not None:
            own[names.COST] = float(from_pico(row.cost_pico) or 0)
        if row.status == "succeeded" and "cached" not in flags.split(","):
            own |= _usage(row)
        if row.tried:
            own[names.TRIED] = [f"{each['model']}: {each['code']}" for each in json.loads(row.tried)]
        return f"{names.CHAT} {model}".strip(), own | self._conversation(row, answer)

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

    def _text(self, text: str) -> str:
        """What something is called."""
        masked = self._masking().text(text)
        return masked if len(masked) <= MOST_CHARACTERS else self._cut(masked)

    def _cut(self, text: str) -> str:
        if len(text) <= MOST_CHARACTERS:
            return text
        return f"{text[:MOST_CHARACTERS]}… (run {self._id[:SHORT]} has {len(text) - MOST_CHARACTERS:,} more characters)"

    def _shown(self, value: Any, words: Container[str] = ()) -> str:
        """What was said. Masked before it becomes JSON text, whose escapes would hide what is to be masked."""
        masked = self._masking().whole(value, words)
        return self._cut(masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False))


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
