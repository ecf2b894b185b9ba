"""What the stub is told to answer: texts, tool calls and faults, and how they travel as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jackstay.core.messages import FinishReason, ToolCall
from jackstay.core.usage import Usage
from jackstay.models.sim_brain import SimAnswer
from jackstay.testing.stub.fault import Fault


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. What is None is decided by the stub: usage from the bytes, the finish reason from the content."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    finish_reason: FinishReason | None = None
    model: str | None = None
    """The model that the answer names; None: the one that was asked."""
    latency_s: float | None = None
    """For this answer instead of the stub's latency."""
    thinking: str = ""
    fault: Fault | None = None
    """What goes wrong while this answer is given (cut, stall, drip, …)."""

    @property
    def finish(self) -> FinishReason:
        return self.finish_reason or ("tool_calls" if self.tool_calls else "stop")

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"text": self.text}
        if self.tool_calls:
            body["tool_calls"] = [[call.name, call.arguments, call.id] for call in self.tool_calls]
        if self.usage is not None:
            body["usage"] = usage_to_json(self.usage)
        for name in ("finish_reason", "model", "latency_s", "thinking"):
            if getattr(self, name):
                body[name] = getattr(self, name)
        if self.fault is not None:
            body["fault"] = self.fault.to_json()
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Reply:
        return cls(
            text=body.get("text", ""),
            tool_calls=tuple(ToolCall(id=one[2], name=one[0], arguments=one[1]) for one in body.get("tool_calls", ())),
            usage=Usage(**body["usage"]) if "usage" in body else None,
            finish_reason=body.get("finish_reason"),
            model=body.get("model"),
            latency_s=body.get("latency_s"),
            thinking=body.get("thinking", ""),
            fault=Fault.from_json(body["fault"]) if "fault" in body else None,
        )


def tool_call(name: str, /, **arguments: Any) -> ToolCall:
    """A tool call for a scripted answer; its id follows from name and arguments."""
    text = json.dumps(arguments, ensure_ascii=False)
    return ToolCall(f"call_{name}_{sum(text.encode()):04x}{len(text):04x}", name, text)


def reply_of(answer: Any) -> Reply | None:
    """Whatever a script, rule or answer function gave, as a `Reply`; None leaves the answer to the brain.

    A `dict` is sent as JSON text. Raises `TypeError` for what is no answer.
    """
    match answer:
        case None | Reply():
            return answer
        case str():
            return Reply(answer)
        case Fault():
            return Reply(fault=answer)
        case ToolCall():
            return Reply(tool_calls=(answer,))
        case SimAnswer():
            return Reply(answer.text, answer.tool_calls, finish_reason=answer.finish_reason)
        case dict():
            return Reply(json.dumps(answer, ensure_ascii=False))
        case list() | tuple() if answer and all(isinstance(one, ToolCall) for one in answer):
            return Reply(tool_calls=tuple(answer))
        case _:
            raise TypeError(f"a stub cannot answer with {answer!r}; give a str, Reply, ToolCall(s), dict or Fault")


def usage_to_json(usage: Usage) -> dict[str, Any]:
    body = {name: getattr(usage, name) for name in usage.__slots__}
    return {name: value for name, value in body.items() if value}


@dataclass(frozen=True, slots=True)
class Rule:
    """An answer for the requests that match; every given condition has to hold.

    `user` and `system` are regular expressions looked for (without regard to case) in the last user message and the
    system prompt, `model` in the model's name, `path` in the path. `times`: how often it applies (None: always).
    """

    answer: Any = field(compare=False)
    user: str | None = None
    system: str | None = None
    model: str | None = None
    path: str | None = None
    times: int | None = None
