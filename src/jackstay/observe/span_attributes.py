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
from jackstay.core.messages import Message
from jackstay.core.records import RunRow, StepRow
from jackstay.core.usage import from_pico
from jackstay.observe import span_names as names
from jackstay.observe.span_shapes import MOST_CHARACTERS, Common, Shapes, Value

Asked = Callable[[StepRow], Sequence[Message]]
"""The conversation that a model call was asked with."""

_WORDS = frozenset({"role", "type", "id", "name", "finish_reason"})
"""Keys of messages whose values are the convention's words, and names of tools."""


@dataclass(frozen=True, slots=True)
class Failed:
    type: str
    message: str
    stacktrace: str = ""
    code: str = "error"


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
            return plain(path.rpartition("/")[2], {names.KIND: "scope", **own})
        own[names.REVISION] = row.rev
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
                return self._call(row, answer)
            case "tool":
                return self._tool_content(row)
            case "task":
                return self._result(row)
            case _:
                return {}

    # --- model calls ---------------------------------------------------------------------------------------------------

    def _call(self, row: StepRow, answer: Mapping[str, Any]) -> dict[str, Value]:
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
