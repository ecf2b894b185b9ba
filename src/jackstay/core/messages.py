"""The messages that a model is sent and the answer it gives, in our own words.

`models/` converts them at the wire. Hashes cover what was asked (role, text, tool names, arguments) and leave out
what differs between two equal askings: call ids, providers' opaque parts, times. (The wire library's own messages
never hash equal: they carry timestamps and random ids.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jackstay.core.canonical import HASH_VERSION, chain, digest
from jackstay.core.usage import NO_USAGE, Usage

Role = Literal["system", "user", "assistant", "tool"]
EMPTY_CHAIN = "0" * 64


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that a model asks for. `arguments` is the JSON text as the model wrote it: it may be invalid."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    `tool_calls` belongs to an assistant message, `tool_call_id` and `name` to a tool's result. `raw` is the
    provider's own form of an assistant message (signatures, reasoning items), sent back to the same provider
    unchanged and never hashed.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    name: str = ""
    raw: Mapping[str, Any] | None = None

    def question(self) -> dict[str, Any]:
        """What the hash covers."""
        body: dict[str, Any] = {"role": self.role, "content": self.content}
        if self.tool_calls:
            body["tool_calls"] = [[call.name, call.arguments] for call in self.tool_calls]
        if self.name:
            body["name"] = self.name
        return body

    def to_json(self) -> dict[str, Any]:
        body = self.question()
        if self.tool_calls:
            body["tool_calls"] = [[call.name, call.arguments, call.id] for call in self.tool_calls]
        if self.tool_call_id:
            body["tool_call_id"] = self.tool_call_id
        if self.raw is not None:
            body["raw"] = dict(self.raw)
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Message:
        return cls(
            role=body["role"],
            content=body.get("content", ""),
            tool_calls=tuple(ToolCall(id=c[2], name=c[0], arguments=c[1]) for c in body.get("tool_calls", ())),
            tool_call_id=body.get("tool_call_id", ""),
            name=body.get("name", ""),
            raw=body.get("raw"),
        )


class Conversation:
    """Messages with the running hash of them. Adding is O(new), however long the conversation is: a conversation is
    the one before it and what is new. Equal when the hashes are."""

    __slots__ = ("before", "hash", "new")

    def __init__(self, before: Conversation | None = None, new: tuple[Message, ...] = ()) -> None:
        self.before, self.new = before, new
        self.hash: str = EMPTY_CHAIN if before is None else before.hash
        for message in new:
            self.hash = chain(self.hash, message.question())

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Conversation:
        return cls(None, tuple(messages))

    def add(self, *messages: Message) -> Conversation:
        return Conversation(self, messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of them, from the first."""
        return tuple(message for stretch in reversed(list(self.stretches())) for message in stretch.new)

    def stretches(self) -> Iterator[Conversation]:
        """This conversation, the one before it, and so on to the first."""
        stretch: Conversation | None = self
        while stretch is not None:
            yield stretch
            stretch = stretch.before

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Conversation) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)

    def __repr__(self) -> str:
        return f"Conversation({len(self.messages)} messages, {self.hash[:10]})"


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model sees it. `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "description": self.description, "parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The JSON Schema that a structured answer has to fit."""

    name: str
    schema: Mapping[str, Any]
    description: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "schema": dict(self.schema), "description": self.description}


@dataclass(frozen=True, slots=True)
class Sampling:
    """Settings that change what a model answers, and so belong to the question's hash. None: the provider's default.

    `extra` holds settings that only some providers know (`top_k`, `logprobs`, …), passed on in the request's body.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: Mapping[str, float] | None = None
    reasoning_effort: str | None = None
    tool_choice: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and value not in ((), {}):
                body[name] = list(value) if isinstance(value, tuple) else value
        return body


NO_SAMPLING = Sampling()


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that decides a model's answer: the requested model (or chain, in order), messages, tools, sampling,
    output schema. Not: keys, addresses, timeouts, retries, who answered."""

    models: tuple[str, ...]
    conversation: Conversation
    tools: tuple[ToolSpec, ...] = ()
    sampling: Sampling = NO_SAMPLING
    output: OutputSchema | None = None

    def settings(self) -> dict[str, Any]:
        """What stands beside the messages."""
        return {
            "models": list(self.models),
            "tools": [tool.to_json() for tool in self.tools],
            "sampling": self.sampling.to_json(),
            "output": self.output.to_json() if self.output else None,
        }

    def hash(self, settings_digest: str | None = None) -> str:
        """SHA-256 of the question. `settings_digest` saves hashing the tools again in every turn of one loop."""
        return digest([HASH_VERSION, settings_digest or digest(self.settings()), self.conversation.hash])

    @property
    def roughly_tokens(self) -> int:
        """The messages' size where nobody counts it: four characters a token."""
        return sum(len(message.content) for message in self.conversation.messages) // 4


FinishReason = Literal["stop", "length", "tool_calls", "content_filter", "error", "unknown"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's whole answer."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = NO_USAGE
    model: str = ""
    """The model's name as the provider reports it."""
    provider: str = ""
    finish_reason: FinishReason = "stop"
    thinking: str = ""
    raw: Mapping[str, Any] | None = None

    def message(self) -> Message:
        return Message("assistant", self.text, self.tool_calls, raw=self.raw)

    def to_json(self) -> dict[str, Any]:
        """For the journal's row; usage stands in columns of its own."""
        body: dict[str, Any] = {"text": self.text, "model": self.model, "finish_reason": self.finish_reason}
        if self.tool_calls:
            body["tool_calls"] = [[call.name, call.arguments, call.id] for call in self.tool_calls]
        if self.thinking:
            body["thinking"] = self.thinking
        if self.raw is not None:
            body["raw"] = dict(self.raw)
        return body

    @classmethod
    def from_json(cls, body: Mapping[str, Any], *, usage: Usage = NO_USAGE, provider: str = "") -> Answer:
        return cls(
            text=body["text"],
            tool_calls=tuple(ToolCall(id=c[2], name=c[0], arguments=c[1]) for c in body.get("tool_calls", ())),
            usage=usage,
            model=body.get("model", ""),
            provider=provider,
            finish_reason=body.get("finish_reason", "stop"),
            thinking=body.get("thinking", ""),
            raw=body.get("raw"),
        )
