"""What the three wire formats have in common: a request read, an answer written, tokens counted from bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jackstay.core.messages import Message, OutputSchema, ToolSpec
from jackstay.core.usage import Usage
from jackstay.testing.stub.fault import Fault
from jackstay.testing.stub.reply import Reply

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode
_ASKED = ("messages", "input", "system", "instructions", "tools")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request's body in our words."""

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    output: OutputSchema | None = None
    tool_choice: str | None = None
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Answering:
    """One answer to be written: the reply with everything decided."""

    number: int
    """Of the request; ids are made of it."""
    created: int
    model: str
    reply: Reply
    usage: Usage
    piece_chars: int
    with_usage: bool = True
    """Streams of OpenAI's chat report usage only when asked to."""


class WireFormat(Protocol):
    """One provider's way of saying things."""

    @property
    def api(self) -> str: ...

    def read(self, body: Mapping[str, Any]) -> Asked:
        """Understands a request. Raises `LookupError`, `TypeError` or `ValueError` for a malformed one."""
        ...

    def whole(self, answer: Answering) -> dict[str, Any]: ...

    def frames(self, answer: Answering) -> list[bytes]:
        """The answer as server-sent events."""
        ...

    def empty(self, answer: Answering) -> dict[str, Any]:
        """An answer without content."""
        ...

    def error(self, fault: Fault, model: str) -> dict[str, Any]: ...

    def error_frame(self, fault: Fault, model: str) -> bytes: ...

    def headers(self, number: int) -> dict[str, str]: ...


def compact(value: Any) -> bytes:
    # One encoder for all: `json.dumps` with options makes a new one at each call.
    return _encode(value).encode("utf-8", "surrogatepass")


def sse(event: str | None, data: Any) -> bytes:
    """One server-sent event."""
    head = b"" if event is None else f"event: {event}\n".encode()
    return head + b"data: " + (data if isinstance(data, bytes) else compact(data)) + b"\n\n"


def input_tokens(body: Mapping[str, Any]) -> int:
    """Prompt tokens of a request, counted from its bytes: compact UTF-8 JSON of messages, system prompt and tools,
    four bytes a token, rounded up. The same for streamed and plain requests."""
    asked = {name: body[name] for name in _ASKED if body.get(name)}
    return -(-len(compact(asked)) // 4)


def output_tokens(reply: Reply) -> int:
    """Completion tokens of an answer: four bytes of text, thinking, tool names and arguments a token, at least 1."""
    said = reply.text + reply.thinking + "".join(call.name + call.arguments for call in reply.tool_calls)
    return max(1, -(-len(said.encode("utf-8", "surrogatepass")) // 4))


def usage_of(body: Mapping[str, Any], reply: Reply) -> Usage:
    """What the stub reports for a request and its answer: the truth that tests compare with."""
    if reply.usage is not None:
        return reply.usage
    thought = -(-len(reply.thinking.encode()) // 4)
    return Usage(input_tokens=input_tokens(body), output_tokens=output_tokens(reply), reasoning_tokens=thought)


def pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or parts of which only text (and refusals) count."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    return "".join(_part_texts(content))


def _part_texts(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for part in parts:
        if part.get("type") in ("text", "input_text", "output_text", "refusal"):
            yield str(part.get("text") or part.get("refusal") or "")


def tool_name(messages: Sequence[Message], call_id: str) -> str:
    """The tool that an earlier call of this id named: results come with the id only."""
    for message in reversed(messages):
        for call in message.tool_calls:
            if call.id == call_id:
                return call.name
    return ""
